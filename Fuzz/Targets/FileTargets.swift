import Settings
import WAVFile

@testable import HubRuntime
@testable import PuckRuntime

func fuzzPuckSettings(_ bytes: UnsafeRawBufferPointer) {
    readSettings(bytes) { (reader) throws(SettingsErrors) in
        let settings = try PuckSettings.read(&reader, hostName: "puck")
        promise((1...32).contains(settings.identity.id.utf8.count), "an id that the hub would refuse")
        promise((1...65535).contains(settings.hub.port), "port \(settings.hub.port)")
        let token = settings.hub.token.value.utf8.count
        promise(token == 0 || (8...512).contains(token), "a token of no use")
    }
}

func fuzzHubSettings(_ bytes: UnsafeRawBufferPointer) {
    readSettings(bytes) { (reader) throws(SettingsErrors) in
        let settings = try HubSettings.read(&reader, hostName: "hub")
        promise(
            (1...1024).contains(settings.service.mostConnections), "\(settings.service.mostConnections) connections")
        promise((80...120).contains(settings.arbitration.windowMilliseconds), "an arbitration window out of range")
    }
}

/// Reads a configuration as a daemon does, with no board's file beneath it.
private func readSettings(
    _ bytes: UnsafeRawBufferPointer, _ read: (inout SettingsReader) throws(SettingsErrors) -> Void
) {
    // As the file itself is bounded; and nothing but /dev/null is opened for `token_file`.
    guard bytes.count <= 64 * 1024 else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    let document = SettingsDocument(text: text, name: "f")
    checkEntries(of: document, text)
    let overrides = SettingsDocument(overrides: ["puck.board_dir=/dev/null"])
    let paths = document.entries.contains { $0.key == "token_file" && $0.value.utf8.contains(UInt8(ascii: "/")) }
    if paths { return }
    var reader = SettingsReader(layers: [document, overrides], mainName: "f")
    do throws(SettingsErrors) {
        try read(&reader)
        trace("accepted; \(reader.warnings)")
        promise(document.problems.isEmpty, "accepted with problems: \(document.problems)")
    } catch {
        trace(error.description)
        promise(!error.problems.isEmpty, "a refusal names its problems")
        for problem in error.problems {
            promise(!problem.message.isEmpty && problem.line >= 0, "a problem says what and where: \(problem)")
        }
    }
}

/// Every entry stands where it says, no key twice, and what was read reads the same when it is written plainly.
private func checkEntries(of document: SettingsDocument, _ text: String) {
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var last = 0
    // A byte order mark is one at the beginning only.
    var plain = "#\n"
    var section = ""
    for entry in document.entries {
        trace("\(entry)")
        promise(entry.line > last && entry.line <= lines.count, "line \(entry.line) after line \(last)")
        last = entry.line
        var line = Substring(lines[entry.line - 1])
        if entry.line == 1, line.utf8.starts(with: [0xEF, 0xBB, 0xBF]) { line = Substring(line.utf8.dropFirst(3)) }
        let start = line.utf8.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0B || $0 == 0x0C }
        promise(start.starts(with: entry.key.utf8), "\"\(entry.key)\" does not stand on line \(entry.line)")
        if section != entry.section {
            section = entry.section
            plain += "[\(section)]\n"
        }
        plain += "\(entry.key)=\(entry.value)\n"
    }
    let again = SettingsDocument(text: plain, name: "f").entries
    promise(again.count == document.entries.count, "\(document.entries) came back as \(again)")
    for (a, b) in zip(again, document.entries) {
        // libinih cuts the name of an entry that goes on in the next line at 49 bytes, where blanks may then stand.
        var key = Substring(b.key)
        if b.key.utf8.count == 49 {
            while let last = key.utf8.last, last == 0x20 || (0x09...0x0D).contains(last) { key.removeLast() }
        }
        promise(a.section == b.section && a.key == key && a.value == b.value, "\(b) came back as \(a)")
    }
}

func fuzzWAV(_ bytes: UnsafeRawBufferPointer) {
    do throws(WAVFile.Malformed) {
        let file = try WAVFile(parsing: Array(bytes))
        trace("\(file.rate) Hz, \(file.channels) channels, \(file.samples.count) samples")
        promise(file.samples.count * 2 + 44 <= bytes.count, "more samples than bytes for them")
        promise((1...8).contains(file.channels) && (8000...192_000).contains(file.rate), "an impossible format")
        let again = try WAVFile(parsing: file.serialized())
        promise(again == file, "a file that is written and read again is the same")
    } catch {
        trace(error.advice)
        promise(!error.advice.isEmpty, "a refusal says what to do")
    }
}

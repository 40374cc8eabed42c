import CINI

/// One `key = value` of a document.
public struct SettingsEntry: Equatable, Sendable {
    public let section: String
    public let key: String
    public let value: String
    /// Counted from 1; 0 on the command line.
    public let line: Int
}

/// One layer of configuration, read but not yet understood: a file in INI form, or the command line's overrides.
///
/// The syntax is libinih's: `[section]`, `key = value` or `key: value`, comments from `#` or `;` at the start of a
/// line, and from ` ;` within one. Text is UTF-8. Blanks before a key mean nothing: libinih's continuation lines are
/// switched off, since there an indented key would silently become part of the value above it.
public struct SettingsDocument: Sendable {
    /// The path as it was given, or "command line".
    public let name: String
    /// In the order of the document; no section and key twice.
    public private(set) var entries: [SettingsEntry] = []
    /// Lines that are no INI, and keys that are given twice.
    public private(set) var problems: [SettingsProblem] = []
    /// Whether every user of the machine may read the file.
    public private(set) var isReadableByOthers = false

    /// Reads a file of at most 64 KiB.
    /// - Parameter advice: what the user should do when there is no such file.
    public static func read(_ path: String, advice: String = "") throws(SettingsErrors) -> SettingsDocument {
        let file = try SettingsFile(path: path, advice: advice)
        var document = SettingsDocument(bytes: file.bytes, name: path)
        document.isReadableByOthers = file.isReadableByOthers
        return document
    }

    public static func exists(_ path: String) -> Bool { SettingsFile.exists(path) }

    public init(text: String, name: String) { self.init(bytes: Array(text.utf8), name: name) }

    init(bytes: [UInt8], name: String) {
        self.name = name
        guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
            refuse(line: 0, "not UTF-8 text; is it the right file?")
            return
        }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { trimmed($0) }
        // libinih goes on after a bad line but names only the first, so that line is blanked and the rest read again.
        for _ in 0...SettingsErrors.longestList {
            let parse = INIParse(lines)
            guard let bad = parse.firstBadLine, lines.indices.contains(bad - 1) else {
                for entry in parse.entries { add(entry) }
                return
            }
            refuse(line: bad, Self.complaint(lines[bad - 1], longest: parse.longestLineBytes))
            lines[bad - 1] = []
        }
    }

    /// The layer of `--set SECTION.KEY=VALUE` options.
    public init(overrides: [String]) {
        name = "command line"
        for word in overrides {
            let halves = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let names = halves[0].split(separator: ".", omittingEmptySubsequences: false)
            if halves.count == 2, names.count == 2, !names[0].isEmpty, !names[1].isEmpty {
                let (section, key) = (String(names[0]), String(names[1]))
                add(SettingsEntry(section: section, key: key, value: String(halves[1]), line: 0))
            } else {
                refuse(line: 0, "found \"\(word)\"; allowed: SECTION.KEY=VALUE")
            }
        }
    }

    /// Takes one section out of the document, with everything that is wrong with its lines.
    public mutating func removeSection(_ section: String) -> SettingsDocument {
        var part = self
        part.entries = entries.filter { $0.section == section }
        part.problems = problems.filter { $0.section == section }
        entries.removeAll { $0.section == section }
        problems.removeAll { $0.section == section }
        return part
    }

    func entry(_ section: String, _ key: String) -> SettingsEntry? {
        for entry in entries where entry.section == section && entry.key == key { return entry }
        return nil
    }

    private mutating func add(_ new: SettingsEntry) {
        guard let old = entry(new.section, new.key) else {
            entries.append(new)
            return
        }
        let place = old.line > 0 ? " on line \(old.line)" : ""
        problems.append(
            SettingsProblem(
                document: name, line: new.line, section: new.section, key: new.key,
                message: "given twice, first\(place); keep one of the two"))
    }

    private mutating func refuse(line: Int, _ message: String) {
        problems.append(SettingsProblem(document: name, line: line, message: message))
    }

    private static func complaint(_ line: [UInt8], longest: Int) -> String {
        if line.count > longest { return "the line has \(line.count) bytes; allowed: at most \(longest)" }
        return "found \"\(String(decoding: line, as: UTF8.self))\"; allowed: [section], key = value, # comment"
    }
}

/// `line` without blanks, tabs and carriage returns at its ends.
private func trimmed(_ line: ArraySlice<UInt8>) -> [UInt8] {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
    var rest = line
    while let first = rest.first, isBlank(first) { rest.removeFirst() }
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return Array(rest)
}

/// One run of libinih over lines that are handed to it one by one. Its handler is told no line number (Debian builds
/// it without INI_HANDLER_LINENO), but since it asks for each line, the lines asked for so far are that number.
private final class INIParse {
    private let lines: [[UInt8]]
    private var handed = 0
    private(set) var entries: [SettingsEntry] = []
    private(set) var firstBadLine: Int?
    /// What libinih has room for, learned when it asks.
    private(set) var longestLineBytes = Int.max

    init(_ lines: [[UInt8]]) {
        self.lines = lines
        let state = Unmanaged.passUnretained(self).toOpaque()
        let result = ini_parse_stream(
            { buffer, size, state in
                let parse = Unmanaged<INIParse>.fromOpaque(state!).takeUnretainedValue()
                return parse.hand(to: buffer!, size: Int(size)) ? buffer : nil
            }, state,
            { state, section, key, value in
                guard let section, let key, let value else { return 0 }
                let parse = Unmanaged<INIParse>.fromOpaque(state!).takeUnretainedValue()
                parse.take(String(cString: section), String(cString: key), String(cString: value))
                return 1
            }, state)
        if result != 0, firstBadLine == nil { firstBadLine = Int(result) }
    }

    /// Copies the next line into libinih's buffer; false at the end.
    private func hand(to buffer: UnsafeMutablePointer<CChar>, size: Int) -> Bool {
        if handed == lines.count { return false }
        handed += 1
        // Room for the newline, a carriage return that libinih reckons with, and the closing zero.
        longestLineBytes = size - 3
        var line = lines[handed - 1]
        if line.count > longestLineBytes {
            if firstBadLine == nil { firstBadLine = handed }
            line = []
        }
        for (i, byte) in line.enumerated() { buffer[i] = CChar(bitPattern: byte) }
        buffer[line.count] = 0x0a
        buffer[line.count + 1] = 0
        return true
    }

    private func take(_ section: String, _ key: String, _ value: String) {
        entries.append(SettingsEntry(section: section, key: key, value: value, line: handed))
    }
}

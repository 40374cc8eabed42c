import Foundation
import LinuxIO
import Testing

/// The real `puckhub` in a folder of its own, on a port of its own. It is stopped, by its process id, when the test lets
/// go of it.
final class HubProcess {
    /// Never what a test waits for: only how long it waits before it fails.
    static let patience: Int32 = 20_000

    let folder: URL
    private(set) var tokens: [String: String] = [:]
    private(set) var port: UInt16 = 0
    private let process = Process()
    private let errors = Pipe()
    private var unread: [UInt8] = []
    /// Every log line read so far.
    private(set) var log: [LogLine] = []
    private let settings: [String]

    /// - Parameters:
    ///   - pucks: get a token each.
    ///   - settings: `SECTION.KEY=VALUE`.
    ///   - recording: into `folder`.
    init(
        pucks: [String] = ["kitchen"], tls: Bool = false, _ settings: [String] = [], recording: Bool = false
    ) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("puckhub-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.settings =
            [
                "hub.name=localhost", "hub.listen=127.0.0.1", "hub.port=0", "hub.state_dir=\(folder.path)",
                "log.level=debug", "tls.insecure=\(tls ? "no" : "yes")",
            ] + settings + (recording ? ["debug.record_dir=\(folder.path)"] : [])
        for puck in pucks { try addToken(puck) }
        process.executableURL = Self.executable
        process.arguments = self.settings.flatMap { ["--set", $0] }
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let line = try #require(waitForLog("hub.listening"))
        port = UInt16(line["port"] ?? "") ?? 0
    }

    deinit {
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Beside the test bundle, where the build puts both.
    static var executable: URL {
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("puckhub")
    }

    /// Runs `puckhub` to its end.
    static func run(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = executable
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // Both are far below what a pipe holds, so one after the other cannot block the child.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let problems = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text, problems)
    }

    /// The same configuration with other words on the command line, and with `more` in place of what it had.
    @discardableResult
    func command(_ words: [String], _ more: [String] = []) throws -> (status: Int32, output: String, errors: String) {
        let replaced = more.map { $0.prefix { $0 != "=" } }
        let kept = settings.filter { !replaced.contains($0.prefix { $0 != "=" }) }
        return try Self.run((kept + more).flatMap { ["--set", $0] } + words)
    }

    @discardableResult
    func addToken(_ puck: String) throws -> String {
        let result = try command(["token", "add", puck])
        let line = try #require(result.output.split(separator: "\n").first { $0.hasPrefix("    ") })
        tokens[puck] = line.trimmingCharacters(in: .whitespaces)
        return tokens[puck]!
    }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    func waitForExit() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Reads the log until a line of this event comes that `matches`; nil when none comes.
    func waitForLog(_ event: String, _ matches: (LogLine) -> Bool = { _ in true }) -> LogLine? {
        if let line = log.first(where: { $0.event == event && matches($0) }) { return line }
        while let line = nextLine() {
            log.append(line)
            if line.event == event, matches(line) { return line }
        }
        Issue.record("no log line \(event)")
        return nil
    }

    private func nextLine() -> LogLine? {
        while true {
            if let end = unread.firstIndex(of: 10) {
                let text = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeFirst(end + 1)
                guard let line = LogLine.parse(text) else {
                    Issue.record("not a log line: \(text)")
                    return nil
                }
                return line
            }
            var waiting = pollfd(
                fd: errors.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, Self.patience) == 1 else { return nil }
            let more = errors.fileHandleForReading.availableData
            if more.isEmpty { return nil }
            unread += more
        }
    }
}

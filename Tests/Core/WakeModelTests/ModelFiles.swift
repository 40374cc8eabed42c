import CLinux
import Testing

@testable import WakeModel

/// Models for tests: those of this folder, and wake words in the folders that PUCK_WAKE_MODELS names.
enum ModelFiles {
    private static let here = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
        separator: "/")

    static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { all += buffer[0..<count] }
        return all
    }

    /// The small model of one operator, or several.
    static func ofOperator(_ name: String) throws -> [UInt8] {
        try #require(read("\(here)/Operators/\(name).tflite"), "no model \(name)")
    }

    private static let folders: [String] = {
        guard let value = getenv("PUCK_WAKE_MODELS") else { return [] }
        return String(cString: value).split(separator: ":").map { String($0) }
    }()

    static let areGiven = !folders.isEmpty

    static func wakeWord(_ name: String) -> [UInt8]? {
        folders.lazy.compactMap { read("\($0)/\(name).tflite") }.first
    }
}

import Foundation
import Testing

/// docs/PROTOCOL.md and its vectors, read as another implementation's author reads them.
struct ProtocolPage {
    let lines: [String]

    init() throws { lines = try Self.text("docs/PROTOCOL.md").components(separatedBy: "\n") }

    static func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: Repository.path(name))), as: UTF8.self)
    }

    /// The lines of a numbered section.
    func section(_ number: Int) throws -> [String] {
        let start = try #require(lines.firstIndex { $0.hasPrefix("## \(number). ") })
        let rest = lines[(start + 1)...]
        return Array(rest.prefix { !$0.hasPrefix("## ") })
    }

    /// The rows of the tables of a section, without heads and rules; cells without their blanks.
    func rows(_ number: Int) throws -> [[String]] {
        let lines = try section(number)
        return lines.indices.filter { lines[$0].hasPrefix("|") && !lines[$0].hasPrefix("|-") }
            .filter { !($0 + 1 < lines.count && lines[$0 + 1].hasPrefix("|-")) }
            .map { lines[$0].split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    }

    /// The JSON objects among the examples of a section; those that are broken over lines are put together.
    func examples(_ number: Int) throws -> [String] {
        var found: [String] = []
        var open = ""
        for line in try section(number) where !open.isEmpty || line.hasPrefix("    {") {
            open += line.trimmingCharacters(in: .whitespaces)
            if open.count(where: { $0 == "{" }) == open.count(where: { $0 == "}" }) {
                found.append(open)
                open = ""
            }
        }
        #expect(open.isEmpty, "an example without an end: \(open)")
        return found
    }

    /// The bytes of the dumps of a section, one list a dump; what is cut off ends with "…".
    func dumps(_ number: Int) throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        for line in try section(number) {
            let words = line.trimmingCharacters(in: .whitespaces).components(separatedBy: "  ")
            guard words.count >= 2, words[0].count == 4, let offset = Int(words[0], radix: 16) else { continue }
            let bytes = words[1].split(separator: " ").compactMap { UInt8($0, radix: 16) }
            if offset == 0 { found.append([]) }
            #expect(found.last?.count == offset, "\(line)")
            found[found.count - 1] += bytes
        }
        return found
    }

    /// One of docs/vectors/messages.txt.
    struct Vector {
        let name: String
        let isFromPuck: Bool
        let isFromHub: Bool
        let type: UInt8
        let sequence: UInt16
        let timestamp: UInt32
        /// JSON, or what the payload is.
        let meaning: String
        let bytes: [UInt8]
    }

    static func vectors() throws -> [Vector] {
        try text("docs/vectors/messages.txt").components(separatedBy: "\n\n").dropFirst().map { block in
            let lines = block.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            let head = lines[0].components(separatedBy: " | ")
            let numbers = head[2].split(separator: " ")
            let digits = lines.dropFirst(2).joined().compactMap(\.hexDigitValue).map { UInt8($0) }
            return Vector(
                name: head[0], isFromPuck: head[1] != "hub -> puck", isFromHub: head[1] != "puck -> hub",
                type: try #require(UInt8(numbers[0], radix: 16)),
                sequence: try #require(UInt16(numbers[1].dropFirst(4))),
                timestamp: try #require(UInt32(numbers[2].dropFirst(6))), meaning: lines[1],
                bytes: stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
        }
    }
}

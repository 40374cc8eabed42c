import PuckBase

// What was learned, as text: kept over a restart of the hub, and readable by whoever wonders.
//
//     gain kitchen 125 -200           hundredths of a decibel: learned, corrected
//     pair hall kitchen 12 0 computer together, apart, phrase

/// A line that is none of those.
public struct EarshotTextError: Error, Equatable, Sendable {
    /// From 1.
    public var line: Int
}

extension Earshot {
    /// Lines of at most 32 + 32 + 64 bytes of names and two numbers; a file of more is none that a hub wrote.
    public static let longestText = (mostPairs + mostGains + 1) * 192

    /// No house wakes so often; counting on from here cannot overflow.
    private static let mostWakes = 1_000_000_000

    /// In a fixed order, so that what has not changed reads the same.
    public var text: String {
        var text = "# What this hub has learned about which pucks hear each other. Delete it to start again.\n"
        for puckID in gains.keys.sorted() {
            let gain = gains[puckID] ?? Gain()
            text += "gain \(puckID) \(Self.hundredths(gain.learned)) \(Self.hundredths(gain.corrected))\n"
        }
        let sorted = pairs.keys.sorted { ($0.a, $0.b, $0.phrase) < ($1.a, $1.b, $1.phrase) }
        // A phrase that would break its line is learned anew.
        for pair in sorted where !pair.phrase.utf8.contains(UInt8(ascii: "\n")) {
            let wakes = pairs[pair] ?? Wakes()
            text += "pair \(pair.a) \(pair.b) \(wakes.together) \(wakes.apart) \(pair.phrase)\n"
        }
        return text
    }

    /// - Throws: at the first line that cannot be read: half of what was learned is worse than nothing.
    public init(text: String) throws(EarshotTextError) {
        self.init()
        var number = 0
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            guard
                read(
                    line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: false).map {
                        String(Substring($0))
                    })
            else {
                throw EarshotTextError(line: number)
            }
        }
    }

    private mutating func read(_ words: [String]) -> Bool {
        guard words.count > 3 else { return false }
        if words[0] == "gain", words.count == 4, let learned = Int(words[2]), let corrected = Int(words[3]) {
            guard gains.count < Self.mostGains else { return false }
            gains[words[1]] = Gain(
                learned: Self.bounded(Double(learned) / 100), corrected: Self.bounded(Double(corrected) / 100))
            return true
        }
        guard words[0] == "pair", words.count == 6, let together = Int(words[3]), let apart = Int(words[4]),
            (0...Self.mostWakes).contains(together), (0...Self.mostWakes).contains(apart), pairs.count < Self.mostPairs
        else { return false }
        pairs[Pair(words[5], words[1], words[2])] = Wakes(together: together, apart: apart)
        return true
    }

    private static func hundredths(_ decibels: Double) -> Int { Int((decibels * 100).rounded()) }
}

import Foundation

/// What the pucks of many houses heard, as Benchmarks/arbitration writes it: text, one thing a line.
///
///     house NUMBER
///     puck CLOCK_ERROR_MS ROUND_TRIP_MS                     (0, 1, … in order)
///     wake NUMBER learn|count TRUTH RATIO
///     heard PUCK ONSET_MS FOUND_MS DELAY_MS HARD_DELAY_MS LEVEL_DB NOISE_DB CONFIDENCE ENVELOPE
///
/// Times count from the moment when the talker opens the mouth. An envelope is two
/// hexadecimal digits for each level: the decibels below full scale.
enum CaseFile {
    static func text(_ envelope: [Int8]) -> String { envelope.map { String(format: "%02x", -Int($0)) }.joined() }

    static func envelope(_ text: Substring) -> [Int8]? {
        let digits = Array(text)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var levels: [Int8] = []
        for i in stride(from: 0, to: digits.count, by: 2) {
            guard let level = Int8(String(digits[i...i + 1]), radix: 16) else { return nil }
            levels.append(-level)
        }
        return levels
    }
}

/// One house.
struct CaseHouse {
    struct Puck {
        var clockErrorMilliseconds: Double
        var roundTripMilliseconds: Double
    }

    struct Heard {
        var puck: Int
        var onsetMilliseconds: Double
        var foundMilliseconds: Double
        /// A home's Wi-Fi, and the hard network.
        var delayMilliseconds: [Double]
        var levelDecibels: Double
        var noiseDecibels: Double
        var confidence: Double
        var envelope: [Int8]

        /// Puck and hub need a millisecond too.
        func arrival(_ network: Int) -> Double { foundMilliseconds + 1 + delayMilliseconds[network] }
    }

    struct Wake {
        var number: Int
        /// Not one that gains are learned from only.
        var counts: Bool
        var truth: Int
        /// Path to the second nearest puck over path to the nearest.
        var ratio: Double
        var heard: [Heard] = []
    }

    var number: Int
    var pucks: [Puck] = []
    var wakes: [Wake] = []

    static func read(_ file: String) -> [CaseHouse] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { fail("cannot read \(file)") }
        var houses: [CaseHouse] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            let numbers = words.dropFirst().map { Double($0) ?? .nan }
            switch (words.first, numbers.count) {
            case ("house", 1): houses.append(CaseHouse(number: Int(numbers[0])))
            case ("puck", 2):
                houses[houses.count - 1].pucks.append(
                    Puck(clockErrorMilliseconds: numbers[0], roundTripMilliseconds: numbers[1]))
            case ("wake", 4):
                houses[houses.count - 1].wakes.append(
                    Wake(
                        number: Int(numbers[0]), counts: words[2] == "count", truth: Int(numbers[2]), ratio: numbers[3])
                )
            case ("heard", 9):
                let house = houses.count - 1
                guard let envelope = CaseFile.envelope(words[9]) else { fail("\(file): bad envelope: \(line)") }
                houses[house].wakes[houses[house].wakes.count - 1].heard.append(
                    Heard(
                        puck: Int(numbers[0]), onsetMilliseconds: numbers[1], foundMilliseconds: numbers[2],
                        delayMilliseconds: [numbers[3], numbers[4]], levelDecibels: numbers[5],
                        noiseDecibels: numbers[6], confidence: numbers[7], envelope: envelope))
            default: fail("\(file): bad line: \(line)")
            }
        }
        return houses
    }
}

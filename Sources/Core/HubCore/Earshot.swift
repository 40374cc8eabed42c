import PuckBase

/// What the hub has learned about who hears whom: which pucks wake together, and how loud each hears what others hear
/// too. Bounded. The hub's interpreter keeps `text` over a restart.
public struct Earshot: Sendable {
    /// Two pucks of one group, in alphabetical order, and a phrase.
    struct Pair: Hashable, Sendable {
        var phrase: String
        var a: String
        var b: String

        init(_ phrase: String, _ x: String, _ y: String) {
            self.phrase = phrase
            a = min(x, y)
            b = max(x, y)
        }
    }

    struct Wakes: Equatable, Sendable {
        var together = 0
        var apart = 0
    }

    /// So many wakes that one heard and the other did not, and none together: they are out of earshot.
    static let provenApart = 5
    /// Twelve pucks in one group are 66 pairs; more pairs than this are not learned, and waited for.
    static let mostPairs = 4_096
    /// Pucks of which a gain is kept.
    static let mostGains = 1_024
    /// How quickly a gain follows: an eighth of each new observation.
    static let gainStep = 0.125
    /// A microphone is not more than this off.
    static let mostGainDecibels = 12.0
    /// What one correction by a person moves the two gains apart.
    static let correctionDecibels = 1.0

    /// Of one puck, dB.
    struct Gain: Equatable, Sendable {
        /// From wakes that were heard together; follows them.
        var learned = 0.0
        /// From people; stays, for what is learned afterwards does not contradict it.
        var corrected = 0.0
    }

    var pairs: [Pair: Wakes] = [:]
    var gains: [String: Gain] = [:]
    /// Wakes and corrections that it has learned from since it began.
    public private(set) var lessons = 0

    public init() {}

    /// How much louder this puck hears than those that hear the same, and what people corrected; dB.
    public func gain(of puckID: String) -> Double {
        gains[puckID].map { Self.bounded($0.learned + $0.corrected) } ?? 0
    }

    /// What people corrected of it, dB.
    public func correction(of puckID: String) -> Double { gains[puckID]?.corrected ?? 0 }

    /// Whether a wake at `heard` may yet bring a candidate from `other`.
    func mayHear(_ other: String, what heard: String, phrase: String) -> Bool {
        guard let wakes = pairs[Pair(phrase, heard, other)] else { return true }
        return wakes.together > 0 || wakes.apart < Self.provenApart
    }

    /// A wake was decided: `heard` are its candidates, `silent` the other able pucks of the group.
    mutating func learn(heard: [String], silent: [String], phrase: String) {
        lessons += 1
        for (i, a) in heard.enumerated() {
            for b in heard[(i + 1)...] { note(Pair(phrase, a, b)) { $0.together += 1 } }
            for b in silent { note(Pair(phrase, a, b)) { $0.apart += 1 } }
        }
    }

    /// A candidate came after its wake had been decided: they do hear each other's people.
    mutating func learnLate(_ late: String, heard: [String], phrase: String) {
        for other in heard where other != late { note(Pair(phrase, other, late)) { $0.together += 1 } }
    }

    private mutating func note(_ pair: Pair, _ change: (inout Wakes) -> Void) {
        if pairs[pair] == nil, pairs.count >= Self.mostPairs { return }
        change(&pairs[pair, default: Wakes()])
    }

    /// Levels of one wake that several pucks heard, dB: over many wakes from many places the differences that stay are
    /// the microphones'.
    mutating func learnGains(_ levels: [(puckID: String, decibels: Double)]) {
        guard levels.count > 1 else { return }
        let mean = levels.reduce(0) { $0 + $1.decibels } / Double(levels.count)
        for (puckID, decibels) in levels where decibels.isFinite && mean.isFinite {
            change(puckID) {
                $0.learned = Self.bounded($0.learned + Self.gainStep * (decibels - mean - $0.learned))
            }
        }
    }

    /// "It should have been `right`": the wrong one's gain goes up and the right one's down.
    mutating func correct(right: String, wrong: String) {
        lessons += 1
        change(right) { $0.corrected = Self.bounded($0.corrected - Self.correctionDecibels) }
        change(wrong) { $0.corrected = Self.bounded($0.corrected + Self.correctionDecibels) }
    }

    private mutating func change(_ puckID: String, _ body: (inout Gain) -> Void) {
        if gains[puckID] == nil, gains.count >= Self.mostGains { return }
        body(&gains[puckID, default: Gain()])
    }

    static func bounded(_ decibels: Double) -> Double { max(-mostGainDecibels, min(mostGainDecibels, decibels)) }
}

import PuckBase
import PuckWire

/// A wake candidate, with what the hub knows of it at its arrival.
public struct Candidate: Equatable, Sendable {
    /// When the phrase began, on the hub's clock.
    public struct Onset: Equatable, Sendable {
        /// Milliseconds of the hub's clock.
        public var milliseconds: Double
        /// The true onset lies within this of it; half the round trip of the best clock exchange.
        public var errorMilliseconds: Double
        /// False while the puck's clock is unknown: this is the time of arrival then.
        public var isCorrected: Bool
    }

    public var connection: ConnectionID
    public var puckID: String
    public var wake: WakeCandidate
    public var arrived: Instant
    public var onset: Onset
    /// How much louder this puck hears than its neighbours do, learned from wakes that they heard together; dB.
    public var gainDecibels: Double
    /// Added to the SNR because the puck heard the phrase over its own loudspeaker; dB.
    public var handicapDecibels: Double
    /// `[arbitration] prefer`: higher wins ties.
    public var weight: Int
    /// Won the group's last wake: the conversation is likely to go on there.
    public var wonLast: Bool

    public init(
        connection: ConnectionID, puckID: String, wake: WakeCandidate, arrived: Instant, onset: Onset,
        gainDecibels: Double = 0, handicapDecibels: Double = 0, weight: Int = 0, wonLast: Bool = false
    ) {
        self.connection = connection
        self.puckID = puckID
        self.wake = wake
        self.arrived = arrived
        self.onset = onset
        self.gainDecibels = gainDecibels
        self.handicapDecibels = handicapDecibels
        self.weight = weight
        self.wonLast = wonLast
    }

    // Whole decibels and twentieths, so that comparing them is an order: what is closer than that is the same.
    var snr: Int { Self.whole(wake.snrDecibels + handicapDecibels) }
    var level: Int { Self.whole(wake.levelDecibels - gainDecibels) }
    var confidence: Int { Self.whole(wake.confidence * 20) }

    private static func whole(_ value: Double) -> Int {
        // A number that is none counts as the worst.
        value.isFinite ? Int(max(-1e6, min(1e6, value.rounded()))) : -1_000_000
    }
}

/// By what a wake is decided.
public enum ArbitrationPolicy: String, CaseIterable, Sendable {
    /// The earliest onset, then the clearest: docs/ARBITRATION.md.
    case onset
    /// The loudest, with the microphones' gains taken out.
    case energy
    /// The highest signal over noise.
    case snr
    /// The first to arrive, as others do it; for comparison.
    case first
}

/// Puts candidates in order. A total order: it depends on the set only, never on the order of arrival (but for the
/// policy whose point that is).
struct Ranking: Sendable {
    /// Onsets this close are the same: sound needs 3 ms a metre, and a detector's onset is a frame of 10 ms.
    static let tieBandMilliseconds = 20.0

    let candidates: [Candidate]
    let rule: ArbitrationDecision.Rule

    init(_ candidates: [Candidate], by policy: ArbitrationPolicy) {
        var rest = candidates.sorted { $0.puckID < $1.puckID }
        var ranked: [Candidate] = []
        while !rest.isEmpty { ranked.append(rest.remove(at: Self.best(of: rest, policy))) }
        self.candidates = ranked
        rule = ranked.count < 2 ? .onlyCandidate : Self.rule(ranked[0], over: ranked[1], among: ranked, policy)
    }

    private static func best(of candidates: [Candidate], _ policy: ArbitrationPolicy) -> Int {
        let near: Set<String>? = policy == .onset ? Set(Self.earliest(candidates).map { $0.puckID }) : nil
        var best: Int?
        for i in candidates.indices where near?.contains(candidates[i].puckID) ?? true {
            if let b = best, !precedes(candidates[i], candidates[b], policy) { continue }
            best = i
        }
        return best ?? 0
    }

    /// Those that nobody can tell from the earliest: within the tie band and both clocks' errors.
    static func earliest(_ candidates: [Candidate]) -> [Candidate] {
        guard
            let first = candidates.min(by: {
                ($0.onset.milliseconds, $0.puckID) < ($1.onset.milliseconds, $1.puckID)
            })
        else { return [] }
        return candidates.filter {
            $0.onset.milliseconds - first.onset.milliseconds
                <= tieBandMilliseconds + first.onset.errorMilliseconds + $0.onset.errorMilliseconds
        }
    }

    private static func keys(_ c: Candidate, _ policy: ArbitrationPolicy) -> [(Int, ArbitrationDecision.Rule)] {
        let rest: [(Int, ArbitrationDecision.Rule)] = [
            (c.snr, .highestSNR), (c.confidence, .highestConfidence), (c.weight, .preferred),
            (c.wonLast ? 1 : 0, .wonLast),
        ]
        switch policy {
        case .onset, .snr: return rest
        case .energy: return [(c.level, .loudest)] + rest
        case .first: return []
        }
    }

    private static func precedes(_ a: Candidate, _ b: Candidate, _ policy: ArbitrationPolicy) -> Bool {
        if policy == .first, a.arrived != b.arrived { return a.arrived < b.arrived }
        for (x, y) in zip(keys(a, policy), keys(b, policy)) where x.0 != y.0 { return x.0 > y.0 }
        return a.puckID < b.puckID
    }

    private static func rule(
        _ a: Candidate, over b: Candidate, among all: [Candidate], _ policy: ArbitrationPolicy
    ) -> ArbitrationDecision.Rule {
        if policy == .first, a.arrived != b.arrived { return .earlierArrival }
        if policy == .onset, !earliest(all).contains(where: { $0.puckID == b.puckID }) { return .earliestOnset }
        for (x, y) in zip(keys(a, policy), keys(b, policy)) where x.0 != y.0 { return x.1 }
        return .lowestPuckID
    }
}

/// The record of one decision, enough to explain it.
public struct ArbitrationDecision: Equatable, Sendable {
    public enum Rule: String, Sendable {
        case onlyCandidate = "only_candidate"
        case earliestOnset = "earliest_onset"
        case loudest
        case highestSNR = "highest_snr"
        case highestConfidence = "highest_confidence"
        case preferred
        case wonLast = "won_last"
        case earlierArrival = "earlier_arrival"
        case lowestPuckID = "lowest_puck_id"
        /// Another phrase won the group while this window was open: nobody is granted.
        case groupBusy = "group_busy"
        /// The winner of an earlier decision sent nothing, or dropped: FAILURES.md L4, L5.
        case runnerUp = "runner_up"
    }

    public var decidedAt: Instant
    public var waited: Interval
    public var phrase: String
    public var group: String
    public var policy: ArbitrationPolicy
    /// Best first; the first is the winner unless the group was busy.
    public var candidates: [Candidate]
    public var rule: Rule
    /// Nil when the group was busy.
    public var conversationID: String?
    /// Who would have won by each policy, in the order of `ArbitrationPolicy.allCases`.
    public var winners: [String]
    /// A person said that it should have been this puck.
    public var correctedTo: String?

    public var winner: Candidate? { conversationID == nil ? nil : candidates.first }

    /// One log value: `kitchen:21.5,hall:17.0` (puck and SNR in dB, best first).
    var scores: String {
        var text = ""
        for candidate in candidates {
            if !text.isEmpty { text += "," }
            text += candidate.puckID + ":" + fixed(candidate.wake.snrDecibels, 1)
        }
        return text
    }
}

import PuckBase
import PuckWire

/// Puts candidates in order. A total order: it depends on the set only, never on the order of arrival (but for the
/// policy whose point that is).
struct Ranking: Sendable {
    /// `onset`: onsets this close are the same: sound needs 3 ms a metre, and a detector's onset is a frame of 10 ms.
    static let tieBandMilliseconds = 20.0
    /// Scores this close are the same, and preference and stickiness decide.
    static let tieBandDecibels = 1.0
    /// With envelopes the score is steeper: half a decibel of it says as much.
    static let tieBandDecibelsOfCues = 0.5

    let candidates: [Candidate]
    let rule: ArbitrationDecision.Rule

    init(_ candidates: [Candidate], by policy: ArbitrationPolicy) {
        var rest = NearestScore.scored(candidates.sorted { $0.puckID < $1.puckID })
        var ranked: [Candidate] = []
        while !rest.isEmpty { ranked.append(rest.remove(at: Self.best(of: rest, policy))) }
        self.candidates = ranked
        rule = ranked.count < 2 ? .onlyCandidate : Self.rule(ranked[0], over: ranked[1], among: ranked, policy)
    }

    private static func best(of candidates: [Candidate], _ policy: ArbitrationPolicy) -> Int {
        let equals = Set(Self.equals(candidates, policy).map { $0.puckID })
        var best: Int?
        for i in candidates.indices where equals.contains(candidates[i].puckID) {
            if let b = best, !precedes(candidates[i], candidates[b], policy) { continue }
            best = i
        }
        return best ?? 0
    }

    /// Those among whom the lesser rules decide.
    private static func equals(_ candidates: [Candidate], _ policy: ArbitrationPolicy) -> [Candidate] {
        if policy == .first { return candidates }
        let pressed = candidates.filter { $0.isPressed }
        if !pressed.isEmpty { return pressed }
        switch policy {
        case .nearest:
            let highest = candidates.map { $0.score }.max() ?? 0
            let band = candidates.contains { $0.cues == nil } ? tieBandDecibels : tieBandDecibelsOfCues
            return candidates.filter { highest - $0.score <= band }
        case .onset: return earliest(candidates)
        case .energy, .snr, .first: return candidates
        }
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
        case .nearest:
            return [
                (c.weight, .preferred), (c.wonLast ? 1 : 0, .wonLast), (Candidate.whole(c.score * 10), .nearest),
                (c.snr, .highestSNR), (c.confidence, .highestConfidence),
            ]
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
        if policy == .first { return a.arrived != b.arrived ? .earlierArrival : .lowestPuckID }
        if a.isPressed && !b.isPressed { return .button }
        if !equals(all, policy).contains(where: { $0.puckID == b.puckID }) {
            return policy == .nearest ? .nearest : .earliestOnset
        }
        for (x, y) in zip(keys(a, policy), keys(b, policy)) where x.0 != y.0 { return x.1 }
        return .lowestPuckID
    }
}

extension ArbitrationDecision {
    /// The order in which a policy puts candidates, best first, with their scores. It depends on the set only.
    public static func order(_ candidates: [Candidate], by policy: ArbitrationPolicy) -> [Candidate] {
        candidates.isEmpty ? [] : Ranking(candidates, by: policy).candidates
    }
}

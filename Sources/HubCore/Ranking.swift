import PuckBase
import PuckWire

/// Puts candidates in order. A total order: it depends on the set only, never on the order of arrival (but for the
/// policy whose point that is).
struct Ranking: Sendable {
    /// `onset`: onsets this close are the same: sound needs 3 ms a metre, and a detector's onset is a frame of 10 ms.
    static let tieBandMilliseconds = 20.0
    /// `nearest`: what a millisecond of delay is worth. Fitted to simulated houses (docs/ARBITRATION.md): the best lies
    /// between 0.4 and 0.7 for clocks that are right to 5 ms.
    static let decibelsPerMillisecond = 0.5
    /// A clock that may be so wrong makes an onset worth half as much; the best weight at ±20 ms is 0.2.
    static let halvingErrorMilliseconds = 20.0
    /// What an arrival may be off as a measure of the onset: a capture period of 20 ms, and the network.
    static let arrivalErrorMilliseconds = 20.0
    /// Scores this close are the same, and preference and stickiness decide.
    static let tieBandDecibels = 1.0

    let candidates: [Candidate]
    let rule: ArbitrationDecision.Rule

    init(_ candidates: [Candidate], by policy: ArbitrationPolicy) {
        var rest = Self.scored(candidates.sorted { $0.puckID < $1.puckID })
        var ranked: [Candidate] = []
        while !rest.isEmpty { ranked.append(rest.remove(at: Self.best(of: rest, policy))) }
        #if MUTATIONS
            if Mutation.is(.orderOfArrival) { ranked = candidates }
        #endif
        self.candidates = ranked
        rule = ranked.count < 2 ? .onlyCandidate : Self.rule(ranked[0], over: ranked[1], among: ranked, policy)
    }

    /// Level, less what the onset is later than the others'. An uncertain onset is drawn towards the mean of the certain
    /// ones, so that a bad clock neither wins nor loses a wake. When any clock is unknown, all are compared by arrival:
    /// an onset and an arrival, 100 ms apart by nature, cannot be.
    private static func scored(_ candidates: [Candidate]) -> [Candidate] {
        let byArrival = candidates.contains { !$0.onset.isCorrected }
        let times = candidates.map { byArrival ? Double($0.arrived.nanoseconds) / 1e6 : $0.onset.milliseconds }
        let trust = candidates.map {
            let error = (byArrival ? arrivalErrorMilliseconds : $0.onset.errorMilliseconds) / halvingErrorMilliseconds
            return 1 / (1 + error * error)
        }
        // Relative to the first: monotonic clocks are large numbers, and differences are what counts.
        let origin = times.first ?? 0
        var mean = 0.0
        var total = 0.0
        for (time, trust) in zip(times, trust) {
            mean += trust * (time - origin)
            total += trust
        }
        mean /= max(total, .leastNormalMagnitude)
        var scored = candidates
        for i in scored.indices {
            let late = trust[i] * (times[i] - origin - mean)
            let c = scored[i]
            let level = c.wake.levelDecibels - c.gainDecibels(by: .nearest) + c.handicapDecibels
            let score = level - decibelsPerMillisecond * late
            // A number that is none counts as the worst.
            scored[i].score = score.isFinite ? score : -1_000_000
        }
        return scored
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
            return candidates.filter { highest - $0.score <= tieBandDecibels }
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

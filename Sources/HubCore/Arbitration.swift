import PuckBase
import PuckWire

/// Which puck answers a wake: the basic form. One window for each (phrase, earshot group), opened by the first
/// candidate.
///
///     no window ─ candidate ─▶ open ─ window over, or every able puck of the group heard from ─▶ decided
///     open ─ the last candidate's connection closes ─▶ no window
///     decided ─ 1 s ─▶ no window                     (a candidate meanwhile is late)
///
/// The corrected onsets, the runner-up's grant and the co-fire memory of FAILURES.md L4–L6 belong into `decide`.
struct Arbitration: Sendable {
    struct Key: Equatable, Sendable {
        var phrase: String
        var group: String
    }

    struct Window: Sendable {
        let key: Key
        let openedAt: Instant
        let closesAt: Instant
        /// In order of arrival. At most one a connection.
        var candidates: [Candidate]
    }

    private struct Decided: Sendable {
        var key: Key
        var at: Instant
    }

    /// A connection stands in one window at most, so there are never more windows than sessions.
    private(set) var windows: [Window] = []
    private var decided = BoundedQueue<Decided>(capacity: HubLimits.rememberedWakes)

    var nextDeadline: Instant? { windows.map { $0.closesAt }.min() }

    /// Whether a candidate of this key belongs to a wake that has been decided already.
    mutating func isLate(_ key: Key, now: Instant) -> Bool {
        while let oldest = decided.first, now - oldest.at >= HubLimits.lateWithin { _ = decided.popFirst() }
        for i in 0..<decided.count where decided[i].key == key { return true }
        return false
    }

    /// What was decided for this group is void: its next candidate is a new wake.
    mutating func forgetDecisions(group: String) {
        for _ in 0..<decided.count {
            guard let oldest = decided.popFirst() else { return }
            if oldest.key.group != group { decided.append(oldest) }
        }
    }

    /// - Returns: the candidate of the same connection that this one replaces; it gets its own verdict.
    mutating func add(_ candidate: Candidate, key: Key, window length: Interval, now: Instant) -> Candidate? {
        let replaced = remove(candidate.connection)
        if let i = windows.firstIndex(where: { $0.key == key }) {
            windows[i].candidates.append(candidate)
        } else {
            windows.append(Window(key: key, openedAt: now, closesAt: now + length, candidates: [candidate]))
        }
        return replaced
    }

    /// Takes a connection's candidate out; a window that is left empty closes without a decision.
    @discardableResult
    mutating func remove(_ connection: ConnectionID) -> Candidate? {
        for i in windows.indices {
            guard let j = windows[i].candidates.firstIndex(where: { $0.connection == connection }) else { continue }
            let candidate = windows[i].candidates.remove(at: j)
            if windows[i].candidates.isEmpty { windows.remove(at: i) }
            return candidate
        }
        return nil
    }

    /// Takes out a window that is to be decided now, and remembers that its wake has been decided.
    mutating func take(_ index: Int, now: Instant) -> Window {
        let window = windows.remove(at: index)
        decided.appendDroppingOldest(Decided(key: window.key, at: now))
        return window
    }
}

/// A wake candidate with who sent it and when it came.
public struct Candidate: Equatable, Sendable {
    public var connection: ConnectionID
    public var puckID: String
    public var wake: WakeCandidate
    public var arrived: Instant

    /// Highest SNR, then earlier arrival, then lowest puck id: a total order, since puck ids differ.
    static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
        if a.score != b.score { return a.score > b.score }
        if a.arrived != b.arrived { return a.arrived < b.arrived }
        return a.puckID < b.puckID
    }

    /// A ratio that is no number counts as the worst, so that the order stays total.
    private var score: Double { wake.snrDecibels.isNaN ? -.infinity : wake.snrDecibels }

    /// What told the two apart.
    static func rule(_ a: Candidate, over b: Candidate) -> ArbitrationDecision.Rule {
        if a.score != b.score { return .highestSNR }
        return a.arrived != b.arrived ? .earlierArrival : .lowestPuckID
    }
}

/// The record of one decision, enough to explain it.
public struct ArbitrationDecision: Equatable, Sendable {
    public enum Rule: String, Sendable {
        case onlyCandidate = "only_candidate"
        case highestSNR = "highest_snr"
        case earlierArrival = "earlier_arrival"
        case lowestPuckID = "lowest_puck_id"
        /// Another phrase won the group while this window was open: nobody is granted.
        case groupBusy = "group_busy"
    }

    public var decidedAt: Instant
    public var waited: Interval
    public var phrase: String
    public var group: String
    /// Best first; the first is the winner unless the group was busy.
    public var candidates: [Candidate]
    public var rule: Rule
    /// Nil when the group was busy.
    public var conversationID: String?

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

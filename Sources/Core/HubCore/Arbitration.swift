import PuckBase
import PuckWire

/// The windows in which candidates are collected: one for each (phrase, earshot group), opened by the first.
///
///     no window ─ candidate ─▶ open ─ window over, or everybody heard from that may have heard it ─▶ decided
///     open ─ the last candidate's connection closes ─▶ no window
///     decided ─ 1 s ─▶ no window                     (a candidate meanwhile is late)
///
/// Who wins is `Ranking`'s; who is waited for, `Earshot`'s.
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
        var heard: [String]
    }

    /// A connection stands in one window at most, so there are never more windows than sessions.
    private(set) var windows: [Window] = []
    private var decided = BoundedQueue<Decided>(capacity: HubLimits.rememberedWakes)

    var nextDeadline: Instant? { windows.map { $0.closesAt }.min() }

    /// Whose wake a candidate of this key belongs to, when it has been decided already; nil when it is a new one.
    mutating func decidedWake(_ key: Key, now: Instant) -> [String]? {
        while let oldest = decided.first, now - oldest.at >= HubLimits.lateWithin { _ = decided.popFirst() }
        for i in 0..<decided.count where decided[i].key == key { return decided[i].heard }
        return nil
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
        let heard = window.candidates.map { $0.puckID }
        decided.appendDroppingOldest(Decided(key: window.key, at: now, heard: heard))
        return window
    }
}

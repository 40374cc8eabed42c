import PuckBase

/// What a run must never show. The numbers are those of docs/SIMULATION.md.
public enum Checker: String, Sendable, CaseIterable {
    /// 1. Never more than one puck of a group holds a grant.
    case grants
    /// 2. Every candidate gets exactly one verdict.
    case verdicts
    /// 2. Whose turn it is after a winner that fails, and when: exact to the millisecond.
    case runnersUp = "runners-up"
    /// 2. A decision depends on who heard it, never on who came first.
    case order
    /// 3. What was played is a prefix of what was produced, gap-free and without repetition.
    case playback
    /// 4. The audio that the hub holds for a conversation is contiguous from its start.
    case uplink
    /// 4, 5. What can go on after a lost link goes on.
    case resume
    /// 5. Buffers, logs and queues keep their bounds.
    case bounds
    /// 6. Attempts to reconnect follow the schedule.
    case backoff
    /// 7. Offline is shown between 30 and 31 s, once an outage.
    case offline
    /// 8. Whatever waits has a deadline, and a deadline that came moves on.
    case deadlines
    /// 9. After healing everybody is there, at rest, and able to serve.
    case convergence
    /// 10. No peer breaks the protocol, and nothing that it forbids is accepted.
    case conformance
    /// 11. A television is believed ever less, people never less than that, and it is said.
    case doubt
    /// 12. Two pucks with one id and token do not fight for its place, and are told.
    case copies
    /// 13. A disk that fails costs nobody his token, and what was ended has ended.
    case storage
    /// Controls survive being written and read.
    case encoding
    /// The run itself turns in a circle.
    case spin

    /// What did not happen that had to; everything else is something that happened and must not.
    public var isLiveness: Bool {
        self == .convergence || self == .deadlines || self == .resume || self == .spin || self == .runnersUp
    }
}

public struct Violation: Equatable, Sendable {
    public var checker: Checker
    public var puck: String?
    public var text: String
    /// Of the house's time, in nanoseconds.
    public var atNanoseconds: Int64

    public var line: String {
        let seconds = fixed(Double(atNanoseconds) / 1e9, 3)
        return "\(checker.rawValue) at \(seconds) s\(puck.map { ", \($0)" } ?? ""): \(text)"
    }
}

/// When a checker looks: the house's time, and the clock of whoever did it.
struct Moment {
    var now: Instant
    var local: Instant
}

/// Collects what checkers find; the first of a run counts.
final class Findings {
    private(set) var first: Violation?
    private let names: [String]
    var now = Instant.zero

    init(names: [String]) { self.names = names }

    func report(_ checker: Checker, _ puck: Int?, _ text: @autoclosure () -> String) {
        if first != nil { return }
        first = Violation(
            checker: checker, puck: puck.map { names[$0] }, text: text(), atNanoseconds: now.nanoseconds)
    }
}

/// Until when each puck may feel a fault: what may be excused by one.
struct Disturbances {
    private var until: [Instant]

    init(pucks: Int) { until = [Instant](repeating: .zero, count: pucks) }

    mutating func disturb(_ puck: Int, until end: Instant) { until[puck] = max(until[puck], end) }

    /// Whether a fault could be felt at any time since then.
    func disturbed(_ puck: Int, since: Instant) -> Bool { until[puck] >= since }
}

import PuckBase
import PuckWire

/// 2. Every candidate that the hub hears gets exactly one verdict, within the arbitration window, unless its connection
/// ends. A grant may be taken back once (`degraded`), and a loser be asked once in its winner's place, while it stands by.
/// A puck gives up waiting only when something was wrong on the way.
struct VerdictChecker {
    private struct Candidate: Hashable {
        var connection: Int
        var wakeID: UInt32
    }
    private enum Verdict {
        case awaited(since: Instant)
        case granted
        case cancelled
        case standsBy(since: Instant)
    }

    /// The longest window that can be configured, and a little for rounding.
    private static let longest = Interval.milliseconds(125)
    private static let standby = Interval.milliseconds(2_000)

    private var candidates: [Candidate: Verdict] = [:]
    private var awaited: [Candidate] = []
    /// The wake that each conversation came from; the one that a puck asks to go on with, by its new connection.
    private var wakeOf: [String: UInt32] = [:]
    private var asked: [Int: String] = [:]
    private var askedAt: [Int: Instant] = [:]
    private var hubThawedAt = Instant.zero

    mutating func watch(
        _ observation: Observation, _ moment: Moment, _ findings: Findings, _ disturbances: Disturbances
    ) {
        switch observation {
        case .puckSent(let puck, _, .wakeCandidate): askedAt[puck] = moment.now
        case .puckLogged(let puck, let record):
            guard record.event.isNamed("wake.no_verdict"), let since = askedAt[puck] else { return }
            if !disturbances.disturbed(puck, since: since) {
                findings.report(.verdicts, puck, "no verdict came, and nothing was wrong on the way")
            }
        case .hubHeard(let connection, .wakeCandidate(let wake)):
            let candidate = Candidate(connection: connection, wakeID: wake.wakeID)
            if candidates[candidate] != nil {
                findings.report(.verdicts, nil, "connection \(connection) repeats candidate \(wake.wakeID)")
            }
            candidates[candidate] = .awaited(since: moment.local)
            awaited.append(candidate)
        case .hubHeard(let connection, .hello(let hello)): asked[connection] = hello.uplink?.conversationID
        case .hubSent(let connection, .welcome(let welcome), _):
            // What goes on on another connection keeps its verdict.
            guard welcome.uplinkNext != nil, let wakeID = asked[connection].flatMap({ wakeOf[$0] }) else { return }
            candidates[Candidate(connection: connection, wakeID: wakeID)] = .granted
        case .forgotten(let id): wakeOf[id] = nil
        case .hubSent(let connection, .grant(let wakeID, let id), _):
            wakeOf[id] = wakeID
            judged(Candidate(connection: connection, wakeID: wakeID), .granted, nil, moment.local, findings)
        case .hubSent(let connection, .cancel(let wakeID, let reason), _):
            let isLoser = reason == .lost
            judged(
                Candidate(connection: connection, wakeID: wakeID),
                isLoser ? .standsBy(since: moment.local) : .cancelled, reason, moment.local, findings)
        case .connectionClosed(let connection):
            // Few pucks, few candidates: a closed connection's are forgotten.
            candidates = candidates.filter { $0.key.connection != connection }
            asked[connection] = nil
            awaited.removeAll { $0.connection == connection }
        case .hubEnded:
            candidates = [:]
            awaited = []
            wakeOf = [:]
            asked = [:]
        case .hubThawed: hubThawedAt = moment.local
        default: break
        }
    }

    private mutating func judged(
        _ candidate: Candidate, _ verdict: Verdict, _ reason: HubControl.CancelReason?, _ local: Instant,
        _ findings: Findings
    ) {
        switch candidates[candidate] {
        case nil: findings.report(.verdicts, nil, "a verdict for candidate \(candidate.wakeID), which nobody sent")
        case .awaited: awaited.removeAll { $0 == candidate }
        case .granted:
            if reason != .degraded {
                findings.report(.verdicts, nil, "a second verdict for candidate \(candidate.wakeID), after its grant")
            }
        case .standsBy(let since):
            if reason != nil {
                findings.report(.verdicts, nil, "a second cancel for candidate \(candidate.wakeID)")
            } else if local - max(since, hubThawedAt) > Self.standby {
                findings.report(.verdicts, nil, "candidate \(candidate.wakeID) is asked when it no longer stands by")
            }
        case .cancelled:
            findings.report(.verdicts, nil, "a second verdict for candidate \(candidate.wakeID), after its cancel")
        }
        candidates[candidate] = verdict
    }

    mutating func steppedHub(_ local: Instant, _ findings: Findings) {
        guard let oldest = awaited.first, case .awaited(let since)? = candidates[oldest] else { return }
        if local - max(since, hubThawedAt) > Self.longest {
            findings.report(.verdicts, nil, "candidate \(oldest.wakeID) waits longer than any window lasts")
        }
    }
}

extension StaticStringKey {
    /// Without making strings of both.
    func isNamed(_ name: StaticString) -> Bool {
        guard text.utf8CodeUnitCount == name.utf8CodeUnitCount else { return false }
        for i in 0..<name.utf8CodeUnitCount where text.utf8Start[i] != name.utf8Start[i] { return false }
        return true
    }
}

import PuckBase
import PuckWire

/// 2, after the grant (FAILURES.md L4–L6), exact to the millisecond of the hub's clock: a winner of which nothing is heard
/// for 500 ms, at first or within its first second, or that is away for 300 ms before it has sent a second, has its turn taken, and the next that stands by
/// gets it in the same instant. When that one fails too, or nobody stands by, the pucks of the group that are there say
/// so. Nobody is asked in place of a winner that did not fail.
struct RunnerUpChecker {
    private struct Loser {
        var puck: Int
        var connection: Int
        var wakeID: UInt32
    }

    private struct Turn {
        var id: String
        var puck: Int
        var connection: Int
        var grantedAt: Instant
        /// Best first, as the hub told them.
        var losers: [Loser] = []
        /// Who failed before this one.
        var inPlaceOf: Int?
        var packets = 0
        var isListening = true
        var awaySince: Instant?
        var heardAt = Instant.zero

        /// When the hub has to take it away unless something comes; nil when it has not.
        var due: Instant? {
            guard isListening else { return nil }
            if packets == 0 { return grantedAt + RunnerUpChecker.firstAudio }
            guard packets < RunnerUpChecker.proven else { return nil }
            if let awaySince {
                let mayBeAsked = mayBeAsked(awaySince + RunnerUpChecker.comeBack)
                return awaySince + (mayBeAsked ? RunnerUpChecker.comeBack : RunnerUpChecker.utteranceKept)
            }
            let stalled = heardAt + RunnerUpChecker.firstAudio
            return inPlaceOf != nil || mayBeAsked(stalled) ? stalled : nil
        }

        private func mayBeAsked(_ then: Instant) -> Bool {
            !losers.isEmpty && then - grantedAt <= RunnerUpChecker.standby
        }
    }

    /// What the hub did in the present step.
    private struct Step {
        var ended: [Turn] = []
        /// One a group at most: two groups' winners may fail at once.
        var asked: [(puck: Int, connection: Int)] = []
        var toldDegraded: [Int] = []
        var earcons: [Int] = []

        var isEmpty: Bool { ended.isEmpty && asked.isEmpty }
    }

    private static let firstAudio = Interval.milliseconds(500)
    private static let comeBack = Interval.milliseconds(300)
    private static let utteranceKept = Interval.seconds(2)
    private static let proven = 50
    /// A loser stands by for 2 s; the way of its grant needs the rest.
    private static let standby = Interval.milliseconds(1_800)
    private static let exactness = Interval.milliseconds(1)

    private let groupOf: [Int]
    /// One a group.
    private var turns: [Turn?]
    private var puckOf: [Int: Int] = [:]
    /// The connection that each puck is greeted on, and whether it can serve.
    private var live: [Int?]
    private var isAble: [Bool]
    private var newestWake: [Int: UInt32] = [:]
    private var lost: [Int: UInt32] = [:]
    private var helloAt: [Instant?]
    private var errorAt: [Instant?]
    private var failed: Set<String> = []
    private var thawedAt = Instant.zero
    private var step = Step()

    init(groups: [String]) {
        groupOf = groups.map { group in groups.firstIndex(of: group)! }
        turns = groups.map { _ in nil }
        live = groups.map { _ in nil }
        isAble = groups.map { _ in true }
        helloAt = groups.map { _ in nil }
        errorAt = groups.map { _ in nil }
    }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .hubEnded:
            for i in turns.indices { (turns[i], live[i]) = (nil, nil) }
            (newestWake, lost, step) = ([:], [:], Step())
        case .hubThawed: thawedAt = moment.local
        case .connectionOpened(let connection, let puck): puckOf[connection] = puck
        case .connectionClosed(let connection): closed(connection, moment.local)
        case .hubHeard(let connection, let control):
            if let puck = puckOf[connection] { heard(puck, connection, control, moment.local) }
        case .kept(let id, _):
            for i in turns.indices where turns[i]?.id == id {
                turns[i]!.packets += 1
                turns[i]!.heardAt = moment.local
            }
        case .hubRefused(let connection, _), .hubHeardError(let connection, _):
            if let puck = puckOf[connection] { errorAt[puck] = moment.local }
        case .hubSent(let connection, let control, _):
            if let puck = puckOf[connection] { sent(puck, connection, control, moment.local, findings) }
        case .forgotten(let id):
            guard let i = turns.firstIndex(where: { $0?.id == id }), let turn = turns[i] else { return }
            turns[i] = nil
            step.ended.append(turn)
        case .answerWanted(let id, _, _):
            if failed.contains(id) { findings.report(.runnersUp, nil, "\(id) failed, and is answered") }
        default: break
        }
    }

    private mutating func closed(_ connection: Int, _ now: Instant) {
        guard let puck = puckOf[connection] else { return }
        if live[puck] == connection { live[puck] = nil }
        if turns[groupOf[puck]]?.connection == connection { turns[groupOf[puck]]!.awaySince = now }
    }

    private mutating func heard(_ puck: Int, _ connection: Int, _ control: PuckControl, _ now: Instant) {
        switch control {
        case .hello:
            live[puck] = connection
            isAble[puck] = true
            helloAt[puck] = now
        case .status(let status): if live[puck] == connection { isAble[puck] = status.captureOK && !status.muted }
        case .wakeCandidate(let wake): newestWake[connection] = wake.wakeID
        case .uplinkEnd(let end):
            if turns[groupOf[puck]]?.id == end.conversationID { turns[groupOf[puck]]!.isListening = false }
        default: break
        }
    }

    private mutating func sent(
        _ puck: Int, _ connection: Int, _ control: HubControl, _ now: Instant, _ findings: Findings
    ) {
        let group = groupOf[puck]
        switch control {
        case .welcome(let welcome):
            guard welcome.uplinkNext != nil, turns[group]?.puck == puck else { return }
            turns[group]!.awaySince = nil
            turns[group]!.heardAt = now
            turns[group]!.connection = connection
        case .cancel(let wakeID, .lost):
            lost[connection] = wakeID
            // Losers are told right after their winner; one that its own puck has replaced is none.
            guard let turn = turns[group], turn.grantedAt == now, turn.puck != puck, newestWake[connection] == wakeID
            else { return }
            turns[group]!.losers.append(Loser(puck: puck, connection: connection, wakeID: wakeID))
        case .cancel(_, .degraded): step.toldDegraded.append(connection)
        case .earcon: step.earcons.append(puck)
        case .grant(let wakeID, let id):
            var turn = Turn(id: id, puck: puck, connection: connection, grantedAt: now)
            if lost[connection] == wakeID {
                step.asked.append((puck, connection))
                turn.inPlaceOf = step.ended.last { groupOf[$0.puck] == group }?.puck ?? puck
            }
            turns[group] = turn
        default: break
        }
    }

    // MARK: After each step of the hub

    mutating func steppedHub(_ now: Instant, _ findings: Findings, _ disturbances: Disturbances) {
        for case let turn? in turns {
            guard let due = turn.due, now > max(due, thawedAt) + Self.exactness else { continue }
            findings.report(
                .runnersUp, turn.puck, "\(turn.id) should have failed \((now - due).wholeMilliseconds) ms ago")
        }
        if step.isEmpty { return reset() }
        var replaced: Set<Int> = []
        for turn in step.ended where hasFailed(turn, now, findings) {
            failed.insert(turn.id)
            let group = groupOf[turn.puck]
            let asked = step.asked.last { groupOf[$0.puck] == group }
            guard let expected = next(after: turn, now)?.connection else {
                replaced.remove(group)
                if let asked {
                    findings.report(.runnersUp, asked.puck, "is asked, and nobody stands by for \(turn.id)")
                }
                judgeEarcons(after: turn, findings, disturbances)
                continue
            }
            replaced.insert(group)
            if asked == nil { findings.report(.runnersUp, turn.puck, "failed, and the runner-up is not asked") }
            if let asked, asked.connection != expected {
                findings.report(.runnersUp, asked.puck, "is asked in place of \(turn.id), and it is not its turn")
            }
        }
        for asked in step.asked where !replaced.contains(groupOf[asked.puck]) {
            findings.report(.runnersUp, asked.puck, "is asked after it lost, and nobody failed")
        }
        reset()
    }

    private mutating func reset() {
        if step.isEmpty, step.toldDegraded.isEmpty, step.earcons.isEmpty { return }
        step = Step()
    }

    /// Whether this end is one after which somebody else is asked; and that it came when it had to.
    private func hasFailed(_ turn: Turn, _ now: Instant, _ findings: Findings) -> Bool {
        guard turn.isListening, turn.packets < Self.proven else { return false }
        // It came back without the rest of it, or broke the protocol.
        if helloAt[turn.puck] == now || errorAt[turn.puck] == now { return true }
        guard let due = turn.due else { return false }
        if now < due || now > max(due, thawedAt) + Self.exactness {
            let late = (now - due).milliseconds
            findings.report(.runnersUp, turn.puck, "\(turn.id) fails \(fixed(late, 3)) ms after it had to")
        }
        if turn.awaySince == nil, !step.toldDegraded.contains(turn.connection) {
            findings.report(.runnersUp, turn.puck, "\(turn.id) fails, and its puck is not told")
        }
        return true
    }

    private func next(after turn: Turn, _ now: Instant) -> Loser? {
        guard turn.inPlaceOf == nil, now - turn.grantedAt <= Self.standby else { return nil }
        return turn.losers.first { live[$0.puck] == $0.connection && isAble[$0.puck] }
    }

    private func judgeEarcons(after turn: Turn, _ findings: Findings, _ disturbances: Disturbances) {
        guard turn.inPlaceOf != nil || !turn.losers.isEmpty else { return }
        for puck in groupOf.indices where groupOf[puck] == groupOf[turn.puck] {
            let hasFailed = puck == turn.puck || puck == turn.inPlaceOf
            if hasFailed, step.earcons.contains(puck) {
                findings.report(.runnersUp, puck, "is to say that nobody could be heard, long after it failed")
            }
            // A puck that is behind with its stream is told later.
            if !hasFailed, live[puck] != nil, !step.earcons.contains(puck),
                !disturbances.disturbed(puck, since: findings.now - .seconds(30))
            {
                findings.report(.runnersUp, puck, "does not say that nobody could be heard after \(turn.id)")
            }
        }
    }
}

import PuckBase
import PuckCore
import PuckWire

/// 6. Attempts to reconnect follow 1, 2, 4, 8, 16, 30, 30 … s, each ±10 %, and begin again after a link that was up
/// for 10 s. In the first second after a loss in the middle of an utterance they come every 150 ms instead, outside the
/// row; a network change cuts a pause short, within a second of it. Addresses that a search has found are tried outside
/// the row as well, a second apart. By the puck's own clock.
struct BackoffChecker {
    private static let seconds = [1, 2, 4, 8, 16, 30]
    private static let stableAfter = Interval.seconds(10)
    private static let resumePause = Interval.milliseconds(150)
    private static let resumeWithin = Interval.seconds(1)
    private static let networkSettles = Interval.seconds(1)
    private static let candidatePause = Interval.milliseconds(900)

    private struct State {
        var isFirst = true
        /// How many pauses since the last stable link; two when it was stable to the very moment.
        var attempts: [Int] = [0]
        var upSince: Instant?
        var lostAt: Instant?
        /// When the last link that was up ended.
        var downSince: Instant?
        /// Granted, and not yet idle again.
        var hasTurn = false
        var hadTurn = false
        var networkChangedAt: Instant?
        /// The last attempt went to an address that a search has found.
        var triesCandidates = false
        /// It changed while an attempt was under way.
        var networkIsNew = false
        var thawedAt = Instant.zero
        /// Refused since another device has its place: 30 s to 5 min, a tenth more or less, and in the row as well.
        var isDuplicate = false
    }

    private static let duplicatePauses = Interval.milliseconds(26_999)...Interval.milliseconds(330_001)
    private var states: [State]

    init(pucks: Int) { states = (0..<pucks).map { _ in State() } }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .puckStarted(let puck): states[puck] = State()
        case .puckThawed(let puck): states[puck].thawedAt = moment.local
        case .puckHeard(let puck, _, .grant, _): states[puck].hasTurn = true
        case .puckHeard(let puck, _, .welcome, _):
            if states[puck].upSince == nil { states[puck].upSince = moment.local }
            states[puck].networkIsNew = false
            states[puck].downSince = nil
        case .networkChanged(let puck):
            states[puck].networkChangedAt = moment.local
            states[puck].networkIsNew = states[puck].lostAt == nil && states[puck].upSince == nil
        case .puckHeardError(let puck, _, let error):
            if error.code == .duplicate { states[puck].isDuplicate = true }
        case .socketLost(let puck, _), .socketDropped(let puck): lost(&states[puck], moment.local)
        case .socketWanted(let puck): wanted(puck, moment.local, findings)
        case .candidateWanted(let puck): wantedCandidate(puck, moment.local, findings)
        default: break
        }
    }

    mutating func stepped(_ puck: Int, _ phase: Phase) {
        if phase == .idle || phase == .candidate { states[puck].hasTurn = false }
    }

    private func lost(_ state: inout State, _ now: Instant) {
        if state.lostAt != nil { return }
        state.lostAt = now
        state.hadTurn = state.hasTurn
        state.networkChangedAt = state.networkIsNew ? now : nil
        state.networkIsNew = false
        guard let upSince = state.upSince else { return }
        state.upSince = nil
        state.downSince = now
        let up = now - upSince
        // A loss that is told together with the tenth second (after a freeze, say) may come before or after it.
        let isOnTheEdge = state.thawedAt > upSince || up - Self.stableAfter < .milliseconds(1)
        if up >= Self.stableAfter { state.attempts = isOnTheEdge ? state.attempts + [0] : [0] }
    }

    private mutating func wantedCandidate(_ puck: Int, _ now: Instant, _ findings: Findings) {
        let state = states[puck]
        guard let lostAt = state.lostAt else {
            return findings.report(.backoff, puck, "opens a socket although it has one")
        }
        states[puck].isDuplicate = false
        let isSoon = state.downSince.map { lostAt - $0 < Self.resumeWithin } ?? false
        if now - lostAt < Self.candidatePause, !isSoon, state.networkChangedAt == nil {
            findings.report(
                .backoff, puck, "tries what it found after \((now - lostAt).wholeMilliseconds) ms, which is too soon")
        }
        // The pause that was cut short was of the row, unless the search ended during an attempt.
        if !state.triesCandidates { states[puck].attempts += state.attempts.map { $0 + 1 } }
        states[puck].triesCandidates = true
        states[puck].lostAt = nil
    }

    private mutating func wanted(_ puck: Int, _ now: Instant, _ findings: Findings) {
        defer {
            states[puck].lostAt = nil
            states[puck].triesCandidates = false
        }
        if states[puck].isFirst {
            states[puck].isFirst = false
            return
        }
        let state = states[puck]
        guard let lostAt = state.lostAt else {
            return findings.report(.backoff, puck, "opens a socket although it has one")
        }
        let pause = now - lostAt
        if state.isDuplicate {
            states[puck].isDuplicate = false
            if !Self.duplicatePauses.contains(pause), state.networkChangedAt == nil {
                findings.report(
                    .backoff, puck, "comes back \(pause.wholeMilliseconds) ms after it was called a duplicate")
            }
            states[puck].attempts = state.attempts.map { $0 + 1 }
            return
        }
        // A puck that stood still when its time came tries as soon as it goes on.
        let isDelayed = state.thawedAt > lostAt && now - state.thawedAt < .milliseconds(100)
        // A network change can cut one of the quick pauses short as well.
        let mayBeSoon = state.hadTurn && state.downSince.map { lostAt - $0 < Self.resumeWithin } ?? false
        let isSoon = mayBeSoon && pause >= Self.resumePause
        if isSoon, pause < Self.resumePause + .milliseconds(1) { return }
        let sinceChange = state.networkChangedAt.map { now - $0 } ?? .seconds(1_000)
        let isHurried = sinceChange <= Self.networkSettles + .milliseconds(1) || isDelayed && sinceChange < pause
        let fitting = state.attempts.filter { attempt in
            let nominal = Interval.seconds(Self.seconds[min(attempt, Self.seconds.count - 1)])
            let tenth = Interval(nanoseconds: nominal.nanoseconds / 10 + 1_000_000)
            return (pause >= nominal - tenth || isHurried) && (pause <= nominal + tenth || isDelayed)
        }
        if fitting.isEmpty, !(isSoon && isDelayed) {
            findings.report(
                .backoff, puck,
                "attempt \(state.attempts) after \(pause.wholeMilliseconds) ms, which is not on the schedule")
        }
        // Outside the row, or in it: what follows tells.
        let mayBeOutside = isSoon && isDelayed || mayBeSoon && isHurried && pause < Self.resumePause
        states[puck].attempts = fitting.map { $0 + 1 } + (mayBeOutside ? state.attempts : [])
    }
}

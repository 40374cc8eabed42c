import HubCore
import PuckBase
import PuckCore
import PuckWire

/// Sees everything, in order: feeds the checkers, the trace and the hash of the run.
final class Observer {
    private let findings: Findings
    private(set) var hash = TraceHash()
    private(set) var counts = Counts()
    var disturbances: Disturbances
    private let trace: TraceWriter?
    /// Errors that either side sent.
    private(set) var refusals = 0

    private var grants: GrantChecker
    private var verdicts = VerdictChecker()
    private var decisions: DecisionChecker
    private var runnersUp: RunnerUpChecker
    private var playback: PlaybackChecker
    private var plays: PlaysChecker
    private var uplink = UplinkChecker()
    private var bounds = BoundsChecker()
    private var backoff: BackoffChecker
    private var offline: OfflineChecker
    private var deadlines: DeadlineChecker
    private var conformance: ConformanceChecker
    private var resume: ResumeChecker
    private var doubt: DoubtChecker
    private var copies = CopyChecker()

    init(_ scenario: Scenario, trace: ((String) -> Void)?) {
        let count = scenario.pucks.count
        findings = Findings(names: scenario.pucks.map { $0.name })
        disturbances = Disturbances(pucks: count + 1)  // and a copy of one
        self.trace = trace.map { TraceWriter(scenario, $0) }
        grants = GrantChecker(groups: scenario.pucks.map { $0.group })
        decisions = DecisionChecker(groups: scenario.pucks.map { $0.group })
        runnersUp = RunnerUpChecker(groups: scenario.pucks.map { $0.group })
        playback = PlaybackChecker(pucks: count)
        plays = PlaysChecker(pucks: count)
        conformance = ConformanceChecker(pucks: count)
        resume = ResumeChecker(groups: scenario.pucks.map { $0.group })
        backoff = BackoffChecker(pucks: count)
        offline = OfflineChecker(pucks: count)
        deadlines = DeadlineChecker(pucks: count)
        doubt = DoubtChecker(pucks: count)
    }

    var violation: Violation? { findings.first }

    func found(_ checker: Checker, _ puck: Int?, _ text: String, _ now: Instant) {
        findings.now = now
        findings.report(checker, puck, text)
        trace?.violation(findings.first!)
    }

    func note(_ observation: Observation, now: Instant, local: Instant) {
        findings.now = now
        hash.mix(observation, now: now)
        trace?.write(observation, now: now)
        let hadNone = findings.first == nil
        route(observation, Moment(now: now, local: local))
        if hadNone, let violation = findings.first { trace?.violation(violation) }
    }

    /// As `note`, of a puck that is another one's copy.
    func noteCopy(_ observation: Observation, now: Instant, local: Instant) {
        findings.now = now
        hash.mix(observation, now: now)
        trace?.write(observation, now: now)
        copies.watchCopy(observation, Moment(now: now, local: local), findings)
        if case .hubSent(_, .welcome, _) = observation, let victim = copies.victim { resume.placeTaken(victim) }
    }

    /// Who looks at what. A checker that wants to see more is added here.
    private func route(_ observation: Observation, _ moment: Moment) {
        switch observation {
        case .encoded:
            uplink.watch(observation, moment, findings)
        case .puckSentAudio:
            bounds.watch(observation, moment, findings)
            conformance.watch(observation, moment, findings, disturbances)
        case .hubHeardAudio, .hubSentAudio, .puckHeardAudio:
            playback.watch(observation, moment, findings)
            resume.watch(observation, moment, findings)
            conformance.watch(observation, moment, findings, disturbances)
            deadlines.watch(observation, moment, findings)
        case .decided:
            decisions.watch(observation, moment, findings)
            if case .decided(let decision) = observation, decision.rule == .runnerUp { counts.runnersUp += 1 }
        case .kept:
            counts.heardPackets += 1
            uplink.watch(observation, moment, findings)
            runnersUp.watch(observation, moment, findings)
        case .played:
            counts.playedPackets += 1
            playback.watch(observation, moment, findings)
            deadlines.watch(observation, moment, findings)
        case .produced, .answerFailed:
            playback.watch(observation, moment, findings)
            plays.watch(observation, moment, findings, disturbances)
        case .wakeFound:
            doubt.watch(observation, moment, findings)
        case .puckLogged:
            doubt.watch(observation, moment, findings)
            counts.falseTurns = doubt.falseTurns
            verdicts.watch(observation, moment, findings, disturbances)
            playback.watch(observation, moment, findings)
        case .hubLogged(let record):
            if record.event.isNamed("token.replaced") { counts.replacedTokens += 1 }
            if record.event.isNamed("tokens.not_stored") || record.event.isNamed("tokens.refused") {
                counts.failedWrites += 1
            }
            copies.watch(observation, moment, findings)
            playback.watch(observation, moment, findings)
            plays.watch(observation, moment, findings, disturbances)
            resume.watch(observation, moment, findings)
        case .muted, .volume, .captureGap, .captureWorks, .playbackWorks, .probeSucceeded: break
        case .probed:
            doubt.watch(observation, moment, findings)
            grants.watch(observation, moment, findings)
            plays.watch(observation, moment, findings, disturbances)
        default:
            count(observation)
            doubt.watch(observation, moment, findings)
            copies.watch(observation, moment, findings)
            grants.watch(observation, moment, findings)
            verdicts.watch(observation, moment, findings, disturbances)
            decisions.watch(observation, moment, findings)
            runnersUp.watch(observation, moment, findings)
            playback.watch(observation, moment, findings)
            plays.watch(observation, moment, findings, disturbances)
            uplink.watch(observation, moment, findings)
            bounds.watch(observation, moment, findings)
            backoff.watch(observation, moment, findings)
            offline.watch(observation, moment, findings)
            deadlines.watch(observation, moment, findings)
            conformance.watch(observation, moment, findings, disturbances)
            resume.watch(observation, moment, findings)
        }
    }

    private func count(_ observation: Observation) {
        switch observation {
        case .connectionOpened: counts.connections += 1
        case .hubHeard(_, .wakeCandidate): counts.candidates += 1
        case .hubSent(_, .grant, _): counts.grants += 1
        case .answerWanted: counts.answers += 1
        case .hubSent(_, .earcon, _): counts.failedTurns += 1
        case .playPrepared: counts.plays += 1
        case .playPaused: counts.pausedPlays += 1
        case .puckHeard(_, _, .welcome(let welcome), _):
            if welcome.resume == .replayed { counts.replays += 1 }
            if welcome.uplinkNext != nil { counts.resumedUtterances += 1 }
        case .playDrained: counts.completePlays += 1
        case .playStarted(_, let start) where start.resumedAtMilliseconds > 0: counts.resumedPlays += 1
        case .earcon(_, .offline): counts.outages += 1
        case .personActed(let act):
            if case .television(let programme, let hearers) = act.kind {
                counts.televisionSeconds += Int(programme.sounds.duration.inSeconds) * hearers.count
            }
        case .puckRefused, .hubRefused: refusals += 1
        case .forged: counts.forgeries += 1
        default: break
        }
    }

    /// How far a connection's dialogue has got.
    func dialogue(_ connection: Int) -> ConformanceChecker.Dialogue { conformance.dialogue(connection) }
    func puckSide(_ puck: Int) -> ConformanceChecker.PuckSide { conformance.pucks[puck] }
    func hubSide(_ puck: Int) -> ConformanceChecker.HubSide { conformance.hubs[puck] }

    // MARK: Steps

    func stepped(puck: Int, phase: Phase, deadline: Instant?, local: Instant, now: Instant) {
        findings.now = now
        deadlines.stepped(puck, phase, deadline, local, findings)
        offline.stepped(puck, local, findings)
        backoff.stepped(puck, phase)
        conformance.stepped(puck, phase, findings)
        doubt.stepped(puck, findings)
    }

    func steppedHub(deadline: Instant?, isTimer: Bool, local: Instant, now: Instant) {
        findings.now = now
        deadlines.steppedHub(deadline, isTimer: isTimer, local, findings)
        verdicts.steppedHub(local, findings)
        runnersUp.steppedHub(local, findings, disturbances)
    }

    /// What the hub keeps of a puck; nil when nothing.
    func looked(
        puck: Int, _ log: (messages: Int, bytes: Int, oldest: Instant?)?, local: Instant, now: Instant
    ) {
        findings.now = now
        resume.looked(puck, isRemembered: log != nil, local, findings)
        guard let log else { return }
        bounds.looked(puck, messages: log.messages, bytes: log.bytes, oldest: log.oldest, local, findings)
    }
}

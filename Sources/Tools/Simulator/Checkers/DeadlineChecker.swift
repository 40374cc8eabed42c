import PuckBase
import PuckCore
import PuckWire

/// 8. Whatever waits has a deadline: after every step there is one, and it lies ahead. And the deadlines are enough:
/// no phase of a puck and no conversation of the hub outlasts what its states may wait.
struct DeadlineChecker {
    private struct State {
        var phase = Phase.idle
        var since = Instant.zero
        /// The last sign of life of what is being played.
        var playedAt = Instant.zero
        var thawedAt = Instant.zero
        /// When it was last welcomed; nil while it has no link.
        var upSince: Instant?
    }

    /// Each with a little for the last packet and for clocks.
    private static let candidate = Interval.milliseconds(2_100)
    /// 15 s of audio; the microphone may be lost for 2 s before it says so.
    private static let listening = Interval.seconds(18)
    private static let thinking = Interval.milliseconds(30_100)
    /// Neither a packet nor a sample of a play, with a link.
    private static let stalled = Interval.milliseconds(20_300)
    /// Without one: up to 20 s may have passed before the link is known to be gone, since pongs may come for longer than
    /// packets; then the puck waits 30 s.
    private static let absent = Interval.milliseconds(50_300)
    /// The longest wait of a conversation on the hub between two signs of life: an utterance of nothing but a start, or a
    /// puck that is noticed to be gone after 10 s, and stays away for 30.
    private static let conversation = Interval.seconds(41)

    private var states: [State]
    private var connections: Set<Int> = []
    /// By conversation, when something last happened in it.
    private var conversations: [String: Instant] = [:]
    private var conversationsOf: [Int: String] = [:]
    private var puckOf: [Int: Int] = [:]
    private var hubThawedAt = Instant.zero

    init(pucks: Int) { states = (0..<pucks).map { _ in State() } }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .puckStarted(let puck): states[puck] = State(since: moment.local)
        case .puckThawed(let puck): states[puck].thawedAt = moment.local
        case .puckHeard(let puck, _, .welcome, _): states[puck].upSince = states[puck].upSince ?? moment.local
        case .socketLost(let puck, _), .socketDropped(let puck): states[puck].upSince = nil
        case .played(let puck, _), .puckHeardAudio(let puck, _, _, _): states[puck].playedAt = moment.local
        case .connectionOpened(let connection, let puck):
            connections.insert(connection)
            puckOf[connection] = puck
        case .connectionClosed(let connection): connections.remove(connection)
        case .hubSent(let connection, .grant(_, let id), _):
            conversations[id] = moment.local
            if let puck = puckOf[connection] { conversationsOf[puck] = id }
        case .hubHeardAudio(let connection, _, _), .hubSentAudio(let connection, _, _), .hubHeard(let connection, _):
            guard let puck = puckOf[connection], let id = conversationsOf[puck], conversations[id] != nil else {
                return
            }
            conversations[id] = moment.local
        case .forgotten(let id): conversations[id] = nil
        case .hubThawed: hubThawedAt = moment.local
        case .hubEnded:
            connections = []
            conversations = [:]
            conversationsOf = [:]
        default: break
        }
    }

    mutating func stepped(_ puck: Int, _ phase: Phase, _ deadline: Instant?, _ local: Instant, _ findings: Findings) {
        guard let deadline else { return findings.report(.deadlines, puck, "waits for nothing") }
        if deadline <= local {
            findings.report(.deadlines, puck, "its deadline does not move on when it has come")
        }
        if phase != states[puck].phase {
            states[puck].phase = phase
            states[puck].since = local
            states[puck].playedAt = local
        }
        let state = states[puck]
        let since = max(state.since, state.thawedAt)
        let isOver =
            switch phase {
            case .idle: false
            case .candidate: local - since > Self.candidate
            case .listening: local - since > Self.listening
            case .thinking: local - since > Self.thinking
            case .speaking:
                local - max(since, state.playedAt, state.upSince ?? since)
                    > (state.upSince == nil ? Self.absent : Self.stalled)
            }
        if isOver {
            findings.report(.deadlines, puck, "\(phase.rawValue) for \((local - since).wholeMilliseconds) ms")
        }
    }

    /// - Parameter isTimer: the step was `.timePassed`, which has to deal with everything that has come.
    mutating func steppedHub(_ deadline: Instant?, isTimer: Bool, _ local: Instant, _ findings: Findings) {
        if let deadline {
            if isTimer, deadline <= local { findings.report(.deadlines, nil, "the hub's deadline does not move on") }
        } else if !connections.isEmpty {
            findings.report(.deadlines, nil, "the hub waits for nothing, with \(connections.count) connections")
        }
        if conversations.isEmpty { return }
        for (id, seen) in conversations where local - max(seen, hubThawedAt) > Self.conversation {
            findings.report(.deadlines, nil, "nothing has happened in \(id) for \((local - seen).wholeMilliseconds) ms")
        }
    }
}

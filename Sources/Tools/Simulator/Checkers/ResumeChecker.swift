import PuckBase
import PuckWire

/// 4 and 5, as far as they are about coming back (PROTOCOL.md §11): what can go on goes on, and what cannot does not.
///
/// An utterance whose next packet the puck still holds is resumed; the hub keeps it for 2 s, and a complete one for 30 s.
/// A stream of which nothing is lost is replayed, unless somebody else of the group was granted in the meantime (S13) or
/// an error was sent.
struct ResumeChecker {
    private struct Conversation {
        var id: String
        var grantedAt: Instant
        var isListening = true
        /// Somebody lost against this puck and stands by.
        var hasRunnerUp = false
    }

    private struct State {
        var connection: Int?
        var awaySince: Instant?
        var epoch: UInt32?
        var hasError = false
        /// Somebody else was granted while this puck was away with a conversation.
        var isSuperseded = false
        var conversation: Conversation?
        var heardPackets = 0
        /// The number of the first: a runner-up may begin anywhere.
        var origin = SerialNumber.zero
        var lostWake: UInt32?
        var isRunnerUp = false
        var heardAt = Instant.zero
        var replayedAt: Instant?
        var loggedSince = Instant.zero
        var hello: Hello?
        /// The conversation when the hello came.
        var asked: Conversation?
        /// Since when the newest messages of the stream may have been in the hub's log, by number; only the last 1,024.
        var loggedAt = [Instant?](repeating: nil, count: ResumeChecker.remembered)
        var bytes = [Int](repeating: 0, count: ResumeChecker.remembered)
        var next = SerialNumber.zero
        var acknowledged = SerialNumber.zero
        var bytesOut = 0
        /// Since when so much is unacknowledged that messages may be waiting in the log for a place in the window.
        var crowdedSince: Instant?
    }

    private static let remembered = 1_024
    /// More may be over the log's bounds.
    private static let certainlyKept = 300
    private static let utteranceKept = Interval.seconds(2)
    /// A winner that has not sent this much is replaced by the runner-up after so long, while that one stands by and the
    /// way of its grant is not too long.
    private static let proven = 50
    private static let youngKept = Interval.milliseconds(300)
    private static let standby = Interval.milliseconds(1_800)
    private static let kept = Interval.seconds(30)
    /// The window of 48 KiB, less a little more than the largest message.
    private static let crowded = 46 * 1024
    private static let controlBytes = 512
    private static let headerBytes = 9

    private let groups: [String]
    private var states: [State]
    private var puckOf: [Int: Int] = [:]

    init(groups: [String]) {
        self.groups = groups
        states = groups.map { _ in State() }
    }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .hubEnded: states = groups.map { _ in State() }
        case .connectionOpened(let connection, let puck): puckOf[connection] = puck
        case .connectionClosed(let connection): closed(connection, moment.local)
        case .hubHeard(let connection, .played(let played)):
            if let puck = puckOf[connection] { acknowledged(&states[puck], played.sequence, moment.local) }
        case .hubHeard(let connection, .ping):
            if let puck = puckOf[connection] { states[puck].heardAt = moment.local }
        case .hubHeard(let connection, .hello(let hello)):
            guard let puck = puckOf[connection] else { return }
            states[puck].hello = hello
            states[puck].asked = states[puck].conversation
        case .hubHeard(let connection, .uplinkEnd):
            if let puck = puckOf[connection] { states[puck].conversation?.isListening = false }
        case .hubHeardAudio(let connection, let sequence, _):
            guard let puck = puckOf[connection] else { return }
            if states[puck].heardPackets == 0, states[puck].isRunnerUp { states[puck].origin = sequence }
            states[puck].heardPackets += 1
        case .hubRefused(let connection, _), .hubHeardError(let connection, _):
            // One about a connection that never got as far as hello says nothing about the stream.
            if let puck = puckOf[connection], states[puck].connection == connection { states[puck].hasError = true }
        case .hubSent(let connection, let control, let sequence):
            guard let puck = puckOf[connection] else { return }
            sent(puck, connection, control, sequence, moment.local, findings)
        case .hubSentAudio(let connection, let sequence, let packet):
            guard let puck = puckOf[connection] else { return }
            numbered(&states[puck], sequence, bytes: Self.headerBytes + Int(packet.bytes), moment.local)
        case .hubLogged(let record):
            // It says so when it forgets all of a puck, for a new speaker, say.
            guard record.event.isNamed("session.degraded"), !Self.keepsStream.contains(record.value("reason") ?? ""),
                let puck = states.firstIndex(where: { $0.conversation?.id == record.value("conversation") })
            else { return }
            states[puck].isSuperseded = true
        case .forgotten(let id): forgotten(id, moment.local, findings)
        default: break
        }
    }

    /// Reasons for which a conversation ends and what is kept of its puck does not.
    private static let keepsStream = [
        "away", "the utterance could not be resumed", "first_audio", "audio", "gap", "up_end",
    ]

    /// Another puck with this one's card was welcomed: what the hub kept of this one's stream is gone.
    mutating func placeTaken(_ puck: Int) { states[puck].epoch = nil }

    private mutating func closed(_ connection: Int, _ now: Instant) {
        guard let puck = puckOf[connection], states[puck].connection == connection else { return }
        states[puck].connection = nil
        states[puck].awaySince = now
    }

    private mutating func sent(
        _ puck: Int, _ connection: Int, _ control: HubControl, _ sequence: SerialNumber, _ now: Instant,
        _ findings: Findings
    ) {
        if control.isStreamed { return numbered(&states[puck], sequence, bytes: Self.controlBytes, now) }
        switch control {
        case .welcome(let welcome): welcomed(puck, connection, welcome, now, findings)
        case .cancel(let wakeID, .lost):
            states[puck].lostWake = wakeID
            // Losers are told right after their winner.
            for winner in states.indices where winner != puck && groups[winner] == groups[puck] {
                if states[winner].conversation?.grantedAt == now { states[winner].conversation?.hasRunnerUp = true }
            }
        case .grant(let wakeID, let id):
            states[puck].conversation = Conversation(id: id, grantedAt: now)
            states[puck].heardPackets = 0
            states[puck].origin = .zero
            states[puck].isRunnerUp = states[puck].lostWake == wakeID
            for other in states.indices where other != puck && groups[other] == groups[puck] {
                if states[other].conversation != nil { states[other].isSuperseded = true }
            }
        default: break
        }
    }

    private func acknowledged(_ state: inout State, _ sequence: SerialNumber, _ now: Instant) {
        state.heardAt = now
        // Whatever was let out by the acknowledgement before this one did not fill the window: nothing waits.
        if state.bytesOut < Self.crowded { state.crowdedSince = nil }
        while !sequence.isBefore(state.acknowledged), state.acknowledged != state.next {
            state.bytesOut -= state.bytes[Int(state.acknowledged.value) % Self.remembered]
            state.acknowledged = state.acknowledged.next
        }
    }

    private func numbered(_ state: inout State, _ sequence: SerialNumber, bytes: Int, _ now: Instant) {
        if sequence.isBefore(state.next) { return }
        state.next = sequence.next
        // What a replay brings was logged at any time of the outage, or waited before it.
        let isReplay = state.replayedAt.map { now - $0 < .seconds(15) } ?? false
        state.bytesOut += bytes
        if state.bytesOut >= Self.crowded { state.crowdedSince = state.crowdedSince ?? now }
        let slot = Int(sequence.value) % Self.remembered
        state.bytes[slot] = bytes
        state.loggedAt[slot] = isReplay ? state.loggedSince : state.crowdedSince ?? now
    }

    private mutating func welcomed(
        _ puck: Int, _ connection: Int, _ welcome: Welcome, _ now: Instant, _ findings: Findings
    ) {
        let state = states[puck]
        let away = state.awaySince.map { now - $0 } ?? .zero
        judgeStream(puck, state, welcome, away, now, findings)
        judgeUplink(puck, state, welcome, findings)
        let hasFloor = states.indices.contains {
            $0 != puck && groups[$0] == groups[puck] && states[$0].conversation != nil
        }
        if hasFloor != (welcome.floor != nil) {
            findings.report(
                .conformance, puck, "is told floor \(welcome.floor ?? "none"), somebody else has it: \(hasFloor)")
        }
        states[puck].connection = connection
        states[puck].replayedAt = welcome.resume == .replayed ? now : nil
        states[puck].loggedSince = state.heardAt - .seconds(5)
        states[puck].awaySince = nil
        states[puck].hasError = false
        states[puck].isSuperseded = false
        states[puck].hello = nil
        states[puck].asked = nil
        if welcome.resume != .replayed {
            states[puck].epoch = welcome.epoch
            states[puck].next = welcome.from
            states[puck].acknowledged = welcome.from
            states[puck].bytesOut = 0
            states[puck].crowdedSince = nil
            states[puck].loggedAt = [Instant?](repeating: nil, count: Self.remembered)
        }
    }

    private func judgeStream(
        _ puck: Int, _ state: State, _ welcome: Welcome, _ away: Interval, _ now: Instant, _ findings: Findings
    ) {
        guard let wanted = state.hello?.resume else {
            if welcome.resume == .replayed {
                findings.report(.conformance, puck, "gets a replay that it did not ask for")
            }
            return
        }
        let isKnown = wanted.epoch == state.epoch && !state.hasError && !state.isSuperseded && away < Self.kept
        if welcome.resume == .replayed {
            if !isKnown {
                findings.report(.conformance, puck, "gets a replay of a stream that the hub has to have forgotten")
            }
            if welcome.epoch != wanted.epoch || welcome.from != wanted.sequence {
                findings.report(.conformance, puck, "gets a replay from another place than it asked for")
            }
            return
        }
        if welcome.epoch == wanted.epoch { findings.report(.conformance, puck, "gets a new stream of the old epoch") }
        let missing = wanted.sequence.distance(to: state.next)
        guard isKnown, missing >= 0, missing < Self.certainlyKept else { return }
        let oldest = missing == 0 ? nil : state.loggedAt[Int(wanted.sequence.value) % Self.remembered]
        // What was not sent may have waited for acknowledgements since the puck was last heard, and a little longer.
        let waiting = min(state.heardAt - .seconds(5), state.crowdedSince ?? now)
        if now - (oldest ?? waiting) < Self.kept - .milliseconds(10) {
            findings.report(
                .resume, puck, "gets no replay, \(away.wholeMilliseconds) ms away, \(missing) messages missing")
        }
    }

    private func judgeUplink(_ puck: Int, _ state: State, _ welcome: Welcome, _ findings: Findings) {
        guard let uplink = state.hello?.uplink, let asked = state.asked, asked.id == uplink.conversationID else {
            if let next = welcome.uplinkNext {
                findings.report(.conformance, puck, "is to go on with packet \(next.value) of nothing")
            }
            return
        }
        let mayBeginAnywhere = state.isRunnerUp && state.heardPackets == 0
        let expected = mayBeginAnywhere ? uplink.first : state.origin.advanced(by: state.heardPackets)
        let isHeld = !expected.isBefore(uplink.first) && !uplink.next.isBefore(expected)
        if isHeld, welcome.uplinkNext != expected {
            findings.report(.resume, puck, "\(asked.id) is not resumed, though packet \(expected.value) is held")
        }
        if !isHeld, welcome.uplinkNext != nil {
            findings.report(.conformance, puck, "\(asked.id) is resumed without packet \(expected.value)")
        }
    }

    /// A conversation ends; that of a puck that is away has to wait for it.
    private mutating func forgotten(_ id: String, _ now: Instant, _ findings: Findings) {
        guard let puck = states.firstIndex(where: { $0.conversation?.id == id }) else { return }
        let state = states[puck]
        states[puck].conversation = nil
        guard let awaySince = state.awaySince, state.hello == nil, !state.hasError, state.heardPackets > 0,
            state.conversation?.isListening == true,
            now - awaySince < Self.wait(for: state, since: awaySince)
        else { return }
        findings.report(.resume, puck, "\(id) is given up after \((now - awaySince).wholeMilliseconds) ms away")
    }

    private static func wait(for state: State, since: Instant) -> Interval {
        guard let conversation = state.conversation, conversation.hasRunnerUp, state.heardPackets < proven,
            since - conversation.grantedAt + youngKept <= standby
        else { return utteranceKept }
        return youngKept
    }

    /// - Parameter isRemembered: whether the hub still has anything of this puck.
    func looked(_ puck: Int, isRemembered: Bool, _ now: Instant, _ findings: Findings) {
        guard let awaySince = states[puck].awaySince else { return }
        if isRemembered, now - awaySince > Self.kept {
            findings.report(.bounds, puck, "is remembered \((now - awaySince).wholeMilliseconds) ms after it left")
        }
        if let conversation = states[puck].conversation, conversation.isListening, states[puck].heardPackets > 0,
            now - awaySince > Self.utteranceKept
        {
            findings.report(.deadlines, puck, "\(conversation.id) waits longer than 2 s for the rest of its utterance")
        }
    }
}

import PuckBase
import PuckWire

/// The whole hub as one machine: sessions, arbitration and conversations. Give it an event and the time; run the
/// effects in order; call it again with `.timePassed` at `nextDeadline`. It reads no clock and does no I/O, so the
/// daemon, the tests and the simulator run the same code.
///
/// Memory: at most `connections` sessions (the transport's bound), one candidate and one conversation each.
public struct Hub: Sendable {
    public var policy: HubPolicy
    var generator: SeededGenerator
    var sessions: [ConnectionID: Session] = [:]
    var arbitration = Arbitration()
    /// One a session at most, in order of their grants.
    var conversations: [Conversation] = []
    /// The last decisions, oldest first, to be explained.
    public internal(set) var decisions = BoundedQueue<ArbitrationDecision>(capacity: HubLimits.decisionRecords)
    /// Tells the conversations of this run from those of another.
    let runID: UInt32
    var conversationCount: UInt32 = 0

    /// - Parameter generator: the only source of chance; the daemon seeds it from the kernel.
    public init(policy: HubPolicy = HubPolicy(), generator: SeededGenerator) {
        self.policy = policy
        self.generator = generator
        runID = UInt32(truncatingIfNeeded: self.generator.next())
    }

    public var sessionCount: Int { sessions.count }
    public var conversationsInProgress: Int { conversations.count }

    /// Whom a conversation in progress is with.
    public func connection(of conversationID: String) -> ConnectionID? {
        conversations.first { $0.id == conversationID }?.connection
    }

    /// The best clock sample of a connected puck, nil before the first exchange.
    public func clock(of connection: ConnectionID) -> ClockEstimate.Sample? {
        sessions[connection]?.live?.clock.best
    }

    /// The earliest instant at which `.timePassed` changes anything.
    public var nextDeadline: Instant? {
        var earliest = arbitration.nextDeadline
        func consider(_ instant: Instant?) {
            if let instant, earliest.map({ instant < $0 }) ?? true { earliest = instant }
        }
        for session in sessions.values { consider(session.deadlines.next) }
        for conversation in conversations { consider(conversation.deadline) }
        return earliest
    }

    public mutating func step(_ event: HubEvent, now: Instant, into effects: inout [HubEffect]) {
        switch event {
        case .connectionOpened(let id, let tokenName):
            precondition(sessions[id] == nil, "a connection number is used once")
            sessions[id] = Session(connection: id, tokenName: tokenName, now: now)
        case .connectionClosed(let id, let reason):
            forgetSession(id, reason: reason, now: now, into: &effects)
        case .received(let id, let control):
            attempt(id, now: now, into: &effects) { hub, effects throws(WireError) in
                try hub.received(id, control, now: now, into: &effects)
            }
        case .receivedAudio(let id, let type, let sequence, let byteCount):
            attempt(id, now: now, into: &effects) { hub, effects throws(WireError) in
                try hub.receivedAudio(id, type, sequence, byteCount, now: now, into: &effects)
            }
        case .receivedMalformed(let id, let error):
            attempt(id, now: now, into: &effects) { _, _ throws(WireError) in throw error }
        case .receivedError(let id, let error):
            peerFailed(id, error, now: now, into: &effects)
        case .answerReady(let conversationID, let playID, let count, let isComplete):
            inConversation(conversationID, into: &effects) { conversation, live, effects in
                guard conversation.playID == playID else { return }
                conversation.answerReady(
                    packetCount: count, isComplete: isComplete, stream: &live.stream, now: now, into: &effects)
            }
        case .answerFailed(let conversationID, let reason):
            inConversation(conversationID, into: &effects) { conversation, live, effects in
                conversation.answerFailed(reason: reason, stream: &live.stream, now: now, into: &effects)
            }
        case .tokensRevoked(let names):
            for id in sessions.keys.sorted() where names.contains(sessions[id]?.tokenName ?? "") {
                fail(id, WireError(.auth, "this puck's token was revoked on the hub"), now: now, into: &effects)
            }
        case .stopping:
            for id in sessions.keys.sorted() { close(id, reason: "the hub is stopping", now: now, into: &effects) }
        case .timePassed:
            expire(now: now, into: &effects)
        }
        settle(now: now, into: &effects)
    }

    /// What one event leads to inside: ended conversations leave, and windows that nobody is missing from are decided.
    private mutating func settle(now: Instant, into effects: inout [HubEffect]) {
        conversations.removeAll { $0.hasEnded }
        decideWindows(now: now, into: &effects)
    }

    private mutating func expire(now: Instant, into effects: inout [HubEffect]) {
        for id in sessions.keys.sorted() { expireSession(id, now: now, into: &effects) }
        let expired = conversations.filter { $0.deadline.map { $0 <= now } ?? false }.map { $0.id }
        for id in expired {
            inConversation(id, into: &effects) { conversation, live, effects in
                conversation.deadlinePassed(stream: &live.stream, now: now, into: &effects)
            }
        }
    }
}

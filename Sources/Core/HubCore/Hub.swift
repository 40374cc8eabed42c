import PuckBase
import PuckWire

/// The whole hub as one machine: sessions, pucks, arbitration and conversations. Give it an event and the time; run the
/// effects in order; call it again with `.timePassed` at `nextDeadline`. It reads no clock and does no I/O, so the
/// daemon, the tests and the simulator run the same code.
///
/// Memory: at most `connections` sessions (the transport's bound), one candidate each; for each device that has a token
/// one `PuckState`, one conversation, `HubLimits.queuedPlays` plays and a bounded replay log.
public struct Hub: Sendable {
    /// What happened since the start, for `puckhub status` and dashboards.
    public struct Counters: Equatable, Sendable {
        public var conversations = 0
        /// Runners-up that were asked (L4, L5).
        public var runnersUp = 0
        /// Conversations that ended degraded, by cause: a lost link (FAILURES.md L9), a winner that sent nothing (L4,
        /// L5), audio that a puck lost, an utterance that its puck did not end.
        public var linksLost = 0
        public var silentWinners = 0
        public var gaps = 0
        public var unended = 0
        /// All of them.
        public var degraded: Int { linksLost + silentWinners + gaps + unended }
        /// Utterances that went on after a lost link (L8).
        public var uplinksResumed = 0
        /// Streams that went on after a lost link (L11), and those that had to begin anew (L12).
        public var streamsReplayed = 0
        public var streamsRestarted = 0
    }

    public var policy: HubPolicy
    var generator: SeededGenerator
    var sessions = AscendingTable<ConnectionID, Session>()
    var pucks: [String: PuckState] = [:]
    /// For each token whose puck was replaced by another device, who was.
    var rivals: [String: Rivals] = [:]
    /// The live sessions of each group, oldest first, so that a wake costs what its group has and not what the house has.
    var members: [String: [ConnectionID]] = [:]
    /// The pucks of each group that are remembered, those that are away too, in alphabetical order.
    var residents: [String: [String]] = [:]
    var arbitration = Arbitration()
    /// One a puck at most, in order of their grants.
    var conversations: [Conversation] = []
    /// One of them has ended since the last `removeEnded`. Most events end none, and need not look at each.
    var hasEndedConversation = false
    /// Who hears whom, learned.
    public internal(set) var earshot: Earshot
    /// Conversations that ended in this step and leave somebody else to be asked.
    var failedEarly: [Conversation] = []
    /// Groups whose conversation ended in this step.
    var endedGroups: [String] = []
    /// Who won the last wake of each group.
    var lastWinners: [String: String] = [:]
    /// Whose loudspeaker a play is for, from its beginning to `forgetAnswer`.
    var owners: [UInt32: String] = [:]
    /// The last decisions, oldest first, to be explained.
    public internal(set) var decisions = BoundedQueue<ArbitrationDecision>(capacity: HubLimits.decisionRecords)
    /// Decisions since the start, those that are no longer kept too.
    public internal(set) var decisionCount = 0
    public internal(set) var counters = Counters()
    /// Tells the conversations of this run from those of another.
    let runID: UInt32
    var conversationCount: UInt32 = 0
    /// Whether any window may have become complete in this step; else only those of the event's own group can have.
    var anyWindowTouched = false
    /// Not later than the earliest deadline of all machines in here but the windows'; it is made exact when it comes. So
    /// an event costs what it touches, not what the house has.
    private var soonest: Instant?
    /// When `.timePassed` is wanted: never later than the first moment at which it changes something.
    public private(set) var nextDeadline: Instant?
    /// Open connections that have not been refused, greeted or not.
    public private(set) var sessionCount = 0

    /// - Parameters:
    ///   - policy: the configured numbers.
    ///   - earshot: what an earlier run has learned.
    ///   - generator: the only source of chance; the daemon seeds it from the kernel.
    public init(policy: HubPolicy = HubPolicy(), earshot: Earshot = Earshot(), generator: SeededGenerator) {
        self.policy = policy
        self.earshot = earshot
        self.generator = generator
        runID = UInt32(truncatingIfNeeded: self.generator.next())
    }

    /// Connected pucks that have said that something of theirs does not work.
    public func pucksWithout(_ works: (PuckStatus) -> Bool) -> Int {
        sessions.values.reduce(0) { count, session in count + (session.live?.status.map { !works($0) } == true ? 1 : 0)
        }
    }

    public var conversationsInProgress: Int { conversations.count }

    /// Whom a conversation in progress is with; nil while that puck is away.
    public func connection(of conversationID: String) -> ConnectionID? {
        conversations.first { $0.id == conversationID }.flatMap { pucks[$0.puckID]?.connection }
    }

    /// When a conversation in progress began; nil when it is none.
    public func grantedAt(_ conversationID: String) -> Instant? {
        conversations.first { $0.id == conversationID }?.grantedAt
    }

    /// The puck whose session a connection is; nil before its hello.
    public func puck(of connection: ConnectionID) -> String? { sessions[connection]?.live?.puckID }

    /// Where a puck that can store a new token is to be sent one; nil while it is away, or if it cannot.
    public func connectionForToken(of puckID: String) -> ConnectionID? {
        guard let connection = pucks[puckID]?.connection, sessions[connection]?.live?.hello.keepsToken == true else {
            return nil
        }
        return connection
    }

    /// Where a puck is to be told which certificates to believe, and which it said that it does; nil while it is away, or if
    /// it cannot store them.
    public func connectionForTrust(of puckID: String) -> (ConnectionID, believed: [String])? {
        guard let connection = pucks[puckID]?.connection, let believed = sessions[connection]?.live?.trusts else {
            return nil
        }
        return (connection, believed)
    }

    /// Whether a puck is connected.
    public func isConnected(_ puckID: String) -> Bool { pucks[puckID]?.connection != nil }

    /// The best clock sample of a connected puck, nil before the first exchange.
    public func clock(of connection: ConnectionID) -> ClockEstimate.Sample? {
        sessions[connection]?.live?.clock.best
    }

    /// Messages and bytes in a puck's replay log, for status and checks; nil for a puck that is not remembered.
    public func replayLog(of puckID: String) -> (messages: Int, bytes: Int, oldest: Instant?)? {
        pucks[puckID].map { ($0.stream.log.count, $0.stream.logBytes, $0.stream.log.first?.loggedAt) }
    }

    public mutating func step(_ event: HubEvent, now: Instant, into effects: inout [HubEffect]) {
        let touched = groupThatDecides(event)
        anyWindowTouched = event.touchesAnyWindow
        switch event {
        case .connectionOpened(let id, let tokenName, let peer):
            let session = Session(connection: id, tokenName: tokenName, peer: peer, now: now)
            precondition(sessions.position(of: id) == nil, "a connection number is used once")
            // One that has not said hello is nobody's yet; a token that opened many would fill the hub with them.
            if let other = sessions.values.first(where: { $0.tokenName == tokenName && $0.live == nil })?.connection {
                close(
                    other, reason: "replaced before its hello by a new connection of the same token", now: now,
                    into: &effects)
            }
            sessions[id] = session
            consider(session.deadlines.next)
        case .connectionClosed(let id, let reason):
            forgetSession(id, reason: reason, now: now, into: &effects)
        case .received(let id, let control):
            attempt(id, now: now, into: &effects) { hub, i, effects throws(WireError) in
                try hub.received(id, at: i, control, now: now, into: &effects)
            }
        case .receivedAudio(let id, let type, let sequence, let byteCount):
            attempt(id, now: now, into: &effects) { hub, i, effects throws(WireError) in
                try hub.receivedAudio(id, at: i, type, sequence, byteCount, now: now, into: &effects)
            }
        case .receivedMalformed(let id, let error):
            attempt(id, now: now, into: &effects) { _, _, _ throws(WireError) in throw error }
        case .receivedError(let id, let error):
            peerFailed(id, error, now: now, into: &effects)
        case .answerReady(let playID, let sizes, let isComplete):
            answerReady(playID, sizes, isComplete: isComplete, now: now, into: &effects)
        case .answerFailed(let playID, let reason):
            answerFailed(playID, reason: reason, now: now, into: &effects)
        case .playRequested(let request, let puckID, let category):
            playRequested(request, puckID, category, now: now, into: &effects)
        case .playCancelled(let playID):
            playCancelled(playID, now: now, into: &effects)
        case .tokenMade(let id, let token):
            if sessions[id]?.live != nil { effects.append(.send(id, .token(token), .zero)) }
        case .trustMade(let id, let certificates):
            if sessions[id]?.live != nil { effects.append(.send(id, .trust(certificates), .zero)) }
        case .tokensRevoked(let names):
            for id in sessions.keys where names.contains(sessions[id]?.tokenName ?? "") {
                fail(id, WireError(.auth, "this puck's token was revoked on the hub"), now: now, into: &effects)
            }
            for name in names {
                forgetPuck(name, "its token was revoked", now: now, into: &effects)
                rivals[name] = nil
            }
        case .stopping:
            for id in sessions.keys { close(id, reason: "the hub is stopping", now: now, into: &effects) }
            for name in pucks.keys.sorted() {
                forgetPuck(name, "the hub is stopping", now: now, into: &effects)
            }
            failedEarly = []
            endedGroups = []
            soonest = nil
        case .timePassed: break
        }
        if hasEndedConversation { removeEnded() }
        if soonest.map({ $0 <= now }) ?? false { expire(now: now, into: &effects) }
        askRunnersUp(now: now, into: &effects)
        releaseGroups(now: now, into: &effects)
        // A hello gives its connection a group only now.
        decideWindows(touched: touched ?? groupThatDecides(event), now: now, into: &effects)
        nextDeadline = earliest(soonest, arbitration.nextDeadline)
        sessionCount = sessions.count
    }

    /// The group whose windows an event may leave complete. Nil, too, while no window is open, as nearly always.
    private func groupThatDecides(_ event: HubEvent) -> String? {
        if arbitration.windows.isEmpty { return nil }
        return event.connection.flatMap { sessions[$0]?.live?.group }
    }

    mutating func removeEnded() {
        hasEndedConversation = false
        for conversation in conversations {
            guard conversation.hasEnded else { continue }
            count(conversation.degradation)
            if conversation.failedEarly { failedEarly.append(conversation) }
            endedGroups.append(conversation.group)
            // Without an answer that the puck may still need, nobody will ask whose it was.
            let isKept = pucks[conversation.puckID]?.keptPlays.contains(conversation.playID) ?? false
            if !isKept { owners[conversation.playID] = nil }
        }
        conversations.removeAll { $0.hasEnded }
    }

    private mutating func count(_ degradation: Conversation.Degradation?) {
        switch degradation {
        case .linkLost: counters.linksLost += 1
        case .silentWinner: counters.silentWinners += 1
        case .gap: counters.gaps += 1
        case .unended: counters.unended += 1
        case nil: break
        }
    }

    /// A deadline may have been set: wake no later than then.
    mutating func consider(_ instant: Instant?) {
        if let instant, soonest.map({ instant < $0 }) ?? true { soonest = instant }
    }

    /// Does everything that is due, then finds the next deadline exactly.
    private mutating func expire(now: Instant, into effects: inout [HubEffect]) {
        anyWindowTouched = true
        var due: [ConnectionID] = []
        // By position, here and below: a thousand sessions and pucks are not copied to look at their deadlines.
        for i in sessions.values.indices {
            if let next = sessions.values[i].deadlines.next, next <= now { due.append(sessions.keys[i]) }
        }
        for id in due { expireSession(id, now: now, into: &effects) }
        for id in conversations.filter({ $0.deadline.map { $0 <= now } ?? false }).map({ $0.id }) {
            inConversation(id, now: now, into: &effects) { conversation, puck, effects in
                conversation.deadlinePassed(puck: &puck, now: now, into: &effects)
            }
        }
        var names: [String] = []
        for i in pucks.indices {
            if let next = pucks.values[i].deadline, next <= now { names.append(pucks.keys[i]) }
        }
        for name in names.sorted() { expirePuck(name, now: now, into: &effects) }
        removeEnded()
        soonest = nil
        for i in sessions.values.indices { consider(sessions.values[i].deadlines.next) }
        for conversation in conversations { consider(conversation.deadline) }
        for i in pucks.indices { consider(pucks.values[i].deadline) }
    }
}

import PuckBase
import PuckWire

/// One turn with one puck, from its grant to its end. Every state that waits has a deadline.
///
/// A lost connection ends nothing by itself: an utterance can go on within `HubPolicy.uplinkResume` from the very packet
/// that is missing (FAILURES.md L8), and a complete one is answered when the puck is back within
/// `HubLimits.replayKept` (L10, L11).
struct Conversation: Sendable {
    let id: String
    let playID: UInt32
    let key: Arbitration.Key
    var group: String { key.group }
    /// Who may be asked instead while this one has proved nothing (FAILURES.md L4, L5), best first.
    let others: [Candidate]
    /// The puck that was granted first and failed; nil when this one won.
    let inPlaceOf: String?
    var isRunnerUp: Bool { inPlaceOf != nil }
    let puckID: String
    let wakeID: UInt32
    let grantedAt: Instant
    private let policy: HubPolicy

    private(set) var state = State.waitingForAudio
    /// Of the present state; nil when ended, and while the playout or the absent puck has it.
    private(set) var deadline: Instant?
    /// When the utterance is long enough, from its first packet on.
    private var limitAt = Instant.zero
    /// The utterance's own deadline, while the puck is away in the middle of it.
    private var utteranceDeadline: Instant?
    private(set) var isAway = false
    /// It ended before the puck had sent a second of audio, and not by the person's wish: somebody else is asked.
    private(set) var failedEarly = false
    /// Set with the end that is degraded.
    private(set) var degradation: Degradation?
    /// The first packet's number: 0, but that a runner-up may have lost its beginning while it stood by.
    private var origin = SerialNumber.zero
    private var audioType = MessageType.uplinkOpus
    private var packets = 0
    private var bytes = 0
    private var packetsSinceAck = 0
    private var uplinkEndedAt = Instant.zero

    init(
        id: String, playID: UInt32, winner: Candidate, others: [Candidate], key: Arbitration.Key, inPlaceOf: String?,
        policy: HubPolicy, now: Instant
    ) {
        self.id = id
        self.playID = playID
        self.others = others
        self.key = key
        self.inPlaceOf = inPlaceOf
        puckID = winner.puckID
        wakeID = winner.wake.wakeID
        grantedAt = now
        self.policy = policy
        deadline = now + policy.firstAudio
    }

    var hasEnded: Bool {
        if case .ended = state { return true }
        return false
    }

    /// Whether its answer sounds, or waits for its puck.
    var isSpeaking: Bool { state == .speaking }

    /// Whether the person's words are still coming in.
    var isListening: Bool {
        switch state {
        case .waitingForAudio, .receiving, .stopping: true
        case .answering, .speaking, .ended: false
        }
    }

    /// The uplink packet that comes next.
    var expected: SerialNumber { origin.advanced(by: packets) }
    /// Nothing has come, so any packet may be the first.
    var mayBeginAnywhere: Bool { isRunnerUp && packets == 0 }

    // MARK: Uplink

    /// - Throws: UNEXPECTED when the packet is not the next one, changes the codec, or comes after the end; BAD_LEN for
    ///   a size that no packet has.
    mutating func receivedAudio(
        _ type: MessageType, _ sequence: SerialNumber, byteCount: Int, from connection: ConnectionID, now: Instant,
        into effects: inout [HubEffect]
    ) throws(WireError) {
        switch state {
        case .waitingForAudio:
            if isRunnerUp { origin = sequence }
            try check(type, sequence, byteCount)
            audioType = type
            state = .receiving
            limitAt = now + policy.utteranceLimit
            effects.append(
                .log(
                    LogRecord(
                        .info, "conversation.first_audio",
                        named([LogField("grant_to_first_ms", now - grantedAt)]))))
        case .receiving:
            try check(type, sequence, byteCount)
        case .stopping(let since):
            try check(type, sequence, byteCount)
            guard since < HubLimits.drainedPackets else {
                throw WireError(.unexpected, "audio goes on \(since) packets after listen_stop")
            }
            state = .stopping(packetsSince: since + 1)
        case .answering, .speaking, .ended:
            throw WireError(.unexpected, "audio after the end of the utterance")
        }
        packets += 1
        packetsSinceAck += 1
        // Only what is listened to is kept; the rest is acknowledged so that the puck can finish.
        if case .receiving = state {
            bytes += byteCount
            deadline = isYoung(now + policy.firstAudio) ? now + policy.firstAudio : limitAt
            effects.append(.hear(conversationID: id))
        }
        if packetsSinceAck == HubLimits.packetsPerAck { acknowledge(to: connection, into: &effects) }
        if case .receiving = state, packets >= policy.utterancePackets {
            stopListening(connection, now: now, into: &effects)
        }
    }

    /// Whether it may still be given to somebody else at that time: a puck that stands still after a few packets has no
    /// more heard of the person than one that said nothing.
    private func isYoung(_ then: Instant) -> Bool {
        let isAsked = isRunnerUp || (!others.isEmpty && then - grantedAt <= HubLimits.standbyFor)
        return packets < HubLimits.provenPackets && isAsked
    }

    private func check(_ type: MessageType, _ sequence: SerialNumber, _ byteCount: Int) throws(WireError) {
        guard sequence == expected else {
            throw WireError(
                .unexpected, "uplink packet \(sequence.value) where \(expected.value) comes next in \(id)")
        }
        guard packets == 0 || type == audioType else {
            throw WireError(.unexpected, "the uplink's codec changed within \(id)")
        }
        let fits =
            type == .uplinkPCM
            ? byteCount == HubLimits.pcmPacketBytes : (1...HubLimits.opusPacketBytes).contains(byteCount)
        guard fits else {
            throw WireError(
                .badLength, "an uplink packet of \(byteCount) bytes: PCM16 has 640, Opus 1 to 1275")
        }
    }

    private mutating func acknowledge(to connection: ConnectionID, into effects: inout [HubEffect]) {
        packetsSinceAck = 0
        effects.append(.send(connection, .uplinkAck(conversationID: id, next: expected), .zero))
    }

    private mutating func stopListening(
        _ connection: ConnectionID?, now: Instant, into effects: inout [HubEffect]
    ) {
        state = .stopping(packetsSince: 0)
        deadline = now + HubLimits.stopWithin
        if let connection {
            effects.append(.send(connection, .listenStop(conversationID: id, reason: "limit"), .zero))
        }
        effects.append(
            .log(LogRecord(.notice, "uplink.limit", named([LogField("limit_ms", policy.utteranceLimit)]))))
    }

    /// - Throws: UNEXPECTED when audio is missing at the end.
    mutating func uplinkEnded(
        _ end: UplinkEnd, puck: inout PuckState, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        switch state {
        case .waitingForAudio, .receiving, .stopping: break
        case .answering, .speaking:
            // "Stop": the user no longer wants the answer. Any other second end repeats the first after a resume.
            guard end.reason == .cancelled else { return }
            stopSpeaking(.cancelled, puck: &puck, now: now, into: &effects)
            return finish(.cancelled, .idle, puck: &puck, now: now, into: &effects)
        case .ended: return
        }
        let isWhole = end.reason == .endpoint || end.reason == .timeout
        // Without any, this is 65,535.
        if isWhole, end.lastSequence != expected.advanced(by: -1) {
            throw WireError(
                .unexpected, "up_end names packet \(end.lastSequence.value) as the last, \(packets) packets came")
        }
        uplinkEndedAt = now
        if let connection = puck.connection { acknowledge(to: connection, into: &effects) }
        effects.append(
            .log(
                LogRecord(
                    .info, "uplink.end",
                    named([
                        LogField("packets", packets), LogField("bytes", bytes), LogField("reason", end.reason.rawValue),
                    ]))))
        switch end.reason {
        case .endpoint, .timeout:
            guard packets > 0 else { return finish(.cancelled, .idle, puck: &puck, now: now, into: &effects) }
            state = .answering
            deadline = now + HubLimits.answerWithin
            puck.stream.send(.phase(conversationID: id, phase: .thinking), now: now, into: &effects)
            effects.append(.answer(conversationID: id, playID: playID))
        case .cancelled, .muted, .silence:
            finish(.cancelled, .idle, puck: &puck, now: now, into: &effects)
        case .gap:
            degrade(.gap, "gap", puck: &puck, now: now, into: &effects)
        }
    }

    // MARK: Answer

    /// The first packets of the answer, or the news that there is none; later ones go to the playout directly.
    mutating func answerReady(
        _ sizes: [UInt16], isComplete: Bool, puck: inout PuckState, now: Instant, into effects: inout [HubEffect]
    ) {
        guard case .answering = state else { return }
        if sizes.isEmpty {
            if isComplete { finish(.done, .idle, puck: &puck, now: now, into: &effects) }
            return
        }
        effects.append(
            .log(
                LogRecord(
                    .info, "answer.start",
                    named([
                        LogField("end_to_answer_ms", now - uplinkEndedAt), LogField("play_id", "\(playID)"),
                        LogField("packets", sizes.count),
                    ]))))
        state = .speaking
        deadline = nil
        var play = Play(id: playID, conversationID: id, category: .assistantResponse)
        play.grow(sizes, isComplete: isComplete)
        puck.offer(play, ahead: policy.aheadPackets, now: now, into: &effects)
    }

    mutating func answerFailed(
        reason: String, puck: inout PuckState, now: Instant, into effects: inout [HubEffect]
    ) {
        switch state {
        case .answering, .speaking:
            effects.append(.log(LogRecord(.warning, "answer.failed", named([LogField("reason", reason)]))))
            stopSpeaking(.failed, puck: &puck, now: now, into: &effects)
            finish(.failed, .error, puck: &puck, now: now, into: &effects)
        case .waitingForAudio, .receiving, .stopping, .ended:
            return
        }
    }

    /// The playout is done with the answer.
    mutating func playEnded(
        _ outcome: Playout.Outcome, puck: inout PuckState, now: Instant, into effects: inout [HubEffect]
    ) {
        guard case .speaking = state else { return }
        switch outcome {
        case .done: finish(.done, .idle, puck: &puck, now: now, into: &effects)
        case .cancelled: finish(.cancelled, .idle, puck: &puck, now: now, into: &effects)
        case .failed:
            logDeadline("played", into: &effects)
            finish(.failed, .error, puck: &puck, now: now, into: &effects)
        }
    }

    /// Somebody speaks while the answer sounds: nobody wants the rest of it.
    mutating func talkedOver(puck: inout PuckState, now: Instant, into effects: inout [HubEffect]) {
        guard case .speaking = state else { return }
        stopSpeaking(.cancelled, puck: &puck, now: now, into: &effects)
        finish(.cancelled, .idle, puck: &puck, now: now, into: &effects)
    }

    private mutating func stopSpeaking(
        _ outcome: Playout.Outcome, puck: inout PuckState, now: Instant, into effects: inout [HubEffect]
    ) {
        guard case .speaking = state else { return }
        puck.playout.cancel(
            playID, outcome, stream: &puck.stream, ahead: policy.aheadPackets, now: now, into: &effects)
    }

    // MARK: Time and end

    mutating func deadlinePassed(puck: inout PuckState, now: Instant, into effects: inout [HubEffect]) {
        deadline = nil
        if isAway, isListening { return endAbsent("away", now: now, into: &effects) }
        switch state {
        case .waitingForAudio: giveAway("first_audio", puck: &puck, now: now, into: &effects)
        case .receiving where now < limitAt: giveAway("audio", puck: &puck, now: now, into: &effects)
        case .receiving:
            stopListening(puck.connection, now: now, into: &effects)
        case .stopping:
            logDeadline("up_end", into: &effects)
            degrade(.unended, "up_end", puck: &puck, now: now, into: &effects)
        case .answering:
            logDeadline("answer", into: &effects)
            finish(.failed, .error, puck: &puck, now: now, into: &effects)
        case .speaking, .ended:
            preconditionFailure("a conversation that speaks or has ended has no deadline of its own")
        }
    }

    /// Nothing comes from it: somebody else is asked (FAILURES.md L4).
    private mutating func giveAway(
        _ missing: String, puck: inout PuckState, now: Instant, into effects: inout [HubEffect]
    ) {
        puck.tell(.cancel(wakeID: wakeID, reason: .degraded), into: &effects)
        failedEarly = true
        logDeadline(missing, into: &effects)
        degrade(.silentWinner, missing, puck: &puck, now: now, into: &effects)
    }

    /// The puck is away: what it said so far is kept, for a while. Who has not said a word yet has no more time than
    /// with a link.
    mutating func connectionLost(now: Instant) {
        guard !hasEnded, !isAway else { return }
        isAway = true
        switch state {
        case .receiving, .stopping:
            utteranceDeadline = state == .receiving ? limitAt : deadline
            let mayBeReplaced = !isRunnerUp && isYoung(now + HubLimits.runnerUpAfter)
            deadline = now + (mayBeReplaced ? HubLimits.runnerUpAfter : policy.uplinkResume)
        case .waitingForAudio, .answering, .speaking, .ended: break
        }
    }

    /// The puck is back and goes on from `expected`.
    mutating func resumed(now: Instant, into effects: inout [HubEffect]) {
        isAway = false
        packetsSinceAck = 0
        if let utteranceDeadline { deadline = max(utteranceDeadline, now + HubLimits.stopWithin) }
        utteranceDeadline = nil
        guard isListening else { return }
        if state == .receiving, isYoung(now + policy.firstAudio) { deadline = now + policy.firstAudio }
        effects.append(
            .log(LogRecord(.notice, "conversation.resumed", named([LogField("packets", packets)]))))
    }

    /// The puck is back, but not with the rest of the utterance, or stays away for good: speech that is no complete
    /// segment is discarded (FAILURES.md L9, L10).
    mutating func endAbsent(_ why: String, now: Instant, into effects: inout [HubEffect]) {
        guard !hasEnded else { return }
        failedEarly = isListening && packets < HubLimits.provenPackets
        degraded(.linkLost, why, &effects)
        end(.degraded, now: now, into: &effects)
    }

    private mutating func degrade(
        _ degradation: Degradation, _ why: String, puck: inout PuckState, now: Instant,
        into effects: inout [HubEffect]
    ) {
        degraded(degradation, why, &effects)
        finish(.degraded, .degraded, puck: &puck, now: now, into: &effects)
    }

    private mutating func degraded(_ degradation: Degradation, _ why: String, _ effects: inout [HubEffect]) {
        self.degradation = degradation
        effects.append(
            .log(
                LogRecord(
                    .warning, "session.degraded", named([LogField("reason", why), LogField("packets", packets)]))))
    }

    private func logDeadline(_ missing: String, into effects: inout [HubEffect]) {
        effects.append(.log(LogRecord(.warning, "conversation.deadline", named([LogField("missing", missing)]))))
    }

    /// Tells the puck the phase that ends the conversation: `idle`, `error` or `degraded`.
    private mutating func finish(
        _ outcome: Outcome, _ phase: HubControl.ConversationPhase, puck: inout PuckState, now: Instant,
        into effects: inout [HubEffect]
    ) {
        puck.stream.send(.phase(conversationID: id, phase: phase), now: now, into: &effects)
        end(outcome, now: now, into: &effects)
    }

    private mutating func end(_ outcome: Outcome, now: Instant, into effects: inout [HubEffect]) {
        // An answer that never began is in nobody's log.
        if case .answering = state { effects.append(.forgetAnswer(playID: playID)) }
        state = .ended(outcome)
        deadline = nil
        effects.append(
            .log(
                LogRecord(
                    outcome == .done || outcome == .cancelled ? .info : .warning, "conversation.end",
                    named([
                        LogField("outcome", outcome.rawValue), LogField("heard_packets", packets),
                        LogField("lasted_ms", now - grantedAt),
                    ]))))
        effects.append(.forget(conversationID: id))
    }

    private func named(_ fields: [LogField]) -> [LogField] {
        [LogField("conversation", id), LogField("puck", puckID)] + fields
    }
}

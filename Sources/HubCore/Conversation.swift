import PuckBase
import PuckWire

/// One turn with one puck, from its grant to its end. Every state that waits has a deadline, and all states but the
/// last also end by a lost connection.
struct Conversation: Sendable {
    enum State: Equatable, Sendable {
        /// Granted, nothing heard yet. → receiving (packet 0), ended (first-audio deadline: degraded; the puck gives up:
        /// cancelled). The runner-up's grant of FAILURES.md L4 takes the deadline's place.
        case waitingForAudio
        /// → answering (endpoint), stopping (utterance limit), ended (cancelled, gap).
        case receiving
        /// `listen_stop` was said. → answering (endpoint), ended (cancelled, gap; deadline: degraded).
        case stopping(packetsSince: Int)
        /// The responder works. → speaking (first packets), ended (no answer: done; failure or deadline: failed; the puck's
        /// up_end "cancelled": cancelled).
        case answering
        /// → ended (all played: done; failure, no progress before the deadline: failed; the puck's up_end "cancelled":
        /// cancelled).
        case speaking(Speech)
        case ended(Outcome)
    }

    /// An answer on its way out.
    struct Speech: Equatable, Sendable {
        /// Packets that exist, and those sent of them.
        var available: Int
        var isComplete: Bool
        var sentPackets = 0
        /// The `down_stop`'s number in the stream, once it is sent.
        var stopNumber: Int?
    }

    enum Outcome: String, Sendable { case done, cancelled, failed, degraded }

    let id: String
    let playID: UInt32
    let group: String
    let puckID: String
    let connection: ConnectionID
    let wakeID: UInt32
    let grantedAt: Instant
    private let policy: HubPolicy

    private(set) var state = State.waitingForAudio
    /// Of the present state; nil only when ended.
    private(set) var deadline: Instant?
    private var audioType = MessageType.uplinkOpus
    private var packets = 0
    private var bytes = 0
    private var packetsSinceAck = 0
    private var uplinkEndedAt = Instant.zero

    init(id: String, playID: UInt32, winner: Candidate, group: String, policy: HubPolicy, now: Instant) {
        self.id = id
        self.playID = playID
        self.group = group
        puckID = winner.puckID
        connection = winner.connection
        wakeID = winner.wake.wakeID
        grantedAt = now
        self.policy = policy
        deadline = now + policy.firstAudio
    }

    var hasEnded: Bool {
        if case .ended = state { return true }
        return false
    }

    // MARK: Uplink

    /// - Throws: UNEXPECTED when the packet is not the next one, changes the codec, or comes after the end; BAD_LEN for
    ///   a size that no packet has.
    mutating func receivedAudio(
        _ type: MessageType, _ sequence: SerialNumber, byteCount: Int, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        switch state {
        case .waitingForAudio:
            try check(type, sequence, byteCount)
            audioType = type
            state = .receiving
            deadline = now + policy.utteranceLimit
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
            effects.append(.hear(conversationID: id))
        }
        if packetsSinceAck == HubLimits.packetsPerAck { acknowledge(into: &effects) }
        if case .receiving = state, packets >= policy.utterancePackets { stopListening(now: now, into: &effects) }
    }

    private func check(_ type: MessageType, _ sequence: SerialNumber, _ byteCount: Int) throws(WireError) {
        let expected = SerialNumber.zero.advanced(by: packets)
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

    private mutating func acknowledge(into effects: inout [HubEffect]) {
        packetsSinceAck = 0
        let next = SerialNumber.zero.advanced(by: packets)
        effects.append(.send(connection, .uplinkAck(conversationID: id, next: next), .zero))
    }

    private mutating func stopListening(now: Instant, into effects: inout [HubEffect]) {
        state = .stopping(packetsSince: 0)
        deadline = now + HubLimits.stopWithin
        effects.append(.send(connection, .listenStop(conversationID: id, reason: "limit"), .zero))
        effects.append(
            .log(LogRecord(.notice, "uplink.limit", named([LogField("limit_ms", policy.utteranceLimit)]))))
    }

    /// - Throws: UNEXPECTED when audio is missing at the end.
    mutating func uplinkEnded(
        _ end: UplinkEnd, stream: inout DownlinkStream, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        switch state {
        case .waitingForAudio, .receiving, .stopping: break
        case .answering, .speaking:
            // "Stop": the user no longer wants the answer. Any other second end changes nothing.
            guard end.reason == .cancelled else { return }
            stopSpeaking(.cancelled, stream: &stream, into: &effects)
            return finish(.cancelled, .idle, stream: &stream, now: now, into: &effects)
        case .ended: return
        }
        let isWhole = end.reason == .endpoint || end.reason == .timeout
        if isWhole, packets > 0, end.lastSequence != SerialNumber.zero.advanced(by: packets - 1) {
            throw WireError(
                .unexpected, "up_end names packet \(end.lastSequence.value) as the last, \(packets) packets came")
        }
        uplinkEndedAt = now
        acknowledge(into: &effects)
        effects.append(
            .log(
                LogRecord(
                    .info, "uplink.end",
                    named([
                        LogField("packets", packets), LogField("bytes", bytes), LogField("reason", end.reason.rawValue),
                    ]))))
        switch end.reason {
        case .endpoint, .timeout:
            guard packets > 0 else { return finish(.cancelled, .idle, stream: &stream, now: now, into: &effects) }
            state = .answering
            deadline = now + HubLimits.answerWithin
            stream.send(.phase(conversationID: id, phase: .thinking), to: connection, into: &effects)
            effects.append(.answer(conversationID: id, playID: playID))
        case .cancelled, .muted, .silence:
            finish(.cancelled, .idle, stream: &stream, now: now, into: &effects)
        case .gap:
            finish(.degraded, .degraded, stream: &stream, now: now, into: &effects)
        }
    }

    // MARK: Answer

    mutating func answerReady(
        packetCount: Int, isComplete: Bool, stream: inout DownlinkStream, now: Instant, into effects: inout [HubEffect]
    ) {
        switch state {
        case .answering:
            if packetCount == 0 {
                if isComplete { finish(.done, .idle, stream: &stream, now: now, into: &effects) }
                return
            }
            stream.send(.downStart(DownStart(playID: playID, conversationID: id)), to: connection, into: &effects)
            effects.append(
                .log(
                    LogRecord(
                        .info, "answer.start",
                        named([
                            LogField("end_to_answer_ms", now - uplinkEndedAt), LogField("play_id", "\(playID)"),
                            LogField("packets", packetCount),
                        ]))))
            state = .speaking(Speech(available: packetCount, isComplete: isComplete))
            advance(stream: &stream, now: now, into: &effects)
        case .speaking(var speech):
            // An answer only grows, and ends once.
            guard !speech.isComplete else { return }
            speech.available = max(speech.available, packetCount)
            speech.isComplete = isComplete
            state = .speaking(speech)
            advance(stream: &stream, now: now, into: &effects)
        case .waitingForAudio, .receiving, .stopping, .ended:
            return
        }
    }

    mutating func answerFailed(
        reason: String, stream: inout DownlinkStream, now: Instant, into effects: inout [HubEffect]
    ) {
        switch state {
        case .answering, .speaking:
            effects.append(.log(LogRecord(.warning, "answer.failed", named([LogField("reason", reason)]))))
            stopSpeaking(.failed, stream: &stream, into: &effects)
            finish(.failed, .error, stream: &stream, now: now, into: &effects)
        case .waitingForAudio, .receiving, .stopping, .ended:
            return
        }
    }

    /// Sends what the puck has room for. Called when the answer grew and when the loudspeaker got further.
    mutating func advance(stream: inout DownlinkStream, now: Instant, into effects: inout [HubEffect]) {
        guard case .speaking(var speech) = state else { return }
        while stream.room > 0, speech.sentPackets < speech.available {
            stream.sendAudio(playID: playID, packet: speech.sentPackets, to: connection, into: &effects)
            speech.sentPackets += 1
        }
        if speech.isComplete, speech.sentPackets == speech.available, speech.stopNumber == nil {
            speech.stopNumber = stream.send(.downStop(playID: playID, reason: .done), to: connection, into: &effects)
        }
        state = .speaking(speech)
        let remaining = Interval.milliseconds(WireLimits.packetMilliseconds) * stream.unplayedPackets
        let isStarved = !speech.isComplete && stream.unplayedPackets == 0
        deadline = now + (isStarved ? HubLimits.answerWithin : remaining + HubLimits.playedSlack)
        if let stop = speech.stopNumber, stream.hasPlayed(stop) {
            finish(.done, .idle, stream: &stream, now: now, into: &effects)
        }
    }

    private mutating func stopSpeaking(
        _ reason: HubControl.StopReason, stream: inout DownlinkStream, into effects: inout [HubEffect]
    ) {
        guard case .speaking(let speech) = state, speech.stopNumber == nil else { return }
        stream.send(.downStop(playID: playID, reason: reason), to: connection, into: &effects)
    }

    // MARK: Time and end

    mutating func deadlinePassed(stream: inout DownlinkStream, now: Instant, into effects: inout [HubEffect]) {
        switch state {
        case .waitingForAudio:
            effects.append(.send(connection, .cancel(wakeID: wakeID, reason: .degraded), .zero))
            logDeadline("first_audio", into: &effects)
            finish(.degraded, .degraded, stream: &stream, now: now, into: &effects)
        case .receiving:
            stopListening(now: now, into: &effects)
        case .stopping:
            logDeadline("up_end", into: &effects)
            finish(.degraded, .degraded, stream: &stream, now: now, into: &effects)
        case .answering:
            logDeadline("answer", into: &effects)
            finish(.failed, .error, stream: &stream, now: now, into: &effects)
        case .speaking:
            logDeadline("played", into: &effects)
            stopSpeaking(.failed, stream: &stream, into: &effects)
            finish(.failed, .error, stream: &stream, now: now, into: &effects)
        case .ended:
            preconditionFailure("an ended conversation has no deadline")
        }
    }

    /// The puck is gone: nothing can be told to it. Keeping the conversation for a resume belongs here.
    mutating func connectionLost(now: Instant, into effects: inout [HubEffect]) {
        guard !hasEnded else { return }
        end(.degraded, now: now, into: &effects)
    }

    private func logDeadline(_ missing: String, into effects: inout [HubEffect]) {
        effects.append(.log(LogRecord(.warning, "conversation.deadline", named([LogField("missing", missing)]))))
    }

    /// Tells the puck the phase that ends the conversation: `idle`, `error` or `degraded`.
    private mutating func finish(
        _ outcome: Outcome, _ phase: HubControl.ConversationPhase, stream: inout DownlinkStream, now: Instant,
        into effects: inout [HubEffect]
    ) {
        stream.send(.phase(conversationID: id, phase: phase), to: connection, into: &effects)
        end(outcome, now: now, into: &effects)
    }

    private mutating func end(_ outcome: Outcome, now: Instant, into effects: inout [HubEffect]) {
        var sentPackets = 0
        if case .speaking(let speech) = state { sentPackets = speech.sentPackets }
        state = .ended(outcome)
        deadline = nil
        effects.append(
            .log(
                LogRecord(
                    outcome == .done || outcome == .cancelled ? .info : .warning, "conversation.end",
                    named([
                        LogField("outcome", outcome.rawValue), LogField("heard_packets", packets),
                        LogField("sent_packets", sentPackets), LogField("lasted_ms", now - grantedAt),
                    ]))))
        effects.append(.forget(conversationID: id))
    }

    private func named(_ fields: [LogField]) -> [LogField] {
        [LogField("conversation", id), LogField("puck", puckID)] + fields
    }
}

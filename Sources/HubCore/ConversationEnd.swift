import PuckBase
import PuckWire

// What a conversation waits for, and how it ends.

extension Conversation {
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
            finish(.degraded, .degraded, puck: &puck, now: now, into: &effects)
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
        finish(.degraded, .degraded, puck: &puck, now: now, into: &effects)
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
            #if MUTATIONS
                if Mutation.is(.utteranceKeptLong) { deadline = now + .seconds(20) }
            #endif
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
        effects.append(
            .log(
                LogRecord(
                    .warning, "session.degraded", named([LogField("reason", why), LogField("packets", packets)]))))
        end(.degraded, now: now, into: &effects)
    }

    func logDeadline(_ missing: String, into effects: inout [HubEffect]) {
        effects.append(.log(LogRecord(.warning, "conversation.deadline", named([LogField("missing", missing)]))))
    }

    /// Tells the puck the phase that ends the conversation: `idle`, `error` or `degraded`.
    mutating func finish(
        _ outcome: Outcome, _ phase: HubControl.ConversationPhase, puck: inout PuckState, now: Instant,
        into effects: inout [HubEffect]
    ) {
        puck.stream.send(.phase(conversationID: id, phase: phase), now: now, into: &effects)
        end(outcome, now: now, into: &effects)
    }

    mutating func end(_ outcome: Outcome, now: Instant, into effects: inout [HubEffect]) {
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

    func named(_ fields: [LogField]) -> [LogField] {
        [LogField("conversation", id), LogField("puck", puckID)] + fields
    }
}

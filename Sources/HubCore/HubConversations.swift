import PuckBase
import PuckWire

// Wakes and conversations: candidates, decisions, uplink audio.

extension Hub {
    mutating func receivedCandidate(
        _ id: ConnectionID, _ wake: WakeCandidate, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        let live = sessions[id]!.live!
        guard live.hello.phrases.contains(wake.phrase) else {
            throw WireError(.unexpected, "the phrase \"\(wake.phrase)\" is not one of the hello's phrases")
        }
        let key = Arbitration.Key(phrase: wake.phrase, group: live.group)
        // A puck wakes only when its last uplink is behind it: from here on, audio without a grant is an error.
        if case .draining = pucks[live.puckID]!.uplink { pucks[live.puckID]!.uplink = .closed }
        effects.append(
            .log(
                LogRecord(
                    .info, "arbitration.candidate",
                    about(id) + [
                        LogField("wake_id", "\(wake.wakeID)"), LogField("phrase", wake.phrase),
                        LogField("group", live.group), LogField("snr_db", fixed(wake.snrDecibels, 1)),
                        LogField("confidence", fixed(wake.confidence, 2)),
                    ])))
        if arbitration.isLate(key, now: now) {
            cancel(id, wake.wakeID, .late, into: &effects)
        } else if isBusy(group: live.group) {
            cancel(id, wake.wakeID, .busy, into: &effects)
        } else {
            let candidate = Candidate(connection: id, puckID: live.puckID, wake: wake, arrived: now)
            let replaced = arbitration.add(candidate, key: key, window: policy.arbitrationWindow, now: now)
            if let replaced { cancel(id, replaced.wake.wakeID, .lost, into: &effects) }
        }
    }

    /// Whether somebody of the group has the floor. An answer to a puck that is away does not keep others from speaking.
    private func isBusy(group: String) -> Bool {
        #if MUTATIONS
            if Mutation.is(.secondGrant) { return false }
        #endif
        return conversations.contains { $0.group == group && !$0.hasEnded && ($0.isListening || !$0.isAway) }
    }

    private func cancel(
        _ id: ConnectionID, _ wakeID: UInt32, _ reason: HubControl.CancelReason, into effects: inout [HubEffect]
    ) {
        effects.append(.send(id, .cancel(wakeID: wakeID, reason: reason), .zero))
        effects.append(
            .log(
                LogRecord(
                    .info, "arbitration.cancelled",
                    about(id) + [LogField("wake_id", "\(wakeID)"), LogField("reason", reason.rawValue)])))
    }

    /// Decides every window that is over or complete. Each decision takes a window out, so this ends.
    mutating func decideWindows(now: Instant, into effects: inout [HubEffect]) {
        while let i = arbitration.windows.firstIndex(where: { $0.closesAt <= now || isComplete($0) }) {
            decide(arbitration.take(i, now: now), now: now, into: &effects)
        }
    }

    /// Whether every puck that could bring a candidate has brought it: nobody waits for nothing.
    private func isComplete(_ window: Arbitration.Window) -> Bool {
        sessions.values.allSatisfy { session in
            guard let live = session.live, live.isAble(phrase: window.key.phrase, group: window.key.group) else {
                return true
            }
            return window.candidates.contains { $0.connection == session.connection }
        }
    }

    private mutating func decide(_ window: Arbitration.Window, now: Instant, into effects: inout [HubEffect]) {
        let ranked = window.candidates.sorted(by: Candidate.precedes)
        let isBusy = isBusy(group: window.key.group)
        var decision = ArbitrationDecision(
            decidedAt: now, waited: now - window.openedAt, phrase: window.key.phrase, group: window.key.group,
            candidates: ranked, rule: .onlyCandidate, conversationID: nil)
        if isBusy {
            decision.rule = .groupBusy
        } else {
            if ranked.count > 1 { decision.rule = Candidate.rule(ranked[0], over: ranked[1]) }
            decision.conversationID = grant(ranked[0], group: window.key.group, now: now, into: &effects)
        }
        for loser in ranked.dropFirst(isBusy ? 0 : 1) {
            cancel(loser.connection, loser.wake.wakeID, isBusy ? .busy : .lost, into: &effects)
        }
        decisions.appendDroppingOldest(decision)
        effects.append(
            .log(
                LogRecord(
                    .info, "arbitration.decided",
                    [
                        LogField("winner", decision.winner?.puckID ?? "none"),
                        LogField("conversation", decision.conversationID ?? "none"),
                        LogField("candidates", decision.scores), LogField("waited_ms", decision.waited),
                        LogField("rule", decision.rule.rawValue), LogField("phrase", decision.phrase),
                        LogField("group", decision.group),
                    ])))
    }

    private mutating func grant(
        _ winner: Candidate, group: String, now: Instant, into effects: inout [HubEffect]
    ) -> String {
        supersede(group: group, by: winner.puckID, now: now, into: &effects)
        conversationCount += 1
        counters.conversations += 1
        let id = "c-\(String(runID, radix: 16))-\(conversationCount)"
        let conversation = Conversation(
            id: id, playID: conversationCount, winner: winner, group: group, policy: policy, now: now)
        owners[conversation.playID] = winner.puckID
        consider(conversation.deadline)
        conversations.append(conversation)
        pucks[winner.puckID]!.uplink = .open
        effects.append(.send(winner.connection, .grant(wakeID: winner.wake.wakeID, conversationID: id), .zero))
        return id
    }

    /// A new speaker has the floor: what a puck of the group that is away would still say is stale (FAILURES.md S13).
    private mutating func supersede(
        group: String, by winner: String, now: Instant, into effects: inout [HubEffect]
    ) {
        #if MUTATIONS
            if Mutation.is(.staleAnswerKept) { return }
        #endif
        let stale = conversations.filter { $0.group == group && !$0.hasEnded && $0.puckID != winner }
        for conversation in stale { forgetPuck(conversation.puckID, now: now, into: &effects) }
    }

    // MARK: Uplink

    mutating func receivedAudio(
        _ id: ConnectionID, _ type: MessageType, _ sequence: SerialNumber, _ byteCount: Int, now: Instant,
        into effects: inout [HubEffect]
    ) throws(WireError) {
        try sessions[id]!.requireLive("audio")
        guard type == .uplinkOpus || type == .uplinkPCM else {
            throw WireError(.unexpected, "message type \(type.rawValue) goes from the hub to the puck only")
        }
        let puckID = sessions[id]!.live!.puckID
        switch pucks[puckID]!.uplink {
        case .draining(let packets):
            guard packets > 0 else {
                throw WireError(.unexpected, "audio goes on long after the conversation has ended")
            }
            pucks[puckID]!.uplink = .draining(packets: packets - 1)
            return
        case .closed: throw WireError(.unexpected, "audio without a grant")
        case .open: break
        }
        guard let i = conversations.firstIndex(where: { $0.puckID == puckID && !$0.hasEnded }) else {
            preconditionFailure("an open uplink has its conversation")
        }
        try conversations[i].receivedAudio(
            type, sequence, byteCount: byteCount, from: id, now: now, into: &effects)
        consider(conversations[i].deadline)
    }

    mutating func uplinkEnded(
        _ id: ConnectionID, _ end: UplinkEnd, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        let puckID = sessions[id]!.live!.puckID
        guard let i = conversations.firstIndex(where: { $0.puckID == puckID && $0.id == end.conversationID }) else {
            // The hub had ended it already; the puck could not know yet.
            effects.append(
                .log(
                    LogRecord(
                        .debug, "uplink.end_ignored", about(id) + [LogField("conversation", end.conversationID)])))
            return
        }
        pucks[puckID]!.uplink = .closed
        try conversations[i].uplinkEnded(end, puck: &pucks[puckID]!, now: now, into: &effects)
        noteIfEnded(i)
        touched(puckID, now: now, into: &effects)
        if conversations.indices.contains(i) { consider(conversations[i].deadline) }
    }

    /// Runs `body` on a conversation in progress and its puck; one that ended here lets late audio drain.
    mutating func inConversation(
        _ conversationID: String, now: Instant, into effects: inout [HubEffect],
        _ body: (inout Conversation, inout PuckState, inout [HubEffect]) -> Void
    ) {
        guard let i = conversations.firstIndex(where: { $0.id == conversationID && !$0.hasEnded }) else { return }
        let puckID = conversations[i].puckID
        guard pucks[puckID] != nil else { preconditionFailure("a conversation ends with its puck") }
        body(&conversations[i], &pucks[puckID]!, &effects)
        noteIfEnded(i)
        consider(conversations[i].deadline)
        touched(puckID, now: now, into: &effects)
    }

    private mutating func noteIfEnded(_ i: Int) {
        guard conversations[i].hasEnded else { return }
        hasEndedConversation = true
        let puckID = conversations[i].puckID
        if pucks[puckID]!.uplink == .open {
            pucks[puckID]!.uplink = .draining(packets: HubLimits.drainedPackets)
        }
    }
}

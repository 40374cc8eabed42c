import PuckBase
import PuckWire

// Wakes and conversations: candidates, decisions, uplink audio.

extension Hub {
    mutating func receivedCandidate(
        _ id: ConnectionID, _ live: LivePuck, _ wake: WakeCandidate, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        guard live.hello.phrases.contains(wake.phrase) else {
            throw WireError(.unexpected, "the phrase \"\(wake.phrase)\" is not one of the hello's phrases")
        }
        let key = Arbitration.Key(phrase: wake.phrase, group: live.group)
        // A puck wakes only when its last uplink is behind it: from here on, audio without a grant is an error.
        if case .draining = pucks[known: live.puckID].uplink { pucks[known: live.puckID].uplink = .closed }
        effects.append(
            .log(
                LogRecord(
                    .info, "arbitration.candidate",
                    about(id) + [
                        LogField("wake_id", "\(wake.wakeID)"), LogField("phrase", wake.phrase),
                        LogField("group", live.group), LogField("snr_db", fixed(wake.snrDecibels, 1)),
                        LogField("confidence", fixed(wake.confidence, 2)),
                    ])))
        // Whoever presses a button right after a wake means something new: the wrong puck may have answered.
        if !wake.isPressed, let heard = arbitration.decidedWake(key, now: now) {
            earshot.learnLate(live.puckID, heard: heard, phrase: wake.phrase)
            noteLate(live.puckID, key, now: now)
            cancel(id, wake.wakeID, .late, into: &effects)
        } else if isBusy(group: live.group) {
            cancel(id, wake.wakeID, .busy, into: &effects)
        } else {
            let candidate = candidate(live, id, wake, now: now)
            let replaced = arbitration.add(candidate, key: key, window: policy.arbitrationWindow, now: now)
            if let replaced { cancel(id, replaced.wake.wakeID, .lost, into: &effects) }
        }
    }

    private func candidate(_ live: LivePuck, _ id: ConnectionID, _ wake: WakeCandidate, now: Instant) -> Candidate {
        let arrived = Double(now.nanoseconds) / 1e6
        var onset = Candidate.Onset(milliseconds: arrived, errorMilliseconds: 0, isCorrected: false)
        if let clock = live.clock.best {
            let corrected = wake.onsetMilliseconds - clock.offsetMilliseconds
            let error = clock.errorMilliseconds(at: now)
            // A word cannot begin after it was reported, nor long before: such a clock is not believed.
            if corrected <= arrived + error, arrived - corrected < HubLimits.oldestOnsetMilliseconds {
                onset = Candidate.Onset(milliseconds: corrected, errorMilliseconds: error, isCorrected: true)
            }
        }
        let isPlaying = pucks[live.puckID].map { !$0.playout.isIdle } ?? false
        return Candidate(
            connection: id, puckID: live.puckID, wake: wake, arrived: now, onset: onset,
            gainDecibels: earshot.gain(of: live.puckID), correctedDecibels: earshot.correction(of: live.puckID),
            handicapDecibels: isPlaying ? HubLimits.ownLoudspeakerDecibels : 0,
            weight: policy.preferred.firstIndex(of: live.puckID).map { policy.preferred.count - $0 } ?? 0,
            wonLast: lastWinners[live.group] == live.puckID)
    }

    /// Whether somebody of the group has the floor. An answer that sounds can be talked over, and one to a puck that is
    /// away keeps nobody from speaking.
    private func isBusy(group: String) -> Bool {
        return conversations.contains {
            $0.group == group && !$0.hasEnded && !$0.isSpeaking && ($0.isListening || !$0.isAway)
        }
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
    /// - Parameter touched: the group whose windows may have become complete.
    mutating func decideWindows(touched: String?, now: Instant, into effects: inout [HubEffect]) {
        if arbitration.windows.isEmpty { return }
        while let i = arbitration.windows.firstIndex(where: {
            $0.closesAt <= now || ((anyWindowTouched || $0.key.group == touched) && isComplete($0))
        }) {
            decide(arbitration.take(i, now: now), now: now, into: &effects)
        }
    }

    /// Whether every puck that could bring a candidate has brought it: nobody waits for nothing.
    private func isComplete(_ window: Arbitration.Window) -> Bool {
        silent(window).allSatisfy { other in
            window.candidates.allSatisfy {
                !earshot.mayHear(other, what: $0.puckID, phrase: window.key.phrase)
            }
        }
    }

    /// The able pucks of the group that have not brought a candidate. One that plays hears mostly itself.
    private func silent(_ window: Arbitration.Window) -> [String] {
        var names: [String] = []
        for id in members[window.key.group] ?? [] {
            guard let live = sessions[id]?.live, live.isAble(phrase: window.key.phrase, group: window.key.group),
                !window.candidates.contains(where: { $0.connection == id }),
                pucks[live.puckID]?.playout.isIdle ?? true
            else { continue }
            names.append(live.puckID)
        }
        return names
    }

    private mutating func decide(_ window: Arbitration.Window, now: Instant, into effects: inout [HubEffect]) {
        let ranking = Ranking(window.candidates, by: policy.arbitrationPolicy)
        let ranked = ranking.candidates
        let isBusy = isBusy(group: window.key.group)
        var decision = ArbitrationDecision(
            decidedAt: now, waited: now - window.openedAt, phrase: window.key.phrase, group: window.key.group,
            policy: policy.arbitrationPolicy, candidates: ranked, rule: isBusy ? .groupBusy : ranking.rule,
            conversationID: nil,
            winners: ArbitrationPolicy.allCases.map { Ranking(ranked, by: $0).candidates[0].puckID })
        // A button says nothing about what can be heard where.
        let voices = ranked.filter { !$0.isPressed }
        if !voices.isEmpty {
            earshot.learn(heard: voices.map { $0.puckID }, silent: silent(window), phrase: window.key.phrase)
            earshot.learnGains(voices.map { ($0.puckID, $0.wake.levelDecibels) })
        }
        if !isBusy {
            decision.conversationID = grant(
                ranked[0], others: Array(ranked.dropFirst()), key: window.key, now: now, into: &effects)
        }
        for loser in ranked.dropFirst(isBusy ? 0 : 1) {
            cancel(loser.connection, loser.wake.wakeID, isBusy ? .busy : .lost, into: &effects)
        }
        record(decision, into: &effects)
    }

    /// Somebody came too late for the last decision about this phrase: to be explained with it.
    private mutating func noteLate(_ puckID: String, _ key: Arbitration.Key, now: Instant) {
        for i in (0..<decisions.count).reversed()
        where decisions[i].phrase == key.phrase && decisions[i].group == key.group {
            if !decisions[i].late.contains(where: { $0.puckID == puckID }) {
                decisions[i].late.append(.init(puckID: puckID, after: now - decisions[i].decidedAt))
            }
            return
        }
    }

    mutating func record(_ decision: ArbitrationDecision, into effects: inout [HubEffect]) {
        decisions.appendDroppingOldest(decision)
        decisionCount += 1
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

    /// - Parameters:
    ///   - others: who may be asked instead, best first.
    ///   - inPlaceOf: the puck that was granted first and failed; this one is its runner-up.
    mutating func grant(
        _ winner: Candidate, others: [Candidate], key: Arbitration.Key, inPlaceOf: String? = nil, now: Instant,
        into effects: inout [HubEffect]
    ) -> String {
        let group = key.group
        lastWinners[group] = winner.puckID
        supersede(group: group, by: winner.puckID, now: now, into: &effects)
        conversationCount += 1
        counters.conversations += 1
        let id = "c-\(String(runID, radix: 16))-\(conversationCount)"
        let conversation = Conversation(
            id: id, playID: conversationCount, winner: winner, others: others, key: key, inPlaceOf: inPlaceOf,
            policy: policy, now: now)
        owners[conversation.playID] = winner.puckID
        consider(conversation.deadline)
        conversations.append(conversation)
        pucks[known: winner.puckID].uplink = .open
        effects.append(.send(winner.connection, .grant(wakeID: winner.wake.wakeID, conversationID: id), .zero))
        return id
    }

    /// A new speaker has the floor: an answer that sounds is stopped, what a puck of the group that is away would still say
    /// is stale (FAILURES.md S13), and everything else is paused until the conversation is over.
    private mutating func supersede(
        group: String, by winner: String, now: Instant, into effects: inout [HubEffect]
    ) {
        for conversation in conversations where conversation.group == group && !conversation.hasEnded {
            if conversation.isAway, conversation.puckID != winner {
                forgetPuck(
                    conversation.puckID, "somebody else spoke while the puck was away", now: now, into: &effects)
            } else {
                inConversation(conversation.id, now: now, into: &effects) { conversation, puck, effects in
                    conversation.talkedOver(puck: &puck, now: now, into: &effects)
                }
            }
        }
        removeEnded()
        for puckID in residents[group] ?? [] {
            withPuck(puckID, now: now, into: &effects) { puck, _, effects in
                puck.playout.hold(stream: &puck.stream, now: now, into: &effects)
            }
        }
    }

    /// No conversation of these groups goes on: their loudspeakers are free again.
    mutating func releaseGroups(now: Instant, into effects: inout [HubEffect]) {
        while !endedGroups.isEmpty {
            let group = endedGroups.removeFirst()
            if conversations.contains(where: { $0.group == group && !$0.hasEnded }) { continue }
            for puckID in residents[group] ?? [] where pucks[known: puckID].playout.isHeld {
                withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
                    puck.playout.release(stream: &puck.stream, ahead: ahead, now: now, into: &effects)
                }
            }
        }
    }

    // MARK: Uplink

    mutating func receivedAudio(
        _ id: ConnectionID, at position: Int, _ type: MessageType, _ sequence: SerialNumber, _ byteCount: Int,
        now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        try sessions.values[position].requireLive("audio")
        guard type == .uplinkOpus || type == .uplinkPCM else {
            throw WireError(.unexpected, "message type \(type.rawValue) goes from the hub to the puck only")
        }
        let puckID = sessions.values[position].live!.puckID
        switch pucks[known: puckID].uplink {
        case .draining(let packets):
            guard packets > 0 else {
                throw WireError(.unexpected, "audio goes on long after the conversation has ended")
            }
            pucks[known: puckID].uplink = .draining(packets: packets - 1)
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
        _ id: ConnectionID, _ puckID: String, _ end: UplinkEnd, now: Instant, into effects: inout [HubEffect]
    ) throws(WireError) {
        guard let i = conversations.firstIndex(where: { $0.puckID == puckID && $0.id == end.conversationID }) else {
            // The hub had ended it already; the puck could not know yet.
            effects.append(
                .log(
                    LogRecord(
                        .debug, "uplink.end_ignored", about(id) + [LogField("conversation", end.conversationID)])))
            return
        }
        pucks[known: puckID].uplink = .closed
        try conversations[i].uplinkEnded(end, puck: &pucks[known: puckID], now: now, into: &effects)
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
        body(&conversations[i], &pucks[known: puckID], &effects)
        noteIfEnded(i)
        consider(conversations[i].deadline)
        touched(puckID, now: now, into: &effects)
    }

    private mutating func noteIfEnded(_ i: Int) {
        guard conversations[i].hasEnded else { return }
        hasEndedConversation = true
        let puckID = conversations[i].puckID
        if pucks[known: puckID].uplink == .open {
            pucks[known: puckID].uplink = .draining(packets: HubLimits.drainedPackets)
        }
    }
}

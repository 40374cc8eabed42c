import PuckBase
import PuckWire

// Pucks beyond their connections: leaving, coming back, being forgotten; and what they play.

extension Hub {
    // MARK: Leaving and coming back

    /// The connection of a puck is gone. Stream, plays and conversation wait for it.
    mutating func puckLeft(_ puckID: String, now: Instant, into effects: inout [HubEffect]) {
        pucks[known: puckID].stream.connection = nil
        pucks[known: puckID].uplink = .closed
        pucks[known: puckID].forgetAt = now + HubLimits.replayKept
        pucks[known: puckID].playout.puckLeft()
        for i in conversations.indices where conversations[i].puckID == puckID {
            conversations[i].connectionLost(now: now)
            consider(conversations[i].deadline)
        }
        consider(pucks[known: puckID].deadline)
    }

    /// A puck says hello: finds what it can go on with, welcomes it, and brings it up to date.
    mutating func resume(
        _ id: ConnectionID, _ hello: Hello, now: Instant, into effects: inout [HubEffect]
    ) -> Welcome {
        let puckID = hello.puckID
        if pucks[puckID].map({ $0.group != hello.group }) ?? false {
            forgetPuck(puckID, "the puck has another group now", now: now, into: &effects)
        }
        var welcome = self.welcome(id)
        let isKnown = pucks[puckID] != nil
        var missing = 0
        if let known = pucks[puckID]?.stream, let wanted = hello.resume, wanted.epoch == known.epoch,
            let count = known.missing(from: wanted.sequence)
        {
            missing = count
            welcome.resume = .replayed
            welcome.from = wanted.sequence
            counters.streamsReplayed += 1
        } else {
            let fresh = DownlinkStream(epoch: UInt32(truncatingIfNeeded: generator.next()), connection: nil)
            if isKnown {
                if let wanted = hello.resume, pucks[known: puckID].knows(epoch: wanted.epoch) {
                    let stream = pucks[known: puckID].stream
                    let received = wanted.epoch == stream.epoch ? stream.count(before: wanted.sequence) : nil
                    pucks[known: puckID].playout.greeted(hello.plays, received: received)
                }
                pucks[known: puckID].begin(fresh)
            } else {
                pucks[puckID] = PuckState(puckID: puckID, group: hello.group, stream: fresh)
                residents[hello.group] = ((residents[hello.group] ?? []) + [puckID]).sorted()
            }
            welcome.resume = hello.resume == nil ? .none : .fresh
            welcome.from = fresh.next
            counters.streamsRestarted += hello.resume == nil && !isKnown ? 0 : 1
        }
        welcome.epoch = pucks[known: puckID].stream.epoch
        pucks[known: puckID].stream.connection = id
        pucks[known: puckID].forgetAt = nil
        welcome.uplinkNext = resumeUplink(hello, now: now, into: &effects)
        welcome.floor = conversations.last { $0.group == hello.group && !$0.hasEnded && $0.puckID != puckID }?.id
        effects.append(.send(id, .welcome(welcome), .zero))
        withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
            // Somebody speaks to another puck, since before this one was known: what it is to play waits.
            if !isKnown, welcome.floor != nil { puck.playout.hold(stream: &puck.stream, now: now, into: &effects) }
            if case .replayed = welcome.resume {
                puck.stream.replay(missing, now: now, into: &effects)
                puck.playout.puckReturned(&puck.stream, ahead: ahead, now: now, into: &effects)
            } else {
                puck.playout.restart(&puck.stream, ahead: ahead, now: now, into: &effects)
            }
        }
        return welcome
    }

    /// The conversation of a puck that is back goes on where the hub still has it and the puck still has the packet that
    /// comes next; else it ends here, as degraded (FAILURES.md L8, L9).
    /// - Returns: the packet that is wanted next; nil when there is no conversation to go on with.
    private mutating func resumeUplink(
        _ hello: Hello, now: Instant, into effects: inout [HubEffect]
    ) -> SerialNumber? {
        guard let i = conversations.firstIndex(where: { $0.puckID == hello.puckID && !$0.hasEnded }) else {
            return nil
        }
        if let uplink = hello.uplink, uplink.conversationID == conversations[i].id {
            let expected = conversations[i].expected
            if conversations[i].mayBeginAnywhere || !expected.isBefore(uplink.first), !uplink.next.isBefore(expected) {
                let wasListening = conversations[i].isListening
                conversations[i].resumed(now: now, into: &effects)
                if wasListening {
                    pucks[known: hello.puckID].uplink = .open
                    counters.uplinksResumed += 1
                }
                consider(conversations[i].deadline)
                return conversations[i].mayBeginAnywhere ? uplink.first : expected
            }
        }
        if conversations[i].isListening {
            conversations[i].endAbsent("the utterance could not be resumed", now: now, into: &effects)
            // The speaker may ask again at once: that is no straggler of the old wake.
            arbitration.forgetDecisions(group: hello.group)
            removeEnded()
        } else {
            // The utterance is whole and is answered, whatever the puck still knows of it.
            conversations[i].resumed(now: now, into: &effects)
        }
        return nil
    }

    /// A welcome without anything to go on with.
    func welcome(_ id: ConnectionID) -> Welcome {
        Welcome(
            session: id.number, epoch: 0, resume: .none, from: .zero,
            pingMilliseconds: Int(HubLimits.pingEvery.wholeMilliseconds),
            replayMilliseconds: Int(HubLimits.replayKept.wholeMilliseconds))
    }

    /// Nothing of this puck is kept: it was away for too long, its token is gone, or what it would say is stale.
    /// - Parameter why: for the log, of a conversation that ends with it.
    mutating func forgetPuck(_ puckID: String, _ why: String, now: Instant, into effects: inout [HubEffect]) {
        guard pucks[puckID] != nil else { return }
        for i in conversations.indices where conversations[i].puckID == puckID && !conversations[i].hasEnded {
            conversations[i].endAbsent(why, now: now, into: &effects)
        }
        removeEnded()
        pucks[known: puckID].playout.abandon()
        _ = pucks[known: puckID].playout.takeEndings()
        pucks[known: puckID].stream = DownlinkStream(epoch: 0, connection: nil)
        releaseAudio(puckID, into: &effects)
        let group = pucks[known: puckID].group
        residents[group]?.removeAll { $0 == puckID }
        if residents[group]?.isEmpty ?? false { residents[group] = nil }
        pucks[puckID] = nil
    }

    mutating func expirePuck(_ puckID: String, now: Instant, into effects: inout [HubEffect]) {
        guard let puck = pucks[puckID] else { return }
        if let forgetAt = puck.forgetAt, forgetAt <= now {
            return forgetPuck(puckID, "the puck stayed away", now: now, into: &effects)
        }
        withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
            puck.stream.prune(now: now, into: &effects)
            puck.stream.flush(now: now, into: &effects)
            if let deadline = puck.playout.deadline, deadline <= now {
                puck.playout.giveUp(&puck.stream, ahead: ahead, now: now, into: &effects)
            }
        }
    }

    // MARK: Plays

    mutating func answerReady(
        _ playID: UInt32, _ sizes: [UInt16], isComplete: Bool, now: Instant, into effects: inout [HubEffect]
    ) {
        guard let puckID = owners[playID], pucks[puckID] != nil else { return }
        if pucks[known: puckID].playout.contains(playID) {
            withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
                puck.playout.grow(
                    playID, sizes, isComplete: isComplete, stream: &puck.stream, ahead: ahead, now: now,
                    into: &effects)
            }
        } else if let conversation = conversations.first(where: { $0.playID == playID }) {
            inConversation(conversation.id, now: now, into: &effects) { conversation, puck, effects in
                conversation.answerReady(sizes, isComplete: isComplete, puck: &puck, now: now, into: &effects)
            }
        }
    }

    mutating func answerFailed(_ playID: UInt32, reason: String, now: Instant, into effects: inout [HubEffect]) {
        if let conversation = conversations.first(where: { $0.playID == playID }) {
            inConversation(conversation.id, now: now, into: &effects) { conversation, puck, effects in
                conversation.answerFailed(reason: reason, puck: &puck, now: now, into: &effects)
            }
        } else {
            cancelPlay(playID, .failed, now: now, into: &effects)
        }
    }

    mutating func playRequested(
        _ request: UInt32, _ puckID: String, _ category: DownStart.Category, now: Instant,
        into effects: inout [HubEffect]
    ) {
        guard pucks[puckID] != nil else {
            return effects.append(.refusePlay(request: request, reason: "the puck is not connected"))
        }
        guard pucks[known: puckID].playout.queue.count < HubLimits.queuedPlays else {
            return effects.append(.refusePlay(request: request, reason: "too much waits for this puck already"))
        }
        conversationCount += 1
        let playID = conversationCount
        owners[playID] = puckID
        effects.append(.preparePlay(request: request, playID: playID))
        withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
            let play = Play(id: playID, conversationID: "p-\(playID)", category: category)
            puck.offer(play, ahead: ahead, now: now, into: &effects)
        }
    }

    mutating func playCancelled(_ playID: UInt32, now: Instant, into effects: inout [HubEffect]) {
        cancelPlay(playID, .cancelled, now: now, into: &effects)
    }

    private mutating func cancelPlay(
        _ playID: UInt32, _ outcome: Playout.Outcome, now: Instant, into effects: inout [HubEffect]
    ) {
        guard let puckID = owners[playID] else { return }
        withPuck(puckID, now: now, into: &effects) { puck, ahead, effects in
            puck.playout.cancel(playID, outcome, stream: &puck.stream, ahead: ahead, now: now, into: &effects)
        }
    }

    // MARK: What every change of a puck leads to

    /// Runs `body` on a puck that is remembered; `ahead` is the pacing in packets.
    mutating func withPuck(
        _ puckID: String, now: Instant, into effects: inout [HubEffect],
        _ body: (inout PuckState, _ ahead: Int, inout [HubEffect]) -> Void
    ) {
        guard pucks[puckID] != nil else { return }
        body(&pucks[known: puckID], policy.aheadPackets, &effects)
        touched(puckID, now: now, into: &effects)
    }

    /// Plays that ended are told to their conversations, audio that nobody needs is let go, deadlines are noted.
    mutating func touched(_ puckID: String, now: Instant, into effects: inout [HubEffect]) {
        // A conversation that ends starts no play, so this ends.
        for ending in pucks[known: puckID].playout.takeEndings() {
            effects.append(
                .log(
                    LogRecord(
                        .info, "play.end",
                        [
                            LogField("puck", puckID), LogField("play_id", "\(ending.playID)"),
                            LogField("outcome", ending.outcome.rawValue),
                        ])))
            if conversations.contains(where: { $0.playID == ending.playID && !$0.hasEnded }) {
                inConversation(ending.conversationID, now: now, into: &effects) { conversation, puck, effects in
                    conversation.playEnded(ending.outcome, puck: &puck, now: now, into: &effects)
                }
            }
        }
        releaseAudio(puckID, into: &effects)
        consider(pucks[known: puckID].deadline)
    }

    private mutating func releaseAudio(_ puckID: String, into effects: inout [HubEffect]) {
        let before = effects.count
        pucks[known: puckID].releaseAudio(into: &effects)
        for effect in effects[before...] {
            if case .forgetAnswer(let playID) = effect { owners[playID] = nil }
        }
    }
}

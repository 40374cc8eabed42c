import PuckAudio
import PuckBase
import PuckWire

// One person's turn: the wake word, the hub's verdict, the utterance, and the wait for an answer.

extension Puck {
    mutating func wakeHeard(
        _ finding: WakeFinding, _ onset: Instant, _ envelope: [Int8], _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        if muted || !captureOK { return }
        // The person whose turn it is goes on speaking; the log has no use for a line about each pause for breath.
        guard takesWakes else { return }
        // While the loudspeaker talks, a detector without echo cancellation hears mostly itself.
        guard !isSounding else { return logIgnored("busy", &effects) }
        // An earcon is as loud as a voice.
        guard now >= earconUntil else { return logIgnored("earcon", &effects) }
        guard link == .up else { return logIgnored("no-hub", &effects) }
        guard finding.confidence >= doubt.leastConfidence else { return logIgnored("doubt", &effects) }
        becomeCandidate(finding, onset, envelope, preroll: true, now, &effects)
    }

    /// The button: ends pairing; else wakes an idle puck, stops a busy one.
    mutating func talkRequested(_ position: Int64, _ now: Instant, _ effects: inout [PuckEffect]) {
        if isPairing { return endPairing(.cancelled, &effects) }
        guard takesWakes, !isSounding else { return stopRequested(now, &effects) }
        if muted || !captureOK || link != .up {
            logIgnored(muted ? "muted" : captureOK ? "no-hub" : "no-microphone", &effects)
            return playEarcon(.failed, &effects)
        }
        // Whoever presses a button means this puck: no voice heard elsewhere outranks it.
        let finding = WakeFinding(
            onset: position, levelDecibels: 0, noiseDecibels: Level.floorDecibels, confidence: 1)
        becomeCandidate(finding, now, preroll: false, now, &effects)
    }

    /// Whether a new turn may begin: standing by for another puck's is no turn. While it is false, `wakeHeard` does
    /// nothing, and what it needs does not have to be made.
    public var takesWakes: Bool {
        switch turn {
        case .idle, .standby: true
        case .candidate, .listening, .thinking, .interrupted: false
        }
    }

    private mutating func becomeCandidate(
        _ finding: WakeFinding, _ onset: Instant, _ envelope: [Int8] = [], preroll: Bool, _ now: Instant,
        _ effects: inout [PuckEffect]
    ) {
        lastFinding = finding
        lastWakeID &+= 1
        turn = .candidate(wakeID: lastWakeID)
        deadlines.clear(.standby)
        deadlines[.verdict] = now + Self.verdictTimeout
        window = UplinkWindow()
        utteranceHasHole = false
        hasCaptureGap = false
        utteranceEnd = nil
        unwantedConversation = nil
        endpointer = Endpointer(parameters.endpoint, noiseDecibels: isWokenByVoice ? finding.noiseDecibels : nil)
        let candidate = WakeCandidate(
            wakeID: lastWakeID, phrase: identity.phrase, onsetMilliseconds: Double(onset.nanoseconds) / 1e6,
            snrDecibels: Double(finding.levelDecibels - finding.noiseDecibels),
            levelDecibels: Double(finding.levelDecibels), noiseDecibels: Double(finding.noiseDecibels),
            confidence: Double(finding.confidence), envelope: envelope)
        effects.append(
            .log(
                LogRecord(
                    .info, "wake.candidate",
                    [
                        .init("wake_id", lastWakeID), .init("snr_db", candidate.snrDecibels),
                        .init("level_db", candidate.levelDecibels), .init("noise_db", candidate.noiseDecibels),
                        .init("confidence", candidate.confidence, 2),
                        .init("onset_age_ms", (now - onset).milliseconds),
                    ])))
        effects.append(.send(.wakeCandidate(candidate)))
        effects.append(.startEncoding(onset: finding.onset, preroll: preroll))
    }

    /// Behind a button stands no measurement of the room.
    var isWokenByVoice: Bool { lastFinding.map { $0.noiseDecibels > Level.floorDecibels } ?? false }

    private func logIgnored(_ reason: String, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.info, "wake.ignored", [.init("reason", reason)])))
    }

    mutating func granted(
        _ wakeID: UInt32, _ conversationID: String, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        if turn == .standby(wakeID: wakeID) {
            // The winner failed. What is left of the second that the window holds is sent; its beginning may be gone.
            utteranceHasHole = false
            deadlines.clear(.standby)
        } else if turn != .candidate(wakeID: wakeID) {
            // The verdict came after we gave up: let the hub give it to somebody else.
            let end = UplinkEnd(conversationID: conversationID, lastSequence: SerialNumber(65_535), reason: .cancelled)
            return effects.append(.send(.uplinkEnd(end)))
        }
        effects.append(
            .log(
                LogRecord(
                    .info, "wake.granted",
                    [.init("wake_id", wakeID), .init("conversation", conversationID)])))
        if utteranceHasHole {
            // What was held back is no longer whole (a late verdict, a gap), and the hub takes packets from 0 on only.
            let end = UplinkEnd(conversationID: conversationID, lastSequence: SerialNumber(65_535), reason: .gap)
            effects.append(.send(.uplinkEnd(end)))
            endTurn(&effects)
            return playEarcon(.failed, &effects)
        }
        turn = .listening(conversationID: conversationID)
        deadlines.clear(.verdict)
        let limit = Interval.milliseconds(parameters.endpoint.utteranceLimitMilliseconds)
        deadlines[.listening] = now + limit + Self.listeningReserve
        // In the middle of somebody's words there is no room for a sound that only silence can keep from being sent.
        if !parameters.listeningIsRecorded || !isWokenByVoice { playEarcon(.listening, &effects) }
        sendPending(&effects)
    }

    mutating func cancelled(
        _ wakeID: UInt32, _ reason: HubControl.CancelReason, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        // After a grant the phase that goes with it ends the turn.
        guard turn == .candidate(wakeID: wakeID) else { return }
        effects.append(
            .log(
                LogRecord(
                    .info, "wake.cancelled", [.init("wake_id", wakeID), .init("reason", reason.rawValue)])))
        guard reason == .lost, !hasCaptureGap else { return endTurn(&effects) }
        // Silent and dark, but with its ear open: the winner may fail.
        turn = .standby(wakeID: wakeID)
        deadlines.clear(.verdict)
        deadlines[.standby] = now + Self.standbyTimeout
    }

    mutating func verdictTimedOut(_ effects: inout [PuckEffect]) {
        guard case .candidate = turn else { return }
        effects.append(.log(LogRecord(.warning, "wake.no_verdict", [.init("wake_id", lastWakeID)])))
        endTurn(&effects)
        playEarcon(.failed, &effects)
    }

    mutating func packetEncoded(_ level: Float, _ now: Instant, _ effects: inout [PuckEffect]) {
        if turn == .idle { return }  // the last packet before `stopEncoding` took effect
        if case .thinking = turn { return }
        if !window.append() { utteranceHasHole = true }
        // What is left of an earcon is no speech; after a voice there was speech anyway.
        let isHeard = isWokenByVoice || now >= earconUntil
        let endpoint = isHeard ? endpointer?.observe(packetLevelDecibels: level) : nil
        if turn == .interrupted {
            if endpoint != nil { endTurn(&effects) }
            return
        }
        guard case .listening = turn else { return }  // the endpoint of a mere candidate waits for its verdict
        if utteranceHasHole {
            // Without a link for more than the window holds: the person may go on when it is back.
            return link == .up ? endUtterance(.gap, now, &effects) : interrupt(now, &effects)
        }
        if link == .up { sendPending(&effects) }
        switch endpoint {
        case nil: break
        case .endOfSpeech: endUtterance(.endpoint, now, &effects)
        case .noSpeech: endUtterance(.silence, now, &effects)
        case .tooLong: endUtterance(.timeout, now, &effects)
        }
    }

    private mutating func sendPending(_ effects: inout [PuckEffect]) {
        while let sequence = window.takeUnsent() { effects.append(.sendPacket(sequence)) }
    }

    /// Closes the utterance and tells the hub why.
    mutating func endUtterance(_ reason: UplinkEnd.Reason, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard case .listening(let conversationID) = turn else { return }
        say(
            UplinkEnd(conversationID: conversationID, lastSequence: window.next.advanced(by: -1), reason: reason),
            &effects)
        effects.append(
            .log(
                LogRecord(
                    .info, "uplink.end",
                    [
                        .init("conversation", conversationID), .init("reason", reason.rawValue),
                        .init("packets", Int(window.next.value)),
                    ])))
        noteDoubt(reason, now, &effects)
        switch reason {
        case .endpoint, .timeout:
            effects.append(.stopEncoding)
            endpointer = nil
            turn = .thinking(conversationID: conversationID)
            deadlines.clear(.listening)
            deadlines[.answer] = now + Self.answerTimeout
        case .cancelled, .muted, .gap, .silence:
            endTurn(&effects)
            playEarcon(reason == .gap ? .failed : .cancelled, &effects)
        }
    }

    /// Says an end, or remembers that it could not be said.
    private mutating func say(_ end: UplinkEnd, _ effects: inout [PuckEffect]) {
        switch end.reason {
        case .endpoint, .timeout:
            // Said again with the packets when the utterance is resumed.
            utteranceEnd = end
            if link == .up { effects.append(.send(.uplinkEnd(end))) }
        case .cancelled, .muted, .gap, .silence:
            unwantedConversation = end.conversationID
            if link == .up { effects.append(.send(.uplinkEnd(end))) } else { unsaidEnd = end }
        }
    }

    mutating func acknowledged(
        _ conversationID: String, _ next: SerialNumber, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        switch turn {
        case .listening(conversationID), .thinking(conversationID):
            if !window.acknowledge(next: next) {
                refuse(
                    WireError(.unexpected, "up_ack \(next.value) is ahead of what was sent"), now, &effects)
            }
        case .idle, .candidate, .standby, .listening, .thinking, .interrupted: break  // an older conversation's
        }
    }

    mutating func listenStopped(_ conversationID: String, _ now: Instant, _ effects: inout [PuckEffect]) {
        if turn == .listening(conversationID: conversationID) { endUtterance(.timeout, now, &effects) }
    }

    mutating func captureGap(_ samples: Int64, _ now: Instant, _ effects: inout [PuckEffect]) {
        utteranceHasHole = true
        hasCaptureGap = true
        effects.append(.log(LogRecord(.warning, "uplink.gap", [.init("samples", samples)])))
        if case .listening = turn { endUtterance(.gap, now, &effects) }
        // What is left would have a hole in the middle: of no use to anybody.
        if case .standby = turn { endTurn(&effects) }
    }

    /// "Stop": ends whatever is going on here.
    mutating func stopRequested(_ now: Instant, _ effects: inout [PuckEffect]) {
        endPairing(.cancelled, &effects)
        switch turn {
        case .idle: break
        case .candidate, .standby, .interrupted: endTurn(&effects)
        case .listening: endUtterance(.cancelled, now, &effects)
        case .thinking(let conversationID):
            say(
                UplinkEnd(
                    conversationID: conversationID, lastSequence: window.next.advanced(by: -1), reason: .cancelled),
                &effects)
            endTurn(&effects)
        }
        stopPlayback(now, &effects)
    }

    /// The end of an utterance is found by its packets; a microphone that brings none, and does not say so, ends it here.
    mutating func listeningTimedOut(_ now: Instant, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.warning, "uplink.no_audio")))
        endUtterance(.gap, now, &effects)
    }

    mutating func answerTimedOut(_ effects: inout [PuckEffect]) {
        guard case .thinking(let conversationID) = turn else { return }
        effects.append(.log(LogRecord(.warning, "answer.timeout", [.init("conversation", conversationID)])))
        endTurn(&effects)
        playEarcon(.failed, &effects)
    }

    // MARK: The link

    /// What a reconnect can go on with: a conversation whose packets are all still here.
    var uplinkToResume: Hello.Uplink? {
        switch turn {
        case .listening(let id), .thinking(let id):
            utteranceHasHole
                ? nil : Hello.Uplink(conversationID: id, first: window.first, next: window.next)
        case .idle, .candidate, .standby, .interrupted: nil
        }
    }

    /// Listening and thinking go on: the window holds a second, and the hub waits a little.
    mutating func turnLostLink(_ now: Instant, _ effects: inout [PuckEffect]) {
        switch turn {
        case .idle, .listening, .thinking, .interrupted: break
        case .standby: endTurn(&effects)
        case .candidate: interrupt(now, &effects)
        }
    }

    /// This speech cannot be saved; the person is told, and asked for the rest when the link is back.
    private mutating func interrupt(_ now: Instant, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.warning, "uplink.interrupted")))
        turn = .interrupted
        deadlines.clear(.verdict)
        deadlines.clear(.listening)
        deadlines[.interrupted] = now + Self.interruptedTimeout
        playEarcon(.failed, &effects)
    }

    /// The hub is back, with or without the conversation.
    mutating func turnGotLink(_ welcome: Welcome, _ now: Instant, _ effects: inout [PuckEffect]) {
        if let end = unsaidEnd {
            effects.append(.send(.uplinkEnd(end)))
            unsaidEnd = nil
        }
        switch turn {
        case .idle, .candidate, .standby: break
        case .listening(let id):
            if !goOn(id, welcome, &effects) {
                interrupt(now, &effects)
                askAgain(now, &effects)
            }
        case .thinking(let id):
            if goOn(id, welcome, &effects) {
                if let utteranceEnd { effects.append(.send(.uplinkEnd(utteranceEnd))) }
            } else {
                endTurn(&effects)
                // Whoever else is being answered has the room's ear: no need to complain.
                if welcome.floor == nil { playEarcon(.failed, &effects) }
            }
        case .interrupted: askAgain(now, &effects)
        }
    }

    /// Sends what the hub lacks. False: it has no use for it, or it is no longer here.
    private mutating func goOn(
        _ conversationID: String, _ welcome: Welcome, _ effects: inout [PuckEffect]
    ) -> Bool {
        guard let next = welcome.uplinkNext, !utteranceHasHole, window.rewind(to: next) else { return false }
        effects.append(
            .log(
                LogRecord(
                    .notice, "uplink.resumed",
                    [
                        .init("conversation", conversationID), .init("from", Int(next.value)),
                        .init("packets", window.count),
                    ])))
        sendPending(&effects)
        return true
    }

    /// Somebody who still speaks is asked for the rest, in a conversation of its own (FAILURES.md L8).
    private mutating func askAgain(_ now: Instant, _ effects: inout [PuckEffect]) {
        let isSpeaking = endpointer?.isSpeaking ?? false
        effects.append(.stopEncoding)
        turn = .idle
        endpointer = nil
        deadlines.clear(.interrupted)
        guard isSpeaking, !muted, captureOK, !isSounding, var finding = lastFinding else { return }
        // The wake is long over: recording begins with the pre-roll before this moment.
        finding.onset = .max
        becomeCandidate(finding, now, preroll: true, now, &effects)
    }

    mutating func endTurn(_ effects: inout [PuckEffect]) {
        switch turn {
        case .candidate, .standby, .listening, .interrupted: effects.append(.stopEncoding)
        case .idle, .thinking: break
        }
        turn = .idle
        endpointer = nil
        utteranceEnd = nil
        deadlines.clear(.interrupted)
        deadlines.clear(.standby)
        deadlines.clear(.verdict)
        deadlines.clear(.listening)
        deadlines.clear(.answer)
    }
}

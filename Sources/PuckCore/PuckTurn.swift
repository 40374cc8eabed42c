import PuckAudio
import PuckBase
import PuckWire

// One person's turn: the wake word, the hub's verdict, the utterance, and the wait for an answer.

extension Puck {
    mutating func wakeHeard(
        _ finding: WakeFinding, _ onset: Instant, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        if muted || !captureOK { return }
        // The person whose turn it is goes on speaking; the log has no use for a line about each pause for breath.
        guard turn == .idle else { return }
        // While the loudspeaker talks, a detector without echo cancellation hears mostly itself.
        guard playback == .idle else { return logIgnored("busy", &effects) }
        guard link == .up else { return logIgnored("no-hub", &effects) }
        becomeCandidate(finding, onset, preroll: true, now, &effects)
    }

    /// The button: wakes an idle puck, stops a busy one.
    mutating func talkRequested(_ position: Int64, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard turn == .idle, playback == .idle else { return stopRequested(now, &effects) }
        if muted || !captureOK || link != .up {
            logIgnored(muted ? "muted" : captureOK ? "no-hub" : "no-microphone", &effects)
            return playEarcon(.failed, &effects)
        }
        // Whoever presses a button means this puck: no voice heard elsewhere outranks it.
        let finding = WakeFinding(
            onset: position, levelDecibels: 0, noiseDecibels: Level.floorDecibels, confidence: 1)
        becomeCandidate(finding, now, preroll: false, now, &effects)
    }

    private mutating func becomeCandidate(
        _ finding: WakeFinding, _ onset: Instant, preroll: Bool, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        lastWakeID &+= 1
        turn = .candidate(wakeID: lastWakeID)
        deadlines[.verdict] = now + Self.verdictTimeout
        window = UplinkWindow()
        utteranceHasHole = false
        endpointer = Endpointer(parameters.endpoint, noiseDecibels: preroll ? finding.noiseDecibels : nil)
        let candidate = WakeCandidate(
            wakeID: lastWakeID, phrase: identity.phrase, onsetMilliseconds: Double(onset.nanoseconds) / 1e6,
            snrDecibels: Double(finding.levelDecibels - finding.noiseDecibels),
            levelDecibels: Double(finding.levelDecibels), noiseDecibels: Double(finding.noiseDecibels),
            confidence: Double(finding.confidence))
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

    private func logIgnored(_ reason: String, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.info, "wake.ignored", [.init("reason", reason)])))
    }

    mutating func granted(
        _ wakeID: UInt32, _ conversationID: String, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard turn == .candidate(wakeID: wakeID) else {
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
        playEarcon(.listening, &effects)
        sendPending(&effects)
    }

    mutating func cancelled(
        _ wakeID: UInt32, _ reason: HubControl.CancelReason, _ effects: inout [PuckEffect]
    ) {
        guard turn == .candidate(wakeID: wakeID) else { return }
        effects.append(
            .log(
                LogRecord(
                    .info, "wake.cancelled", [.init("wake_id", wakeID), .init("reason", reason.rawValue)])))
        endTurn(&effects)
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
        let endpoint = endpointer?.observe(packetLevelDecibels: level)
        guard case .listening = turn else { return }  // the endpoint of a mere candidate waits for its verdict
        sendPending(&effects)
        if utteranceHasHole { return endUtterance(.gap, now, &effects) }
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
        let last = window.next.advanced(by: -1)
        effects.append(
            .send(.uplinkEnd(UplinkEnd(conversationID: conversationID, lastSequence: last, reason: reason))))
        effects.append(
            .log(
                LogRecord(
                    .info, "uplink.end",
                    [
                        .init("conversation", conversationID), .init("reason", reason.rawValue),
                        .init("packets", Int(window.next.value)),
                    ])))
        switch reason {
        case .endpoint, .timeout:
            effects.append(.stopEncoding)
            endpointer = nil
            turn = .thinking(conversationID: conversationID)
            deadlines[.answer] = now + Self.answerTimeout
        case .cancelled, .muted, .gap, .silence:
            endTurn(&effects)
            playEarcon(reason == .gap ? .failed : .cancelled, &effects)
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
        case .idle, .candidate, .listening, .thinking: break  // an older conversation's
        }
    }

    mutating func listenStopped(_ conversationID: String, _ now: Instant, _ effects: inout [PuckEffect]) {
        if turn == .listening(conversationID: conversationID) { endUtterance(.timeout, now, &effects) }
    }

    mutating func captureGap(_ samples: Int64, _ now: Instant, _ effects: inout [PuckEffect]) {
        utteranceHasHole = true
        effects.append(.log(LogRecord(.warning, "uplink.gap", [.init("samples", samples)])))
        if case .listening = turn { endUtterance(.gap, now, &effects) }
    }

    /// "Stop": ends whatever is going on here.
    mutating func stopRequested(_ now: Instant, _ effects: inout [PuckEffect]) {
        switch turn {
        case .idle: break
        case .candidate: endTurn(&effects)
        case .listening: endUtterance(.cancelled, now, &effects)
        case .thinking(let conversationID):
            let end = UplinkEnd(
                conversationID: conversationID, lastSequence: window.next.advanced(by: -1), reason: .cancelled)
            effects.append(.send(.uplinkEnd(end)))
            endTurn(&effects)
        }
        stopPlayback(now, &effects)
    }

    mutating func answerTimedOut(_ effects: inout [PuckEffect]) {
        guard case .thinking(let conversationID) = turn else { return }
        effects.append(.log(LogRecord(.warning, "answer.timeout", [.init("conversation", conversationID)])))
        endTurn(&effects)
        playEarcon(.failed, &effects)
    }

    mutating func turnLostLink(_ effects: inout [PuckEffect]) {
        // The place of uplink resume: within a second of the drop the conversation could go on.
        if turn == .idle { return }
        endTurn(&effects)
        playEarcon(.failed, &effects)
    }

    mutating func endTurn(_ effects: inout [PuckEffect]) {
        switch turn {
        case .candidate, .listening: effects.append(.stopEncoding)
        case .idle, .thinking: break
        }
        turn = .idle
        endpointer = nil
        deadlines.clear(.verdict)
        deadlines.clear(.answer)
    }

    /// The hub may always close the microphone, and open it again when it was the one that closed it.
    mutating func mutedByTheHub(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        if on == muted { return }
        if !on && !mutedByHub {
            return effects.append(.log(LogRecord(.warning, "mute.kept", [.init("reason", "a person muted this puck")])))
        }
        setMuted(on, now, &effects)
        mutedByHub = on
    }

    mutating func setMuted(_ on: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        // A person's word, whatever the hub had said: theirs counts from now on.
        mutedByHub = false
        if on == muted { return }
        muted = on
        effects.append(.setMuted(on))
        if on {
            if case .candidate = turn { endTurn(&effects) }
            if case .listening = turn { endUtterance(.muted, now, &effects) }
        }
        playEarcon(on ? .muted : .unmuted, &effects)
        reportStatus(now, &effects)
    }

    mutating func setVolume(_ requested: Int, _ effects: inout [PuckEffect]) {
        volume = min(100, max(0, requested))
        effects.append(.setVolume(volume))
    }

    mutating func setCapture(ok: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        if ok == captureOK { return }
        captureOK = ok
        if !ok {
            if case .candidate = turn { endTurn(&effects) }
            if case .listening = turn { endUtterance(.gap, now, &effects) }
        }
        reportStatus(now, &effects)
    }
}

import PuckAudio
import PuckBase
import PuckWire

// The downlink stream and the loudspeaker. One play at a time; the second lane and resume have their place here.

extension Puck {
    mutating func audioReceived(
        _ type: MessageType, _ sequence: SerialNumber, _ byteCount: Int, _ now: Instant,
        _ effects: inout [PuckEffect]
    ) {
        guard link == .up else {
            if link == .greeting { refuse(WireError(.unexpected, "audio before welcome"), now, &effects) }
            return
        }
        heardFromHub(now)
        guard type == .downlinkOpus || type == .downlinkPCM else {
            return refuse(WireError(.unexpected, "a hub does not send uplink audio"), now, &effects)
        }
        let end = queuedSamples + Int64(WireLimits.samplesPerPacket)
        guard accept(sequence, endSample: end, now, &effects) else { return }
        switch playback {
        case .idle:
            // Audio of a play that was stopped here: it was on its way. Done as soon as it came.
            _ = downlink.finishAll()
            return scheduleReport(now)
        case .finishing:
            return refuse(WireError(.unexpected, "audio after its down_stop"), now, &effects)
        case .playing(_, _, let codec):
            if let error = Self.mismatch(type, byteCount, codec) { return refuse(error, now, &effects) }
        }
        queuedSamples = end
        effects.append(.playPacket(sequence, byteCount: byteCount))
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
    }

    /// What is wrong with a packet of a play in this codec; nil when nothing is.
    private static func mismatch(_ type: MessageType, _ byteCount: Int, _ codec: DownStart.Codec) -> WireError? {
        switch (codec, type) {
        case (.opus, .downlinkOpus): nil
        case (.pcm16, .downlinkPCM):
            byteCount == 2 * WireLimits.samplesPerPacket
                ? nil : WireError(.badLength, "20 ms of PCM16 are 640 bytes, not \(byteCount)")
        case (_, _): WireError(.unexpected, "the packet is not in the codec of its down_start")
        }
    }

    /// Checks the order of the stream. False: a duplicate, or the link is being closed.
    private mutating func accept(
        _ sequence: SerialNumber, endSample: Int64?, _ now: Instant, _ effects: inout [PuckEffect]
    ) -> Bool {
        switch downlink.receive(sequence, endSample: endSample) {
        case .accepted: return true
        case .duplicate: return false
        case .gap(let expected):
            refuse(
                WireError(.unexpected, "downlink message \(sequence.value) where \(expected.value) was next"),
                now, &effects)
            return false
        case .overflow:
            refuse(WireError(.rateLimit, "the hub sends more than 2 s ahead"), now, &effects)
            return false
        }
    }

    mutating func streamControlReceived(
        _ control: HubControl, _ sequence: SerialNumber, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard accept(sequence, endSample: nil, now, &effects) else { return }
        switch control {
        case .phase(let conversationID, let phase): phaseReceived(conversationID, phase, &effects)
        case .downStart(let start): playbackStarts(start, now, &effects)
        case .downStop(let playID, let reason): playbackStops(playID, reason, now, &effects)
        case .earcon(let name): earconReceived(name, &effects)
        case .downPause, .downResume: break  // the two lanes are the next step; one lane has nothing to pause for
        case .welcome, .grant, .cancel, .uplinkAck, .listenStop, .set, .ping, .pong, .unknown: break
        }
        if downlink.advance(heardSamples: heardSamples) { scheduleReport(now) }
    }

    private mutating func phaseReceived(
        _ conversationID: String, _ phase: HubControl.ConversationPhase, _ effects: inout [PuckEffect]
    ) {
        guard turn == .thinking(conversationID: conversationID) || turn == .listening(conversationID: conversationID)
        else { return }
        switch phase {
        case .listening, .thinking, .speaking: break  // our own view of these is earlier and as good
        case .idle: endTurn(&effects)
        case .error, .degraded:
            endTurn(&effects)
            playEarcon(.failed, &effects)
        }
    }

    private func earconReceived(_ name: String, _ effects: inout [PuckEffect]) {
        if let earcon = Earcon(rawValue: name) { return playEarcon(earcon, &effects) }
        effects.append(.log(LogRecord(.warning, "earcon.unknown", [.init("name", name)])))
    }

    private mutating func playbackStarts(_ start: DownStart, _ now: Instant, _ effects: inout [PuckEffect]) {
        if playback != .idle { effects.append(.stopPlayback) }
        if turn == .thinking(conversationID: start.conversationID) { endTurn(&effects) }
        guard playbackOK else {
            // Its audio counts as done as it comes, so that the hub does not wait for a loudspeaker that is not there.
            playback = .idle
            return effects.append(
                .log(LogRecord(.warning, "play.impossible", [.init("play_id", start.playID)])))
        }
        playback = .playing(playID: start.playID, conversationID: start.conversationID, codec: start.codec)
        queuedSamples = 0
        heardSamples = 0
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        deadlines[.playedReport] = now + Self.playedEvery
        effects.append(
            .log(
                LogRecord(
                    .info, "play.start",
                    [
                        .init("play_id", start.playID), .init("category", start.category.rawValue),
                        .init("conversation", start.conversationID),
                    ])))
        effects.append(.startPlayback(codec: start.codec))
    }

    private mutating func playbackStops(
        _ playID: UInt32, _ reason: HubControl.StopReason, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard case .playing(playID, let conversationID, _) = playback else { return }
        switch reason {
        case .done:
            playback = .finishing(playID: playID, conversationID: conversationID)
            deadlines[.playbackStall] = now + Self.playbackStallTimeout
            effects.append(.finishPlayback)
        case .cancelled, .failed:
            stopPlayback(now, &effects)
            if reason == .failed { playEarcon(.failed, &effects) }
        }
    }

    mutating func playbackAdvanced(_ samples: Int64, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard playback != .idle, samples > heardSamples else { return }
        heardSamples = samples
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        // The loudspeaker's last word is `playbackDrained`; until then the stop itself is not done.
        if case .playing = playback { _ = downlink.advance(heardSamples: samples) }
        if case .finishing = playback, samples < queuedSamples { _ = downlink.advance(heardSamples: samples) }
    }

    /// Everything was heard.
    mutating func playbackEnded(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard case .finishing(let playID, _) = playback else { return }
        heardSamples = queuedSamples
        effects.append(
            .log(
                LogRecord(
                    .info, "play.done",
                    [.init("play_id", playID), .init("played_ms", heardSamples / 16)])))
        closePlayback(now, &effects)
    }

    mutating func stopPlayback(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard playback != .idle else { return }
        effects.append(.stopPlayback)
        closePlayback(now, &effects)
    }

    private mutating func closePlayback(_ now: Instant, _ effects: inout [PuckEffect]) {
        _ = downlink.finishAll()
        reportPlayed(now, &effects)
        playback = .idle
        queuedSamples = 0
        heardSamples = 0
        deadlines.clear(.playbackStall)
        deadlines.clear(.playedReport)
    }

    mutating func playbackStalled(_ now: Instant, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.warning, "play.stalled")))
        stopPlayback(now, &effects)
    }

    mutating func playbackLost(_ now: Instant, _ effects: inout [PuckEffect]) {
        playbackOK = false
        stopPlayback(now, &effects)
    }

    mutating func playbackLostLink(_ now: Instant, _ effects: inout [PuckEffect]) {
        // What has arrived is played out. The place of the replay: with it the play would go on instead.
        guard case .playing(let playID, let conversationID, _) = playback else { return }
        playback = .finishing(playID: playID, conversationID: conversationID)
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        effects.append(.finishPlayback)
    }

    /// Controls that were acted on while nothing plays are reported too, soon.
    private mutating func scheduleReport(_ now: Instant) {
        if deadlines[.playedReport] == nil { deadlines[.playedReport] = now + Self.playedEvery }
    }

    mutating func reportPlayed(_ now: Instant, _ effects: inout [PuckEffect]) {
        var playID: UInt32 = 0
        switch playback {
        case .idle: break
        case .playing(let id, _, _), .finishing(let id, _):
            playID = id
            deadlines[.playedReport] = now + Self.playedEvery
        }
        guard link == .up, let done = downlink.done else { return }
        let report = Played(
            sequence: done, playID: playID, positionMilliseconds: Int(heardSamples / 16),
            bufferedMilliseconds: Int(max(0, queuedSamples - heardSamples) / 16))
        effects.append(.send(.played(report)))
    }
}

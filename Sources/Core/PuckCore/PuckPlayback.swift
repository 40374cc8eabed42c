import PuckAudio
import PuckBase
import PuckWire

// The downlink stream and the loudspeaker's two lanes: what sounds, and what is paused for it. The hub decides which is
// which; a lost link changes neither (FAILURES.md L11, L22).

extension Puck {
    mutating func audioReceived(
        _ type: MessageType, _ sequence: SerialNumber, _ byteCount: Int, _ sentAt: UInt32, _ now: Instant,
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
        guard accept(sequence, now, &effects) else { return }
        playoutDelay.observe(sent: sentAt, arrived: Double(now.nanoseconds) / 1e6)
        // Audio of a play that was stopped here: it was on its way.
        guard var play = active, !play.isOrphan else { return }
        if play.isFinishing { return refuse(WireError(.unexpected, "audio after its down_stop"), now, &effects) }
        if let error = Self.mismatch(type, byteCount, play.codec) { return refuse(error, now, &effects) }
        guard play.queued - play.heard < Self.laneCapacity else {
            return refuse(WireError(.rateLimit, "the hub sends more than 2 s ahead"), now, &effects)
        }
        play.queued += Int64(WireLimits.samplesPerPacket)
        play.isDry = false
        active = play
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
        _ sequence: SerialNumber, _ now: Instant, _ effects: inout [PuckEffect]
    ) -> Bool {
        switch downlink.receive(sequence) {
        case .accepted:
            // Acknowledged soon, even while nothing plays, so that the hub's log stays short.
            if deadlines[.playedReport] == nil { deadlines[.playedReport] = now + Self.playedEvery }
            return true
        case .duplicate: return false
        case .gap(let expected):
            refuse(
                WireError(.unexpected, "downlink message \(sequence.value) where \(expected.value) was next"),
                now, &effects)
            return false
        }
    }

    mutating func streamControlReceived(
        _ control: HubControl, _ sequence: SerialNumber, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        guard accept(sequence, now, &effects) else { return }
        switch control {
        case .phase(let conversationID, let phase): phaseReceived(conversationID, phase, &effects)
        case .downStart(let start): playbackStarts(start, now, &effects)
        case .downStop(let playID, let reason): playbackStops(playID, reason, now, &effects)
        case .downPause(let playID): playbackPauses(playID, now, &effects)
        case .downResume(let playID): playbackResumes(playID, now, &effects)
        case .earcon(let name): earconReceived(name, &effects)
        case .unknown(let op, _): logUnknown(op, &effects)
        case .welcome, .grant, .cancel, .uplinkAck, .listenStop, .set, .token, .trust, .ping, .pong: break
        }
    }

    private mutating func phaseReceived(
        _ conversationID: String, _ phase: HubControl.ConversationPhase, _ effects: inout [PuckEffect]
    ) {
        guard turn == .thinking(conversationID: conversationID) || turn == .listening(conversationID: conversationID)
        else { return }
        switch phase {
        case .listening, .thinking, .speaking: break  // our own view of these is earlier and as good
        case .idle:
            // Done, and nothing to say about it: a spoken answer would have begun by now.
            if case .thinking = turn { playEarcon(.done, &effects) }
            endTurn(&effects)
        case .error, .degraded:
            endTurn(&effects)
            playEarcon(.failed, &effects)
        }
    }

    private func earconReceived(_ name: String, _ effects: inout [PuckEffect]) {
        if let earcon = Earcon(rawValue: name) { return playEarcon(earcon, &effects) }
        effects.append(.log(LogRecord(.warning, "earcon.unknown", [.init("name", name)])))
    }

    // MARK: Lanes

    private mutating func playbackStarts(_ start: DownStart, _ now: Instant, _ effects: inout [PuckEffect]) {
        // A play that is paused and starts anew: the hub took it back into its queue.
        if paused?.playID == start.playID {
            dropPaused()
            effects.append(.dropPausedPlayback)
        }
        endings.removeAll { $0.playID == start.playID }
        if turn == .thinking(conversationID: start.conversationID) { endTurn(&effects) }
        var play = Play(start)
        let isUnwanted = start.conversationID == unwantedConversation
        guard playbackOK, !isUnwanted else {
            if active != nil { effects.append(.stopPlayback) }
            effects.append(
                .log(LogRecord(.warning, "play.impossible", [.init("play_id", start.playID)])))
            active = nil
            play.isFinishing = true
            return ended(play, now, &effects)
        }
        active = play
        playoutDelay.beginPlay()
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        deadlines[.playedReport] = now + Self.playedEvery
        effects.append(
            .log(
                LogRecord(
                    .info, "play.start",
                    [
                        .init("play_id", start.playID), .init("category", start.category.rawValue),
                        .init("conversation", start.conversationID),
                        .init("resumed_at_ms", start.resumedAtMilliseconds),
                        .init("delay_ms", playoutDelay.milliseconds),
                    ])))
        effects.append(.startPlayback(codec: start.codec, delayMilliseconds: playoutDelay.milliseconds))
    }

    private mutating func playbackStops(
        _ playID: UInt32, _ reason: HubControl.StopReason, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        if paused?.playID == playID {
            dropPaused()
            return effects.append(.dropPausedPlayback)
        }
        guard let play = active, play.playID == playID, !play.isOrphan else { return }
        switch reason {
        case .done:
            active?.isFinishing = true
            deadlines[.playbackStall] = now + Self.playbackStallTimeout
            effects.append(.finishPlayback)
        case .cancelled, .failed:
            effects.append(.stopPlayback)
            closePlayback(now, &effects)
            if reason == .failed { playEarcon(.failed, &effects) }
        }
    }

    private mutating func playbackPauses(_ playID: UInt32, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = active, play.playID == playID, !play.isOrphan else { return }
        if let forgotten = paused { ended(forgotten, now, &effects) }
        report(play, .paused, &effects)
        paused = play
        deadlines[.pausedPlay] = now + Self.pausedLimit
        active = nil
        deadlines.clear(.playbackStall)
        effects.append(.pausePlayback)
        effects.append(.log(LogRecord(.info, "play.paused", [.init("play_id", playID)])))
    }

    private mutating func playbackResumes(_ playID: UInt32, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = paused, play.playID == playID else { return }
        dropPaused()
        active = play
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        deadlines[.playedReport] = now + Self.playedEvery
        effects.append(.resumePlayback)
        effects.append(.log(LogRecord(.info, "play.resumed", [.init("play_id", playID)])))
    }

    // MARK: The loudspeaker

    mutating func playbackAdvanced(_ samples: Int64, _ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = active, samples > play.heard else { return }
        active?.heard = min(samples, play.queued)
        if link == .up { deadlines[.playbackStall] = now + Self.playbackStallTimeout }
    }

    mutating func playbackStarved(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = active, !play.isFinishing else { return }
        active?.isDry = true
        effects.append(
            .log(
                LogRecord(
                    link == .up ? .warning : .info, "play.starved",
                    [.init("play_id", play.playID), .init("position_ms", play.position / 16)])))
        // A lost link says nothing about the network's jitter.
        guard link == .up else { return }
        playoutDelay.starved()
        effects.append(.setPlayoutDelay(milliseconds: playoutDelay.milliseconds))
    }

    /// Everything was heard.
    mutating func playbackEnded(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = active, play.isFinishing else { return }
        active?.heard = play.queued
        effects.append(
            .log(
                LogRecord(
                    .info, "play.done",
                    [.init("play_id", play.playID), .init("played_ms", (play.base + play.queued) / 16)])))
        closePlayback(now, &effects)
    }

    /// "Stop", here: both lanes.
    mutating func stopPlayback(_ now: Instant, _ effects: inout [PuckEffect]) {
        if let play = paused {
            dropPaused()
            effects.append(.dropPausedPlayback)
            ended(play, now, &effects)
        }
        guard active != nil else { return }
        effects.append(.stopPlayback)
        closePlayback(now, &effects)
    }

    private mutating func closePlayback(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = active else { return }
        active = nil
        deadlines.clear(.playbackStall)
        ended(play, now, &effects)
    }

    /// Tells the hub that a play is over here, now or when the link is back.
    private mutating func ended(_ play: Play, _ now: Instant, _ effects: inout [PuckEffect]) {
        if play.isOrphan { return }
        if endings.count == Self.rememberedEndings { endings.removeFirst() }
        endings.append(play)
        report(play, .ended, &effects)
    }

    mutating func playbackStalled(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard active != nil else { return }
        effects.append(.log(LogRecord(.warning, "play.stalled")))
        effects.append(.stopPlayback)
        closePlayback(now, &effects)
    }

    /// The hub says when a paused play goes on; one that has forgotten it is not waited for for ever.
    mutating func pauseTimedOut(_ now: Instant, _ effects: inout [PuckEffect]) {
        guard let play = paused else { return }
        effects.append(.log(LogRecord(.warning, "play.paused_too_long", [.init("play_id", play.playID)])))
        dropPaused()
        effects.append(.dropPausedPlayback)
        ended(play, now, &effects)
    }

    private mutating func dropPaused() {
        paused = nil
        deadlines.clear(.pausedPlay)
    }

    mutating func playbackLost(_ now: Instant, _ effects: inout [PuckEffect]) {
        setPlayback(ok: false, now, &effects)
        stopPlayback(now, &effects)
    }

    // MARK: The link

    /// What has arrived is played out; the rest comes when the link is back.
    mutating func playbackLostLink(_ now: Instant) {
        playoutDelay.linkChanged()
        if active.map({ !$0.isFinishing }) ?? true { deadlines.clear(.playbackStall) }
        if active != nil || paused != nil { deadlines[.lostPlay] = now + Self.replayWait }
    }

    /// How far everything is that the hub may start again, should the stream not go on.
    var playsToResume: [Hello.Play] {
        var told = endings.map { ($0, !$0.isGivenUp) }
        if let active, !active.isOrphan { told.append((active, false)) }
        if let paused { told.append((paused, false)) }
        return told.map { play, hasEnded in
            Hello.Play(
                playID: play.playID, positionMilliseconds: WireLimits.milliseconds(ofSamples: play.position),
                hasEnded: hasEnded)
        }
    }

    /// The stream goes on where it was: what ended in the meantime may not have been heard of.
    mutating func playbackGoesOn(_ now: Instant, _ effects: inout [PuckEffect]) {
        deadlines.clear(.lostPlay)
        for play in endings { report(play, .ended, &effects) }
        if let play = paused { report(play, .paused, &effects) }
        guard let play = active else { return }
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        report(play, .playing, &effects)
        deadlines[.playedReport] = now + Self.playedEvery
    }

    /// A new stream: nothing more comes for what plays. It is played out, unless a clean start follows or somebody else
    /// has the floor.
    mutating func playbackIsOrphaned(silenced: Bool, _ now: Instant, _ effects: inout [PuckEffect]) {
        deadlines.clear(.lostPlay)
        deadlines.clear(.playbackStall)
        endings = []
        if paused != nil {
            dropPaused()
            effects.append(.dropPausedPlayback)
        }
        guard let play = active else { return }
        active?.isOrphan = true
        if silenced {
            effects.append(.stopPlayback)
            return closePlayback(now, &effects)
        }
        deadlines[.playbackStall] = now + Self.playbackStallTimeout
        if !play.isFinishing {
            active?.isFinishing = true
            effects.append(.finishPlayback)
        }
    }

    /// The link stayed away for as long as the hub would keep anything.
    mutating func playbackGivenUp(_ now: Instant, _ effects: inout [PuckEffect]) {
        effects.append(.log(LogRecord(.warning, "play.lost")))
        active?.isGivenUp = true
        paused?.isGivenUp = true
        stopPlayback(now, &effects)
    }

    mutating func reportPlayed(_ now: Instant, _ effects: inout [PuckEffect]) {
        if let play = active {
            deadlines[.playedReport] = now + Self.playedEvery
            return report(play, .playing, &effects)
        }
        report(nil, .playing, &effects)
    }

    /// One `played`; nothing while the link is down, or before the first message of a stream.
    private func report(_ play: Play?, _ state: Played.State, _ effects: inout [PuckEffect]) {
        guard link == .up, let received = downlink.received else { return }
        let known = play.flatMap { $0.isOrphan ? nil : $0 }
        effects.append(
            .send(
                .played(
                    Played(
                        sequence: received, playID: known?.playID ?? 0,
                        positionMilliseconds: WireLimits.milliseconds(ofSamples: known?.position ?? 0),
                        bufferedMilliseconds: WireLimits.milliseconds(
                            ofSamples: known.map { $0.queued - $0.heard } ?? 0),
                        state: state))))
    }
}

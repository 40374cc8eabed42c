import ALSADevice
import AudioRing
import LinkTransport
import LinuxIO
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Synchronization

/// `puckd` at work: the loop thread's half. Turns what the sockets, threads, signals and people did into events, steps
/// the core, carries out its effects. Everything here runs on the loop's thread.
final class PuckDaemon {
    let settings: PuckSettings
    let log: Log
    let loop: EventLoop
    private let link: ClientLink
    private var puck: Puck

    private let threads: AudioThreads
    private let capture: CaptureThread
    private let playback: PlaybackThread
    private let microphone: MicrophoneFeed
    private let speaker: SpeakerFeed
    /// The audio threads' one way to wake the loop.
    private let audioEvent: EventDescriptor
    private let lightsRenderer: TerminalLights?
    private let signals: SignalDescriptor
    private let control: ControlSocket?
    private var inputs: BoardInputs?

    private var effects: [PuckEffect] = []
    private var pendingEvents = BoundedQueue<PuckEvent>(capacity: 64)
    private var isStepping = false
    /// The downlink packet whose message is being handled.
    private var arrived: UnsafeRawBufferPointer?
    private var isOverflowing = false
    private var socketInUse = false
    private var closedByUs = false
    private var openWanted = false
    private var header = [UInt8](repeating: 0, count: WireLimits.headerBytes)
    private let reread: () -> PuckSettings?
    private var talkAtOnce: Bool

    struct Options {
        /// Behave as if the button had been pressed as soon as the hub is there.
        var talkAtOnce = false
        /// Reads the configuration again, for SIGHUP; nil when it is broken (and said so).
        var reread: () -> PuckSettings? = { nil }
    }

    enum StartError: Error {
        case transport(TransportError)
        case system(SystemError)
        case codec(CodecError)
    }

    init(settings: PuckSettings, log: Log, signals: SignalDescriptor, options: Options) throws(StartError) {
        self.settings = settings
        self.log = log
        self.signals = signals
        reread = options.reread
        talkAtOnce = options.talkAtOnce
        // The microphone first: it needs 20 ms for its first period, and TLS can be set up meanwhile.
        do throws(SystemError) { threads = try AudioThreads(settings: settings) } catch { throw .system(error) }
        capture = threads.capture
        playback = threads.playback
        audioEvent = threads.event
        do throws(CodecError) {
            microphone = MicrophoneFeed(ring: capture.ring, encoder: try OpusEncoder(settings.opus.encoderParameters))
            speaker = SpeakerFeed(
                ring: playback.ring, controls: playback.controls, decoder: try OpusDecoder(),
                playoutDelayMilliseconds: settings.playback.playoutDelayMilliseconds)
        } catch { throw .codec(error) }
        puck = Puck(
            identity: settings.coreIdentity, parameters: settings.coreParameters,
            random: SeededGenerator(name: settings.identity.id))
        lightsRenderer = settings.lights.renderer == .terminal ? TerminalLights() : nil
        do throws(TransportError) {
            loop = try EventLoop { level, text in log.transport(level, text) }
            link = try ClientLink(on: loop, configuration: settings.linkConfiguration)
        } catch { throw .transport(error) }
        do throws(SystemError) {
            let path = settings.controlSocketPath
            control = path.isEmpty ? nil : try ControlSocket(path: path)
        } catch { throw .system(error) }
        do throws(TransportError) { try adopt() } catch { throw .transport(error) }
    }

    private func adopt() throws(TransportError) {
        link.onOpen = { [unowned(unsafe) self] in perform(.socketOpened) }
        link.onMessage = { [unowned(unsafe) self] bytes in received(bytes) }
        link.onClosed = { [unowned(unsafe) self] failure in closed(failure) }
        loop.onDeadline = { [unowned(unsafe) self] in
            inputs?.timePassed()
            perform(.timePassed)
        }
        inputs = BoardInputs(
            settings.gpio, loop: loop, log: log, ring: capture.ring,
            onDeadlineMoved: { [unowned(unsafe) self] in rearm() }
        ) { [unowned(unsafe) self] event in perform(event) }
        try loop.adopt(fileDescriptor: audioEvent.descriptor) { [unowned(unsafe) self] _ in audioHappened() }
        try loop.adopt(fileDescriptor: signals.descriptor) { [unowned(unsafe) self] _ in signalled() }
        if let control {
            try loop.adopt(fileDescriptor: control.descriptor) { [unowned(unsafe) self] _ in
                control.serve { [unowned(unsafe) self] request in answer(request) }
            }
        }
    }

    /// Runs until SIGTERM or SIGINT.
    func run() {
        log.notice(
            "puckd.start",
            [
                Field("version", PuckVersion.text), Field("puck", settings.identity.id),
                Field("hub", "\(settings.hub.host):\(settings.hub.port)"), Field("board", settings.identity.board),
            ])
        for warning in settings.warnings { log.warning("config.warning", [Field("detail", warning)]) }
        perform(.started)
        inputs?.start()
        loop.run()
        microphone.stop()
        threads.stop()
        lightsRenderer?.clear()
        log.notice("puckd.stop")
    }

    // MARK: Events in

    /// Steps the core and carries out what it wants. An effect that causes an event at once (a full queue, say) has it
    /// queued behind, so that the core is never entered twice.
    func perform(_ event: PuckEvent) {
        guard pendingEvents.append(event) else { preconditionFailure("an event caused more than 64 others") }
        if isStepping { return }
        isStepping = true
        while let next = pendingEvents.popFirst() {
            effects.removeAll(keepingCapacity: true)
            puck.step(next, now: MonotonicClock.now(), into: &effects)
            // By index: carrying out an effect may append events, never effects.
            for i in effects.indices { carryOut(effects[i]) }
        }
        isStepping = false
        rearm()
    }

    private func rearm() { loop.setDeadline(earliest(puck.nextDeadline, inputs?.nextDeadline)?.nanoseconds) }

    private func received(_ message: UnsafeRawBufferPointer) {
        do throws(WireError) {
            let header = try MessageHeader.parse(message)
            let payload = UnsafeRawBufferPointer(rebasing: message[WireLimits.headerBytes...])
            switch header.type {
            case .control, .streamControl:
                let control = try HubControl.parse(payload, type: header.type)
                perform(.controlReceived(control, sequence: header.sequence))
            case .downlinkOpus, .downlinkPCM:
                guard payload.count <= PacketSlots.slotBytes else {
                    throw WireError(.badLength, "a packet of 20 ms has at most 1275 bytes, this one \(payload.count)")
                }
                // Kept only if the core accepts it: a duplicate must not overwrite a packet that still waits.
                arrived = payload
                defer { arrived = nil }
                perform(.audioReceived(type: header.type, sequence: header.sequence, byteCount: payload.count))
                feedSpeaker()
            case .uplinkPCM, .uplinkOpus:
                throw WireError(.unexpected, "a hub does not send uplink audio")
            case .error:
                perform(.errorReceived(WireError.parse(payload: payload)))
            }
        } catch {
            perform(.malformedReceived(error))
        }
        if talkAtOnce && puck.isConnected {
            talkAtOnce = false
            perform(.talkRequested(position: capture.ring.producer.position))
        }
    }

    private func closed(_ failure: LinkFailure) {
        socketInUse = false
        let expected = closedByUs
        closedByUs = false
        if !expected {
            log.warning("link.closed", [Field("detail", failure.advice)])
            perform(.socketClosed(reason: failure.name))
        }
        if openWanted {
            openWanted = false
            openSocket()
        }
    }

    /// The audio threads have something to say, or a packet's worth of samples is there.
    private func audioHappened() {
        audioEvent.drain()
        while let event = capture.mailbox.take() { captureSaid(event) }
        while let event = playback.mailbox.take() { playbackSaid(event) }
        pumpMicrophone()
        if speaker.isBusy {
            perform(.playbackAdvanced(samples: speaker.heardSamples))
            feedSpeaker()
        }
    }

    private func captureSaid(_ event: AudioEvent) {
        switch event.kind {
        case .wake:
            let finding = WakeFinding(
                onset: event.position, levelDecibels: event.levelDecibels, noiseDecibels: event.noiseDecibels,
                confidence: event.confidence)
            let onset = capture.clock.time(of: event.position).map { Instant(nanoseconds: $0) }
            perform(.wakeHeard(finding, onset: onset ?? MonotonicClock.now()))
        case .xrun:
            log.warning(
                "capture.overrun", [Field("missing_samples", event.count), Field("position", event.position)])
            perform(.captureOverrun(missingSamples: event.count))
            if microphone.isRunning { perform(.captureGap(samples: event.count)) }
        case .deviceOpened:
            if let format = capture.format.take() { log.notice("capture.open", [Field("format", format)]) }
            perform(.captureRestored)
        case .deviceLost:
            if let error = capture.errors.take() {
                log.error(
                    "capture.failed", [Field("detail", error.context), Field("advice", error.advice)])
            }
            perform(.captureLost)
        case .played: break
        }
    }

    private func playbackSaid(_ event: AudioEvent) {
        switch event.kind {
        case .played:
            perform(.playbackAdvanced(samples: speaker.heardSamples))
            if speaker.played(upTo: event.position) { perform(.playbackDrained) }
        case .xrun: log.warning("playback.underrun", [Field("position", event.position)])
        case .deviceOpened:
            if let format = playback.format.take() { log.notice("playback.open", [Field("format", format)]) }
            perform(.playbackRestored)
        case .deviceLost:
            if let error = playback.errors.take() {
                log.error(
                    "playback.failed", [Field("detail", error.context), Field("advice", error.advice)])
            }
            perform(.playbackLost)
        case .wake: break
        }
    }

    private func pumpMicrophone() {
        let outcome = microphone.pump(nextSequence: { [unowned(unsafe) self] in puck.nextPacket }) {
            [unowned(unsafe) self] lost, level in
            if lost > 0 { perform(.captureGap(samples: lost)) }
            perform(.packetEncoded(levelDecibels: level))
        }
        if outcome == .more { audioEvent.signal() }
    }

    private func feedSpeaker() {
        if speaker.pump() { playback.wakeUp() }
    }

    private func signalled() {
        while let signal = signals.next() {
            switch signal {
            case .terminate, .interrupt:
                // Whatever hangs (a device that never returns, a name server): the process still ends in time.
                PuckDaemon.limitShutdown()
                link.close()
                loop.stop()
            case .hangUp: rereadConfiguration()
            case .user1: perform(.talkRequested(position: capture.ring.producer.position))
            default: break
            }
        }
    }

    private func rereadConfiguration() {
        guard let fresh = reread() else { return }
        if let detail = settings.needsRestart(for: fresh) {
            log.warning("config.restart_needed", [Field("detail", detail)])
        }
        effects.removeAll(keepingCapacity: true)
        puck.reconfigure(fresh.coreParameters, into: &effects)
        for i in effects.indices { carryOut(effects[i]) }
        log.notice("config.reread")
    }

    /// The control socket's commands, one line each.
    private func answer(_ request: String) -> String {
        let words = request.split(separator: " ")
        switch words.first {
        case "wake": perform(.talkRequested(position: capture.ring.producer.position))
        case "stop": perform(.stopRequested)
        case "mute": perform(.muteRequested(true))
        case "unmute":
            if let refusal = inputs?.unmuteRefusal { return "error: " + refusal }
            perform(.muteRequested(false))
        case "volume":
            guard words.count == 2, let volume = Int(words[1]), (0...100).contains(volume) else {
                return "error: volume takes a whole number from 0 to 100"
            }
            perform(.volumeRequested(volume))
        case "status": return status()
        default: return "error: unknown command \"\(request)\"; known are wake, stop, mute, unmute, volume N, status"
        }
        return "ok"
    }

    private func status() -> String {
        let words = capture.controls.words
        return "phase=\(puck.phase.rawValue) connected=\(puck.isConnected ? "yes" : "no")"
            + " muted=\(puck.isMuted ? "yes" : "no") volume=\(puck.currentVolume)"
            + " level_db=\(fixed(Double(words.pointee.level.load(ordering: .relaxed)) / 100, 1))"
            + " noise_db=\(fixed(Double(words.pointee.noise.load(ordering: .relaxed)) / 100, 1))"
            + " overruns=\(puck.overruns) missed_ms=\(puck.missedSamples / 16)"
            + " periods=\(words.pointee.periods.load(ordering: .relaxed))"
            + " underruns=\(playback.controls.words.pointee.underruns.load(ordering: .relaxed))"
            + " broken_packets=\(speaker.brokenPackets)" + (inputs?.summary ?? "")
    }

    // MARK: Effects out

    private func carryOut(_ effect: PuckEffect) {
        switch effect {
        case .openSocket: openSocket()
        case .closeSocket:
            openWanted = false
            if socketInUse {
                closedByUs = true
                link.close()
            }
        case .send(let control): send(.control, .zero, control.payload())
        case .sendError(let error): send(.error, .zero, error.payload())
        case .sendPacket(let sequence):
            sendMessage(.uplinkOpus, sequence, microphone.slots.bytes(UplinkWindow.slot(of: sequence)))
        case .startEncoding(let onset, let preroll):
            microphone.start(
                onset: onset, prerollSamples: preroll ? Int64(settings.wake.prerollMilliseconds * 16) : 0,
                periodSamples: Int64(settings.capture.periodMilliseconds * 16))
            audioEvent.signal()  // encode in the next turn, not inside this step
        case .stopEncoding: microphone.stop()
        case .startPlayback(let codec): speaker.start(codec: codec)
        case .playPacket(let sequence, _):
            guard let arrived else { preconditionFailure("a packet is played as it arrives") }
            _ = speaker.slots.store(arrived, in: Downlink.slot(of: sequence))
            if !speaker.enqueue(sequence) { log.error("play.queue_full") }
        case .finishPlayback:
            speaker.finish()
            feedSpeaker()
            playback.wakeUp()
        case .stopPlayback:
            speaker.stop()
            playback.wakeUp()
        case .playEarcon(let earcon):
            speaker.play(earcon: earcon.samples(levelDecibels: Float(settings.earcons.levelDecibels)))
            feedSpeaker()
        case .setVolume(let percent): playback.setVolume(percent: percent)
        case .setMuted(let on):
            let words = capture.controls.words
            if !on { words.pointee.unmutedAt.store(MonotonicClock.now().nanoseconds, ordering: .relaxed) }
            words.pointee.muted.store(on, ordering: .releasing)
        case .showLights(let lights):
            log.info("lights", [Field("state", lights.rawValue)])
            lightsRenderer?.show(lights)
        case .log(let record): log.write(record)
        }
    }

    private func openSocket() {
        if socketInUse {
            openWanted = true  // the old socket is still closing; open as soon as it has
            return
        }
        socketInUse = true
        closedByUs = false
        isOverflowing = false
        link.open()
    }

    private func send(_ type: MessageType, _ sequence: SerialNumber, _ payload: [UInt8]) {
        payload.withUnsafeBytes { sendMessage(type, sequence, $0) }
    }

    private func sendMessage(_ type: MessageType, _ sequence: SerialNumber, _ payload: UnsafeRawBufferPointer) {
        let head = MessageHeader(
            type: type, sequence: sequence, timestampMilliseconds: MonotonicClock.now().wireMilliseconds,
            length: payload.count)
        let sent = header.withUnsafeMutableBytes { bytes in
            head.write(to: bytes)
            return link.send(head: UnsafeRawBufferPointer(bytes), body: payload)
        }
        if !sent && link.isOpen && !isOverflowing {
            isOverflowing = true  // one event, however many messages of this step do not fit
            perform(.sendQueueOverflowed)
        }
    }
}

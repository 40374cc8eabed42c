import ALSADevice
import AudioRing
import BoardIO
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
    var settings: PuckSettings
    let log: Log
    let loop: EventLoop
    var link: ClientLink
    var puck: Puck

    let threads: AudioThreads
    let capture: CaptureThread
    let playback: PlaybackThread
    let microphone: MicrophoneFeed
    let speaker: SpeakerFeed
    /// The audio threads' one way to wake the loop.
    let audioEvent: EventDescriptor
    /// Nil where nothing like systemd started this process.
    let manager = ServiceManager()
    /// What it was last told, as `reportToManager` encodes it.
    var shownToManager = -1
    var captureFaults = DeviceFaultCounts()
    var playbackFaults = DeviceFaultCounts()
    /// Times that the machine was suspended under the microphone.
    var suspensions = 0
    var ear = EarState()
    var visitors = Visitors(now: MonotonicClock.now())
    let terminalLights: TerminalLights?
    let lights: LightShow?
    let mixer: SoundMixer
    let kept: KeptState
    let outputs: BoardOutputs?
    private let signals: SignalDescriptor
    let control: ControlSocket?
    /// Nil where the kernel has none: the pauses between attempts are then never cut short.
    private let network: NetworkMonitor?
    var inputs: BoardInputs?
    /// Nil where the gateway is not to be asked.
    var care: NetworkCare?
    var search: PairingSearch?
    var movedHub: MovedHubSearch?
    /// Why there is no search for a hub that moved: said once.
    var searchProblem = ""
    var linkLines = LinkLines()
    /// Why the last attempts came to nothing, and what of the hub's news could not be kept.
    private var closedFor = Complaint.attempts
    var unkeptToken = Complaint.once
    var unkeptTrust = Complaint.once
    /// What the process ends with: 0, or 75 (EX_TEMPFAIL) when it wants to be started again.
    private(set) var exitStatus: Int32 = 0

    var effects: [PuckEffect] = []
    private var pendingEvents = BoundedQueue<PuckEvent>(capacity: 64)
    private var isStepping = false
    /// The downlink packet whose message is being handled.
    var arrived: UnsafeRawBufferPointer?
    var isOverflowing = false
    var socketInUse = false
    /// See `beginStop`.
    var isStopping = false
    var closedByUs = false
    var openWanted = false
    /// Where the next attempt goes; nil for the configured hub.
    var wantedHub: HubAddress?
    var header = [UInt8](repeating: 0, count: WireLimits.headerBytes)
    let reread: () -> PuckSettings?
    private var talkAtOnce: Bool
    private var timers: [Timer] = []

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
        outputs = BoardOutputs(settings.gpio, log: log)
        if let outputs {
            outputs.powerUp()
            let pause = settings.gpio.powerSettleMilliseconds
            if pause > 0 && !settings.gpio.power.isEmpty { sleepMilliseconds(pause) }
        }
        mixer = SoundMixer(settings: settings, log: log)
        mixer.apply()
        if !settings.identity.stateFolder.isEmpty { removeUnfinished(in: settings.identity.stateFolder) }
        kept = KeptState(folder: settings.identity.stateFolder, log: log)
        // The microphone first: it needs 20 ms for its first period, and TLS can be set up meanwhile.
        do throws(SystemError) { threads = try AudioThreads(settings: settings, manager: manager, log: log) } catch {
            throw .system(error)
        }
        capture = threads.capture
        playback = threads.playback
        audioEvent = threads.event
        do throws(CodecError) {
            microphone = MicrophoneFeed(ring: capture.ring, encoder: try OpusEncoder(settings.opus.encoderParameters))
            speaker = try SpeakerFeed(ring: playback.ring, controls: playback.controls)
        } catch { throw .codec(error) }
        puck = Puck(
            identity: settings.coreIdentity, parameters: settings.coreParameters,
            random: SeededGenerator(name: settings.identity.id))
        terminalLights = settings.lights.output == .terminal ? TerminalLights() : nil
        lights = settings.lights.wiring(chipLabels: settings.gpio.chipLabels).map {
            LightShow($0, settings.lights, log: log)
        }
        do throws(TransportError) {
            loop = try EventLoop { level, text in log.transport(level, text) }
            link = try ClientLink(on: loop, configuration: settings.linkConfiguration)
        } catch { throw .transport(error) }
        do throws(SystemError) {
            let path = settings.controlSocketPath
            control = path.isEmpty ? nil : try ControlSocket(path: path)
        } catch { throw .system(error) }
        do throws(SystemError) {
            network = try NetworkMonitor()
        } catch {
            log.warning("network.unwatched", [Field("detail", error.description)])
            network = nil
        }
        do throws(TransportError) { try adopt() } catch { throw .transport(error) }
    }

    private func adopt() throws(TransportError) {
        connectLink(link)
        // unowned(unsafe), here and below, is sound: the loop, and all that keeps these callbacks, is the daemon's own and is
        // used by its thread alone.
        timers = makeTimers()
        loop.onDeadline = { [unowned(unsafe) self] in
            for timer in timers { timer.passed() }
        }
        inputs = BoardInputs(
            settings.gpio, loop: loop, log: log, ring: capture.ring,
            onDeadlineMoved: { [unowned(unsafe) self] in
                noteDegraded()
                rearm()
            }
        ) { [unowned(unsafe) self] event in perform(event) }
        mixer.attach(to: loop, onDeadlineMoved: { [unowned(unsafe) self] in rearm() }) {
            [unowned(unsafe) self] percent in
            perform(.volumeRequested(percent))
        }
        if settings.network.isProbing {
            care = NetworkCare(settings.network, log: log, hasManager: manager != nil) { [unowned(unsafe) self] in
                exitStatus = 75
                beginStop()
            }
        }
        try loop.adopt(fileDescriptor: audioEvent.descriptor) { [unowned(unsafe) self] _ in audioHappened() }
        try loop.adopt(fileDescriptor: threads.watch.turnDescriptor) { [unowned(unsafe) self] _ in
            if threads.watch.turned() { reportToManager(again: true) }
        }
        try loop.adopt(fileDescriptor: signals.descriptor) { [unowned(unsafe) self] _ in signalled() }
        if let network {
            try loop.adopt(fileDescriptor: network.descriptor) { [unowned(unsafe) self] _ in
                if network.drain() { perform(.networkChanged) }
            }
        }
        if let control {
            try loop.adopt(fileDescriptor: control.descriptor) { [unowned(unsafe) self] _ in
                control.serve { [unowned(unsafe) self] request, caller in answer(request, caller) }
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
        if let problem = settings.stateProblem {
            log.warning("state.not_lasting", [Field("detail", problem), Field("advice", PuckSettings.stateAdvice)])
        }
        lights?.start()
        openEar()
        if !settings.hub.isComplete { sayUnpaired() }
        perform(settings.hub.isComplete ? .started : .startedUnpaired)
        restore()
        outputs?.amplifierOn()
        inputs?.start()
        noteDegraded()
        rearm()
        manager?.ready()
        loop.run()
        outputs?.amplifierOff()
        microphone.stop()
        ear.thread?.stop()
        threads.stop()
        lights?.stop()
        terminalLights?.clear()
        outputs?.powerDown()
        log.notice("puckd.stop")
    }

    /// Part of the board does not work, and the rest does.
    func noteDegraded() {
        let isDegraded = inputs?.isDegraded ?? false || outputs?.isDegraded ?? false || ear.isDeaf
        if isDegraded == puck.isDegraded { return }
        perform(.degradedChanged(isDegraded))
    }

    /// What people had set when the daemon ended.
    private func restore() {
        kept.load()
        if let volume = kept.volumePercent { perform(.volumeRestored(volume)) }
        if kept.isMuted { perform(.muteRequested(true)) }
        kept.begin(volumePercent: puck.currentVolume)
    }

    // MARK: Events in

    /// Steps the core and carries out what it wants. An effect that causes an event at once (a full queue, say) has it
    /// queued behind, so that the core is never entered twice.
    func perform(_ event: PuckEvent) {
        if isStopping { return }
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
        // The hub's mute ends with the hub, the switch's with the switch.
        kept.noteMute(puck.isMutedByPerson)
        reportToManager()
        care?.hub(isThere: puck.isConnected)
        noteForVisitors()
        rearm()
    }

    func rearm() {
        var next: Instant?
        for timer in timers { next = earliest(next, timer.due()) }
        loop.setDeadline(next?.nanoseconds)
    }

    func received(_ message: UnsafeRawBufferPointer) {
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
                // Kept only if the core wants it: not a duplicate, say, or what belongs to a play that was stopped.
                arrived = payload
                defer { arrived = nil }
                perform(
                    .audioReceived(
                        type: header.type, sequence: header.sequence, byteCount: payload.count,
                        sentAt: header.timestampMilliseconds))
                feedSpeaker()
            case .uplinkPCM, .uplinkOpus:
                throw WireError(.unexpected, "a hub does not send uplink audio")
            case .error:
                let error = WireError.parse(payload: payload)
                perform(.errorReceived(error))
                visitors.linkError = "the hub refused: \(error.detail)"
            }
        } catch {
            perform(.malformedReceived(error))
        }
        if talkAtOnce && puck.isConnected {
            talkAtOnce = false
            perform(.talkRequested(position: capture.ring.producer.position))
        }
    }

    func closed(_ failure: LinkFailure) {
        socketInUse = false
        if isStopping { return loop.stop() }
        let expected = closedByUs
        closedByUs = false
        if !expected {
            let place = link.destination
            visitors.linkError = failure.advice
            // A link that was up and broke is a new story.
            if puck.isConnected { closedFor.end() }
            let hub = "\(place.host):\(place.port)"
            if closedFor.take(hub + failure.advice, now: MonotonicClock.now()) != nil {
                log.warning("link.closed", [Field("detail", failure.advice), Field("hub", hub)])
            }
            perform(
                .socketClosed(
                    reason: failure.name, reachedHub: failure.isAfterHandshake, isHub: failure.isRefusalOfHub))
        }
        if openWanted {
            openWanted = false
            openSocket()
        }
    }

    /// The audio threads have something to say, or a packet's worth of samples is there.
    private func audioHappened() {
        audioEvent.drain()
        if isStopping { return }
        while let event = capture.mailbox.take() { captureSaid(event) }
        while let event = playback.mailbox.take() { playbackSaid(event) }
        earSaid()
        pumpMicrophone()
        if speaker.isBusy {
            perform(.playbackAdvanced(samples: speaker.heardSamples))
            feedSpeaker()
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

    func feedSpeaker() {
        if speaker.pump() { playback.wakeUp() }
    }

    private func signalled() {
        while let signal = signals.next() {
            switch signal {
            case .terminate, .interrupt: beginStop()
            case .hangUp: rereadConfiguration()
            case .user1: perform(.talkRequested(position: capture.ring.producer.position))
            default: break
            }
        }
    }
}

import AudioRing
import BoardIO
import LinkTransport
import LinuxIO
import PuckBase
import PuckCore
import PuckWire

/// The puck's button and mute switch: edges of their lines in, events for the core out. Loop thread only.
final class BoardInputs {
    private let button: WatchedLine?
    private let mute: WatchedLine?
    private var buttonState: Button
    private var muteState: MuteSwitch
    /// What the core was told last; it begins unmuted.
    private var saidMuted = false
    private let log: Log
    private let clock: () -> Instant
    private let ring: AudioRing
    private let onEvent: (PuckEvent) -> Void
    private let onDeadlineMoved: () -> Void

    /// Nil when nothing is wired: then not one descriptor is opened.
    /// - Parameters:
    ///   - ring: the microphone's: where it is when the button is pressed is where listening begins.
    ///   - onDeadlineMoved: `nextDeadline` may be another one now. Called by `start`, `timePassed` and the loop, as is
    ///   - onEvent: gets what the core is to know.
    init?(
        _ settings: GPIOSettings, loop: EventLoop, log: Log, clock: @escaping () -> Instant = MonotonicClock.now,
        open: @escaping OpenLine.Opener = OpenLine.real, ring: AudioRing,
        onDeadlineMoved: @escaping () -> Void, onEvent: @escaping (PuckEvent) -> Void
    ) {
        func line(_ name: String, _ line: GPIOSettings.Line, _ consequence: String) -> WatchedLine? {
            line.request(chipLabels: settings.chipLabels).map {
                WatchedLine(
                    name: name, request: $0, consequence: consequence, loop: loop, log: log, clock: clock, open: open)
            }
        }
        button = line("button", settings.button, "the button does nothing")
        mute = line("mute", settings.mute, "the puck is muted, since the switch may be on")
        let settles = Interval.milliseconds(settings.debounceMilliseconds)
        buttonState = Button(
            longPress: .milliseconds(settings.longPressMilliseconds),
            veryLongPress: .milliseconds(settings.pairingPressMilliseconds), settles: settles)
        muteState = MuteSwitch(settles: settles)
        self.log = log
        self.clock = clock
        self.ring = ring
        self.onDeadlineMoved = onDeadlineMoved
        self.onEvent = onEvent
        if button == nil && mute == nil { return nil }
        // Sound: the lines are this object's own.
        button?.onEvent = { [unowned(unsafe) self] event, now in stepButton(event, now) }
        mute?.onEvent = { [unowned(unsafe) self] event, now in stepMute(event, now) }
    }

    /// Opens the lines. The mute switch first: its word counts before anything is heard.
    func start() {
        mute?.start()
        button?.start()
    }

    /// The next moment at which `timePassed` has something to do.
    var nextDeadline: Instant? {
        var next: Instant?
        for due in [mute?.nextDeadline, muteState.nextDeadline, button?.nextDeadline, buttonState.nextDeadline] {
            next = earliest(next, due)
        }
        return next
    }

    func timePassed() {
        let now = clock()
        if let due = mute?.nextDeadline, due <= now { mute?.timePassed() }
        if let due = button?.nextDeadline, due <= now { button?.timePassed() }
        if let due = muteState.nextDeadline, due <= now { mute?.refresh() }
        if let due = buttonState.nextDeadline, due <= now { button?.refresh() }
    }

    /// Why nobody else may open the microphone now; nil when the switch has nothing against it.
    var unmuteRefusal: String? {
        guard mute != nil, muteState.isMuted else { return nil }
        return muteState.isReadable ? "the mute switch is on" : "the mute switch cannot be read: the log says why"
    }

    /// Whether the puck serves without something that it should have. A lost mute switch is more than that: it mutes.
    var isDegraded: Bool { button.map { !$0.isOpen } ?? false }

    /// For `puckctl status`.
    func describe(_ json: inout JSONWriter) {
        if let button { json.set("button", button.isOpen ? "ok" : "failed") }
        if mute != nil { json.set("mute_switch", !muteState.isReadable ? "failed" : muteState.isMuted ? "on" : "off") }
    }

    private func stepButton(_ event: LineEvent, _ now: Instant) {
        var presses: [Button.Press] = []
        buttonState.step(event, now: now, into: &presses)
        for press in presses {
            log.info("button.pressed", [Field("press", press.rawValue)])
            switch press {
            case .short: onEvent(.talkRequested(position: ring.producer.position))
            case .long: onEvent(.longPressed)
            case .longEnd: onEvent(.longPressEnded)
            case .veryLong: onEvent(.veryLongPressed)
            }
        }
        onDeadlineMoved()
    }

    private func stepMute(_ event: LineEvent, _ now: Instant) {
        muteState.step(event, now: now)
        if muteState.isMuted != saidMuted {
            saidMuted = muteState.isMuted
            log.info("mute.switched", [Field("muted", saidMuted), Field("readable", muteState.isReadable)])
            onEvent(.muteSwitched(saidMuted))
        }
        onDeadlineMoved()
    }
}

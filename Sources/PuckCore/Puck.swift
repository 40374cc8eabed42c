import PuckAudio
import PuckBase
import PuckWire

/// Everything that a puck decides. No I/O, no clock: events and the time go in, effects come out. The same machine runs
/// in `puckd`, in unit tests and in the simulator.
///
/// Files: `PuckLink` (socket, greeting, keep-alive, backoff), `PuckTurn` (wake, grant, utterance), `PuckPlayback`
/// (downlink stream, loudspeaker); this one holds the state and hands events on.
public struct Puck: Sendable {
    public struct Identity: Equatable, Sendable {
        public var puckID: String
        public var room: String
        public var group: String
        public var phrase: String
        public var software: String

        public init(puckID: String, room: String, group: String, phrase: String, software: String) {
            self.puckID = puckID
            self.room = room
            self.group = group
            self.phrase = phrase
            self.software = software
        }
    }

    public struct Parameters: Equatable, Sendable {
        public var endpoint: Endpointer.Parameters
        /// 0…100.
        public var volume: Int
        public var earconsEnabled: Bool

        public init(endpoint: Endpointer.Parameters = .init(), volume: Int = 80, earconsEnabled: Bool = true) {
            self.endpoint = endpoint
            self.volume = volume
            self.earconsEnabled = earconsEnabled
        }
    }

    /// Everything that this machine can wait for, each with its exit in `deadlineCame`.
    enum Deadline: Int, CaseIterable, Sendable {
        case reconnect, connecting, greeting, ping, silence, stable, offline
        case verdict, answer
        case playedReport, statusReport, playbackStall
    }

    /// The transport. `down` → connecting (deadline reconnect); connecting → greeting (socketOpened) or down;
    /// greeting → up (welcome) or down; up → down.
    enum Link: Equatable, Sendable {
        case down, connecting, greeting, up
    }

    /// One person's turn. idle → candidate (wake); candidate → listening (grant) or idle (cancel, verdict deadline);
    /// listening → thinking (endpoint) or idle (nobody spoke, stop, mute); thinking → idle (answer, error, deadline).
    /// Any → idle when the link is lost.
    enum Turn: Equatable, Sendable {
        case idle
        case candidate(wakeID: UInt32)
        case listening(conversationID: String)
        case thinking(conversationID: String)
    }

    /// What the loudspeaker does. idle → playing (down_start); playing → finishing (down_stop done); either → idle
    /// (drained, stopped, stalled).
    enum Playback: Equatable, Sendable {
        case idle
        case playing(playID: UInt32, conversationID: String, codec: DownStart.Codec)
        case finishing(playID: UInt32, conversationID: String)
    }

    // Numbers, with their rows in docs/FAILURES.md or docs/PROTOCOL.md.
    static let connectTimeout = Interval.seconds(10)
    static let greetingTimeout = Interval.seconds(5)
    static let pingEvery = Interval.seconds(5)
    static let silenceLimit = Interval.seconds(10)
    static let offlineAfter = Interval.seconds(30)  // L21
    /// Window (at most 120 ms), two network delays, and room for a slow hub.
    static let verdictTimeout = Interval.seconds(2)
    static let answerTimeout = Interval.seconds(30)
    /// As the hub allows a puck; a hub in good order sends about 10 a second.
    static let controlsPerSecond = 200
    static let playedEvery = Interval.milliseconds(200)
    static let statusEvery = Interval.seconds(60)
    /// A play for which nothing is heard and nothing comes for this long is over.
    static let playbackStallTimeout = Interval.seconds(10)

    let identity: Identity
    var parameters: Parameters
    var random: SeededGenerator
    var deadlines = Deadlines<Deadline>()
    var startedAt = Instant.zero

    var link = Link.down
    var backoff = Backoff()
    var everConnected = false
    var isOffline = false
    var roundTripMilliseconds: Double?
    var controlRate = RateWindow(limit: Puck.controlsPerSecond)

    var turn = Turn.idle
    var lastWakeID: UInt32 = 0
    var window = UplinkWindow()
    var endpointer: Endpointer?
    var utteranceHasHole = false

    var playback = Playback.idle
    var downlink = Downlink()
    var queuedSamples: Int64 = 0
    var heardSamples: Int64 = 0

    var muted = false
    /// The hub muted; only then may it unmute: nobody opens from afar a microphone that a person has closed.
    var mutedByHub = false
    var volume: Int
    var captureOK = true
    var playbackOK = true
    var xruns = 0
    var gapSamples: Int64 = 0
    private var shownLights: Lights?

    public init(identity: Identity, parameters: Parameters, random: SeededGenerator) {
        self.identity = identity
        self.parameters = parameters
        self.random = random
        volume = parameters.volume
    }

    /// The next moment at which `step(.timePassed)` has something to do.
    public var nextDeadline: Instant? { deadlines.next }

    /// The sequence number whose slot the next encoded packet goes to.
    public var nextPacket: SerialNumber { window.next }

    public var phase: Phase {
        switch turn {
        case .candidate: return .candidate
        case .listening: return .listening
        case .thinking: return playback == .idle ? .thinking : .speaking
        case .idle: return playback == .idle ? .idle : .speaking
        }
    }

    public var isMuted: Bool { muted }
    public var isConnected: Bool { link == .up }
    public var currentVolume: Int { volume }
    /// Overruns of the microphone since the start.
    public var overruns: Int { xruns }
    /// What they cost, in samples of 16 kHz.
    public var missedSamples: Int64 { gapSamples }

    /// Takes one event and appends what is to be done, in order.
    public mutating func step(_ event: PuckEvent, now: Instant, into effects: inout [PuckEffect]) {
        switch event {
        case .started: start(now, &effects)
        case .socketOpened: socketOpened(now, &effects)
        case .socketClosed(let reason): socketClosed(reason, now, &effects)
        case .controlReceived(let control, let sequence): controlReceived(control, sequence, now, &effects)
        case .audioReceived(let type, let sequence, let count): audioReceived(type, sequence, count, now, &effects)
        case .malformedReceived(let error): refuse(error, now, &effects)
        case .errorReceived(let error):
            effects.append(
                .log(LogRecord(.error, "hub.error", [.init("code", error.code.name), .init("detail", error.detail)])))
            // Whoever sends an error closes after it; a hub that does not is not waited for.
            dropLink("hub-error", now, &effects)
        case .sendQueueOverflowed: dropLink("send-queue-full", now, &effects)
        case .wakeHeard(let finding, let onset): wakeHeard(finding, onset, now, &effects)
        case .packetEncoded(let level): packetEncoded(level, now, &effects)
        case .captureGap(let samples): captureGap(samples, now, &effects)
        case .captureLost: setCapture(ok: false, now, &effects)
        case .captureRestored: setCapture(ok: true, now, &effects)
        case .captureOverrun(let missing):
            xruns += 1
            gapSamples += missing
        case .talkRequested(let position): talkRequested(position, now, &effects)
        case .stopRequested: stopRequested(now, &effects)
        case .muteRequested(let on): setMuted(on, now, &effects)
        case .volumeRequested(let volume): setVolume(volume, &effects)
        case .playbackAdvanced(let samples): playbackAdvanced(samples, now, &effects)
        case .playbackDrained: playbackEnded(now, &effects)
        case .playbackLost: playbackLost(now, &effects)
        case .playbackRestored: playbackOK = true
        case .timePassed: break
        }
        while let deadline = deadlines.takeExpired(at: now) { deadlineCame(deadline, now, &effects) }
        showLights(&effects)
    }

    private mutating func deadlineCame(_ deadline: Deadline, _ now: Instant, _ effects: inout [PuckEffect]) {
        switch deadline {
        case .reconnect: connect(now, &effects)
        case .connecting: dropLink("connect-timeout", now, &effects)
        case .greeting: dropLink("no-welcome", now, &effects)
        case .ping: sendPing(now, &effects)
        case .silence: dropLink("silent-hub", now, &effects)
        case .stable: backoff.reset()
        case .offline: wentOffline(&effects)
        case .verdict: verdictTimedOut(&effects)
        case .answer: answerTimedOut(&effects)
        case .playedReport: reportPlayed(now, &effects)
        case .statusReport: reportStatus(now, &effects)
        case .playbackStall: playbackStalled(now, &effects)
        }
    }

    private mutating func showLights(_ effects: inout [PuckEffect]) {
        let linkView: LinkView = link == .up ? .up : isOffline ? .offline : everConnected ? .reconnecting : .starting
        let next = lights(
            for: StatusView(phase: phase, link: linkView, muted: muted, fault: !captureOK || !playbackOK))
        if next != shownLights {
            shownLights = next
            effects.append(.showLights(next))
        }
    }

    func playEarcon(_ earcon: Earcon, _ effects: inout [PuckEffect]) {
        if parameters.earconsEnabled { effects.append(.playEarcon(earcon)) }
    }

    /// New parameters after SIGHUP; a running utterance keeps its own.
    public mutating func reconfigure(_ parameters: Parameters, into effects: inout [PuckEffect]) {
        let volumeChanged = parameters.volume != self.parameters.volume
        self.parameters = parameters
        if volumeChanged { setVolume(parameters.volume, &effects) }
    }
}

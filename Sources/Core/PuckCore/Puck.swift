import PuckAudio
import PuckBase
import PuckWire

/// Everything that a puck decides. No I/O, no clock: events and the time go in, effects come out. The same machine runs
/// in `puckd`, in unit tests and in the simulator.
///
/// Files: `PuckLink` (socket, greeting, keep-alive, backoff), `PuckTurn` (wake, grant, utterance), `PuckPlayback`
/// (downlink stream, loudspeaker), `PuckEars` (mute, volume, microphone), `PuckPairing` (long presses, pairing); this one
/// holds the state and hands events on.
public struct Puck: Sendable {
    public struct Identity: Equatable, Sendable {
        public var puckID: String
        public var room: String
        public var group: String
        /// Of the button and of the level detector.
        public var phrase: String
        /// Of the wake word models; may be empty.
        public var wakePhrases: [String]
        public var software: String
        /// A new token can be stored, see `PuckEffect.keepToken`.
        public var keepsToken: Bool
        /// Certificates that are believed beside the pinned one; nil when none can be stored, see `PuckEffect.keepTrust`.
        public var trusts: [String]?
        public var hubSearch: HubSearchMode
        /// See `Hello.instance`.
        public var instance: UInt32?

        public init(
            puckID: String, room: String, group: String, phrase: String, software: String, keepsToken: Bool = false,
            trusts: [String]? = nil, hubSearch: HubSearchMode = .off, instance: UInt32? = nil,
            wakePhrases: [String] = []
        ) {
            self.wakePhrases = wakePhrases
            self.puckID = puckID
            self.room = room
            self.group = group
            self.phrase = phrase
            self.software = software
            self.keepsToken = keepsToken
            self.trusts = trusts
            self.hubSearch = hubSearch
            self.instance = instance
        }

        /// Of all wakes, each once.
        var phrases: [String] { [phrase] + wakePhrases.filter { $0 != phrase } }
    }

    public struct Parameters: Equatable, Sendable {
        public var endpoint: Endpointer.Parameters
        /// 0…100.
        public var volume: Int
        public var earconsEnabled: Bool
        /// The earcon for listening comes out of a file: it cannot be taken out of what is sent.
        public var listeningIsRecorded: Bool
        /// The least that is collected of a play before it sounds; the measured jitter adds to it.
        public var playoutDelayMilliseconds: Int
        /// Pairing that nobody completes ends after so long.
        public var pairingSeconds: Int

        public init(
            endpoint: Endpointer.Parameters = .init(), volume: Int = 80, earconsEnabled: Bool = true,
            listeningIsRecorded: Bool = false, playoutDelayMilliseconds: Int = 60, pairingSeconds: Int = 600
        ) {
            self.endpoint = endpoint
            self.volume = volume
            self.earconsEnabled = earconsEnabled
            self.listeningIsRecorded = listeningIsRecorded
            self.playoutDelayMilliseconds = playoutDelayMilliseconds
            self.pairingSeconds = pairingSeconds
        }
    }

    /// Everything that this machine can wait for, each with its exit in `deadlineCame`.
    enum Deadline: Int, CaseIterable, Sendable {
        case reconnect, connecting, greeting, ping, silence, stable, offline, hubSearch
        case verdict, standby, listening, answer, interrupted
        case playedReport, statusReport, playbackStall, pausedPlay, lostPlay, volumeShown, pairing, doubt
    }

    /// The transport. `down` → connecting (deadline reconnect); connecting → greeting (socketOpened) or down;
    /// greeting → up (welcome) or down; up → down.
    enum Link: Equatable, Sendable {
        case down, connecting, greeting, up
    }

    /// One person's turn. idle → candidate (wake); candidate → listening (grant), standby (another puck won), idle (another
    /// cancel, verdict deadline) or interrupted (link lost); standby → listening (the winner failed), candidate (another
    /// wake) or idle (deadline, link lost); listening → thinking (endpoint), idle (nobody spoke, stop, mute, deadline) or
    /// interrupted (link lost for more than the window holds, or the hub cannot go on with it); thinking → idle (answer, error,
    /// deadline);
    /// interrupted → candidate (the link is back and the person still speaks) or idle (endpoint, stop, deadline).
    /// A lost link leaves listening and thinking as they are: both can be resumed.
    enum Turn: Equatable, Sendable {
        case idle
        case candidate(wakeID: UInt32)
        case standby(wakeID: UInt32)
        case listening(conversationID: String)
        case thinking(conversationID: String)
        case interrupted
    }

    // Numbers, with their rows in docs/FAILURES.md or docs/PROTOCOL.md.
    static let connectTimeout = Interval.seconds(10)
    static let greetingTimeout = Interval.seconds(5)
    /// What a loudspeaker has said is in the room, and in the microphone's buffer, for so long.
    static let echoOfSound = Interval.milliseconds(250)
    static let pingEvery = Interval.seconds(5)
    static let silenceLimit = Interval.seconds(10)
    static let offlineAfter = Interval.seconds(30)  // L21
    /// Window (at most 120 ms), two network delays, and room for a slow hub.
    static let verdictTimeout = Interval.seconds(2)
    /// The audio of an utterance may come so much later than it was spoken; without any, it is over.
    static let listeningReserve = Interval.seconds(5)
    static let answerTimeout = Interval.seconds(30)
    /// As the hub allows a puck; a hub in good order sends about 10 a second outside the stream.
    static let controlsPerSecond = 200
    /// Control messages of the stream: as many as the hub's replay log may hold (PROTOCOL.md §11).
    static let streamControlsPerSecond = 4_096
    static let playedEvery = Interval.milliseconds(200)
    static let statusEvery = Interval.seconds(60)
    /// A play for which nothing is heard and nothing comes for this long is over.
    /// More than the 15 s that the hub gives a responder between two pieces (PROTOCOL.md §10).
    static let playbackStallTimeout = Interval.seconds(20)
    /// What is paused waits for the hub's word: longer than any conversation (10 minutes of speech at most, and its answer).
    static let pausedLimit = Interval.seconds(900)
    /// The hub keeps what a puck missed for 30 s; waiting longer for the rest of a play is in vain.
    static let replayWait = Interval.seconds(30)
    /// Samples of one play that may wait for the loudspeaker: the hub's 2 s ahead, and what it could not know was heard.
    static let laneCapacity: Int64 = 40_000
    /// Plays that ended here and are told again after a reconnect: the report may have been lost with the link.
    static let rememberedEndings = 4
    /// A puck whose place another one has comes back after 30, 60, 120, 240, 300, 300 … s, ±10 %.
    static let duplicatePause = Interval.seconds(30)
    static let longestDuplicatePause = Interval.seconds(300)
    /// In the middle of an utterance there is one second to come back in (L7, L8): then attempts follow each other like
    /// this, and none may hang. The row of L20 begins afterwards.
    static let resumeWithin = Interval.seconds(1)
    static let resumePause = Interval.milliseconds(150)
    static let resumeConnectTimeout = Interval.milliseconds(500)
    /// A network that has just come up gets so long to settle, and as much again by chance (±), so that a house whose
    /// access point returns does not come in step.
    static let networkSettles = Interval.milliseconds(500)
    /// A loser keeps its audio for so long: a winner that sends nothing is given up after 500 ms (L4), one that drops within
    /// its first second 300 ms later (L5).
    static let standbyTimeout = Interval.seconds(2)
    /// The longest time for which a cut-off speaker is waited for.
    static let interruptedTimeout = Interval.seconds(15)

    /// The lights show a new volume for so long: long enough to turn it on, short enough not to hide much.
    static let volumeShownFor = Interval.seconds(2)

    public var identity: Identity
    var parameters: Parameters
    var random: SeededGenerator
    var deadlines = Deadlines<Deadline>()
    var startedAt = Instant.zero

    var link = Link.down
    var backoff = Backoff()
    var hubSearch = HubSearch()
    /// Times in a row that the hub refused this puck because another one with its id is connected.
    var duplicateRefusals = 0
    var everConnected = false
    var isOffline = false
    var lostAt: Instant?
    /// The network changed during the attempt that is under way.
    var networkIsNew = false
    /// As the hub wishes; 5 s before it has said so.
    var pingEvery = Puck.pingEvery
    var roundTrips = RoundTrips()
    var controlRate = RateWindow(limit: Puck.controlsPerSecond)
    var streamRate = RateWindow(limit: Puck.streamControlsPerSecond)

    var turn = Turn.idle
    var lastWakeID: UInt32 = 0
    var window = UplinkWindow()
    var endpointer: Endpointer?
    var utteranceHasHole = false
    /// The hole is in the middle: samples were lost, not just the oldest packets.
    var hasCaptureGap = false
    /// How the utterance ended, while the hub thinks: said again when the link was lost in between.
    var utteranceEnd: UplinkEnd?
    /// An end that could not be said for want of a link.
    var unsaidEnd: UplinkEnd?
    /// Its answer may be on the way already, and must not be heard.
    var unwantedConversation: String?
    /// What the wake detector found, for a second candidate of the same speech.
    var lastFinding: WakeFinding?
    var doubt = WakeDoubt()

    /// What sounds, and what is paused for it.
    var active: Play?
    var paused: Play?
    /// The last plays that ended here within this stream.
    var endings: [Play] = []
    var downlink = Downlink()
    var playoutDelay: PlayoutDelay

    /// Who keeps the microphone closed; each opens it only for itself, so that a switch which comes back does not undo what a
    /// person has done. A person's unmute ends the hub's mute as well, and nobody opens from afar what a person has closed.
    var mutedByPerson = false
    var mutedBySwitch = false
    var mutedByHub = false
    var muted: Bool { mutedByPerson || mutedBySwitch || mutedByHub }
    /// The button's long press that goes on has muted, and nobody since.
    var isMutedByThisPress = false
    var volume: Int
    var captureOK = true
    var playbackOK = true
    public internal(set) var isDegraded = false
    /// Waits for a hub that takes this puck in.
    public internal(set) var isPairing = false
    /// There is no hub to go to.
    var isUnpaired = false
    /// Until then the loudspeaker plays a sound of its own.
    var earconUntil = Instant.zero
    /// When this puck last played something.
    var soundedUntil = Instant.zero
    var xruns = 0
    var gapSamples: Int64 = 0
    private var shownLights: Lights?

    public init(identity: Identity, parameters: Parameters, random: SeededGenerator) {
        self.identity = identity
        self.parameters = parameters
        self.random = random
        volume = parameters.volume
        playoutDelay = PlayoutDelay(leastMilliseconds: parameters.playoutDelayMilliseconds)
    }

    /// The next moment at which `step(.timePassed)` has something to do.
    public var nextDeadline: Instant? { deadlines.next }

    /// The sequence number whose slot the next encoded packet goes to.
    public var nextPacket: SerialNumber { window.next }

    public var phase: Phase {
        switch turn {
        case .candidate: return .candidate
        case .listening: return .listening
        case .thinking: return isSounding ? .speaking : .thinking
        case .idle, .interrupted, .standby: return isSounding ? .speaking : .idle
        }
    }

    /// Whether something is to be heard, or will be in a moment: not while the rest of it is on the other side of a
    /// broken link, or will never come.
    var isSounding: Bool { active.map { !$0.isDry || (link == .up && !$0.isOrphan) } ?? false }

    public var isMuted: Bool { muted }
    /// What a person has done outlasts a restart.
    public var isMutedByPerson: Bool { mutedByPerson }
    public var isConnected: Bool { link == .up }
    public var currentVolume: Int { volume }
    /// Whether the microphone works, and the loudspeaker.
    public var hears: Bool { captureOK }
    public var sounds: Bool { playbackOK }
    /// Overruns of the microphone since the start.
    public var overruns: Int { xruns }
    /// What they cost, in samples of 16 kHz.
    public var missedSamples: Int64 { gapSamples }

    /// Takes one event and appends what is to be done, in order.
    public mutating func step(_ event: PuckEvent, now: Instant, into effects: inout [PuckEffect]) {
        if isSounding { soundedUntil = now }
        switch event {
        case .started: start(now, &effects)
        case .startedUnpaired: startAlone(now, &effects)
        case .hubChanged: hubChanged(now, &effects)
        case .socketOpened: socketOpened(now, &effects)
        case .socketClosed(let reason, let reachedHub, let isHub):
            socketClosed(reason, reachedHub, isHub, now, &effects)
        case .hubsFound(let found): hubsFound(found, now, &effects)
        case .controlReceived(let control, let sequence): controlReceived(control, sequence, now, &effects)
        case .audioReceived(let type, let sequence, let count, let sentAt):
            audioReceived(type, sequence, count, sentAt, now, &effects)
        case .trustKept(let certificates): trustKept(certificates, &effects)
        case .malformedReceived(let error): refuse(error, now, &effects)
        case .errorReceived(let error):
            effects.append(
                .log(LogRecord(.error, "hub.error", [.init("code", error.code.name), .init("detail", error.detail)])))
            if error.code == .duplicate { duplicateRefusals += 1 }
            // Whoever sends an error closes after it; a hub that does not is not waited for.
            dropLink("hub-error", isDuplicate: error.code == .duplicate, now, &effects)
        case .sendQueueOverflowed: dropLink("send-queue-full", now, &effects)
        case .networkChanged: networkChanged(now, &effects)
        case .wakeHeard(let finding, let onset, let envelope, let phrase):
            wakeHeard(finding, onset, envelope, phrase, now, &effects)
        case .packetEncoded(let level): packetEncoded(level, now, &effects)
        case .captureGap(let samples): captureGap(samples, now, &effects)
        case .captureLost: setCapture(ok: false, now, &effects)
        case .captureRestored: setCapture(ok: true, now, &effects)
        case .captureOverrun(let missing):
            xruns += 1
            gapSamples += missing
        case .talkRequested(let position): talkRequested(position, now, &effects)
        case .stopRequested: stopRequested(now, &effects)
        case .muteRequested(let on): mutedByAPerson(on, now, &effects)
        case .muteSwitched(let on): mutedByTheSwitch(on, now, &effects)
        case .volumeRequested(let volume): changeVolume(volume, now, &effects)
        case .volumeRestored(let volume): setVolume(volume, &effects)
        case .longPressed: longPressed(now, &effects)
        case .longPressEnded: longPressEnded(now, &effects)
        case .veryLongPressed: veryLongPressed(now, &effects)
        case .pairingRequested: pairingRequested(now, &effects)
        case .pairingEnded(let reason): endPairing(reason, &effects)
        case .degradedChanged(let isOn): isDegraded = isOn
        case .earconStarted(let until): earconUntil = until
        case .playbackAdvanced(let samples): playbackAdvanced(samples, now, &effects)
        case .playbackStarved: playbackStarved(now, &effects)
        case .playbackDrained: playbackEnded(now, &effects)
        case .playbackLost: playbackLost(now, &effects)
        case .playbackRestored: setPlayback(ok: true, now, &effects)
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
        case .stable:
            backoff.reset()
            duplicateRefusals = 0
        case .offline: wentOffline(&effects)
        case .hubSearch: hubSearchTimePassed(now, &effects)
        case .verdict: verdictTimedOut(&effects)
        case .listening: listeningTimedOut(now, &effects)
        case .answer: answerTimedOut(&effects)
        case .interrupted, .standby: endTurn(&effects)
        case .playedReport: reportPlayed(now, &effects)
        case .statusReport: reportStatus(now, &effects)
        case .playbackStall: playbackStalled(now, &effects)
        case .pausedPlay: pauseTimedOut(now, &effects)
        case .lostPlay: playbackGivenUp(now, &effects)
        case .pairing: endPairing(.timedOut, &effects)
        case .doubt: doubtDecayed(now, &effects)
        case .volumeShown: break  // the lights are derived anew
        }
    }

    private mutating func showLights(_ effects: inout [PuckEffect]) {
        let linkView: LinkView = link == .up ? .up : isOffline ? .offline : everConnected ? .reconnecting : .starting
        let next = lights(
            for: StatusView(
                phase: phase, link: linkView, muted: muted, fault: !captureOK || !playbackOK, degraded: isDegraded,
                volumeChanged: deadlines[.volumeShown] != nil, pairing: isPairing || isUnpaired))
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

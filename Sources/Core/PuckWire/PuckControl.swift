import PuckBase

/// What a puck tells the hub (`0xC1`). One case an operation; docs/PROTOCOL.md describes each member.
///
/// The large and rare ones are `indirect`, so that the others, on their way through the machine, are moved in few words.
public enum PuckControl: Equatable, Sendable {
    indirect case hello(Hello)
    indirect case wakeCandidate(WakeCandidate)
    case uplinkEnd(UplinkEnd)
    case played(Played)
    indirect case status(PuckStatus)
    case ping(Ping)
    case pong(Pong)
    /// What it has stored of `HubControl.trust`.
    case trusts([String])
    /// An operation that this version does not know; ignored.
    case unknown(String)
}

/// "I heard the wake word": what arbitration compares.
public struct WakeCandidate: Equatable, Sendable {
    /// Chosen by the puck, increasing; the verdict repeats it.
    public var wakeID: UInt32
    public var phrase: String
    /// Onset of the wake word on the puck's monotonic clock, milliseconds with fractions.
    public var onsetMilliseconds: Double
    public var snrDecibels: Double
    public var levelDecibels: Double
    public var noiseDecibels: Double
    /// 0…1.
    public var confidence: Double
    /// The course of the level in steps of `envelopeStepMilliseconds`, dB relative to full scale; the first step begins
    /// `envelopeLeadMilliseconds` before the onset. Empty from a puck that does not measure it.
    public var envelope: [Int8]

    public static let envelopeStepMilliseconds = 5
    public static let envelopeLeadMilliseconds = 60
    public static let mostEnvelopeSteps = 32

    public init(
        wakeID: UInt32, phrase: String, onsetMilliseconds: Double, snrDecibels: Double, levelDecibels: Double,
        noiseDecibels: Double, confidence: Double, envelope: [Int8] = []
    ) {
        self.wakeID = wakeID
        self.phrase = phrase
        self.onsetMilliseconds = onsetMilliseconds
        self.snrDecibels = snrDecibels
        self.levelDecibels = levelDecibels
        self.noiseDecibels = noiseDecibels
        self.confidence = confidence
        self.envelope = envelope
    }

    /// A button was pressed: no voice outranks it, and nothing is learned from it about who hears whom.
    public var isPressed: Bool { snrDecibels >= 90 && confidence >= 1 }
}

/// The puck has sent everything that belongs to a conversation's utterance.
public struct UplinkEnd: Equatable, Sendable {
    public enum Reason: String, Sendable {
        case endpoint, timeout, cancelled, muted, gap
        /// Nobody spoke within the no-speech limit.
        case silence
    }

    public var conversationID: String
    /// Sequence number of the last audio message.
    public var lastSequence: SerialNumber
    public var reason: Reason

    public init(conversationID: String, lastSequence: SerialNumber, reason: Reason) {
        self.conversationID = conversationID
        self.lastSequence = lastSequence
        self.reason = reason
    }
}

/// What the puck has received and how far its loudspeaker got; the hub keeps its log and its pace by it.
public struct Played: Equatable, Sendable {
    public enum State: String, Sendable {
        case playing, paused
        /// The play is over on this puck: all was heard after `down_stop`, or it was stopped here.
        case ended
    }

    /// The highest downlink message that has been received; everything before it has been, too.
    public var sequence: SerialNumber
    /// 0 when nothing plays.
    public var playID: UInt32
    /// What was heard, from the beginning of the whole (`resumed_at_ms` included).
    public var positionMilliseconds: Int
    /// What was received and not heard yet.
    public var bufferedMilliseconds: Int
    public var state: State

    public init(
        sequence: SerialNumber, playID: UInt32, positionMilliseconds: Int, bufferedMilliseconds: Int,
        state: State = .playing
    ) {
        self.sequence = sequence
        self.playID = playID
        self.positionMilliseconds = positionMilliseconds
        self.bufferedMilliseconds = bufferedMilliseconds
        self.state = state
    }
}

/// How the puck is: sent after the welcome, on every change of `captureOK`, `playbackOK` or `muted`, once a minute.
public struct PuckStatus: Equatable, Sendable {
    /// What `phase` may be.
    public static let phases = ["idle", "candidate", "listening", "thinking", "speaking"]

    public var phase: String
    public var muted: Bool
    /// 0…100.
    public var volume: Int
    public var xruns: Int
    public var gapMilliseconds: Int
    public var captureOK: Bool
    /// True from a puck that does not say.
    public var playbackOK: Bool
    public var uptimeSeconds: Int

    public init(
        phase: String, muted: Bool, volume: Int, xruns: Int, gapMilliseconds: Int, captureOK: Bool,
        playbackOK: Bool = true, uptimeSeconds: Int
    ) {
        self.phase = phase
        self.muted = muted
        self.volume = volume
        self.xruns = xruns
        self.gapMilliseconds = gapMilliseconds
        self.captureOK = captureOK
        self.playbackOK = playbackOK
        self.uptimeSeconds = uptimeSeconds
    }
}

/// Keep-alive with NTP's timestamps (RFC 5905, 8), milliseconds with fractions of the sender's monotonic clock.
public struct Ping: Equatable, Sendable {
    public var t0: Double
    public init(t0: Double) { self.t0 = t0 }
}

public struct Pong: Equatable, Sendable {
    /// Repeated from the ping; then this side's clock at its receipt and at this answer.
    public var t0: Double
    public var t1: Double
    public var t2: Double
    public init(t0: Double, t1: Double, t2: Double) {
        self.t0 = t0
        self.t1 = t1
        self.t2 = t2
    }
}

extension PuckControl {
    public func payload() -> [UInt8] {
        var json = JSONWriter()
        switch self {
        case .hello(let m): m.write(to: &json)
        case .wakeCandidate(let m): m.write(to: &json)
        case .uplinkEnd(let m):
            json.set("op", "up_end")
            json.set("conversation_id", m.conversationID)
            json.set("last_seq", Int(m.lastSequence.value))
            json.set("reason", m.reason.rawValue)
        case .played(let m):
            json.set("op", "played")
            json.set("seq", Int(m.sequence.value))
            json.set("play_id", m.playID)
            json.set("position_ms", m.positionMilliseconds)
            json.set("buffered_ms", m.bufferedMilliseconds)
            json.set("state", m.state.rawValue)
        case .status(let m): m.write(to: &json)
        case .trusts(let certificates):
            json.set("op", "trusts")
            json.set("sha256", certificates)
        case .ping(let m): m.write(to: &json)
        case .pong(let m): m.write(to: &json)
        case .unknown(let op): json.set("op", op)
        }
        return json.serialized()
    }

    public static func parse(_ payload: UnsafeRawBufferPointer) throws(WireError) -> PuckControl {
        let json = try JSONObject(parsing: payload)
        let op = try json.string("op")
        switch op {
        case "hello": return .hello(try Hello(json))
        case "wake_candidate": return .wakeCandidate(try WakeCandidate(json))
        case "up_end":
            let reason = try json.string("reason")
            guard let known = UplinkEnd.Reason(rawValue: reason) else {
                throw WireError(.badControl, "up_end does not know the reason \"\(reason)\"")
            }
            return .uplinkEnd(
                UplinkEnd(
                    conversationID: try json.string("conversation_id"),
                    lastSequence: SerialNumber(try json.sequence("last_seq")), reason: known))
        case "played":
            let state = json.has("state") ? try json.string("state") : Played.State.playing.rawValue
            guard let known = Played.State(rawValue: state) else {
                throw WireError(.badControl, "played does not know the state \"\(state)\"")
            }
            return .played(
                Played(
                    sequence: SerialNumber(try json.sequence("seq")), playID: try json.unsigned("play_id"),
                    positionMilliseconds: try json.integer("position_ms", 0...Int(Int32.max)),
                    bufferedMilliseconds: try json.integer("buffered_ms", 0...Int(Int32.max)), state: known))
        case "trusts": return .trusts(try json.fingerprints("sha256", 1...WireLimits.trustedCertificates))
        case "status": return .status(try PuckStatus(json))
        case "ping": return .ping(Ping(t0: try json.number("t0")))
        case "pong": return .pong(try Pong(json))
        default: return .unknown(op)
        }
    }
}

extension WakeCandidate {
    func write(to json: inout JSONWriter) {
        json.set("op", "wake_candidate")
        json.set("wake_id", wakeID)
        json.set("phrase", phrase)
        json.set("start_ts", onsetMilliseconds)
        json.set("snr_db", snrDecibels)
        json.set("level_db", levelDecibels)
        json.set("noise_db", noiseDecibels)
        json.set("confidence", confidence)
        if !envelope.isEmpty { json.set("envelope_db", envelope) }
    }

    init(_ json: borrowing JSONObject) throws(WireError) {
        wakeID = try json.unsigned("wake_id")
        phrase = try json.string("phrase")
        onsetMilliseconds = try json.number("start_ts")
        snrDecibels = try json.decibels("snr_db")
        levelDecibels = try json.decibels("level_db")
        noiseDecibels = try json.decibels("noise_db")
        confidence = try json.number("confidence")
        guard (0...1).contains(confidence) else {
            throw WireError(.badControl, "member \"confidence\" must be from 0 to 1")
        }
        envelope = json.has("envelope_db") ? try json.levels("envelope_db", limit: Self.mostEnvelopeSteps) : []
    }
}

extension PuckStatus {
    func write(to json: inout JSONWriter) {
        json.set("op", "status")
        json.set("phase", phase)
        json.set("muted", muted)
        json.set("volume", volume)
        json.set("xruns", xruns)
        json.set("gap_ms", gapMilliseconds)
        json.set("capture_ok", captureOK)
        json.set("playback_ok", playbackOK)
        json.set("uptime_s", uptimeSeconds)
    }

    init(_ json: borrowing JSONObject) throws(WireError) {
        let phase = try json.string("phase")
        guard Self.phases.contains(phase) else {
            throw WireError(.badControl, "status does not know the phase \"\(phase)\"")
        }
        self.phase = phase
        muted = try json.boolean("muted")
        volume = try json.integer("volume", 0...100)
        xruns = try json.integer("xruns", 0...Int(Int32.max))
        gapMilliseconds = try json.integer("gap_ms", 0...Int(Int32.max))
        captureOK = try json.boolean("capture_ok")
        playbackOK = json.has("playback_ok") ? try json.boolean("playback_ok") : true
        uptimeSeconds = try json.integer("uptime_s", 0...Int(Int32.max))
    }
}

extension Ping {
    func write(to json: inout JSONWriter) {
        json.set("op", "ping")
        json.set("t0", t0)
    }
}

extension Pong {
    func write(to json: inout JSONWriter) {
        json.set("op", "pong")
        json.set("t0", t0)
        json.set("t1", t1)
        json.set("t2", t2)
    }

    init(_ json: borrowing JSONObject) throws(WireError) {
        t0 = try json.number("t0")
        t1 = try json.number("t1")
        t2 = try json.number("t2")
    }
}

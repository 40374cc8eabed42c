import PuckBase

/// What a puck tells the hub (`0xC1`). One case an operation; docs/PROTOCOL.md describes each member.
public enum PuckControl: Equatable, Sendable {
    case hello(Hello)
    case wakeCandidate(WakeCandidate)
    case uplinkEnd(UplinkEnd)
    case played(Played)
    case status(PuckStatus)
    case ping(Ping)
    case pong(Pong)
    /// An operation that this version does not know; ignored.
    case unknown(String)
}

/// The first message of a connection.
public struct Hello: Equatable, Sendable {
    public var version: Int
    /// 1…32 of `a-z 0-9 - _`.
    public var puckID: String
    public var room: String
    /// Earshot group: pucks that can hear the same person.
    public var group: String
    public var software: String
    public var codecs: [String]
    public var phrases: [String]
    public var resume: Resume?
    /// The conversation that the puck is in, and which uplink packets it still holds.
    public var uplink: Uplink?
    /// Only asks whether this puck would be welcome (`puckd --check`): the hub answers and closes, and a session of the
    /// same puck goes on undisturbed.
    public var isProbe: Bool

    public struct Resume: Equatable, Sendable {
        public var epoch: UInt32
        /// The first downlink sequence number that the puck has not received.
        public var sequence: SerialNumber
        public init(epoch: UInt32, sequence: SerialNumber) {
            self.epoch = epoch
            self.sequence = sequence
        }
    }

    public struct Uplink: Equatable, Sendable {
        public var conversationID: String
        /// The oldest packet held; equal to `next` when none is.
        public var first: SerialNumber
        /// The packet that has not been made yet.
        public var next: SerialNumber
        public init(conversationID: String, first: SerialNumber, next: SerialNumber) {
            self.conversationID = conversationID
            self.first = first
            self.next = next
        }
    }

    public init(
        puckID: String, room: String, group: String, software: String, phrases: [String], resume: Resume? = nil,
        uplink: Uplink? = nil, isProbe: Bool = false
    ) {
        version = WireLimits.protocolVersion
        self.puckID = puckID
        self.room = room
        self.group = group
        self.software = software
        codecs = ["opus", "pcm16"]
        self.phrases = phrases
        self.resume = resume
        self.uplink = uplink
        self.isProbe = isProbe
    }
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

    public init(
        wakeID: UInt32, phrase: String, onsetMilliseconds: Double, snrDecibels: Double, levelDecibels: Double,
        noiseDecibels: Double, confidence: Double
    ) {
        self.wakeID = wakeID
        self.phrase = phrase
        self.onsetMilliseconds = onsetMilliseconds
        self.snrDecibels = snrDecibels
        self.levelDecibels = levelDecibels
        self.noiseDecibels = noiseDecibels
        self.confidence = confidence
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
        case "status": return .status(try PuckStatus(json))
        case "ping": return .ping(Ping(t0: try json.number("t0")))
        case "pong": return .pong(try Pong(json))
        default: return .unknown(op)
        }
    }
}

extension Hello {
    func write(to json: inout JSONWriter) {
        json.set("op", "hello")
        json.set("proto", version)
        json.set("puck_id", puckID)
        json.set("room", room)
        json.set("group", group)
        json.set("version", software)
        json.set("codecs", codecs)
        json.set("phrases", phrases)
        if isProbe { json.set("probe", true) }
        if let resume {
            var member = JSONWriter()
            member.set("epoch", resume.epoch)
            member.set("resume_seq", Int(resume.sequence.value))
            json.set("resume", member)
        }
        if let uplink {
            var member = JSONWriter()
            member.set("conversation_id", uplink.conversationID)
            member.set("first_seq", Int(uplink.first.value))
            member.set("next_seq", Int(uplink.next.value))
            json.set("uplink", member)
        }
    }

    init(_ json: borrowing JSONObject) throws(WireError) {
        version = try json.integer("proto", 0...65_535)
        guard version == WireLimits.protocolVersion else {
            throw WireError(.version, "this hub speaks protocol 1, the puck asked for \(version)")
        }
        puckID = try json.string("puck_id", limit: 32)
        guard !puckID.isEmpty, puckID.utf8.allSatisfy(Self.isNameByte) else {
            throw WireError(.badControl, "member \"puck_id\" must be 1 to 32 of a-z 0-9 - _")
        }
        room = try json.string("room")
        group = json.has("group") ? try json.string("group") : room
        software = try json.string("version")
        codecs = try json.strings("codecs")
        guard codecs.contains("opus") || codecs.contains("pcm16") else {
            throw WireError(.badControl, "no codec in common: this hub speaks opus and pcm16")
        }
        phrases = try json.strings("phrases")
        isProbe = json.has("probe") ? try json.boolean("probe") : false
        resume = nil
        if json.has("resume") {
            let member = try json.object("resume")
            resume = Resume(
                epoch: try member.unsigned("epoch"), sequence: SerialNumber(try member.sequence("resume_seq")))
        }
        uplink = nil
        if json.has("uplink") {
            let member = try json.object("uplink")
            uplink = Uplink(
                conversationID: try member.string("conversation_id"),
                first: SerialNumber(try member.sequence("first_seq")),
                next: SerialNumber(try member.sequence("next_seq")))
        }
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
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
        phase = try json.string("phase")
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

import PuckBase

/// What the hub tells a puck. `isStreamed` says whether it is part of the numbered, replayable downlink stream (`0xC2`)
/// or stands outside it (`0xC1`). The large and rare ones are `indirect`: the others stay small.
public enum HubControl: Equatable, Sendable {
    indirect case welcome(Welcome)
    case grant(wakeID: UInt32, conversationID: String)
    case cancel(wakeID: UInt32, reason: CancelReason)
    /// Cumulative: everything before `next` has arrived.
    case uplinkAck(conversationID: String, next: SerialNumber)
    case listenStop(conversationID: String, reason: String)
    case set(volume: Int?, muted: Bool?)
    /// The token to show from the next connection on.
    case token(String)
    /// SHA-256 of the certificates to believe from the next connection on, 64 hexadecimal digits each: the one that is shown
    /// now is among them.
    case trust([String])
    case ping(Ping)
    case pong(Pong)

    case phase(conversationID: String, phase: ConversationPhase)
    indirect case downStart(DownStart)
    case downStop(playID: UInt32, reason: StopReason)
    case downPause(playID: UInt32)
    case downResume(playID: UInt32)
    case earcon(name: String)
    /// An operation that this version does not know; ignored. In the stream it has a number all the same.
    case unknown(String, isStreamed: Bool)

    public enum CancelReason: String, Sendable { case lost, late, busy, degraded }
    public enum ConversationPhase: String, Sendable { case listening, thinking, speaking, idle, error, degraded }
    public enum StopReason: String, Sendable { case done, cancelled, failed }

    public var isStreamed: Bool {
        switch self {
        case .welcome, .grant, .cancel, .uplinkAck, .listenStop, .set, .token, .trust, .ping, .pong: false
        case .unknown(_, let isStreamed): isStreamed
        case .phase, .downStart, .downStop, .downPause, .downResume, .earcon: true
        }
    }
}

/// The hub's answer to `hello`.
public struct Welcome: Equatable, Sendable {
    public enum ResumeOutcome: String, Sendable { case replayed, fresh, none }

    public var session: UInt32
    public var epoch: UInt32
    public var resume: ResumeOutcome
    /// The sequence number of the first downlink message that follows.
    public var from: SerialNumber
    /// The conversation that the puck named in its hello goes on; this uplink packet is wanted next. Nil: it does not.
    public var uplinkNext: SerialNumber?
    /// Another puck's conversation that has the floor of this puck's group; nil when nobody else's has.
    public var floor: String?
    public var pingMilliseconds: Int
    /// How long the hub keeps what the puck may have missed.
    public var replayMilliseconds: Int

    public init(
        session: UInt32, epoch: UInt32, resume: ResumeOutcome, from: SerialNumber, uplinkNext: SerialNumber? = nil,
        floor: String? = nil, pingMilliseconds: Int, replayMilliseconds: Int
    ) {
        self.session = session
        self.epoch = epoch
        self.resume = resume
        self.from = from
        self.uplinkNext = uplinkNext
        self.floor = floor
        self.pingMilliseconds = pingMilliseconds
        self.replayMilliseconds = replayMilliseconds
    }
}

/// Audio follows: what it is and how it treats what already plays.
public struct DownStart: Equatable, Sendable {
    public enum Category: String, Sendable {
        case assistantResponse = "assistant_response"
        case filler, timer, reminder, notification, announcement, music
    }
    public enum Codec: String, Sendable { case opus, pcm16 }
    public enum Interrupt: String, Sendable { case preempt, queue }

    public var playID: UInt32
    public var conversationID: String
    public var category: Category
    /// 0…100, higher is more urgent.
    public var priority: Int
    public var codec: Codec
    /// Samples per second; version 1 of the protocol carries 16,000 only.
    public var rate: Int
    public var interrupt: Interrupt
    /// Where in the whole this audio begins; 0 for a fresh start.
    public var resumedAtMilliseconds: Int

    public init(
        playID: UInt32, conversationID: String, category: Category = .assistantResponse, priority: Int = 50,
        codec: Codec = .opus, interrupt: Interrupt = .preempt, resumedAtMilliseconds: Int = 0
    ) {
        self.playID = playID
        self.conversationID = conversationID
        self.category = category
        self.priority = priority
        self.codec = codec
        rate = WireLimits.sampleRate
        self.interrupt = interrupt
        self.resumedAtMilliseconds = resumedAtMilliseconds
    }
}

extension HubControl {
    public func payload() -> [UInt8] {
        var json = JSONWriter()
        switch self {
        case .welcome(let m): m.write(to: &json)
        case .grant(let wakeID, let conversationID):
            json.set("op", "arb_grant")
            json.set("wake_id", wakeID)
            json.set("conversation_id", conversationID)
        case .cancel(let wakeID, let reason):
            json.set("op", "arb_cancel")
            json.set("wake_id", wakeID)
            json.set("reason", reason.rawValue)
        case .uplinkAck(let conversationID, let next):
            json.set("op", "up_ack")
            json.set("conversation_id", conversationID)
            json.set("next_seq", Int(next.value))
        case .listenStop(let conversationID, let reason):
            json.set("op", "listen_stop")
            json.set("conversation_id", conversationID)
            json.set("reason", reason)
        case .set(let volume, let muted):
            json.set("op", "set")
            if let volume { json.set("volume", volume) }
            if let muted { json.set("muted", muted) }
        case .trust(let certificates):
            json.set("op", "trust")
            json.set("sha256", certificates)
        case .token(let token):
            json.set("op", "token")
            json.set("token", token)
        case .ping(let m): m.write(to: &json)
        case .pong(let m): m.write(to: &json)
        case .phase(let conversationID, let phase):
            json.set("op", "phase")
            json.set("conversation_id", conversationID)
            json.set("phase", phase.rawValue)
        case .downStart(let m): m.write(to: &json)
        case .downStop(let playID, let reason):
            json.set("op", "down_stop")
            json.set("play_id", playID)
            json.set("reason", reason.rawValue)
        case .downPause(let playID):
            json.set("op", "down_pause")
            json.set("play_id", playID)
        case .downResume(let playID):
            json.set("op", "down_resume")
            json.set("play_id", playID)
        case .earcon(let name):
            json.set("op", "earcon")
            json.set("name", name)
        case .unknown(let op, _): json.set("op", op)
        }
        return json.serialized()
    }

    /// - Parameters:
    ///   - payload: of one message, without its header.
    ///   - type: `control` or `streamControl`; an operation in the wrong one is BAD_CONTROL.
    public static func parse(_ payload: UnsafeRawBufferPointer, type: MessageType) throws(WireError) -> HubControl {
        let json = try JSONObject(parsing: payload)
        let op = try json.string("op")
        let control = try parse(op: op, json, type)
        guard control.isStreamed == (type == .streamControl) else {
            throw WireError(.badControl, "\(op) does not belong into this message type")
        }
        return control
    }

    private static func parse(
        op: String, _ json: borrowing JSONObject, _ type: MessageType
    ) throws(WireError) -> HubControl {
        switch op {
        case "welcome": return .welcome(try Welcome(json))
        case "arb_grant":
            return .grant(
                wakeID: try json.unsigned("wake_id"), conversationID: try json.string("conversation_id"))
        case "arb_cancel":
            return .cancel(
                wakeID: try json.unsigned("wake_id"),
                reason: try known(CancelReason(rawValue: try json.string("reason")), "reason"))
        case "up_ack":
            return .uplinkAck(
                conversationID: try json.string("conversation_id"), next: SerialNumber(try json.sequence("next_seq")))
        case "listen_stop":
            return .listenStop(
                conversationID: try json.string("conversation_id"), reason: try json.string("reason"))
        case "set":
            return .set(
                volume: json.has("volume") ? try json.integer("volume", 0...100) : nil,
                muted: json.has("muted") ? try json.boolean("muted") : nil)
        case "trust": return .trust(try json.fingerprints("sha256", 1...WireLimits.trustedCertificates))
        case "token": return .token(try json.token("token"))
        case "ping": return .ping(Ping(t0: try json.number("t0")))
        case "pong": return .pong(try Pong(json))
        case "phase":
            return .phase(
                conversationID: try json.string("conversation_id"),
                phase: try known(ConversationPhase(rawValue: try json.string("phase")), "phase"))
        case "down_start": return .downStart(try DownStart(json))
        case "down_stop":
            return .downStop(
                playID: try json.unsigned("play_id"),
                reason: try known(StopReason(rawValue: try json.string("reason")), "reason"))
        case "down_pause": return .downPause(playID: try json.unsigned("play_id"))
        case "down_resume": return .downResume(playID: try json.unsigned("play_id"))
        case "earcon": return .earcon(name: try json.string("name"))
        default: return .unknown(op, isStreamed: type == .streamControl)
        }
    }

    static func known<Value>(_ value: Value?, _ key: String) throws(WireError) -> Value {
        guard let value else {
            throw WireError(.badControl, "member \"\(key)\" has a value that is not in the protocol")
        }
        return value
    }
}

extension Welcome {
    func write(to json: inout JSONWriter) {
        json.set("op", "welcome")
        json.set("proto", WireLimits.protocolVersion)
        json.set("session", session)
        json.set("epoch", epoch)
        json.set("resume", resume.rawValue)
        json.set("from_seq", Int(from.value))
        if let uplinkNext { json.set("uplink_next_seq", Int(uplinkNext.value)) }
        if let floor { json.set("floor", floor) }
        json.set("ping_ms", pingMilliseconds)
        json.set("replay_ms", replayMilliseconds)
    }

    init(_ json: borrowing JSONObject) throws(WireError) {
        let version = try json.integer("proto", 0...65_535)
        guard version == WireLimits.protocolVersion else {
            throw WireError(.version, "this puck speaks protocol 1, the hub answered \(version)")
        }
        session = try json.unsigned("session")
        epoch = try json.unsigned("epoch")
        resume = try HubControl.known(ResumeOutcome(rawValue: try json.string("resume")), "resume")
        from = SerialNumber(try json.sequence("from_seq"))
        uplinkNext = json.has("uplink_next_seq") ? SerialNumber(try json.sequence("uplink_next_seq")) : nil
        floor = json.has("floor") ? try json.string("floor") : nil
        pingMilliseconds = try json.integer("ping_ms", 100...600_000)
        replayMilliseconds = try json.integer("replay_ms", 0...600_000)
    }
}

extension DownStart {
    func write(to json: inout JSONWriter) {
        json.set("op", "down_start")
        json.set("play_id", playID)
        json.set("conversation_id", conversationID)
        json.set("category", category.rawValue)
        json.set("priority", priority)
        json.set("codec", codec.rawValue)
        json.set("rate", rate)
        json.set("interrupt", interrupt.rawValue)
        json.set("resumed_at_ms", resumedAtMilliseconds)
    }

    init(_ json: borrowing JSONObject) throws(WireError) {
        playID = try json.unsigned("play_id")
        conversationID = try json.string("conversation_id")
        category = try HubControl.known(Category(rawValue: try json.string("category")), "category")
        priority = try json.integer("priority", 0...100)
        codec = try HubControl.known(Codec(rawValue: try json.string("codec")), "codec")
        rate = try json.integer("rate", WireLimits.sampleRate...WireLimits.sampleRate)
        interrupt = try HubControl.known(Interrupt(rawValue: try json.string("interrupt")), "interrupt")
        resumedAtMilliseconds = try json.integer("resumed_at_ms", 0...Int(Int32.max))
    }
}

import PuckBase

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
    /// How far the loudspeaker is in the plays of the stream that `resume` names; at most `mostPlays`. The hub needs it
    /// when that stream cannot go on: what sounded since the last `played` would be heard twice.
    public var plays: [Play]
    /// Only asks whether this puck would be welcome (`puckd --check`): the hub answers and closes, and a session of the
    /// same puck goes on undisturbed.
    public var isProbe: Bool
    /// Can store a new token that the hub sends (`HubControl.token`): its own was made by pairing, not written by hand.
    public var keepsToken: Bool
    /// SHA-256 of the certificates that the hub told this puck to believe beside its pinned one (`HubControl.trust`), as 64
    /// hexadecimal digits each; nil from a puck that cannot store any.
    public var trusts: [String]?
    /// Drawn at random at each start of the puck's program: tells two pucks with one id from one that comes back.
    public var instance: UInt32?

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

    /// As in `Played`.
    public struct Play: Equatable, Sendable {
        public var playID: UInt32
        public var positionMilliseconds: Int
        public var hasEnded: Bool
        public init(playID: UInt32, positionMilliseconds: Int, hasEnded: Bool) {
            self.playID = playID
            self.positionMilliseconds = positionMilliseconds
            self.hasEnded = hasEnded
        }
    }

    /// The active one, the paused one, and some that have ended.
    public static let mostPlays = 8

    public init(
        puckID: String, room: String, group: String, software: String, phrases: [String], resume: Resume? = nil,
        uplink: Uplink? = nil, plays: [Play] = [], isProbe: Bool = false, keepsToken: Bool = false,
        trusts: [String]? = nil, instance: UInt32? = nil
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
        self.plays = plays
        self.isProbe = isProbe
        self.keepsToken = keepsToken
        self.trusts = trusts
        self.instance = instance
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
        if keepsToken { json.set("keeps_token", true) }
        if let trusts { json.set("trusts", trusts) }
        if let instance { json.set("instance", instance) }
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
        if !plays.isEmpty { json.set("plays", plays.map { $0.member }) }
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
        keepsToken = json.has("keeps_token") ? try json.boolean("keeps_token") : false
        trusts = json.has("trusts") ? try json.fingerprints("trusts", 0...WireLimits.trustedCertificates) : nil
        instance = json.has("instance") ? try json.unsigned("instance") : nil
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
        plays = []
        let count = json.has("plays") ? try json.count("plays", limit: Self.mostPlays) : 0
        for i in 0..<count { plays.append(try Play(json.object("plays", at: i))) }
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

extension Hello.Play {
    fileprivate var member: JSONWriter {
        var json = JSONWriter()
        json.set("play_id", playID)
        json.set("position_ms", positionMilliseconds)
        if hasEnded { json.set("ended", true) }
        return json
    }

    fileprivate init(_ json: borrowing JSONObject) throws(WireError) {
        playID = try json.unsigned("play_id")
        positionMilliseconds = try json.integer("position_ms", 0...Int(Int32.max))
        hasEnded = json.has("ended") ? try json.boolean("ended") : false
    }
}

import PuckBase

// The messages of pairing (docs/PROTOCOL.md §13): one JSON object each, without the header that puck.v1's messages have.
// Binary members are written as hexadecimal digits.

/// What a puck that is to be paired says.
public enum PairingRequest: Equatable, Sendable {
    /// Begins SRP-6a for the short code: A.
    case begin(key: [UInt8])
    /// That it knows the code, and saw the hub's certificate in this session.
    case proof([UInt8])
    /// The secret of a join line. Only ever sent to a hub whose certificate has the line's fingerprint.
    case secret(String)

    public func payload() -> [UInt8] {
        var json = JSONWriter()
        switch self {
        case .begin(let key):
            json.set("op", "pair_begin")
            json.set("proto", WireLimits.protocolVersion)
            json.set("key", hexadecimal(key))
        case .proof(let proof):
            json.set("op", "pair_proof")
            json.set("proof", hexadecimal(proof))
        case .secret(let secret):
            json.set("op", "pair_secret")
            json.set("proto", WireLimits.protocolVersion)
            json.set("secret", secret)
        }
        return json.serialized()
    }

    public static func parse(_ payload: UnsafeRawBufferPointer) throws(WireError) -> PairingRequest {
        let json = try JSONObject(parsing: payload)
        let op = try json.string("op")
        switch op {
        case "pair_begin":
            try requireVersion(json)
            return .begin(key: try json.binary("key", limit: PairingLimits.keyBytes))
        case "pair_proof": return .proof(try json.binary("proof", limit: PairingLimits.proofBytes))
        case "pair_secret":
            try requireVersion(json)
            return .secret(try json.string("secret"))
        default: throw WireError(.badControl, "\"\(op)\" is no message of pairing")
        }
    }

    private static func requireVersion(_ json: borrowing JSONObject) throws(WireError) {
        let version = try json.integer("proto", 0...65_535)
        guard version == WireLimits.protocolVersion else {
            throw WireError(.version, "this hub speaks protocol 1, the puck asked for \(version)")
        }
    }
}

/// What the hub says to it.
public enum PairingReply: Equatable, Sendable {
    /// Why not; the hub closes after it.
    public enum Refusal: String, Sendable {
        /// Nothing is open: it has been used, has expired, or there never was one.
        case none
        /// The code, or the secret, is wrong.
        case wrong
        /// Too many wrong ones from this address, or in all.
        case attempts
        /// The request cannot be read, or came out of order.
        case invalid
        /// The hub could not keep the token.
        case failed
    }

    case challenge(salt: [UInt8], key: [UInt8])
    case done(Pairing)
    case refused(Refusal, text: String)

    public func payload() -> [UInt8] {
        var json = JSONWriter()
        switch self {
        case .challenge(let salt, let key):
            json.set("op", "pair_challenge")
            json.set("salt", hexadecimal(salt))
            json.set("key", hexadecimal(key))
        case .done(let pairing):
            json.set("op", "pair_done")
            if !pairing.proof.isEmpty { json.set("proof", hexadecimal(pairing.proof)) }
            json.set("puck_id", pairing.puckID)
            if let room = pairing.room { json.set("room", room) }
            json.set("token", pairing.token)
            if let seconds = pairing.unixSeconds { json.set("unix_s", Double(seconds)) }
        case .refused(let refusal, let text):
            json.set("op", "pair_refused")
            json.set("reason", refusal.rawValue)
            json.set("text", text)
        }
        return json.serialized()
    }

    public static func parse(_ payload: UnsafeRawBufferPointer) throws(WireError) -> PairingReply {
        let json = try JSONObject(parsing: payload)
        let op = try json.string("op")
        switch op {
        case "pair_challenge":
            return .challenge(
                salt: try json.binary("salt", limit: PairingLimits.saltBytes),
                key: try json.binary("key", limit: PairingLimits.keyBytes))
        case "pair_done":
            return .done(
                Pairing(
                    proof: json.has("proof") ? try json.binary("proof", limit: PairingLimits.proofBytes) : [],
                    puckID: try word(json, "puck_id"), room: json.has("room") ? try word(json, "room") : nil,
                    token: try json.token("token"), unixSeconds: try unixSeconds(json)))
        case "pair_refused":
            return .refused(
                Refusal(rawValue: try json.string("reason")) ?? .failed, text: try json.string("text", limit: 512))
        default: throw WireError(.badControl, "\"\(op)\" is no message of pairing")
        }
    }

    /// The hub's clock; whatever it says, it may not end the pairing.
    private static func unixSeconds(_ json: borrowing JSONObject) throws(WireError) -> Int64? {
        guard json.has("unix_s") else { return nil }
        return Int64(exactly: try json.number("unix_s").rounded())
    }

    /// It goes into a configuration file: nothing else may be in it.
    private static func word(_ json: borrowing JSONObject, _ key: StaticString) throws(WireError) -> String {
        let text = try json.string(key, limit: 32)
        guard !text.isEmpty, text.utf8.allSatisfy(Hello.isNameByte) else {
            throw WireError(.badControl, "member \"\(key.description)\" must be 1 to 32 of a-z 0-9 - _")
        }
        return text
    }
}

/// What a puck gets.
public struct Pairing: Equatable, Sendable {
    /// That the hub knows the code; empty after a join line, whose fingerprint has said so.
    public var proof: [UInt8]
    public var puckID: String
    /// Where it stands, when the hub was told.
    public var room: String?
    public var token: String
    /// The hub's clock, seconds of Unix time; nil from a hub that does not say.
    public var unixSeconds: Int64?

    public init(proof: [UInt8], puckID: String, room: String?, token: String, unixSeconds: Int64? = nil) {
        self.proof = proof
        self.puckID = puckID
        self.room = room
        self.token = token
        self.unixSeconds = unixSeconds
    }
}

/// Sizes of what is exchanged, in bytes.
public enum PairingLimits {
    /// Of a number in the 3072-bit group.
    public static let keyBytes = 384
    public static let proofBytes = 32
    public static let saltBytes = 32
}

extension JSONObject {
    /// Bytes as hexadecimal digits, at least one and at most `limit`.
    func binary(_ key: StaticString, limit: Int) throws(WireError) -> [UInt8] {
        let digits = Array(try string(key, limit: 2 * limit).utf8)
        var bytes: [UInt8] = []
        for i in stride(from: 0, to: digits.count - 1, by: 2) {
            guard let high = Self.value(digits[i]), let low = Self.value(digits[i + 1]) else { break }
            bytes.append(high << 4 | low)
        }
        guard !bytes.isEmpty, 2 * bytes.count == digits.count else {
            throw WireError(.badControl, "member \"\(key.description)\" must be bytes in hexadecimal")
        }
        return bytes
    }

    /// What a puck shows as bearer token (RFC 6750, 2.1, names its characters), and keeps in a file of lines.
    func token(_ key: StaticString) throws(WireError) -> String {
        let text = try string(key)
        guard text.utf8.count >= 8, text.utf8.allSatisfy(Self.isTokenByte) else {
            throw WireError(.badControl, "member \"\(key.description)\" must be 8 to 64 of A-Z a-z 0-9 - . _ ~ + / =")
        }
        return text
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

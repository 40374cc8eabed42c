import PuckBase

/// Bounds of the wire, one place for all of them (docs/PROTOCOL.md).
public enum WireLimits {
    public static let headerBytes = 9
    /// A control message is small and an Opus packet is at most 1,275 bytes (RFC 6716, 3.4).
    public static let payloadBytes = 2048
    /// That a puck is told to believe: the one that is shown, the one that is to come, and the one before.
    public static let trustedCertificates = 4
    public static let messageBytes = headerBytes + payloadBytes
    /// Of one text, and of a list, unless a member has a limit of its own.
    public static let textBytes = 64
    public static let listElements = 16
    /// Of an error's text.
    public static let errorTextBytes = 512
    public static let protocolVersion = 1
    public static let subprotocol = "puck.v1"
    /// One Opus packet or PCM message: 20 ms at 16 kHz.
    public static let samplesPerPacket = 320
    public static let sampleRate = 16_000
    public static let packetMilliseconds = 20

    /// So many samples in whole milliseconds; what is more than the wire has room for (24 days) stays at that.
    public static func milliseconds(ofSamples samples: Int64) -> Int { Int(min(samples / 16, Int64(Int32.max))) }
}

/// The first byte of a message.
public enum MessageType: UInt8, Sendable {
    case uplinkPCM = 0xA1
    case uplinkOpus = 0xA2
    case downlinkPCM = 0xB1
    case downlinkOpus = 0xB2
    case control = 0xC1
    case streamControl = 0xC2
    case error = 0xFF
}

/// The 9 bytes before every payload, little-endian.
public struct MessageHeader: Equatable, Sendable {
    public var type: MessageType
    public var sequence: SerialNumber
    /// Milliseconds of the sender's monotonic clock, wrapping.
    public var timestampMilliseconds: UInt32
    /// Bytes of payload, 0…2,048.
    public var length: Int

    public init(type: MessageType, sequence: SerialNumber, timestampMilliseconds: UInt32, length: Int) {
        self.type = type
        self.sequence = sequence
        self.timestampMilliseconds = timestampMilliseconds
        self.length = length
    }

    /// Writes the header into the first 9 bytes of `bytes`.
    public func write(to bytes: UnsafeMutableRawBufferPointer) {
        precondition(length >= 0 && length <= WireLimits.payloadBytes, "payload over the wire's limit")
        bytes[0] = type.rawValue
        bytes.storeBytes(of: sequence.value.littleEndian, toByteOffset: 1, as: UInt16.self)
        bytes.storeBytes(of: timestampMilliseconds.littleEndian, toByteOffset: 3, as: UInt32.self)
        bytes.storeBytes(of: UInt16(length).littleEndian, toByteOffset: 7, as: UInt16.self)
    }

    /// Reads and checks the header of one whole message.
    /// - Throws: `badLength` when the message is short, long or lies about its length; `badType` for an unknown type.
    public static func parse(_ message: UnsafeRawBufferPointer) throws(WireError) -> MessageHeader {
        guard message.count >= WireLimits.headerBytes else {
            throw WireError(.badLength, "a message has 9 bytes of header, this one has \(message.count) in all")
        }
        guard message.count <= WireLimits.messageBytes else {
            throw WireError(.badLength, "payloads end at 2048 bytes, this one has \(message.count - 9)")
        }
        let length = Int(UInt16(littleEndian: message.loadUnaligned(fromByteOffset: 7, as: UInt16.self)))
        guard length == message.count - WireLimits.headerBytes else {
            throw WireError(.badLength, "the header says \(length) bytes of payload, \(message.count - 9) follow")
        }
        guard let type = MessageType(rawValue: message[0]) else {
            throw WireError(.badType, "unknown message type \(message[0])")
        }
        return MessageHeader(
            type: type,
            sequence: SerialNumber(
                UInt16(littleEndian: message.loadUnaligned(fromByteOffset: 1, as: UInt16.self))),
            timestampMilliseconds: UInt32(
                littleEndian: message.loadUnaligned(fromByteOffset: 3, as: UInt32.self)),
            length: length)
    }
}

/// A fault that one side tells the other before it closes, and the reason inside this side.
public struct WireError: Error, Equatable, Sendable {
    public enum Code: UInt16, Sendable {
        case badLength = 1
        case badType = 2
        case auth = 3
        case rateLimit = 4
        case `internal` = 5
        case badControl = 6
        case unexpected = 7
        case version = 8
        /// Another puck has this one's id and token, and is connected: the cards were copied.
        case duplicate = 9

        public var name: String {
            switch self {
            case .badLength: "BAD_LEN"
            case .badType: "BAD_TYPE"
            case .auth: "AUTH"
            case .rateLimit: "RATE_LIMIT"
            case .internal: "INTERNAL"
            case .badControl: "BAD_CONTROL"
            case .unexpected: "UNEXPECTED"
            case .version: "VERSION"
            case .duplicate: "DUPLICATE"
            }
        }
    }

    public var code: Code
    /// One English sentence for a log: what was found and what was expected.
    public var detail: String

    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// The payload of an `0xFF` message: `| code u16 | len u16 | UTF-8 |`. Over-long details are cut at 512 bytes.
    public func payload() -> [UInt8] {
        var text = Array(detail.utf8)
        if text.count > WireLimits.errorTextBytes {
            // Cut before the character that straddles the limit: continuation bytes are 10xxxxxx.
            var end = WireLimits.errorTextBytes
            while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
            text.removeSubrange(end...)
        }
        let length = UInt16(text.count)
        return [
            UInt8(truncatingIfNeeded: code.rawValue), UInt8(truncatingIfNeeded: code.rawValue >> 8),
            UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8),
        ] + text
    }

    /// What the other side said in an `0xFF` message. Itself tolerant: a broken error message still ends the link.
    public static func parse(payload: UnsafeRawBufferPointer) -> WireError {
        guard payload.count >= 4 else { return WireError(.badLength, "an error message without a code") }
        let raw = UInt16(payload[0]) | UInt16(payload[1]) << 8
        let length = min(Int(UInt16(payload[2]) | UInt16(payload[3]) << 8), payload.count - 4)
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: payload[4..<4 + length]), as: UTF8.self)
        return WireError(Code(rawValue: raw) ?? .internal, text)
    }
}

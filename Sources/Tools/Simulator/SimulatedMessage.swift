import PuckBase
import PuckWire

/// Which 20 ms of which recording an uplink packet holds. The recordings of a run are numbered through.
struct Sound: Equatable {
    var recording: Int32
    var index: Int32
}

/// Which packet of which answer a downlink packet holds. The answers of a run are numbered through.
struct AnswerPacket: Equatable {
    var answer: Int32
    var index: Int32
    var bytes: Int32
}

/// What travels.
enum Message {
    /// The upgrade was accepted: the puck's socket is open.
    case upgraded
    /// A whole message, as it is on the wire.
    case bytes([UInt8])
    /// The sender closed, in order, or its kernel did.
    case end

    /// What it takes of queues.
    var size: Int {
        switch self {
        case .upgraded: 200
        case .bytes(let bytes): bytes.count
        case .end: 0
        }
    }
}

/// Messages as bytes.
extension Message {
    private static func message(
        _ type: MessageType, _ sequence: SerialNumber, sentAt: Instant, length: Int,
        _ writePayload: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Message {
        let header = MessageHeader(
            type: type, sequence: sequence, timestampMilliseconds: sentAt.wireMilliseconds, length: length)
        var bytes = [UInt8](repeating: 0, count: WireLimits.headerBytes + length)
        bytes.withUnsafeMutableBytes { bytes in
            header.write(to: bytes)
            writePayload(UnsafeMutableRawBufferPointer(rebasing: bytes[WireLimits.headerBytes...]))
        }
        return .bytes(bytes)
    }

    private static func message(
        _ type: MessageType, _ sequence: SerialNumber, _ payload: [UInt8], sentAt: Instant
    ) -> Message {
        message(type, sequence, sentAt: sentAt, length: payload.count) { $0.copyBytes(from: payload) }
    }

    static func from(puck control: PuckControl, sentAt: Instant) -> Message {
        message(.control, .zero, control.payload(), sentAt: sentAt)
    }

    static func from(hub control: HubControl, _ sequence: SerialNumber, sentAt: Instant) -> Message {
        message(control.isStreamed ? .streamControl : .control, sequence, control.payload(), sentAt: sentAt)
    }

    static func error(_ error: WireError, sentAt: Instant) -> Message {
        message(.error, .zero, error.payload(), sentAt: sentAt)
    }

    static func sound(_ sound: Sound, _ sequence: SerialNumber, sentAt: Instant) -> Message {
        message(.uplinkOpus, sequence, sentAt: sentAt, length: VirtualOpus.soundBytes) {
            VirtualOpus.write(sound, to: $0)
        }
    }

    static func answer(_ packet: AnswerPacket, _ sequence: SerialNumber, sentAt: Instant) -> Message {
        message(.downlinkOpus, sequence, sentAt: sentAt, length: Int(packet.bytes)) {
            VirtualOpus.write(packet, to: $0)
        }
    }
}

/// Packets that look like mono Opus from outside (RFC 6716, 3.1) and hold two numbers in place of sound.
enum VirtualOpus {
    /// Configuration 9, mono, code 0: 20 ms of SILK at 16 kHz.
    private static let firstByte: UInt8 = 9 << 3
    private static let leastBytes = 9
    /// Of the uplink.
    static let soundBytes = 61

    static func write(_ sound: Sound, to bytes: UnsafeMutableRawBufferPointer) {
        write(sound.recording, sound.index, to: bytes)
    }

    static func write(_ packet: AnswerPacket, to bytes: UnsafeMutableRawBufferPointer) {
        write(packet.answer, packet.index, to: bytes)
    }

    static func sound(_ packet: UnsafeRawBufferPointer) -> Sound? {
        read(packet).map { Sound(recording: $0, index: $1) }
    }

    static func answer(_ packet: UnsafeRawBufferPointer) -> AnswerPacket? {
        read(packet).map { AnswerPacket(answer: $0, index: $1, bytes: Int32(packet.count)) }
    }

    private static func write(_ a: Int32, _ b: Int32, to bytes: UnsafeMutableRawBufferPointer) {
        bytes[0] = firstByte
        bytes.storeBytes(of: a.littleEndian, toByteOffset: 1, as: Int32.self)
        bytes.storeBytes(of: b.littleEndian, toByteOffset: 5, as: Int32.self)
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) -> (Int32, Int32)? {
        guard bytes.count >= leastBytes, bytes[0] == firstByte else { return nil }
        return (
            Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: Int32.self)),
            Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 5, as: Int32.self))
        )
    }
}

import PuckBase
import PuckCore

/// A number out of everything that happened, in order. Two runs that differ anywhere differ here.
struct TraceHash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    private mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x9e37_79b9_7f4a_7c15
        value ^= value >> 29
    }

    private mutating func mix(_ tag: UInt8, _ a: Int = 0, _ b: Int = 0) { mix(tag, a, Int64(b)) }

    // In 64 bits: the same run has the same number on a 32-bit machine.
    private mutating func mix(_ tag: UInt8, _ a: Int, _ b: Int64) {
        mix(UInt64(tag) << 56 ^ UInt64(truncatingIfNeeded: a) << 28 ^ UInt64(truncatingIfNeeded: b))
    }

    private mutating func mix(_ text: String) { for byte in text.utf8 { mix(UInt64(byte)) } }

    mutating func mix(_ observation: Observation, now: Instant) {
        mix(UInt64(truncatingIfNeeded: now.nanoseconds))
        switch observation {
        case .puckSentAudio(let puck, let connection, let sequence, let sound, _):
            mix(1, puck << 20 | connection, Int64(sequence.value) << 32 | Int64(sound.index))
        case .puckHeardAudio(let puck, let connection, let sequence, let packet):
            mix(2, puck << 20 | connection, Int64(sequence.value) << 32 | Int64(packet.index))
        case .hubSentAudio(let connection, let sequence, let packet):
            mix(3, connection, Int64(sequence.value) << 32 | Int64(packet.index))
        case .hubHeardAudio(let connection, let sequence, let sound):
            mix(4, connection, Int64(sequence.value) << 32 | Int64(sound.index))
        case .kept(_, let sound): mix(5, Int(sound.recording), Int(sound.index))
        case .encoded(let puck, let sound): mix(6, puck, Int(sound.index))
        case .played(let puck, let packet): mix(7, puck << 20 | Int(packet.answer), Int(packet.index))
        case .puckLogged(let puck, let record): mix(8, puck, record.fields.count)
        case .hubLogged(let record): mix(9, record.fields.count)
        case .puckSent(let puck, let connection, _): mix(10, puck, connection)
        case .puckHeard(let puck, let connection, _, let sequence):
            mix(11, puck << 20 | connection, Int(sequence.value))
        case .hubSent(let connection, _, let sequence): mix(12, connection, Int(sequence.value))
        case .hubHeard(let connection, _): mix(13, connection)
        case .forgotten(let conversation): mix(conversation)
        case .lights(let puck, let lights): mix(14, puck, lights.rawValue.utf8.count)
        case .produced(let answer, let count, _): mix(15, answer, count)
        case .faultStruck(let fault): mix(16, fault.ordinal, fault.puck)
        case .personActed(let act): mix(17, act.ordinal, act.puck)
        case .socketWanted(let puck): mix(18, puck)
        case .socketLost(let puck, _): mix(19, puck)
        case .candidateWanted(let puck): mix(21, puck)
        case .wakeFound(let puck, _, let isPerson): mix(23, puck, isPerson ? 1 : 0)
        case .hubKept(let puck): mix(22, puck)
        default: mix(20)
        }
    }
}

import CMath

/// The short sounds by which a puck tells its state. Each is a row of notes in a table below; nothing is recorded.
public enum Earcon: String, CaseIterable, Sendable {
    case listening, done, cancelled, failed, offline, online, muted, unmuted, volume

    /// A sine with a raised-cosine edge of 5 ms at both ends, so that it does not click.
    public struct Note: Equatable, Sendable {
        /// Hz; 0 is a pause.
        public var frequency: Float
        public var milliseconds: Int
    }

    /// Rising means "I am with you", falling means "I am leaving", two equal low notes mean "that did not work".
    public var notes: [Note] {
        switch self {
        case .listening: [Note(frequency: 660, milliseconds: 60), Note(frequency: 880, milliseconds: 90)]
        case .done: [Note(frequency: 880, milliseconds: 60), Note(frequency: 660, milliseconds: 90)]
        case .cancelled: [Note(frequency: 660, milliseconds: 60), Note(frequency: 440, milliseconds: 90)]
        case .failed:
            [
                Note(frequency: 330, milliseconds: 90), Note(frequency: 0, milliseconds: 60),
                Note(frequency: 330, milliseconds: 140),
            ]
        case .offline: [Note(frequency: 440, milliseconds: 120), Note(frequency: 294, milliseconds: 200)]
        case .online: [Note(frequency: 294, milliseconds: 120), Note(frequency: 440, milliseconds: 200)]
        case .muted: [Note(frequency: 392, milliseconds: 70), Note(frequency: 262, milliseconds: 120)]
        case .unmuted: [Note(frequency: 262, milliseconds: 70), Note(frequency: 392, milliseconds: 120)]
        case .volume: [Note(frequency: 784, milliseconds: 60)]
        }
    }

    /// Its tones, Hz.
    public var frequencies: [Float] {
        var all: [Float] = []
        for note in notes where note.frequency > 0 && !all.contains(note.frequency) { all.append(note.frequency) }
        return all
    }

    /// The samples, 16 kHz mono.
    /// - Parameter levelDecibels: peak level, dB relative to full scale; −60…0.
    public func samples(levelDecibels: Float) -> [Int16] {
        let peak = 32_767 * powf(10, min(0, levelDecibels) / 20)
        let edge = 80  // 5 ms
        var result: [Int16] = []
        for note in notes {
            let count = note.milliseconds * 16
            for i in 0..<count {
                let fromEnd = min(i, count - 1 - i)
                let envelope = fromEnd >= edge ? 1 : 0.5 - 0.5 * cosf(.pi * Float(fromEnd) / Float(edge))
                let phase = 2 * Float.pi * note.frequency * Float(i) / 16_000
                result.append(Int16((peak * envelope * sinf(phase)).rounded()))
            }
        }
        return result
    }
}

import CMath

/// Takes the tones of an earcon out of what the microphone hears: a narrow notch for each. A tone stays a tone in the
/// loudspeaker, in the room and in the microphone, however late and loud it arrives, so that nothing has to be aligned;
/// of a voice only half an octave around each is missing, for half a second.
///
/// Second-order notches (Robert Bristow-Johnson's Audio EQ Cookbook), at 16 kHz.
public struct EarconFilter: Sendable {
    /// Frequency over bandwidth. Narrower ones settle too slowly for an earcon's edges of 5 ms, wider ones cost vowels:
    /// measured over all earcons with three echoes, 5 takes away 14 to 17 dB, 3 takes 17 to 21, 2 takes 20 to 25.
    static let quality: Float = 3
    /// Notches at a time; the oldest go first.
    static let mostNotches = 6

    private struct Notch: Sendable {
        let frequency: Float
        let cosine: Float
        let alpha: Float
        var x1: Float = 0
        var x2: Float = 0
        var y1: Float = 0
        var y2: Float = 0

        init(_ frequency: Float) {
            self.frequency = frequency
            let omega = 2 * Float.pi * frequency / 16_000
            cosine = cosf(omega)
            alpha = sinf(omega) / (2 * EarconFilter.quality)
        }

        mutating func step(_ x: Float) -> Float {
            let y = (x - 2 * cosine * x1 + x2 + 2 * cosine * y1 - (1 - alpha) * y2) / (1 + alpha)
            (x2, x1, y2, y1) = (x1, x, y1, y)
            return y
        }
    }

    private var notches: [Notch] = []

    public init() {}

    /// Takes out these as well.
    /// - Parameter frequencies: Hz, above 0 and below 8,000.
    public mutating func add(_ frequencies: [Float]) {
        for frequency in frequencies where !notches.contains(where: { $0.frequency == frequency }) {
            if notches.count == Self.mostNotches { notches.removeFirst() }
            notches.append(Notch(frequency))
        }
    }

    public mutating func removeAll() { notches.removeAll(keepingCapacity: true) }

    /// The next samples, in place; they follow those of the last call.
    public mutating func process(_ samples: UnsafeMutableBufferPointer<Int16>) {
        for i in samples.indices {
            var value = Float(samples[i])
            for n in notches.indices { value = notches[n].step(value) }
            samples[i] = Int16(max(-32_768, min(32_767, value.rounded())))
        }
    }
}

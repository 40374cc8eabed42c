/// xorshift, 32 bits.
struct Random {
    var state: UInt32

    mutating func below(_ limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 17
        state ^= state << 5
        return Int(state % UInt32(limit))
    }
}

/// A seeded sound that resembles speech: pulses and noise through two resonators, pauses, levels from 1 to clipping.
/// Whole numbers only; Benchmarks/wake/sound.py makes the same for the reference.
struct SpeechLikeSound: Sequence, IteratorProtocol {
    private var random: Random
    private var left = 0
    private var kind = 0
    private var period = 0
    private var phase = 0
    private var level = 0
    private var a: Int64 = 0
    private var b: Int64 = 0
    private var y: (Int64, Int64) = (0, 0)
    private var z: (Int64, Int64) = (0, 0)

    init(seed: UInt32) { random = Random(state: seed) }

    mutating func next() -> Int16? {
        if left == 0 { beginSegment() }
        left -= 1
        var excitation = 0
        if kind >= 3 {
            phase += 1
            if phase >= period {
                phase = 0
                excitation = level * 2
            }
            excitation += (random.below(level + 1) - level / 2) >> 4
        } else if kind > 0 {
            excitation = (random.below(level + 1) - level / 2) >> 1
        }
        y = (Int64(excitation) + ((a * y.0 - 15_600 * y.1) >> 14), y.0)
        z = (y.0 + ((b * z.0 - 15_000 * z.1) >> 14), z.0)
        return Int16(clamping: z.0)
    }

    private mutating func beginSegment() {
        left = 800 + random.below(4_000)
        kind = random.below(8)
        period = 60 + random.below(120)
        level = 1 << random.below(14)
        a = Int64(14_000 + random.below(16_000))
        b = Int64(random.below(28_000) - 10_000)
    }
}

/// What saturates, overflows or is nothing: 2 s each of silence, the smallest number, both ends at random, a square wave,
/// white noise, the smallest noise, and one full sample in silence.
func extremeSound(seed: UInt32) -> [Int16] {
    var random = Random(state: seed)
    return (0..<7 * 32_000).map { i in
        switch i / 32_000 {
        case 0: 0
        case 1: .min
        case 2: random.below(2) != 0 ? .max : .min
        case 3: i / 8 % 2 != 0 ? .max : .min
        case 4: Int16(random.below(65_536) - 32_768)
        case 5: Int16(random.below(3) - 1)
        default: i % 32_000 == 16_000 ? .min : 0
        }
    }
}

/// FNV-1a, 32 bits.
struct Hash {
    private(set) var value: UInt32 = 2_166_136_261

    mutating func add(_ byte: UInt8) { value = (value ^ UInt32(byte)) &* 16_777_619 }

    mutating func add(_ number: UInt16) {
        add(UInt8(truncatingIfNeeded: number))
        add(UInt8(truncatingIfNeeded: number >> 8))
    }
}

/// Rows of 40 features, each of which goes up and down at random.
struct RestlessFeatures: Sequence, IteratorProtocol {
    private var random: Random
    private var row = [Int](repeating: 300, count: 40)

    init(seed: UInt32) { random = Random(state: seed) }

    mutating func next() -> [UInt16]? {
        for i in row.indices { row[i] = Swift.min(Swift.max(row[i] + random.below(81) - 40, 0), 670) }
        return row.map { UInt16($0) }
    }
}

/// A small, fast generator (SplitMix64, Steele et al. 2014) that every machine takes as an argument: the same seed
/// gives the same run. Not for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A seed out of a name, so that each puck of a house draws its own jitter (FNV-1a, 64 bits).
    public init(name: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        self.init(seed: hash)
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A number in −1…1, evenly spread.
    public mutating func nextSigned() -> Double { Double(Int64(bitPattern: next()) >> 11) / 0x1p52 }
}

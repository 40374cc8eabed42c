import CMath

/// Loudness of 16-bit samples, in dB relative to full scale (0 dB = a square wave at ±32,768). The floor is −90 dB,
/// below which 16-bit audio holds nothing but rounding.
public enum Level {
    public static var floorDecibels: Float { @_noLocks @_noAllocation get { -90 } }

    /// Sum of squares. At most 2³⁰ for each sample, so 2³³ samples fit.
    @_noLocks @_noAllocation
    public static func energy(_ samples: UnsafeBufferPointer<Int16>) -> Int64 {
        guard let base = samples.baseAddress else { return 0 }
        return sumOfSquares(base, samples.count)
    }

    /// The level of `count` samples with this sum of squares.
    @_noLocks @_noAllocation
    public static func decibels(energy: Int64, count: Int) -> Float {
        if energy <= 0 || count <= 0 { return floorDecibels }
        let power = Float(energy) / Float(count) / (32_768 * 32_768)
        return max(floorDecibels, 10 * commonLogarithm(power))
    }

    /// The level of a constant, or of a square wave, with this amplitude; 1 is full scale.
    @_noLocks @_noAllocation
    public static func decibels(amplitude: Float) -> Float {
        let size = amplitude.magnitude
        return size <= 0 ? floorDecibels : max(floorDecibels, 20 * commonLogarithm(size))
    }

    /// The factor on an amplitude that changes its level by so many decibels.
    public static func factor(decibels: Double) -> Double { pow(10, decibels / 20) }

    /// The other way round; for a factor above 0.
    public static func decibels(factor: Double) -> Double { 20 * log10(factor) }

    @_noLocks @_noAllocation
    public static func decibels(_ samples: UnsafeBufferPointer<Int16>) -> Float {
        decibels(energy: energy(samples), count: samples.count)
    }
}

/// How many samples are as large as a sample can be.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
public func samplesAtLimit(_ samples: UnsafeBufferPointer<Int16>) -> Int {
    var count = 0
    var i = 0
    while i < samples.count {
        if samples[i] == .max || samples[i] == .min { count &+= 1 }
        i &+= 1
    }
    return count
}

/// As all loops over samples optimized for speed: the shipped build optimizes for size (docs/BENCHMARKS.md). A function
/// of its own with nothing that the optimizer could specialize away, for a specialized copy would forget it.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
private func sumOfSquares(_ samples: UnsafePointer<Int16>, _ count: Int) -> Int64 {
    var sum: Int64 = 0
    var i = 0
    while i < count {
        let value = Int32(truncatingIfNeeded: samples[i])
        sum &+= Int64(truncatingIfNeeded: value &* value)
        i &+= 1
    }
    return sum
}

/// libm's log10f: pure, neither locks nor allocates (POSIX leaves only errno to it).
@_semantics("no_performance_analysis") @inline(never)
private func commonLogarithm(_ x: Float) -> Float { log10f(x) }

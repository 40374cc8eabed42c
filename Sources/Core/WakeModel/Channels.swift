// From samples to the transform, and from the spectrum to features.

/// Multiplies by the window, and parts the samples of even from those of odd positions.
/// - Returns: how many bits larger the largest could be made.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func applyWindow(
    _ input: UnsafePointer<Int16>, _ window: UnsafePointer<Int16>, re: UnsafeMutablePointer<Int16>,
    im: UnsafeMutablePointer<Int16>
) -> Int32 {
    typealias Lanes = SIMD8<Int16>
    let samples = UnsafeRawPointer(input).assumingMemoryBound(to: Lanes.self)
    let factors = UnsafeRawPointer(window).assumingMemoryBound(to: Lanes.self)
    let even = UnsafeMutableRawPointer(re).assumingMemoryBound(to: Lanes.self)
    let odd = UnsafeMutableRawPointer(im).assumingMemoryBound(to: Lanes.self)
    var largest = Lanes(repeating: 0)
    var i = 0
    while i < 30 {
        let a = shifted(samples[2 &* i], factors[2 &* i])
        let b = shifted(samples[2 &* i &+ 1], factors[2 &* i &+ 1])
        even[i] = Lanes(a[0], a[2], a[4], a[6], b[0], b[2], b[4], b[6])
        odd[i] = Lanes(a[1], a[3], a[5], a[7], b[1], b[3], b[5], b[7])
        // −32,768 has no magnitude and does not count, as in the reference.
        largest = larger(larger(largest, larger(a, 0 &- a)), larger(b, 0 &- b))
        i &+= 1
    }
    // The transform is of 512.
    even[30] = Lanes(repeating: 0)
    even[31] = Lanes(repeating: 0)
    odd[30] = Lanes(repeating: 0)
    odd[31] = Lanes(repeating: 0)
    let magnitude = UInt16(truncatingIfNeeded: largest.max())
    return 15 &- (16 &- Int32(truncatingIfNeeded: magnitude.leadingZeroBitCount))
}

/// The product with a factor that has 12 bits after the point, out of its upper and lower halves.
@_noLocks @_noAllocation @inline(__always)
private func shifted(_ value: SIMD8<Int16>, _ factor: SIMD8<Int16>) -> SIMD8<Int16> {
    (highProduct(value, factor) &<< 4) | shiftedDown(value &* factor, by: 12)
}

@_noLocks @_noAllocation @inline(__always)
private func larger(_ a: SIMD8<Int16>, _ b: SIMD8<Int16>) -> SIMD8<Int16> { a.replacing(with: b, where: b .> a) }

/// Each channel's amplitude: the root of the weighted sum of energies. A frequency between two channels counts for
/// both, with weights that add up to 4,096.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func accumulateChannels(_ memory: Memory, shift: UInt64) {
    let widths = memory.widths
    let signal = memory.signal
    var energy = memory.energy + Tables.firstFrequency
    var weight = memory.weights
    var fromBelow: Int64 = 0
    var channel = 0
    while channel <= 40 {
        var weighted: Int64 = 0
        var all: Int64 = 0
        let end = energy + Int(truncatingIfNeeded: widths[channel])
        while energy < end {
            // Signed, as the reference's: it reads an energy of 2³¹ as negative.
            let value = Int64(truncatingIfNeeded: energy.pointee)
            weighted &+= value &* Int64(truncatingIfNeeded: weight.pointee)
            all &+= value
            energy += 1
            weight += 1
        }
        if channel > 0 {
            signal[channel &- 1] = UInt32(
                truncatingIfNeeded: root(UInt64(bitPattern: fromBelow &+ weighted)) &>> shift)
        }
        fromBelow = (all &<< 12) &- weighted
        channel &+= 1
    }
}

/// The rounded square root, as the reference rounds: up beyond the half, and not at all at 65,535 when `value` has 32
/// bits.
@_noLocks @_noAllocation @inline(__always)
func root(_ value: UInt64) -> UInt64 {
    // In double precision the root of less than 2⁵² never comes out at the next whole number.
    guard value < 0x10_0000_0000_0000 else { return wideRoot(value) }
    let root = UInt64(truncatingIfNeeded: Int64(squareRoot(Double(Int64(truncatingIfNeeded: value)))))
    if value &- root &* root > root, value >> 32 != 0 || root != 0xffff { return root &+ 1 }
    return root
}

/// One instruction, or a pure function where there is no such instruction: the compiler cannot look inside.
@_semantics("no_performance_analysis") @inline(never)
private func squareRoot(_ value: Double) -> Double { value.squareRoot() }

/// The same for any value, bit by bit.
@_noLocks @_noAllocation @inline(never)
func wideRoot(_ value: UInt64) -> UInt64 {
    var left = value
    var root: UInt64 = 0
    var bit = UInt64(1) << 62
    while bit > left { bit &>>= 2 }
    while bit != 0 {
        if left >= root &+ bit {
            left &-= root &+ bit
            root = (root &>> 1) &+ bit
        } else {
            root &>>= 1
        }
        bit &>>= 2
    }
    return left > root && root != 0xffff_ffff ? root &+ 1 : root
}

/// Noise reduction, gain control and logarithm of each channel.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func reduceNoise(_ memory: Memory) {
    let signal = memory.signal
    let noise = memory.noise
    let features = memory.features
    var channel = 0
    while channel < 40 {
        // 0.025 and 0.06 with 14 bits after the point: how fast the estimate of noise follows.
        let smoothing: UInt64 = channel & 1 == 0 ? 409 : 983
        let value = signal[channel]
        let scaled = value &<< 10
        let estimate = UInt32(
            truncatingIfNeeded: (UInt64(scaled) &* smoothing &+ UInt64(noise[channel]) &* (16_384 &- smoothing)) &>> 14)
        noise[channel] = estimate
        // A twentieth of the signal is left, however much is noise.
        let least = UInt32(truncatingIfNeeded: (UInt64(value) &* 819) &>> 14)
        let reduced = max((scaled &- min(estimate, scaled)) &>> 10, least)
        let gain = UInt32(truncatingIfNeeded: Int32(truncatingIfNeeded: noiseGain(estimate, memory.gains)))
        let ratio = UInt32(truncatingIfNeeded: (UInt64(reduced) &* UInt64(gain)) &>> 6)
        // Small ratios are squared, large ones shifted down: 6 bits after the point.
        let shrunk = ratio < 8_192 ? (ratio &* ratio) &>> 20 : (ratio &>> 6) &- 64
        features[channel] = logarithm(shrunk &<< 3, memory.logarithms)
        channel &+= 1
    }
}

/// (noise + 80)^−0.95, by parabolas between powers of two.
@_noLocks @_noAllocation @inline(__always)
private func noiseGain(_ noise: UInt32, _ table: UnsafePointer<Int16>) -> Int16 {
    if noise <= 2 { return table[Int(truncatingIfNeeded: noise)] }
    let interval = UInt32(truncatingIfNeeded: 32 &- noise.leadingZeroBitCount)
    let entry = table + (4 &* Int(truncatingIfNeeded: interval) &- 6)
    let position = Int32(
        truncatingIfNeeded: (interval < 11 ? noise &<< (11 &- interval) : noise &>> (interval &- 11)) & 0x3ff)
    var result = (Int32(truncatingIfNeeded: entry[2]) &* position) &>> 5
    result &+= Int32(truncatingIfNeeded: entry[1]) &<< 5
    result = (result &* position &+ 16_384) &>> 15
    return Int16(truncatingIfNeeded: result &+ Int32(truncatingIfNeeded: entry[0]))
}

/// 64 times the natural logarithm.
@_noLocks @_noAllocation @inline(__always)
private func logarithm(_ value: UInt32, _ table: UnsafePointer<UInt16>) -> UInt16 {
    if value <= 1 { return 0 }
    let whole = UInt32(truncatingIfNeeded: 31 &- value.leadingZeroBitCount)
    let rest = value &- (UInt32(1) &<< whole)
    let fraction = whole < 16 ? rest &<< (16 &- whole) : rest &>> (whole &- 16)
    let segment = Int(truncatingIfNeeded: fraction &>> 9)
    let below = Int32(truncatingIfNeeded: table[segment])
    let above = Int32(truncatingIfNeeded: table[segment &+ 1])
    let between = ((above &- below) &* Int32(truncatingIfNeeded: fraction & 511)) &>> 16
    let binary = (whole &<< 16) &+ fraction &+ UInt32(truncatingIfNeeded: below &+ between)
    // ln 2 with 16 bits after the point.
    let natural = UInt32(truncatingIfNeeded: (45_426 &* UInt64(binary) &+ 32_768) &>> 16)
    let scaled = ((natural &<< 6) &+ 32_768) &>> 16
    return UInt16(truncatingIfNeeded: min(scaled, 65_535))
}

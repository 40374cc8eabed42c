// The front end's Fourier transform: 512 real samples, 16 bits, the same to the bit as kissfft's fixed point: radix 4,
// each stage divides by 4 before it adds, products are rounded to 15 bits after the point, sums wrap around.
//
// kissfft computes one butterfly after the other. Here the numbers lie so that eight butterflies that follow each other
// are eight lanes of a vector: the first two stages go along the position inside the input, the last two along the
// frequency, and between them the square of 16 × 16 is transposed. Each number takes the same operations as there.

private typealias Lanes = SIMD8<Int16>
private typealias Wide = SIMD8<Int32>

/// The factors of the stages after the first (which has none), each as its products need it.
enum Twiddles {
    // A factor c + id, for the product of 8 complex numbers: 8 pairs (c, −d) for the real part, then 8 pairs (d, c).
    static var lanes: Int { @_noLocks @_noAllocation get { 32 } }
    /// Second stage: for each of 4 frequencies 3 factors, the same in all lanes.
    static var second: Int { @_noLocks @_noAllocation get { 0 } }
    /// Third: for 16 frequencies, by 8; fourth: for 64, by 8.
    static var third: Int { @_noLocks @_noAllocation get { second + 4 * 3 * lanes } }
    static var fourth: Int { @_noLocks @_noAllocation get { third + 2 * 3 * lanes } }
    /// From 256 complex numbers to 512 real ones: for the frequencies 1 to 128.
    static var last: Int { @_noLocks @_noAllocation get { fourth + 8 * 3 * lanes } }
    /// A quarter and a half as kissfft has them, in all lanes.
    static var quarter: Int { @_noLocks @_noAllocation get { last + 16 * lanes } }
    static var half: Int { @_noLocks @_noAllocation get { quarter + 8 } }
    static var count: Int { @_noLocks @_noAllocation get { half + 8 } }

    static func fill(_ target: UnsafeMutablePointer<Int16>) {
        var next = target
        func put(_ angles: (Int) -> Int) {
            for lane in 0..<8 {
                let (c, d) = factor(angles(lane))
                next[2 * lane] = c
                next[2 * lane + 1] = 0 &- d
                next[16 + 2 * lane] = d
                next[16 + 2 * lane + 1] = c
            }
            next += lanes
        }
        for k in 0..<4 { for q in 1...3 { put { _ in 2 * q * 16 * k } } }
        for k in [0, 8] { for q in 1...3 { put { 2 * q * 4 * (k + $0) } } }
        for k in stride(from: 0, to: 64, by: 8) { for q in 1...3 { put { 2 * q * (k + $0) } } }
        // e^(−iπ((k + 1)/256 + ½)): a quarter turn and k + 1 steps.
        for k in stride(from: 0, to: 128, by: 8) { put { 128 + k + $0 + 1 } }
        (target + quarter).update(repeating: 8_191, count: 8)
        (target + half).update(repeating: 16_383, count: 8)
    }

    /// e^(−2πi·step/512), 15 bits after the point, out of a quarter of a cosine.
    private static func factor(_ step: Int) -> (Int16, Int16) {
        (cosine(step), cosine(step + 128))
    }

    private static func cosine(_ step: Int) -> Int16 {
        let step = step & 511
        switch step {
        case 0...128: return Tables.cosines[step]
        case 129...256: return 0 - Tables.cosines[256 - step]
        case 257...384: return 0 - Tables.cosines[step - 256]
        default: return Tables.cosines[512 - step]
        }
    }
}

/// The 256 complex numbers of `memory.re`, `im`, each multiplied by `gain` first, become their spectrum in `re`, `im`.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func transform(_ memory: Memory, gain: Int16) {
    let re = UnsafeMutableRawPointer(memory.re).assumingMemoryBound(to: Lanes.self)
    let im = UnsafeMutableRawPointer(memory.im).assumingMemoryBound(to: Lanes.self)
    let re2 = UnsafeMutableRawPointer(memory.re2).assumingMemoryBound(to: Lanes.self)
    let im2 = UnsafeMutableRawPointer(memory.im2).assumingMemoryBound(to: Lanes.self)
    let twiddles = UnsafeRawPointer(memory.twiddles).assumingMemoryBound(to: Lanes.self)
    let quarter = twiddles[Twiddles.quarter >> 3]
    let factor = Lanes(repeating: gain)

    // First: position n with n + 64, n + 128, n + 192, eight n at a time. Frequency k goes to row k of 64.
    var i = 0
    while i < 8 {
        butterfly(
            Complex(scaled(re[i] &* factor, quarter), scaled(im[i] &* factor, quarter)),
            Complex(scaled(re[i &+ 8] &* factor, quarter), scaled(im[i &+ 8] &* factor, quarter)),
            Complex(scaled(re[i &+ 16] &* factor, quarter), scaled(im[i &+ 16] &* factor, quarter)),
            Complex(scaled(re[i &+ 24] &* factor, quarter), scaled(im[i &+ 24] &* factor, quarter)),
            re2 + i, im2 + i, 8)
        i &+= 1
    }
    // Second: in row k, n with n + 16, n + 32, n + 48. Frequency k + 4q goes to row k + 4q of 16.
    var k = 0
    while k < 4 {
        let t = twiddles + (Twiddles.second >> 3) + 12 &* k
        i = 0
        while i < 2 {
            let at = 8 &* k &+ i
            butterfly(
                Complex(scaled(re2[at], quarter), scaled(im2[at], quarter)),
                product(re2[at &+ 2], im2[at &+ 2], quarter, t),
                product(re2[at &+ 4], im2[at &+ 4], quarter, t + 4),
                product(re2[at &+ 6], im2[at &+ 6], quarter, t + 8),
                re + (2 &* k &+ i), im + (2 &* k &+ i), 8)
            i &+= 1
        }
        k &+= 1
    }
    transpose(memory.re, memory.re2)
    transpose(memory.im, memory.im2)
    // Third: rows n, n + 4, n + 8, n + 12 of 16 frequencies. Frequency k + 16q goes to row n of 64.
    var n = 0
    while n < 4 {
        i = 0
        while i < 2 {
            let t = twiddles + (Twiddles.third >> 3) + 12 &* i
            let at = 2 &* n &+ i
            butterfly(
                Complex(scaled(re2[at], quarter), scaled(im2[at], quarter)),
                product(re2[at &+ 8], im2[at &+ 8], quarter, t),
                product(re2[at &+ 16], im2[at &+ 16], quarter, t + 4),
                product(re2[at &+ 24], im2[at &+ 24], quarter, t + 8),
                re + (8 &* n &+ i), im + (8 &* n &+ i), 2)
            i &+= 1
        }
        n &+= 1
    }
    // Fourth: the four rows of 64 frequencies.
    i = 0
    while i < 8 {
        let t = twiddles + (Twiddles.fourth >> 3) + 12 &* i
        butterfly(
            Complex(scaled(re[i], quarter), scaled(im[i], quarter)),
            product(re[i &+ 8], im[i &+ 8], quarter, t),
            product(re[i &+ 16], im[i &+ 16], quarter, t + 4),
            product(re[i &+ 24], im[i &+ 24], quarter, t + 8),
            re2 + i, im2 + i, 8)
        i &+= 1
    }
}

/// From the spectrum of 256 complex numbers (`re2`, `im2`) to the energy of the frequencies 1 to 255 of 512 real ones.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func spectrumEnergy(_ memory: Memory) {
    let re = UnsafeRawPointer(memory.re2)
    let im = UnsafeRawPointer(memory.im2)
    let low = UnsafeMutableRawPointer(memory.energy)
    let twiddles =
        UnsafeRawPointer(memory.twiddles).assumingMemoryBound(to: Lanes.self)
        + (Twiddles.last >> 3)
    let half = twiddles[(Twiddles.half - Twiddles.last) >> 3]
    var i = 0
    while i < 16 {
        // Frequencies k…k + 7, and as many below 256 − k.
        let k = 8 &* i &+ 1
        let mirror = 249 &- k
        let a = Complex(
            scaled(re.loadUnaligned(fromByteOffset: 2 &* k, as: Lanes.self), half),
            scaled(im.loadUnaligned(fromByteOffset: 2 &* k, as: Lanes.self), half))
        let b = Complex(
            scaled(reversed(re.loadUnaligned(fromByteOffset: 2 &* mirror, as: Lanes.self)), half),
            scaled(0 &- reversed(im.loadUnaligned(fromByteOffset: 2 &* mirror, as: Lanes.self)), half))
        let sum = Complex(a.re &+ b.re, a.im &+ b.im)
        // Up to 32,768, so that the product has 32 bits; rounded and cut to 16.
        let sums = wideProduct(
            lowPairs(a.re &- b.re, a.im &- b.im), highPairs(a.re &- b.re, a.im &- b.im), twiddles + 4 &* i)
        let sumRe = wide(sum.re)
        let sumIm = wide(sum.im)
        let turnedRe = wide(narrow((sums.re &+ 16_384) &>> 15))
        let turnedIm = wide(narrow((sums.im &+ 16_384) &>> 15))
        low.storeBytes(
            of: magnitude((sumRe &+ turnedRe) &>> 1, (sumIm &+ turnedIm) &>> 1), toByteOffset: 4 &* k, as: Wide.self)
        low.storeBytes(
            of: reversed(magnitude((sumRe &- turnedRe) &>> 1, (turnedIm &- sumIm) &>> 1)), toByteOffset: 4 &* mirror,
            as: Wide.self)
        i &+= 1
    }
}

private struct Complex {
    var re: Lanes
    var im: Lanes
    @_noLocks @_noAllocation @inline(__always)
    init(_ re: Lanes, _ im: Lanes) {
        self.re = re
        self.im = im
    }
}

/// Four numbers, all but the first multiplied by their factors already, to four frequencies `rows` vectors apart.
@_noLocks @_noAllocation @inline(__always)
private func butterfly(
    _ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex, _ re: UnsafeMutablePointer<Lanes>,
    _ im: UnsafeMutablePointer<Lanes>, _ rows: Int
) {
    let evenRe = a.re &+ c.re
    let evenIm = a.im &+ c.im
    let oddRe = a.re &- c.re
    let oddIm = a.im &- c.im
    let sumRe = b.re &+ d.re
    let sumIm = b.im &+ d.im
    let differenceRe = b.re &- d.re
    let differenceIm = b.im &- d.im
    re[0] = evenRe &+ sumRe
    im[0] = evenIm &+ sumIm
    re[rows] = oddRe &+ differenceIm
    im[rows] = oddIm &- differenceRe
    re[2 &* rows] = evenRe &- sumRe
    im[2 &* rows] = evenIm &- sumIm
    re[3 &* rows] = oddRe &- differenceIm
    im[3 &* rows] = oddIm &+ differenceRe
}

/// Real and imaginary parts side by side, for processors that multiply pairs and add each in one instruction.
@_noLocks @_noAllocation @inline(__always)
private func lowPairs(_ re: Lanes, _ im: Lanes) -> Lanes {
    Lanes(re[0], im[0], re[1], im[1], re[2], im[2], re[3], im[3])
}
@_noLocks @_noAllocation @inline(__always)
private func highPairs(_ re: Lanes, _ im: Lanes) -> Lanes {
    Lanes(re[4], im[4], re[5], im[5], re[6], im[6], re[7], im[7])
}

/// The product of 8 numbers, as pairs, with their factors; 15 bits after the point more.
@_noLocks @_noAllocation @inline(__always)
private func wideProduct(_ lowPairs: Lanes, _ highPairs: Lanes, _ factors: UnsafePointer<Lanes>) -> (re: Wide, im: Wide)
{
    let low = wide(lowPairs)
    let high = wide(highPairs)
    let a = low &* wide(factors[0])
    let b = high &* wide(factors[1])
    let c = low &* wide(factors[2])
    let d = high &* wide(factors[3])
    return (
        Wide(lowHalf: a.evenHalf &+ a.oddHalf, highHalf: b.evenHalf &+ b.oddHalf),
        Wide(lowHalf: c.evenHalf &+ c.oddHalf, highHalf: d.evenHalf &+ d.oddHalf)
    )
}

/// A quarter of 8 numbers, multiplied by their factors and rounded. A quarter is at most 8,192, so that twice the
/// product fits 32 bits, and its upper half is what is looked for.
@_noLocks @_noAllocation @inline(__always)
private func product(_ re: Lanes, _ im: Lanes, _ quarter: Lanes, _ factors: UnsafePointer<Lanes>) -> Complex {
    let sums = wideProduct(scaled(lowPairs(re, im), quarter), scaled(highPairs(re, im), quarter), factors)
    return Complex(
        narrow((sums.re &+ sums.re &+ 32_768) &>> 16),
        narrow((sums.im &+ sums.im &+ 32_768) &>> 16))
}

/// kissfft's division by 4 and by 2 is a rounded product with 8,191 and 16,383: out of the upper and lower halves of
/// the product, in half the instructions of doing it with 32 bits. The factor is read
/// from memory, for the compiler makes shifts of one that it knows.
@_noLocks @_noAllocation @inline(__always)
private func scaled(_ value: Lanes, _ factor: Lanes) -> Lanes {
    let high = highProduct(value, factor)
    return high &+ high &+ shiftedDown(shiftedDown(value &* factor, by: 14) &+ 1, by: 1)
}

@_noLocks @_noAllocation @inline(__always)
private func magnitude(_ re: Wide, _ im: Wide) -> Wide {
    // Cut to 16 bits, as the reference keeps them.
    let a = wide(narrow(re))
    let b = wide(narrow(im))
    return a &* a &+ b &* b
}

@_noLocks @_noAllocation @inline(__always)
private func reversed(_ v: Lanes) -> Lanes { Lanes(v[7], v[6], v[5], v[4], v[3], v[2], v[1], v[0]) }
@_noLocks @_noAllocation @inline(__always)
private func reversed(_ v: Wide) -> Wide { Wide(v[7], v[6], v[5], v[4], v[3], v[2], v[1], v[0]) }

/// 16 × 16 numbers, rows to columns.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
private func transpose(_ source: UnsafePointer<Int16>, _ target: UnsafeMutablePointer<Int16>) {
    var row = 0
    while row < 16 {
        var column = 0
        while column < 16 {
            target[16 &* column &+ row] = source[16 &* row &+ column]
            column &+= 1
        }
        row &+= 1
    }
}

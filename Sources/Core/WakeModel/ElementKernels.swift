// The loops over single numbers, and those that copy.

/// Goes through all places of up to five dimensions, the innermost fastest, with two offsets.
struct Walk {
    private let counts: Dimensions
    private let first: Dimensions
    private let second: Dimensions
    private var place: (Int32, Int32, Int32, Int32, Int32) = (0, 0, 0, 0, 0)
    private(set) var offsets: (Int32, Int32) = (0, 0)

    @_noLocks @_noAllocation
    init(_ counts: Dimensions, _ first: Dimensions, _ second: Dimensions) {
        self.counts = counts
        self.first = first
        self.second = second
    }

    /// - Returns: false after the last place.
    @_noLocks @_noAllocation @inline(__always)
    mutating func next() -> Bool {
        let (c, a, b) = (counts.values, first.values, second.values)
        if advance(&place.4, &offsets, c.4, a.4, b.4) { return true }
        if advance(&place.3, &offsets, c.3, a.3, b.3) { return true }
        if advance(&place.2, &offsets, c.2, a.2, b.2) { return true }
        if advance(&place.1, &offsets, c.1, a.1, b.1) { return true }
        return advance(&place.0, &offsets, c.0, a.0, b.0)
    }
}

/// One step in a dimension; at its end back to its beginning, and false.
@_noLocks @_noAllocation @inline(__always)
private func advance(_ place: inout Int32, _ offsets: inout (Int32, Int32), _ count: Int32, _ a: Int32, _ b: Int32)
    -> Bool
{
    place &+= 1
    offsets.0 &+= a
    offsets.1 &+= b
    if place < count { return true }
    offsets.0 &-= a &* count
    offsets.1 &-= b &* count
    place = 0
    return false
}

@_noLocks @_noAllocation @inline(__always)
private func at<T>(_ base: UnsafeMutableRawPointer, _ offset: Int32, _ type: T.Type) -> UnsafeMutablePointer<T> {
    (base + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: type)
}

@_noLocks @_noAllocation @inline(__always)
private func int(_ value: Int32) -> Int { Int(truncatingIfNeeded: value) }

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func copyRuns(_ step: UnsafePointer<CopyStep>, _ base: UnsafeMutableRawPointer) {
    let run = int(step.pointee.run)
    let source = base + int(step.pointee.source)
    let target = base + int(step.pointee.target)
    // Most have at most one dimension of runs.
    let counts = step.pointee.counts.values
    if counts.0 &* counts.1 &* counts.2 &* counts.3 == 1 {
        var i: Int32 = 0
        while i < counts.4 {
            copyRun(
                source + int(i &* step.pointee.sourceStrides.values.4),
                target + int(i &* step.pointee.targetStrides.values.4), run)
            i &+= 1
        }
        return
    }
    var walk = Walk(step.pointee.counts, step.pointee.sourceStrides, step.pointee.targetStrides)
    repeat {
        copyRun(source + int(walk.offsets.0), target + int(walk.offsets.1), run)
    } while walk.next()
}

/// Of different places, forwards; never a byte more than asked for.
@_noLocks @_noAllocation @inline(__always)
private func copyRun(_ source: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int) {
    var i = 0
    while i &+ 64 <= count {
        let bytes = source.loadUnaligned(fromByteOffset: i, as: SIMD64<UInt8>.self)
        target.storeBytes(of: bytes, toByteOffset: i, as: SIMD64<UInt8>.self)
        i &+= 64
    }
    while i &+ 16 <= count {
        let bytes = source.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self)
        target.storeBytes(of: bytes, toByteOffset: i, as: SIMD16<UInt8>.self)
        i &+= 16
    }
    while i < count {
        target.storeBytes(of: source.load(fromByteOffset: i, as: UInt8.self), toByteOffset: i, as: UInt8.self)
        i &+= 1
    }
}

@_noLocks @_noAllocation
func fill(_ target: UnsafeMutableRawPointer, _ count: Int32, _ value: UInt8) {
    var i = 0
    while i < int(count) {
        target.storeBytes(of: value, toByteOffset: i, as: UInt8.self)
        i &+= 1
    }
}

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func combine(_ step: UnsafePointer<PairStep>, _ base: UnsafeMutableRawPointer) {
    let first = at(base, step.pointee.first, Int8.self)
    let second = at(base, step.pointee.second, Int8.self)
    var output = at(base, step.pointee.output, UInt8.self)
    var inRun: Int32 = 0
    var walk = Walk(step.pointee.counts, step.pointee.firstStrides, step.pointee.secondStrides)
    repeat {
        let a = Int32(truncatingIfNeeded: first[int(walk.offsets.0)]) &- step.pointee.firstZeroPoint
        let b = Int32(truncatingIfNeeded: second[int(walk.offsets.1)]) &- step.pointee.secondZeroPoint
        let value: Int32
        if step.pointee.multiplies {
            value = a &* b
        } else if inRun >= step.pointee.vectorRun {
            value = step.pointee.firstScale(a &<< 20) &+ step.pointee.secondScale(b &<< 20)
        } else if step.pointee.isConstantAlongRun {
            value = step.pointee.firstScale.cutOff(a &<< 20) &+ step.pointee.secondScale.cutOff(b &<< 20)
        } else {
            value = step.pointee.firstScale.roundedOnce(a &<< 20) &+ step.pointee.secondScale.roundedOnce(b &<< 20)
        }
        output.pointee = step.pointee.range(step.pointee.scale(value))
        output += 1
        inRun = inRun &+ 1 < step.pointee.run ? inRun &+ 1 : 0
    } while walk.next()
}

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func average(_ step: UnsafePointer<MeanStep>, _ base: UnsafeMutableRawPointer) {
    let input = at(base, step.pointee.input, Int8.self)
    var output = at(base, step.pointee.output, UInt8.self)
    var channel: Int32 = 0
    var walk = Walk(step.pointee.counts, step.pointee.strides, step.pointee.strides)
    repeat {
        var inner = Walk(step.pointee.summedCounts, step.pointee.summedStrides, step.pointee.summedStrides)
        var sum: Int32 = 0
        repeat {
            sum &+= Int32(truncatingIfNeeded: input[int(walk.offsets.0 &+ inner.offsets.0)])
        } while inner.next()
        sum &+= step.pointee.offset
        let isVector = channel < step.pointee.vectorDepth
        output.pointee = step.pointee.range(isVector ? step.pointee.scale(sum) : step.pointee.tailScale(sum))
        output += 1
        channel = channel &+ 1 < step.pointee.depth ? channel &+ 1 : 0
    } while walk.next()
}

@_noLocks @_noAllocation
func translate(_ step: UnsafePointer<TableStep>, _ base: UnsafeMutableRawPointer) {
    let input = at(base, step.pointee.input, UInt8.self)
    let output = at(base, step.pointee.output, UInt8.self)
    let table = at(base, step.pointee.table, UInt8.self)
    let tailTable = at(base, step.pointee.tailTable, UInt8.self)
    var i = 0
    while i < int(step.pointee.count) {
        let place = int(Int32(truncatingIfNeeded: input[i]))
        output[i] = i < int(step.pointee.vectorCount) ? table[place] : tailTable[place]
        i &+= 1
    }
}

/// As TensorFlow Lite: vectors of 8 by the inverse of the scale, rounded half to even; what is left over in double
/// precision, half away from zero. What is no number becomes the least.
@_noLocks @_noAllocation
func quantize(
    _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<UInt8>, _ count: Int32, _ scale: Float,
    _ range: OutputRange
) {
    let inverse = 1 / scale
    var i = 0
    while i < int(count) {
        let isVector = i < int(count & ~7)
        let steps = isVector ? Double(input[i] * inverse) : Double(input[i]) / Double(scale)
        // Compared this way round, NaN is cut as well.
        let cut = steps > -1_024 ? (steps < 1_024 ? steps : 1_024) : -1_024
        let away = Int32(cut + (cut < 0 ? -0.5 : 0.5))
        // Adding this much leaves no bits after the point, rounded half to even.
        let even = Int32((cut + 0x1.8p52) - 0x1.8p52)
        output[i] = range(isVector ? even : away)
        i &+= 1
    }
}

@_noLocks @_noAllocation
func dequantize(
    _ input: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<Float>, _ count: Int32, _ scale: Float,
    _ zeroPoint: Int32, _ isUnsigned: Bool
) {
    var i = 0
    while i < int(count) {
        let byte = input[i]
        let value =
            isUnsigned ? Int32(truncatingIfNeeded: byte) : Int32(truncatingIfNeeded: Int8(truncatingIfNeeded: byte))
        output[i] = scale * Float(value &- zeroPoint)
        i &+= 1
    }
}

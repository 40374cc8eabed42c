// Conversions of vectors, lane by lane, which the compiler makes one or two instructions of. The standard library's are
// loops that it does not always put in place, and a call for eight numbers costs more than the work.

@_noLocks @_noAllocation @inline(__always)
func wide(_ v: SIMD8<Int16>) -> SIMD8<Int32> {
    SIMD8<Int32>(
        Int32(truncatingIfNeeded: v[0]), Int32(truncatingIfNeeded: v[1]), Int32(truncatingIfNeeded: v[2]),
        Int32(truncatingIfNeeded: v[3]), Int32(truncatingIfNeeded: v[4]), Int32(truncatingIfNeeded: v[5]),
        Int32(truncatingIfNeeded: v[6]), Int32(truncatingIfNeeded: v[7]))
}

@_noLocks @_noAllocation @inline(__always)
func wide(_ v: SIMD8<Int8>) -> SIMD8<Int16> {
    SIMD8<Int16>(
        Int16(truncatingIfNeeded: v[0]), Int16(truncatingIfNeeded: v[1]), Int16(truncatingIfNeeded: v[2]),
        Int16(truncatingIfNeeded: v[3]), Int16(truncatingIfNeeded: v[4]), Int16(truncatingIfNeeded: v[5]),
        Int16(truncatingIfNeeded: v[6]), Int16(truncatingIfNeeded: v[7]))
}

/// Cut to the lower 16 bits.
@_noLocks @_noAllocation @inline(__always)
func narrow(_ v: SIMD8<Int32>) -> SIMD8<Int16> {
    SIMD8<Int16>(
        Int16(truncatingIfNeeded: v[0]), Int16(truncatingIfNeeded: v[1]), Int16(truncatingIfNeeded: v[2]),
        Int16(truncatingIfNeeded: v[3]), Int16(truncatingIfNeeded: v[4]), Int16(truncatingIfNeeded: v[5]),
        Int16(truncatingIfNeeded: v[6]), Int16(truncatingIfNeeded: v[7]))
}

/// The upper 16 bits of the products.
@_noLocks @_noAllocation @inline(__always)
func highProduct(_ a: SIMD8<Int16>, _ b: SIMD8<Int16>) -> SIMD8<Int16> { narrow((wide(a) &* wide(b)) &>> 16) }

/// The bits shifted down without their sign.
@_noLocks @_noAllocation @inline(__always)
func shiftedDown(_ v: SIMD8<Int16>, by bits: UInt16) -> SIMD8<Int16> {
    unsafeBitCast(unsafeBitCast(v, to: SIMD8<UInt16>.self) &>> SIMD8(repeating: bits), to: SIMD8<Int16>.self)
}

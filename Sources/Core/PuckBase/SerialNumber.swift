/// A 16-bit wire sequence number that wraps, compared as RFC 1982 says: `a` is before `b` when the shortest way round
/// the circle from `a` to `b` goes up. Two numbers exactly 32,768 apart have no order (RFC 1982, 3.2); `isBefore`
/// is then false both ways, and callers keep their windows far below that.
public struct SerialNumber: Hashable, Sendable {
    public var value: UInt16

    public init(_ value: UInt16) { self.value = value }

    public static let zero = SerialNumber(0)

    public var next: SerialNumber { SerialNumber(value &+ 1) }

    /// How far `other` lies ahead of this number: −32,768…32,767.
    public func distance(to other: SerialNumber) -> Int { Int(Int16(bitPattern: other.value &- value)) }

    public func advanced(by n: Int) -> SerialNumber { SerialNumber(value &+ UInt16(truncatingIfNeeded: n)) }

    public func isBefore(_ other: SerialNumber) -> Bool { distance(to: other) > 0 }
}

import PuckBase

/// Which uplink packets may still be needed: those not yet sent (the hub is still arbitrating) and those not yet
/// acknowledged. At most 50, which is one second (FAILURES.md row L7); the oldest falls out first.
///
/// Bookkeeping only. The bytes of packet `s` lie in the runtime's slot `s % slotCount`, and stay there as long as the
/// window holds `s`, since the slots outnumber the window.
public struct UplinkWindow: Equatable, Sendable {
    /// One second of 20 ms packets.
    public static let capacity = 50
    /// Slots the runtime provides; a power of two above `capacity`, so that 65,536 is a multiple of it.
    public static let slotCount = 64

    /// The oldest packet held.
    public private(set) var first = SerialNumber.zero
    /// The oldest packet not yet sent.
    public private(set) var nextToSend = SerialNumber.zero
    /// The number that the next packet gets.
    public private(set) var next = SerialNumber.zero
    /// Packets that fell out unacknowledged.
    public private(set) var dropped = 0

    public init() {}

    public var count: Int { first.distance(to: next) }

    public static func slot(of sequence: SerialNumber) -> Int { Int(sequence.value) % slotCount }

    /// Takes the packet that was encoded into the slot of `next`.
    /// - Returns: false when a packet that had never been sent fell out: the utterance has a hole now.
    @discardableResult
    public mutating func append() -> Bool {
        var whole = true
        if count == Self.capacity {
            if nextToSend == first {
                nextToSend = nextToSend.next
                whole = false
            }
            first = first.next
            dropped += 1
        }
        next = next.next
        return whole
    }

    /// The next packet to send, marked as sent; nil when all have been.
    public mutating func takeUnsent() -> SerialNumber? {
        if nextToSend == next { return nil }
        let sequence = nextToSend
        nextToSend = nextToSend.next
        return sequence
    }

    /// The hub has everything before `sequence`.
    /// - Returns: false when that is a packet that was never sent: the hub is wrong.
    public mutating func acknowledge(next sequence: SerialNumber) -> Bool {
        if nextToSend.isBefore(sequence) { return false }
        if first.isBefore(sequence) { first = sequence }
        return true
    }

    /// A new connection: the hub has everything before `sequence`, and the rest is to be sent again.
    /// - Returns: false when that packet is no longer, or not yet, there.
    public mutating func rewind(to sequence: SerialNumber) -> Bool {
        guard (0...count).contains(first.distance(to: sequence)) else { return false }
        first = sequence
        nextToSend = sequence
        return true
    }
}

import PuckBase

/// The puck's side of the downlink stream: order, duplicates, holes. What was received is acknowledged by `played.seq`
/// and is what a reconnect goes on from.
public struct Downlink: Equatable, Sendable {
    public enum Arrival: Equatable, Sendable {
        case accepted
        case duplicate
        /// A hole inside an epoch: a protocol error.
        case gap(expected: SerialNumber)
    }

    /// Nil before the first welcome.
    public private(set) var epoch: UInt32?
    /// The next sequence number that has not been received.
    public private(set) var expected = SerialNumber.zero
    /// The last message of this epoch that was received; nil before the first.
    public private(set) var received: SerialNumber?

    public init() {}

    /// A welcome without replay: the stream starts anew at `from`.
    public mutating func begin(epoch: UInt32, from: SerialNumber) {
        self.epoch = epoch
        expected = from
        received = nil
    }

    public mutating func receive(_ sequence: SerialNumber) -> Arrival {
        if sequence.isBefore(expected) { return .duplicate }
        if sequence != expected { return .gap(expected: expected) }
        received = sequence
        expected = expected.next
        return .accepted
    }
}

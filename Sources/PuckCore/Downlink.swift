import PuckBase
import PuckWire

/// The puck's side of the downlink stream: order, duplicates, and which messages have been played or acted on.
///
/// Every accepted message waits in a queue until everything before it is done; the head is done when it is a control
/// or when its samples have been heard. The last one that left is what `played` reports.
public struct Downlink: Equatable, Sendable {
    /// More than the hub may send ahead: 2 s of packets and the controls between them.
    public static let capacity = 160
    /// Slots for packet bytes that the runtime provides; more than `capacity`, and a divisor of 65,536.
    public static let slotCount = 256

    public enum Arrival: Equatable, Sendable {
        case accepted
        case duplicate
        /// A hole inside an epoch: a protocol error.
        case gap(expected: SerialNumber)
        /// The hub sends more than 2 s ahead: a protocol error.
        case overflow
    }

    struct Entry: Equatable, Sendable {
        var sequence: SerialNumber
        /// The sample of the current play with which this message ends; nil for a control.
        var endSample: Int64?
    }

    private var entries = BoundedQueue<Entry>(capacity: Downlink.capacity)
    public private(set) var epoch: UInt32?
    /// The next sequence number that has not been received.
    public private(set) var expected = SerialNumber.zero
    /// The last message that was played or acted on; nil before the first of a stream.
    public private(set) var done: SerialNumber?

    public init() {}

    public static func slot(of sequence: SerialNumber) -> Int { Int(sequence.value) % slotCount }

    /// Messages that were received and are not done yet.
    public var waiting: Int { entries.count }

    /// A welcome: the stream goes on, or starts anew, at `from`.
    public mutating func begin(epoch: UInt32, from: SerialNumber) {
        self.epoch = epoch
        expected = from
        done = nil
        entries.removeAll()
    }

    public mutating func receive(_ sequence: SerialNumber, endSample: Int64?) -> Arrival {
        if sequence.isBefore(expected) { return .duplicate }
        if sequence != expected { return .gap(expected: expected) }
        guard entries.append(Entry(sequence: sequence, endSample: endSample)) else { return .overflow }
        expected = expected.next
        return .accepted
    }

    /// Moves on past everything that is done, given how much of the current play has been heard.
    /// - Returns: true when `done` changed.
    public mutating func advance(heardSamples: Int64) -> Bool {
        var changed = false
        while let head = entries.first, head.endSample.map({ $0 <= heardSamples }) ?? true {
            done = head.sequence
            entries.popFirst()
            changed = true
        }
        return changed
    }

    /// The play was stopped or is over: whatever waits counts as done.
    public mutating func finishAll() -> Bool { advance(heardSamples: .max) }

    public static func == (a: Downlink, b: Downlink) -> Bool {
        a.epoch == b.epoch && a.expected == b.expected && a.done == b.done && a.entries.count == b.entries.count
    }
}

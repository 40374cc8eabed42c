import PuckBase
import PuckWire

/// The numbered messages to one puck: what has been sent, and how much of it the loudspeaker has played. It never lets
/// more audio out than `aheadPackets` beyond what was played.
///
/// Messages are counted from 0 within an epoch without wrapping; the wire carries the low 16 bits. The replay log of
/// protocol.md will hold the messages themselves here, at `number`; today a new connection begins a new epoch.
public struct DownlinkStream: Equatable, Sendable {
    public let epoch: UInt32
    public let aheadPackets: Int
    /// Messages sent; the next one gets this number.
    public private(set) var sent = 0
    /// Messages that the puck has played or acted on, from the start.
    public private(set) var played = 0
    /// Numbers of the audio messages that are not played yet, at most `aheadPackets`. Ring order, oldest first.
    private var unplayed: [Int] = []

    public init(epoch: UInt32, aheadPackets: Int) {
        self.epoch = epoch
        self.aheadPackets = aheadPackets
        unplayed.reserveCapacity(aheadPackets)
    }

    public var next: SerialNumber { Self.serial(sent) }
    public var unplayedPackets: Int { unplayed.count }
    /// Audio messages that may be sent now.
    public var room: Int { aheadPackets - unplayed.count }

    /// - Returns: the message's number, for `hasPlayed`.
    @discardableResult
    mutating func send(_ control: HubControl, to connection: ConnectionID, into effects: inout [HubEffect]) -> Int {
        precondition(control.isStreamed, "only operations of the downlink stream are numbered")
        effects.append(.send(connection, control, next))
        return number()
    }

    mutating func sendAudio(
        playID: UInt32, packet: Int, to connection: ConnectionID, into effects: inout [HubEffect]
    ) {
        precondition(room > 0, "the stream is paced: ask for room first")
        effects.append(.sendAudio(connection, playID: playID, packet: packet, next))
        unplayed.append(number())
    }

    func hasPlayed(_ number: Int) -> Bool { number < played }

    /// - Returns: true when the puck got further than it had said before. A `played` that was overtaken by a later one
    ///   says nothing new.
    /// - Throws: UNEXPECTED for a message that was never sent.
    mutating func acknowledge(_ sequence: SerialNumber) throws(WireError) -> Bool {
        let behind = sequence.distance(to: next)
        let number = sent - behind
        guard behind > 0, number >= 0 else {
            throw WireError(.unexpected, "played.seq \(sequence.value) was never sent; the next will be \(next.value)")
        }
        guard number >= played else { return false }
        played = number + 1
        let done = unplayed.firstIndex { $0 >= played } ?? unplayed.count
        unplayed.removeFirst(done)
        return true
    }

    private mutating func number() -> Int {
        defer { sent += 1 }
        return sent
    }

    private static func serial(_ number: Int) -> SerialNumber {
        SerialNumber(UInt16(truncatingIfNeeded: number))
    }
}

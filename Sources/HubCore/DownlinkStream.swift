import PuckBase
import PuckWire

/// The numbered messages to one puck, and the log of those that it may not have received: what a reconnect replays.
///
/// Messages are counted from 0 within an epoch without wrapping; the wire carries the low 16 bits. The stream outlives
/// connections: what is sent while the puck is away is only logged.
///
/// Bounds of the log, all enforced here: 30 s, 512 KiB, and `HubLimits.replayMessages`, far below the 32,768 up to
/// which RFC 1982 can compare. What the puck has acknowledged leaves at once, since no correct puck asks for it again.
public struct DownlinkStream: Sendable {
    public struct Entry: Equatable, Sendable {
        public enum Content: Equatable, Sendable {
            case control(HubControl)
            /// Packet number `packet` (from 0) of the play; the interpreter keeps the bytes.
            case audio(playID: UInt32, packet: Int)
        }
        public var content: Content
        /// On the wire, header included; controls count with the most that one can have.
        public var bytes: Int
        public var loggedAt: Instant
    }

    public let epoch: UInt32
    /// Where the puck is reached now; nil while it is away.
    public internal(set) var connection: ConnectionID?
    /// Messages numbered so far; the next one gets this number.
    public private(set) var sent = 0
    /// The newest messages without a hole, oldest first.
    public private(set) var log: [Entry] = []
    public private(set) var logBytes = 0

    public init(epoch: UInt32, connection: ConnectionID?) {
        self.epoch = epoch
        self.connection = connection
    }

    public var next: SerialNumber { Self.serial(sent) }
    /// When the oldest entry of the log becomes too old.
    var expiry: Instant? { log.first.map { $0.loggedAt + HubLimits.replayKept } }

    mutating func send(_ control: HubControl, now: Instant, into effects: inout [HubEffect]) {
        precondition(control.isStreamed, "only operations of the downlink stream are numbered")
        if let connection { effects.append(.send(connection, control, next)) }
        append(.control(control), bytes: HubLimits.streamControlBytes, now: now)
    }

    mutating func sendAudio(
        playID: UInt32, packet: Int, byteCount: Int, now: Instant, into effects: inout [HubEffect]
    ) {
        if let connection { effects.append(.sendAudio(connection, playID: playID, packet: packet, next)) }
        append(
            .audio(playID: playID, packet: packet), bytes: WireLimits.headerBytes + byteCount, now: now)
    }

    private mutating func append(_ content: Entry.Content, bytes: Int, now: Instant) {
        log.append(Entry(content: content, bytes: bytes, loggedAt: now))
        logBytes += bytes
        sent += 1
        prune(now: now)
    }

    /// Drops what is over one of the bounds; replay then begins later, or not at all.
    mutating func prune(now: Instant) {
        var count = 0
        var bytes = logBytes
        for entry in log {
            let isOver =
                bytes > HubLimits.replayBytes || log.count - count > HubLimits.replayMessages
                || now - entry.loggedAt >= HubLimits.replayKept
            guard isOver else { break }
            bytes -= entry.bytes
            count += 1
        }
        drop(count)
    }

    /// The puck has received everything up to and including `sequence`. One that was overtaken says nothing new.
    /// - Returns: how many messages of the stream the puck had then.
    /// - Throws: UNEXPECTED for a message that was never sent.
    mutating func acknowledge(_ sequence: SerialNumber) throws(WireError) -> Int {
        let behind = sequence.distance(to: next)
        guard behind > 0, behind <= sent else {
            throw WireError(.unexpected, "played.seq \(sequence.value) was never sent; the next will be \(next.value)")
        }
        drop(log.count - (behind - 1))
        return sent - (behind - 1)
    }

    /// The entries that a puck lacks which has received everything before `sequence`; nil when some are gone, or were
    /// never sent.
    func missing(from sequence: SerialNumber) -> ArraySlice<Entry>? {
        let behind = sequence.distance(to: next)
        guard behind >= 0, behind <= log.count else { return nil }
        return log.suffix(behind)
    }

    /// Sends the log's last `count` entries again, under their old numbers.
    func replay(_ count: Int, into effects: inout [HubEffect]) {
        guard let connection else { preconditionFailure("a replay goes to a puck that is there") }
        for (i, entry) in log.suffix(count).enumerated() {
            let sequence = Self.serial(sent - count + i)
            switch entry.content {
            case .control(let control): effects.append(.send(connection, control, sequence))
            case .audio(let playID, let packet):
                effects.append(.sendAudio(connection, playID: playID, packet: packet, sequence))
            }
        }
    }

    /// Whether the log holds audio of this play.
    func needs(_ playID: UInt32) -> Bool {
        log.contains { entry in
            if case .audio(playID, _) = entry.content { return true }
            return false
        }
    }

    private mutating func drop(_ count: Int) {
        guard count > 0 else { return }
        for entry in log.prefix(count) { logBytes -= entry.bytes }
        // An idle puck's log costs nothing.
        if count >= log.count { log = [] } else { log.removeFirst(count) }
    }

    private static func serial(_ number: Int) -> SerialNumber {
        SerialNumber(UInt16(truncatingIfNeeded: number))
    }
}

import PuckBase
import PuckWire

/// The numbered messages to one puck, and the log of those that it may not have received: what a reconnect replays.
///
/// Messages are counted from 0 within an epoch without wrapping; the wire carries the low 16 bits. The stream outlives
/// connections: what is sent while the puck is away is only logged.
///
/// On a connection the stream is at most `HubLimits.streamWindow` ahead of what the puck has acknowledged; the rest waits
/// in the log. So neither a replay nor large packets can fill the socket's queue, which would end the connection and
/// have the same sent again, for ever.
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
    /// Entries at the log's end that have not gone out on this connection.
    private var waiting = 0
    /// Bytes of those that have, and are not acknowledged.
    private var bytesOut = 0

    public init(epoch: UInt32, connection: ConnectionID?) {
        self.epoch = epoch
        self.connection = connection
    }

    public var next: SerialNumber { Self.serial(sent) }
    /// When the oldest entry of the log becomes too old.
    var expiry: Instant? { log.first.map { $0.loggedAt + HubLimits.replayKept } }

    mutating func send(_ control: HubControl, now: Instant, into effects: inout [HubEffect]) {
        precondition(control.isStreamed, "only operations of the downlink stream are numbered")
        append(.control(control), bytes: HubLimits.streamControlBytes, now: now, into: &effects)
    }

    mutating func sendAudio(
        playID: UInt32, packet: Int, byteCount: Int, now: Instant, into effects: inout [HubEffect]
    ) {
        append(
            .audio(playID: playID, packet: packet), bytes: WireLimits.headerBytes + byteCount, now: now, into: &effects)
    }

    private mutating func append(
        _ content: Entry.Content, bytes: Int, now: Instant, into effects: inout [HubEffect]
    ) {
        log.append(Entry(content: content, bytes: bytes, loggedAt: now))
        logBytes += bytes
        sent += 1
        waiting += 1
        flush(into: &effects)
        prune(now: now, into: &effects)
    }

    /// Sends what waits, as far as the window is open.
    mutating func flush(into effects: inout [HubEffect]) {
        #if MUTATIONS
            if Mutation.is(.streamWithoutWindow) { while waiting > 0, sendFirstWaiting(into: &effects) {} }
        #endif
        while waiting > 0, bytesOut == 0 || bytesOut + log[log.count - waiting].bytes <= HubLimits.streamWindow {
            guard sendFirstWaiting(into: &effects) else { return }
        }
    }

    /// - Returns: false when nobody is there.
    private mutating func sendFirstWaiting(into effects: inout [HubEffect]) -> Bool {
        guard let connection else { return false }
        let entry = log[log.count - waiting]
        let sequence = Self.serial(sent - waiting)
        switch entry.content {
        case .control(let control): effects.append(.send(connection, control, sequence))
        case .audio(let playID, let packet):
            effects.append(.sendAudio(connection, playID: playID, packet: packet, sequence))
        }
        waiting -= 1
        bytesOut += entry.bytes
        return true
    }

    /// Drops what is over one of the bounds; replay then begins later, or not at all. What still waits for a puck that
    /// is there goes out first, window or not: the stream has no holes.
    mutating func prune(now: Instant, into effects: inout [HubEffect]) {
        #if MUTATIONS
            if Mutation.is(.logWithoutBounds) { return }
        #endif
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
        while log.count - waiting < count, sendFirstWaiting(into: &effects) {}
        drop(count)
    }

    /// The puck has received everything up to and including `sequence`. One that was overtaken says nothing new.
    /// - Returns: how many messages of the stream the puck had then.
    /// - Throws: UNEXPECTED for a message that was never sent.
    mutating func acknowledge(_ sequence: SerialNumber) throws(WireError) -> Int {
        let behind = sequence.distance(to: next)
        guard behind > waiting, behind <= sent else {
            throw WireError(.unexpected, "played.seq \(sequence.value) was never sent; the next will be \(next.value)")
        }
        drop(log.count - (behind - 1))
        return sent - (behind - 1)
    }

    /// How many messages a puck lacks which has received everything before `sequence`; nil when some of them are gone, or
    /// were never sent.
    func missing(from sequence: SerialNumber) -> Int? {
        let behind = sequence.distance(to: next)
        return behind >= 0 && behind <= log.count ? behind : nil
    }

    /// Sends the log's last `count` entries again, under their old numbers; the puck has what lies before them.
    mutating func replay(_ count: Int, into effects: inout [HubEffect]) {
        precondition(connection != nil, "a replay goes to a puck that is there")
        drop(log.count - count)
        waiting = count
        #if MUTATIONS
            if Mutation.is(.replayStartsLate) { waiting = max(0, count - 1) }
        #endif
        bytesOut = 0
        flush(into: &effects)
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
        for (i, entry) in log.prefix(count).enumerated() {
            logBytes -= entry.bytes
            if i < log.count - waiting { bytesOut -= entry.bytes }
        }
        waiting = min(waiting, log.count - count)
        // An idle puck's log costs nothing.
        if count >= log.count { log = [] } else { log.removeFirst(count) }
    }

    private static func serial(_ number: Int) -> SerialNumber {
        SerialNumber(UInt16(truncatingIfNeeded: number))
    }
}

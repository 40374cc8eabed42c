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
/// Nor does it carry more than `HubLimits.streamControlsPerSecond` control messages a second: a puck takes 200 of all
/// kinds. What a play that is over would still have sent, and nobody has been sent yet, is taken back (`recall`), so that
/// a hundred plays which replace each other cost a puck, present or away, hardly more than the last of them.
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
    /// Entries at the log's end that have not gone out on any connection; at most `waiting`.
    private var unsent = 0
    /// Bytes of those that have, and are not acknowledged.
    private var bytesOut = 0
    /// When the control messages that went out would have been through, had they gone evenly.
    private var controlsThrough = Instant.zero

    public init(epoch: UInt32, connection: ConnectionID?) {
        self.epoch = epoch
        self.connection = connection
    }

    public var next: SerialNumber { Self.serial(sent) }
    /// When the oldest entry of the log becomes too old.
    var expiry: Instant? { log.first.map { $0.loggedAt + HubLimits.replayKept } }

    /// When the next control message may go out; nil when nothing waits for that.
    var paceDeadline: Instant? {
        guard connection != nil, waiting > 0, isWindowOpen, case .control = log[log.count - waiting].content else {
            return nil
        }
        return controlsThrough - HubLimits.streamControlPause * (HubLimits.streamControlBurst - 1)
    }

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
        unsent += 1
        flush(now: now, into: &effects)
        prune(now: now, into: &effects)
    }

    /// Sends what waits, as far as window and pace allow.
    mutating func flush(now: Instant, into effects: inout [HubEffect]) {
        while waiting > 0, isWindowOpen, paceDeadline.map({ $0 <= now }) ?? true {
            guard sendFirstWaiting(now: now, into: &effects) else { return }
        }
    }

    /// Whether what waits first fits into the window.
    private var isWindowOpen: Bool {
        bytesOut == 0 || bytesOut + log[log.count - waiting].bytes <= HubLimits.streamWindow
    }

    /// - Returns: false when nobody is there.
    private mutating func sendFirstWaiting(now: Instant, into effects: inout [HubEffect]) -> Bool {
        guard let connection else { return false }
        let entry = log[log.count - waiting]
        let sequence = Self.serial(sent - waiting)
        switch entry.content {
        case .control(let control):
            controlsThrough = max(controlsThrough, now) + HubLimits.streamControlPause
            effects.append(.send(connection, control, sequence))
        case .audio(let playID, let packet):
            effects.append(.sendAudio(connection, playID: playID, packet: packet, sequence))
        }
        waiting -= 1
        unsent = min(unsent, waiting)
        bytesOut += entry.bytes
        return true
    }

    /// Takes back a play whose `down_start` nobody has been sent, and all that follows of it, as if it had never been
    /// begun: their numbers are used again. Only for the play that is active, so that no play has begun since.
    /// - Returns: false when its `down_start` has been sent: the puck has to be told of the end.
    mutating func recall(_ playID: UInt32) -> Bool {
        guard let start = log[(log.count - unsent)...].lastIndex(where: { $0.content.isStart(of: playID) }) else {
            return false
        }
        let kept = log[start...].filter { !$0.content.isAbout(playID) }
        let count = log.count - start - kept.count
        logBytes -= log[start...].reduce(0) { $0 + $1.bytes } - kept.reduce(0) { $0 + $1.bytes }
        log.replaceSubrange(start..., with: kept)
        sent -= count
        waiting -= count
        unsent -= count
        return true
    }

    /// Drops what is over one of the bounds; replay then begins later, or not at all. What still waits for a puck that
    /// is there goes out first, window or not: the stream has no holes.
    mutating func prune(now: Instant, into effects: inout [HubEffect]) {
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
        while log.count - waiting < count, sendFirstWaiting(now: now, into: &effects) {}
        drop(count)
    }

    /// The puck has received everything up to and including `sequence`; the number before the first says that it has
    /// received nothing yet. One that was overtaken says nothing new.
    /// - Returns: how many messages of the stream the puck had then.
    /// - Throws: UNEXPECTED for a message that was never sent.
    mutating func acknowledge(_ sequence: SerialNumber) throws(WireError) -> Int {
        let behind = sequence.distance(to: next)
        guard behind > waiting, behind <= sent + 1 else {
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

    /// How many messages of the stream lie before this number; nil when it was never sent.
    func count(before sequence: SerialNumber) -> Int? {
        let behind = sequence.distance(to: next)
        return behind >= waiting && behind <= sent ? sent - behind : nil
    }

    /// Sends the log's last `count` entries again, under their old numbers; the puck has what lies before them.
    mutating func replay(_ count: Int, now: Instant, into effects: inout [HubEffect]) {
        precondition(connection != nil, "a replay goes to a puck that is there")
        drop(log.count - count)
        waiting = count
        bytesOut = 0
        flush(now: now, into: &effects)
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
        unsent = min(unsent, waiting)
        // An idle puck's log costs nothing.
        if count >= log.count { log = [] } else { log.removeFirst(count) }
    }

    private static func serial(_ number: Int) -> SerialNumber {
        SerialNumber(UInt16(truncatingIfNeeded: number))
    }
}

extension DownlinkStream.Entry.Content {
    func isStart(of playID: UInt32) -> Bool {
        if case .control(.downStart(let start)) = self { return start.playID == playID }
        return false
    }

    func isAbout(_ playID: UInt32) -> Bool {
        switch self {
        case .audio(let id, _): id == playID
        case .control(.downStart(let start)): start.playID == playID
        case .control(.downStop(let id, _)), .control(.downPause(let id)), .control(.downResume(let id)): id == playID
        case .control: false
        }
    }
}

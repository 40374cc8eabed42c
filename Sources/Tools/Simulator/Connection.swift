import PuckBase

/// One way of a connection. In order: nothing overtakes what was sent before it.
struct Channel {
    struct InFlight {
        var message: Message
        var bytes: Int
        var arrivesAt: Instant
    }

    var messages = Line<InFlight>()
    var lastArrival = Instant.zero
    /// Sent and not delivered: what the sender's queue and the kernels hold.
    var queuedBytes = 0
    /// An event for the delivery of the first message is scheduled.
    var isScheduled = false
    /// The sender's end marker is in: nothing more follows.
    var isEnded = false

    mutating func discardAll() {
        messages.removeAll()
        queuedBytes = 0
    }
}

/// One TCP connection with TLS and WebSocket on it, as far as that matters: in order, whole messages, two ends that
/// may not know of each other's fate.
final class Connection {
    enum End {
        /// The puck: connecting. The hub: has not heard of it.
        case opening
        case open
        case closed
    }

    let number: Int
    let puck: Int
    /// Which life of the puck opened it.
    let puckRun: Int
    /// Where the puck looks for the hub; negative: nobody's.
    let address: Int
    var up = Channel()
    var down = Channel()
    var puckEnd = End.opening
    var hubEnd = End.opening
    var hubRun = 0
    /// Whatever is sent vanishes (a NAT forgot it, a cable was pulled), and nobody is told.
    var isBlackHole = false
    var random: RandomStream

    init(number: Int, puck: Int, puckRun: Int, address: Int, seed: UInt64, opening: Int) {
        self.number = number
        self.puck = puck
        self.puckRun = puckRun
        self.address = address
        random = RandomStream(seed: seed, .connection, puck << 20 + opening)
    }

    var isOver: Bool { puckEnd == .closed && hubEnd != .open }
}

/// One way between a puck and the hub, whatever connection uses it.
struct Path {
    var latency: Interval
    var jitter: Interval
    var blockedUntil = Instant.zero
    /// How late after the block the first retransmission gets through.
    var recovery = Interval.zero
    var slowUntil = Instant.zero
    var bytesPerSecond = 0

    func isBlocked(_ now: Instant) -> Bool { now < blockedUntil }

    mutating func block(until end: Instant, recovery: Interval) {
        if end <= blockedUntil { return }
        blockedUntil = end
        self.recovery = recovery
    }

    mutating func slow(_ rate: Int, until end: Instant) {
        bytesPerSecond = rate
        slowUntil = max(slowUntil, end)
    }

    /// When a message is through that begins now. A path that is no longer slow lets the rest through at once.
    func transferEnd(of bytes: Int, from now: Instant) -> Instant {
        if now >= slowUntil { return now }
        let transfer = Interval(nanoseconds: Int64(bytes) * 1_000_000_000 / Int64(bytesPerSecond))
        return min(now + transfer, slowUntil)
    }

    mutating func unblock() {
        blockedUntil = .zero
        slowUntil = .zero
    }
}

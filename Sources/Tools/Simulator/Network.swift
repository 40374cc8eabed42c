import PuckBase

/// Between the pucks and the hub: connections like TCP's under seeded latency, jitter and faults.
///
/// Nothing overtakes and nothing in the middle is lost: loss shows as a stall, and a connection that dies loses a
/// tail. A blocked path holds back what is under way until it heals or the connection dies.
final class Network {
    enum Direction { case up, down }

    /// A program's own send queue (LinkTransport).
    static let sendQueueBytes = 65_536
    /// Name lookup, TCP, TLS and HTTP together (LinkTransport).
    static let openTimeout = Interval.seconds(5)
    /// How long a closing socket may take (LinkTransport).
    static let closeTimeout = Interval.seconds(1)

    // Sound: the house owns this, and ends with it.
    unowned(unsafe) let house: House
    var up: [Path]
    var down: [Path]
    /// No connection to the hub is accepted from this puck before then.
    var refusedUntil: [Instant]
    private var connections: [Connection?] = [nil]
    private var openings: [Int]
    private let kernelBufferBytes: Int

    init(_ house: House) {
        self.house = house
        let setups = house.scenario.pucks + [house.scenario.pucks[0]]  // the last for a copy of one
        up = setups.map { Path(latency: $0.latency, jitter: $0.jitter) }
        down = up
        refusedUntil = setups.map { _ in .zero }
        openings = setups.map { _ in 0 }
        kernelBufferBytes = house.scenario.kernelBufferBytes
    }

    func connection(_ number: Int) -> Connection? { connections[number] }

    /// Those that are not over, oldest first.
    var living: [Connection] { connections.compactMap { $0 } }

    // MARK: Opening

    /// Numbers are never used twice.
    func open(puck: Int, run: Int, address: Int) -> Connection {
        openings[puck] += 1
        let connection = Connection(
            number: connections.count, puck: puck, puckRun: run, address: address, seed: house.scenario.plan.seed,
            opening: openings[puck])
        connections.append(connection)
        if puck == house.copyIndex { house.copyConnections.insert(connection.number) }
        house.queue.schedule(.connect, at: house.now + roundTrip(connection), subject: connection.number, number: 0)
        let timeout = house.now + Self.openTimeout
        house.queue.schedule(.connect, at: timeout, subject: connection.number, number: 9)
        return connection
    }

    /// One step of an opening: 0 the answer to the SYN, 1 TLS, 2 the upgrade at the hub, 9 its time is up.
    func connectStep(_ number: Int, _ step: Int) {
        guard let connection = connections[number], connection.puckEnd == .opening else { return }
        if step == 9 { return failOpening(connection, "timeout") }
        if connection.hubEnd != .opening { return }
        let puck = connection.puck
        func next(_ step: Int, _ delay: Interval) {
            house.queue.schedule(.connect, at: house.now + delay, subject: number, number: step)
        }
        if let healed = blockEnd(puck) {
            // SYNs and handshakes are sent again, ever more rarely.
            return next(step, healed - house.now + .seconds(exactly: connection.random.between(0.05, 1)))
        }
        switch step {
        case 0:
            if connection.address != house.hub.address {
                // Somebody else has the address now, or nobody has.
                return connection.random.chance(0.5) ? failOpening(connection, "refused") : next(0, .seconds(1))
            }
            if house.hub.isHostDown { return next(0, .seconds(1)) }
            if !house.hub.isRunning || house.now < refusedUntil[puck] { return failOpening(connection, "refused") }
            let work = Interval.seconds(exactly: connection.random.between(0.005, 0.08))
            next(1, roundTrip(connection) + roundTrip(connection) + work)
        case 1:
            if !house.hub.isRunning { return failOpening(connection, "reset") }
            next(2, delay(up[puck], connection))
        default:
            guard house.hub.isRunning else { return failOpening(connection, "reset") }
            guard let name = house.hub.authorize(house.pucks[puck].token) else {
                return failOpening(connection, "401", isHub: true)
            }
            connection.hubEnd = .open
            connection.hubRun = house.hub.run
            house.hub.connectionOpened(connection, name)
            push(.upgraded, .down, connection)
        }
    }

    /// - Parameter isHub: the hub said so itself.
    private func failOpening(_ connection: Connection, _ reason: String, isHub: Bool = false) {
        connection.puckEnd = .closed
        if connection.hubEnd == .open { endQuietly(.up, connection) }
        forgetIfOver(connection)
        house.pucks[connection.puck].openingFailed(connection, reason, isHub: isHub)
    }

    private func blockEnd(_ puck: Int) -> Instant? {
        let end = max(up[puck].blockedUntil, down[puck].blockedUntil)
        return end > house.now ? end : nil
    }

    private func roundTrip(_ connection: Connection) -> Interval {
        delay(up[connection.puck], connection) + delay(down[connection.puck], connection)
    }

    private func delay(_ path: Path, _ connection: Connection) -> Interval {
        let u = connection.random.unit()
        // A long tail that stays cheap: the square of an even spread.
        return path.latency + Interval(nanoseconds: Int64(Double(path.jitter.nanoseconds) * u * u * 2))
    }

    // MARK: Sending

    /// False when the sender's queue has no room.
    func send(_ message: Message, _ direction: Direction, _ connection: Connection) -> Bool {
        let queued = direction == .up ? connection.up.queuedBytes : connection.down.queuedBytes
        if queued + message.size > Self.sendQueueBytes + kernelBufferBytes { return false }
        push(message, direction, connection)
        return true
    }

    private func push(_ message: Message, _ direction: Direction, _ connection: Connection) {
        if direction == .up {
            push(message, message.size, &connection.up, up[connection.puck], .deliverUp, connection)
        } else {
            push(message, message.size, &connection.down, down[connection.puck], .deliverDown, connection)
        }
    }

    private func push(
        _ message: Message, _ bytes: Int, _ channel: inout Channel, _ path: Path, _ kind: ScheduledEvent.Kind,
        _ connection: Connection
    ) {
        if channel.isEnded { return }
        if case .end = message { channel.isEnded = true }
        channel.queuedBytes += bytes
        if connection.isBlackHole { return }
        let arrival = max(house.now + delay(path, connection), channel.lastArrival)
        channel.lastArrival = arrival
        channel.messages.append(Channel.InFlight(message: message, bytes: bytes, arrivesAt: arrival))
        if !channel.isScheduled {
            channel.isScheduled = true
            let start = max(arrival, path.transferEnd(of: bytes, from: house.now))
            house.queue.schedule(kind, at: start, subject: connection.number)
        }
    }

    // MARK: Delivering

    /// The first message of one way has come, unless its path is blocked.
    func deliver(_ number: Int, _ direction: Direction) {
        guard let connection = connections[number] else { return }
        let path = direction == .up ? up[connection.puck] : down[connection.puck]
        let kind = direction == .up ? ScheduledEvent.Kind.deliverUp : .deliverDown
        if path.isBlocked(house.now) {
            return house.queue.schedule(kind, at: path.blockedUntil + path.recovery, subject: number)
        }
        guard let first = takeFirst(connection, direction) else { return }
        if direction == .up { deliverUp(first.message, connection) } else { deliverDown(first.message, connection) }
        forgetIfOver(connection)
    }

    private func takeFirst(_ connection: Connection, _ direction: Direction) -> Channel.InFlight? {
        direction == .up
            ? takeFirst(&connection.up, up[connection.puck], .deliverUp, connection.number)
            : takeFirst(&connection.down, down[connection.puck], .deliverDown, connection.number)
    }

    private func takeFirst(
        _ channel: inout Channel, _ path: Path, _ kind: ScheduledEvent.Kind, _ number: Int
    ) -> Channel.InFlight? {
        channel.isScheduled = false
        guard let first = channel.messages.popFirst() else { return nil }
        channel.queuedBytes -= first.bytes
        if let next = channel.messages.first {
            channel.isScheduled = true
            let start = max(next.arrivesAt, path.transferEnd(of: next.bytes, from: house.now))
            house.queue.schedule(kind, at: start, subject: number)
        }
        return first
    }

    private func deliverUp(_ message: Message, _ connection: Connection) {
        let hub = house.hub!
        guard connection.hubEnd == .open, connection.hubRun == hub.run, hub.isRunning else {
            if case .end = message { return }
            // Its kernel knows of no such connection: RST, unless the machine itself is off.
            if !hub.isHostDown { endQuietly(.down, connection) }
            return
        }
        if case .end = message {
            connection.hubEnd = .closed
            endQuietly(.down, connection)
            return hub.connectionClosed(connection, "closed by the puck")
        }
        hub.received(message, connection)
    }

    private func deliverDown(_ message: Message, _ connection: Connection) {
        let puck = house.pucks[connection.puck]
        guard connection.puckEnd != .closed, puck.run == connection.puckRun, puck.isRunning else {
            if case .end = message { return }
            if !puck.isHostDown { endQuietly(.up, connection) }
            return
        }
        if case .end = message {
            connection.puckEnd = .closed
            endQuietly(.up, connection)
            return puck.connectionLost(connection, "closed by the hub")
        }
        if case .upgraded = message { connection.puckEnd = .open }
        puck.received(message, connection)
    }

    // MARK: Ends

    /// An end marker behind what is under way, by a kernel or by a program that closes.
    func endQuietly(_ direction: Direction, _ connection: Connection) {
        push(.end, direction, connection)
    }

    /// This end closes in order: what was sent still goes out.
    func close(_ connection: Connection, by direction: Direction) {
        if direction == .up { connection.puckEnd = .closed } else { connection.hubEnd = .closed }
        endQuietly(direction, connection)
        forgetIfOver(connection)
    }

    /// The connection breaks: of what is under way each way a beginning still arrives.
    /// - Parameters:
    ///   - keptUp, keptDown: messages of each way that still arrive.
    ///   - tellPuck, tellHub: who learns of it; who does not has half a connection left.
    func reset(_ connection: Connection, keptUp: Int, keptDown: Int, tellPuck: Bool, tellHub: Bool) {
        while connection.up.messages.count > keptUp { drop(&connection.up) }
        while connection.down.messages.count > keptDown { drop(&connection.down) }
        // Whoever is told closes its end; the other's messages then run into a closed end, if they run anywhere.
        if tellHub { push(.end, .up, connection) }
        if tellPuck { push(.end, .down, connection) }
        if !(tellPuck && tellHub) { connection.isBlackHole = true }
    }

    private func drop(_ channel: inout Channel) {
        channel.queuedBytes -= channel.messages[channel.messages.count - 1].bytes
        channel.messages.removeLast()
    }

    /// A puck's process is gone. With `tell` its kernel closes what it had open; without, the machine is off.
    func puckGone(_ puck: Int, tell: Bool) {
        for connection in living where connection.puck == puck && connection.puckEnd != .closed {
            connection.puckEnd = .closed
            if tell { endQuietly(.up, connection) } else { connection.up.discardAll() }
            forgetIfOver(connection)
        }
    }

    func hubGone(tell: Bool) {
        for connection in living where connection.hubEnd == .open {
            connection.hubEnd = .closed
            if tell { endQuietly(.down, connection) } else { connection.down.discardAll() }
            forgetIfOver(connection)
        }
    }

    private func forgetIfOver(_ connection: Connection) {
        let hubKnows = connection.hubEnd == .open && connection.hubRun == house.hub.run && house.hub.isRunning
        let puckKnows = connection.puckEnd != .closed
        if !hubKnows, !puckKnows { connections[connection.number] = nil }
    }

    /// Faults end: paths are free from now on.
    func heal() {
        for puck in up.indices {
            up[puck].unblock()
            down[puck].unblock()
            refusedUntil[puck] = .zero
        }
    }
}

import CLinux
import Foundation

/// The wire between a puck and its hub, for tests that break it: a relay of TCP connections on loopback. It only moves
/// bytes, so TLS goes through it, and what it holds or throws away is lost as on a real network.
///
/// One thread with a poll loop owns all sockets. Every call of a test is carried out there and is done when it returns.
final class FaultProxy: Sendable {
    enum Direction: CaseIterable { case towardsHub, towardsPuck }

    /// What a puck is told instead of its hub's.
    let port: Int
    private let loop: RelayLoop

    init(to hubPort: Int) throws {
        loop = try RelayLoop(hubPort: UInt16(hubPort))
        port = Int(loop.port)
        Thread.detachNewThread { [loop] in
            while loop.turn() {}
        }
    }

    deinit { ask { $0.isOver = true } }

    private func ask(_ work: @escaping (RelayLoop) -> Void) { loop.ask(work) }

    // MARK: Faults

    /// Resets all connections, on both sides. What was on its way is gone.
    func cut() { ask { $0.cut() } }

    /// New connections are refused, as by a hub that does not run.
    func refuse() { ask { $0.refuse() } }

    /// New connections are taken again.
    func accept() { ask { $0.accept() } }

    /// Cuts, and refuses what comes within so many milliseconds, measured by the relay itself.
    func interrupt(milliseconds: Int) { ask { $0.interrupt(milliseconds) } }

    /// The same by itself as soon as `count` more bytes have gone in `direction`: at the right moment, however busy the
    /// machine is.
    func interrupt(milliseconds: Int, after count: Int, more direction: Direction) {
        ask { $0.plan(direction, count) { $0.interrupt(milliseconds) } }
    }

    /// Nothing more passes in these directions, on old and on new connections, and nobody is told.
    func hold(_ directions: [Direction] = Direction.allCases) { ask { $0.held = Set(directions) } }

    /// Holds by itself as soon as `count` more bytes have gone in `direction`.
    func hold(_ directions: [Direction], after count: Int, more direction: Direction) {
        ask { $0.plan(direction, count) { $0.held = Set(directions) } }
    }

    /// What was held passes after all.
    func release() { ask { $0.held = [] } }

    /// Connections that exist now stay open and never carry anything again: half-open sockets on both sides. New ones
    /// work.
    func abandon() { ask { $0.abandon() } }

    /// Bytes that went through since the beginning.
    func relayed(_ direction: Direction) -> Int {
        var count = 0
        ask { count = $0.relayed[direction] ?? 0 }
        return count
    }

    /// Waits until so many more bytes have gone through.
    func relayed(_ count: Int, more direction: Direction) async throws {
        let before = relayed(direction)
        try await eventually("no \(count) bytes go \(direction)") { relayed(direction) >= before + count }
    }
}

/// What the relay's thread does.
private final class RelayLoop: @unchecked Sendable {  // Sound: its thread alone uses it, but for `ask`.
    /// One connection: a socket to the puck and one to the hub.
    private final class Pair {
        let descriptors: [FaultProxy.Direction: Int32]
        /// Read and not yet written on, by where it goes.
        var buffers: [FaultProxy.Direction: [UInt8]] = [.towardsHub: [], .towardsPuck: []]
        /// Directions whose sender has closed.
        var ended: Set<FaultProxy.Direction> = []
        var isOver = false
        var isAbandoned = false

        init(puck: Int32, hub: Int32) { descriptors = [.towardsPuck: puck, .towardsHub: hub] }

        func target(_ direction: FaultProxy.Direction) -> Int32 { descriptors[direction]! }
        func source(_ direction: FaultProxy.Direction) -> Int32 {
            descriptors[direction == .towardsHub ? .towardsPuck : .towardsHub]!
        }

        /// A reset, not an orderly end.
        func reset() {
            var now = linger(l_onoff: 1, l_linger: 0)
            for descriptor in descriptors.values {
                setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            }
            shut()
        }

        func shut() {
            for descriptor in descriptors.values { close(descriptor) }
            isOver = true
        }
    }

    /// Of one direction of one connection; past that the sender has to wait.
    static let mostBuffered = 65_536

    let port: UInt16
    private let hubPort: UInt16
    private let listener: Int32
    private let wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    private let lock = NSLock()
    private let answered = DispatchSemaphore(value: 0)
    /// Only touched between the write to `wake` and the answer.
    private var request: ((RelayLoop) -> Void)?
    private var isListening = true
    private var pairs: [Pair] = []
    private var chunk = [UInt8](repeating: 0, count: 16_384)
    var held: Set<FaultProxy.Direction> = []
    /// What is to be done once so much has gone in one direction.
    private var planned: (direction: FaultProxy.Direction, count: Int, fault: (RelayLoop) -> Void)?
    var relayed: [FaultProxy.Direction: Int] = [:]
    /// Nanoseconds of the monotonic clock.
    var acceptsAt: Int64?
    var isOver = false

    init(hubPort: UInt16) throws {
        self.hubPort = hubPort
        // A port that was asked for by number stays this socket's while it does not listen; a free one is found first.
        let (probe, free) = loopbackListener(backlog: 1)
        close(probe)
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopbackAddress(free)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(made, $0, size) }
        }
        guard result == 0, listen(made, 16) == 0 else { throw Disappointment("port \(free) is taken") }
        _ = puck_fcntl(made, F_SETFL, Int(O_NONBLOCK))
        listener = made
        port = free
    }

    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Has the loop's thread do something, and waits until it has.
    func ask(_ work: @escaping (RelayLoop) -> Void) {
        lock.withLock {
            request = work
            var one: UInt64 = 1
            _ = write(wake, &one, 8)
            answered.wait()
        }
    }

    private func serve() {
        var count: UInt64 = 0
        guard read(wake, &count, 8) == 8 else { return }
        request?(self)
        request = nil
        answered.signal()
    }

    // MARK: Faults

    func cut() {
        for pair in pairs { pair.reset() }
        pairs = []
    }

    func interrupt(_ milliseconds: Int) {
        cut()
        refuse()
        acceptsAt = Self.now() + Int64(milliseconds) * 1_000_000
    }

    func plan(_ direction: FaultProxy.Direction, _ more: Int, _ fault: @escaping (RelayLoop) -> Void) {
        planned = (direction, (relayed[direction] ?? 0) + more, fault)
    }

    func abandon() { for pair in pairs { pair.isAbandoned = true } }

    /// A Linux socket that is shut down listens no more, and may listen again.
    func refuse() {
        if isListening { shutdown(listener, Int32(SHUT_RD)) }
        isListening = false
    }

    func accept() {
        acceptsAt = nil
        if !isListening { _ = listen(listener, 16) }
        isListening = true
    }

    // MARK: The loop

    /// Waits for something and does it. False when the proxy is over.
    func turn() -> Bool {
        var polled = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
        if isListening { polled.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0)) }
        for pair in pairs where !pair.isAbandoned {
            for (side, descriptor) in pair.descriptors {
                // What this socket's peer sends goes the other way.
                let from: FaultProxy.Direction = side == .towardsHub ? .towardsPuck : .towardsHub
                var events: Int16 = 0
                if wantsRead(pair, from) { events |= Int16(POLLIN) }
                if wantsWrite(pair, side) { events |= Int16(POLLOUT) }
                // One of which nothing is wanted is not asked about: a reset of a held connection is not passed on.
                if events != 0 { polled.append(pollfd(fd: descriptor, events: events, revents: 0)) }
            }
        }
        let left = acceptsAt.map { Int32(clamping: max(0, $0 - Self.now() + 999_999) / 1_000_000) } ?? -1
        _ = poll(&polled, nfds_t(polled.count), left)
        serve()
        if isOver {
            cut()
            close(listener)
            close(wake)
            return false
        }
        if let acceptsAt, acceptsAt <= Self.now() { accept() }
        if isListening { takeConnections() }
        for pair in pairs where !pair.isAbandoned {
            for direction in FaultProxy.Direction.allCases where !pair.isOver { move(pair, direction) }
        }
        pairs.removeAll { $0.isOver }
        return true
    }

    private func wantsRead(_ pair: Pair, _ direction: FaultProxy.Direction) -> Bool {
        !held.contains(direction) && !pair.ended.contains(direction)
            && pair.buffers[direction]!.count < Self.mostBuffered
    }

    private func wantsWrite(_ pair: Pair, _ direction: FaultProxy.Direction) -> Bool {
        !held.contains(direction) && !pair.buffers[direction]!.isEmpty
    }

    private func takeConnections() {
        while true {
            let puck = CLinux.accept(listener, nil, nil)
            if puck < 0 { return }
            let hub = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            for descriptor in [puck, hub] {
                _ = puck_fcntl(descriptor, F_SETFD, Int(FD_CLOEXEC))
                var yes: Int32 = 1
                setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
            }
            var address = loopbackAddress(hubPort)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            // On loopback the answer is there at once.
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(hub, $0, size) }
            }
            let pair = Pair(puck: puck, hub: hub)
            for descriptor in [puck, hub] { _ = puck_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK)) }
            if result == 0 { pairs.append(pair) } else { pair.reset() }
        }
    }

    private func move(_ pair: Pair, _ direction: FaultProxy.Direction) {
        while wantsRead(pair, direction) {
            let count = read(pair.source(direction), &chunk, chunk.count)
            if count > 0 {
                pair.buffers[direction]! += chunk[..<count]
                relayed[direction, default: 0] += count
                if let planned, planned.direction == direction, relayed[direction]! >= planned.count {
                    self.planned = nil
                    planned.fault(self)
                    if pair.isOver { return }
                }
            } else if count == 0 {
                pair.ended.insert(direction)
            } else if puck_errno() == EAGAIN {
                break
            } else {
                return pair.reset()
            }
        }
        while wantsWrite(pair, direction) {
            let waiting = pair.buffers[direction]!
            let count = waiting.withUnsafeBytes {
                send(pair.target(direction), $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                pair.buffers[direction]!.removeFirst(count)
            } else if puck_errno() == EAGAIN {
                return
            } else {
                return pair.reset()
            }
        }
        if pair.ended.contains(direction), pair.buffers[direction]!.isEmpty {
            shutdown(pair.target(direction), Int32(SHUT_WR))
            if pair.ended.count == 2 { pair.shut() }
        }
    }
}

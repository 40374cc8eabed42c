import CLinux

/// What a watched descriptor reported.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// There is something to read, or to accept.
    public static let readable = Readiness(rawValue: 1)
    /// The other end is gone (POLLHUP).
    public static let hangUp = Readiness(rawValue: 2)
    /// The descriptor is in error (POLLERR), as a GPIO line whose chip was removed.
    public static let error = Readiness(rawValue: 4)
    static let writable = Readiness(rawValue: 8)

    init(epollEvents events: UInt32) {
        var set: Readiness = []
        if events & EPOLLIN.rawValue != 0 { set.insert(.readable) }
        if events & EPOLLOUT.rawValue != 0 { set.insert(.writable) }
        if events & EPOLLHUP.rawValue != 0 { set.insert(.hangUp) }
        if events & EPOLLERR.rawValue != 0 { set.insert(.error) }
        self = set
    }
}

/// A descriptor that a loop watches. The descriptor itself stays the caller's to close, after `remove`.
public final class AdoptedDescriptor {
    let fileDescriptor: Int32
    let slot: Int
    let generation: UInt32
    let onReady: (Readiness) -> Void
    /// Sound: the loop orphans its handles before it goes. (Embedded Swift has no checked unowned.)
    private unowned(unsafe) var loop: EventLoop?

    init(
        fileDescriptor: Int32, slot: Int, generation: UInt32, loop: EventLoop, onReady: @escaping (Readiness) -> Void
    ) {
        self.fileDescriptor = fileDescriptor
        self.slot = slot
        self.generation = generation
        self.loop = loop
        self.onReady = onReady
    }

    /// Stops watching, at once, also from inside a callback; a second call does nothing.
    public func remove() { loop?.forget(self) }

    func orphan() { loop = nil }
}

/// A deadline on a loop, by a timerfd of its own.
final class LoopTimer {
    private let descriptor: Int32
    private var handle: AdoptedDescriptor?
    /// What the descriptor is armed for: setting the same again would be a system call for nothing.
    private var armed: Int64?

    init(on loop: EventLoop, onExpiry: @escaping () -> Void) throws(TransportError) {
        let descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        self.descriptor = descriptor
        if descriptor < 0 { throw .system(call: "timerfd_create", code: puck_errno()) }
        // unowned(unsafe) is sound: deinit removes the handle. Embedded Swift has no checked unowned.
        handle = try loop.adopt(fileDescriptor: descriptor) { [unowned(unsafe) self] _ in
            drainCounter(descriptor)
            armed = nil
            onExpiry()
        }
    }

    /// Sets the deadline in nanoseconds of CLOCK_MONOTONIC; nil disarms.
    func set(_ deadline: Int64?) {
        if deadline == armed { return }
        armed = deadline
        var setting = itimerspec()
        if let deadline {
            let due = max(deadline, 1)  // zero would disarm
            setting.it_value.tv_sec = time_t(due / 1_000_000_000)
            setting.it_value.tv_nsec = Int(due % 1_000_000_000)
        }
        timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }

    deinit {
        handle?.remove()
        if descriptor >= 0 { close(descriptor) }
    }
}

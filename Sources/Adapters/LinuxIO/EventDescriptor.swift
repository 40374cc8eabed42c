import CLinux

/// A counter that a poll loop can wait for (eventfd, non-blocking): threads `signal`, the loop polls `descriptor` and
/// `drain`s. Signals that come before the loop gets there add up to one wake-up.
public final class EventDescriptor: Sendable {
    /// Readable while signals are pending. Owned by this object: do not close it.
    public let descriptor: Int32

    public init() throws(SystemError) {
        let made = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        if made < 0 { throw SystemError("cannot make an event descriptor", code: puck_errno()) }
        descriptor = made
    }

    deinit { close(descriptor) }

    /// What a real-time thread keeps instead of the object: plain data, so that using it retains nothing. It must not
    /// outlive the `EventDescriptor`.
    public var signaller: EventSignaller { EventSignaller(descriptor: descriptor) }
    public var waiter: EventWaiter { EventWaiter(descriptor: descriptor) }

    /// Any thread, real-time ones included: never blocks.
    @_noLocks @_noAllocation
    public func signal() { writeSignal(descriptor) }

    /// How many times `signal` was called since the last drain; 0 when never.
    @discardableResult
    public func drain() -> UInt64 {
        var count: UInt64 = 0
        let size = retryingInterrupted { read(descriptor, &count, 8) }
        return size == 8 ? count : 0
    }
}

/// See `EventDescriptor.signaller`.
public struct EventSignaller: Sendable {
    let descriptor: Int32

    /// Any thread, real-time ones included: never blocks.
    @_noLocks @_noAllocation
    public func signal() { writeSignal(descriptor) }
}

/// The other end, for a real-time thread: see `EventDescriptor.signaller`.
public struct EventWaiter: Sendable {
    let descriptor: Int32

    /// Waits until a signal comes or is there, and drains it.
    /// - Parameter milliseconds: the longest wait, 0 or more. A signal to the process may end it early.
    @_noLocks @_noAllocation
    public func wait(milliseconds: Int) { waitForSignal(descriptor, milliseconds) }
}

@_semantics("no_performance_analysis") @inline(never)
private func waitForSignal(_ descriptor: Int32, _ milliseconds: Int) {
    waitReadable(descriptor, milliseconds: milliseconds)
    var count: eventfd_t = 0
    _ = eventfd_read(descriptor, &count)
}

// The C call that the compiler's real-time check cannot see into. One write to a non-blocking eventfd: it fails only
// when 2^64 − 2 signals are pending, and then the loop is awake anyway.
@_semantics("no_performance_analysis") @inline(never)
private func writeSignal(_ descriptor: Int32) { _ = eventfd_write(descriptor, 1) }

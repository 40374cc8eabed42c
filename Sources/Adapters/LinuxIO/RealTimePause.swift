import CLinux

/// Sleeps on a real-time thread: neither locks nor allocates. 1…999 ms.
@_noLocks @_noAllocation
public func sleepMilliseconds(_ milliseconds: Int) { pause(milliseconds) }

@_semantics("no_performance_analysis") @inline(never)
private func pause(_ milliseconds: Int) {
    var time = timespec(tv_sec: 0, tv_nsec: milliseconds * 1_000_000)
    nanosleep(&time, nil)
}

/// Waits until the descriptor is readable, at most `milliseconds` (−1: for ever). A signal may end it early.
public func waitReadable(_ descriptor: Int32, milliseconds: Int) {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    poll(&entry, 1, Int32(clamping: milliseconds))
}

extension EventDescriptor {
    /// Waits for a signal, at most `milliseconds` (−1: for ever), and does not drain it.
    public func wait(milliseconds: Int) { waitReadable(descriptor, milliseconds: milliseconds) }
}

import CLinux

/// The signals that the daemons understand.
public enum Signal: Int32, CaseIterable, Equatable, Sendable {
    case hangUp = 1
    case interrupt = 2
    case user1 = 10
    case user2 = 12
    case terminate = 15
}

/// Signals as something to poll for (signalfd, non-blocking). Make it before any other thread starts: threads inherit
/// the mask, and a thread without it would still be killed by the signal.
public final class SignalDescriptor: Sendable {
    /// Readable while a signal is pending. Owned by this object: do not close it.
    public let descriptor: Int32

    /// Blocks `signals` in this thread and in every thread that it starts from now on; they stay blocked when this
    /// object goes, so that a signal during shutdown cannot cut it short.
    public init(_ signals: [Signal]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal.rawValue) }
        let result = pthread_sigmask(SIG_BLOCK, &set, nil)
        if result != 0 { throw SystemError("cannot block signals", code: result) }
        let made = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        if made < 0 { throw SystemError("cannot make a signal descriptor", code: puck_errno()) }
        descriptor = made
    }

    deinit { close(descriptor) }

    /// The next pending signal; nil when there is none. Call until nil after each wake-up.
    public func next() -> Signal? {
        var info = signalfd_siginfo()
        let wanted = MemoryLayout<signalfd_siginfo>.size
        let size = retryingInterrupted { read(descriptor, &info, wanted) }
        return size == wanted ? Signal(rawValue: Int32(info.ssi_signo)) : nil
    }

    /// Makes writing to a closed socket an error (EPIPE) instead of the end of the process. Process-wide.
    public static func ignoreBrokenPipes() { puck_ignore_signal(SIGPIPE) }
}

import CLinux

/// An operating-system thread. Whoever starts one joins it: a `Thread` that is dropped unjoined is a bug and traps.
public final class Thread {
    /// How a thread is to be scheduled.
    public enum Scheduling: Equatable, Sendable {
        case ordinary
        /// SCHED_FIFO with this priority, 1…99. Capture and playback stay below the kernel's own 50.
        case realTime(priority: Int)
    }

    /// How it came out. Real time needs `LimitRTPRIO=` in the unit or CAP_SYS_NICE; without it the thread runs all the
    /// same, ordinarily, and the daemon says so in its log.
    public enum Outcome: Equatable, Sendable {
        case asAsked
        /// Runs with the ordinary scheduler; errno is usually EPERM.
        case realTimeRefused(code: Int32)
    }

    /// Enough for the audio and loop threads with a wide margin; the system's own default is 8 MiB.
    public static let defaultStackBytes = 256 * 1024

    public let outcome: Outcome
    private let handle: pthread_t
    private var joined = false

    /// Starts `body` on a new thread.
    /// - Parameters:
    ///   - name: shown by ps and gdb; Linux keeps 15 bytes of it.
    ///   - stackBytes: at least so much. No thread gets less than the system demands, 16 KiB on x86, 128 KiB on arm64.
    public init(
        name: String, scheduling: Scheduling = .ordinary, stackBytes: Int = Thread.defaultStackBytes,
        body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var handle = pthread_t()
        var code = createThread(&handle, scheduling, stackBytes, start.toOpaque())
        var outcome = Outcome.asAsked
        if code != 0, scheduling != .ordinary {
            outcome = .realTimeRefused(code: code)
            code = createThread(&handle, .ordinary, stackBytes, start.toOpaque())
        }
        if code != 0 {
            start.release()
            throw SystemError("cannot start the thread \(name)", code: code)
        }
        self.handle = handle
        self.outcome = outcome
    }

    deinit { precondition(joined, "a thread was dropped without being joined") }

    /// Whether the calling thread has a real-time policy.
    public static var isRealTime: Bool {
        let policy = sched_getscheduler(0)
        return policy == SCHED_FIFO || policy == SCHED_RR
    }

    /// Waits until the body has returned; at once when called again. One thread only, and not the thread itself.
    public func join() {
        if joined { return }
        joined = true
        pthread_join(handle, nil)
    }
}

private final class ThreadStart {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    func run() {
        // Linux refuses more than 15 bytes and a zero.
        var short = Array(name.utf8.prefix(15)).map { CChar(bitPattern: $0) }
        short.append(0)
        puck_name_thread(short)
        body()
    }
}

/// pthread_create's result: 0 or an errno value.
private func createThread(
    _ handle: inout pthread_t, _ scheduling: Thread.Scheduling, _ stackBytes: Int, _ start: UnsafeMutableRawPointer
) -> Int32 {
    var attributes = pthread_attr_t()
    var code = pthread_attr_init(&attributes)
    if code != 0 { return code }
    defer { pthread_attr_destroy(&attributes) }
    let least = sysconf(Int32(_SC_THREAD_STACK_MIN))
    code = pthread_attr_setstacksize(&attributes, max(stackBytes, least))
    if code != 0 { return code }
    if case .realTime(let priority) = scheduling {
        var parameters = sched_param()
        parameters.sched_priority = Int32(priority)
        pthread_attr_setinheritsched(&attributes, Int32(PTHREAD_EXPLICIT_SCHED))
        pthread_attr_setschedpolicy(&attributes, SCHED_FIFO)
        code = pthread_attr_setschedparam(&attributes, &parameters)
        if code != 0 { return code }
    }
    return pthread_create(
        &handle, &attributes,
        { pointer in
            Unmanaged<ThreadStart>.fromOpaque(pointer!).takeRetainedValue().run()
            return nil
        }, start)
}

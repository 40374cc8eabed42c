import CLinux
import Synchronization

/// Lookups that are under way in this process. A resolver that hangs can hold a thread for minutes.
private let lookupThreads = Atomic<Int>(0)

/// One name lookup on a thread of its own, so that DNS never blocks the loop. The result is announced through an
/// eventfd. Dropping the object abandons the lookup; its thread ends by itself and touches nothing but its `Request`.
final class NameLookup {
    /// At most this many lookups at a time; one more fails as if no name server had answered.
    static let maximumThreads = 4
    /// Tried in turn when a name has several.
    static let maximumAddresses = 4
    /// glibc's resolver with its modules needs less than 64 KiB; four times that is only address space.
    private static let stackBytes = 256 * 1024

    /// What the two threads share. Sound without a lock: the lookup thread writes `addresses` and `code` once, before
    /// the release store to `isDone`; the loop reads them only after the acquiring load has seen it.
    private final class Request: @unchecked Sendable {
        let host: String
        let port: UInt16
        let announcement: Int32
        var addresses: [SocketAddress] = []
        var code: Int32 = 0
        let isDone = Atomic<Bool>(false)

        init(host: String, port: UInt16, announcement: Int32) {
            self.host = host
            self.port = port
            self.announcement = announcement
        }

        /// By whichever thread lets go last, so the descriptor is never closed under the other.
        deinit { close(announcement) }
    }

    private let request: Request
    private var handle: AdoptedDescriptor?

    /// - Parameter onDone: on the loop's thread: the addresses, or a getaddrinfo error.
    init?(_ host: String, port: UInt16, on loop: EventLoop, onDone: @escaping ([SocketAddress], Int32) -> Void) {
        let announcement = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard announcement >= 0 else { return nil }
        let request = Request(host: host, port: port, announcement: announcement)
        self.request = request
        do throws(TransportError) {
            handle = try loop.adopt(fileDescriptor: announcement) { _ in
                drainCounter(announcement)
                guard request.isDone.load(ordering: .acquiring) else { return }
                onDone(request.addresses, request.code)
            }
        } catch {
            return nil
        }
        guard start() else {
            handle?.remove()
            return nil
        }
    }

    deinit { handle?.remove() }

    private func start() -> Bool {
        if lookupThreads.add(1, ordering: .relaxed).oldValue >= Self.maximumThreads {
            lookupThreads.subtract(1, ordering: .relaxed)
            return false
        }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        // The daemons take their signals from a signalfd: this thread must not catch one in between.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(request)
        let result = pthread_create(&thread, &attributes, { NameLookup.run($0) }, argument.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        pthread_attr_destroy(&attributes)
        if result != 0 {
            argument.release()
            lookupThreads.subtract(1, ordering: .relaxed)
        }
        return result == 0
    }

    private static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        let request = Unmanaged<Request>.fromOpaque(argument!).takeRetainedValue()
        let result = lookUp(request.host, port: request.port, numericOnly: false, limit: maximumAddresses)
        request.addresses = result.addresses
        request.code = result.code
        request.isDone.store(true, ordering: .releasing)
        raiseCounter(request.announcement)
        lookupThreads.subtract(1, ordering: .relaxed)
        return nil
    }
}

import CLinux
import CWebSockets
import PuckBase
import Synchronization

/// The one place where a daemon's network thread waits: a libwebsockets context with its plain poll(2) loop, and every
/// other descriptor of the process adopted into it.
///
/// libwebsockets sees a single extra descriptor, an epoll instance that holds all adopted ones. So adding and removing
/// is one system call, safe inside any callback, and does not depend on how a libwebsockets release treats foreign
/// files that hang up.
///
/// Idle cost: no timer of ours ticks. libwebsockets itself wakes once in 30 s for its own bookkeeping (its
/// `sul_plat`, present in 4.1 and 4.3), and once a day to look at certificate lifetimes.
///
/// Thread: everything belongs to the thread that calls `run`, except `stop`. Links must not outlive their loop: they
/// hold it, so that happens by itself. All links of a loop go when the loop goes.
public final class EventLoop {
    /// Descriptors whose readiness is taken from epoll at once; more wait for the next turn.
    static let eventsPerTurn = 32
    /// The most that a TLS record carries (RFC 8446, 5.1), and the headroom that libwebsockets takes off.
    public static let wholeRecordBytes = 16_384 + puck_lws_pre()

    /// The `connections` it was made for.
    public let connectionCapacity: Int

    private var context: OpaquePointer?
    private var descriptors: [AdoptedDescriptor?] = []
    /// Places in `descriptors` that are free.
    private var freeSlots: [Int] = []
    private var nextGeneration: UInt32 = 1
    private let epollDescriptor: Int32
    private let wakeDescriptor: Int32
    private var wakeHandle: AdoptedDescriptor?
    private var deadlineTimer: LoopTimer?
    private var postponed: [() -> Void] = []
    /// Where epoll reports: no turn allocates.
    private let readyEvents = UnsafeMutablePointer<epoll_event>.allocate(capacity: EventLoop.eventsPerTurn)
    private let stopping = Atomic<Bool>(false)
    private var inService = false
    private let logSink: LogSink
    private let protocols: UnsafeMutablePointer<lws_protocols>
    private let keepAlivePolicy: UnsafeMutablePointer<lws_retry_bo_t>
    private let protocolName: UnsafeMutablePointer<CChar>
    private var endpoints: [Unmanaged<Endpoint>?] = []
    /// Who a socket belongs to, by the number that libwebsockets carries for it.
    private var owners = AscendingTable<UInt32, Unmanaged<Endpoint>>()
    private var lastNumber: UInt32 = 0
    private var hostNames: [UnsafeMutablePointer<CChar>] = []
    /// TLS contexts that libwebsockets uses until its own context goes.
    private var clientTrust: [OpaquePointer] = []

    /// Called when the deadline of `setDeadline` has come.
    public var onDeadline: () -> Void = {}

    /// - Parameters:
    ///   - connections: how many WebSocket connections may exist at a time, handshakes included; fixes the size of
    ///     libwebsockets' tables (about 20 bytes each). The default suits a puck.
    ///   - readBytes: read from a connection at a time. A client must have room for a whole TLS record: libwebsockets 4.1
    ///     turns for ever in a client whose connection ends, for whatever reason, while TLS has decrypted more than was
    ///     read (4.3 notices after a while and drops it). A loop of servers alone can do with
    ///     `LinkProtocol.maximumMessageBytes`; each connection has a buffer as large.
    ///   - log: gets every line of the transport, on the loop's thread.
    public init(
        connections: Int = 8, readBytes: Int = EventLoop.wholeRecordBytes,
        log: @escaping (TransportLogLevel, String) -> Void
    ) throws(TransportError) {
        precondition(connections > 0 && connections <= 4096, "a loop serves 1 to 4096 connections")
        connectionCapacity = connections
        logSink = LogSink(log)
        epollDescriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        if epollDescriptor < 0 { throw .system(call: "epoll_create1", code: puck_errno()) }
        wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        if wakeDescriptor < 0 {
            let code = puck_errno()
            close(epollDescriptor)
            throw .system(call: "eventfd", code: code)
        }
        protocolName = strdup(LinkProtocol.subprotocol)
        protocols = .allocate(capacity: 2)
        keepAlivePolicy = .allocate(capacity: 1)
        keepAlivePolicy.initialize(to: lws_retry_bo_t())  // all zero: libwebsockets sends no pings and never hangs up
        protocols.initialize(repeating: lws_protocols(), count: 2)
        protocols[0].name = UnsafePointer(protocolName)
        protocols[0].callback = dispatchToEndpoint
        protocols[0].rx_buffer_size = readBytes
        logSink.activate()
        try createContext(connections: connections, readBytes: readBytes)
        // unowned(unsafe) is sound: both are the loop's own. Embedded Swift has no checked unowned.
        wakeHandle = try adopt(fileDescriptor: wakeDescriptor) { [unowned(unsafe) self] _ in
            drainCounter(wakeDescriptor)
            runPostponed()
        }
        deadlineTimer = try LoopTimer(on: self) { [unowned(unsafe) self] in onDeadline() }
    }

    deinit {
        precondition(!inService, "the loop was released inside one of its own callbacks")
        logSink.activate()
        if let context { lws_context_destroy(context) }
        for handle in descriptors { handle?.orphan() }
        close(wakeDescriptor)
        if context == nil { close(epollDescriptor) }  // otherwise libwebsockets closed it with its adopted wsi
        for trust in clientTrust { SSL_CTX_free(trust) }
        for name in hostNames { free(name) }
        readyEvents.deallocate()
        protocols.deallocate()
        keepAlivePolicy.deallocate()
        free(protocolName)
        logSink.deactivate()
    }

    /// Serves until `stop`. Returns at once when `stop` came first; a later `run` serves again.
    public func run() {
        while !stopping.load(ordering: .acquiring) {
            if !turn() { break }
        }
        stopping.store(false, ordering: .releasing)
    }

    /// Waits until something happens and handles it: one round of the loop, for tests and for callers with a loop of
    /// their own around it. False when libwebsockets has failed for good.
    @discardableResult
    public func turn() -> Bool {
        precondition(!inService, "turn was called inside a callback of the same loop")
        logSink.activate()
        inService = true
        defer { inService = false }
        let goesOn = lws_service(context, 0) >= 0
        aside = nil
        var index = 0
        while index < endpoints.count {  // a call may add one, or detach one
            endpoints[index]?.takeUnretainedValue().onTurn?()
            index += 1
        }
        return goesOn
    }

    /// Makes `run` return after the current round. Any thread, and signal handlers.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        raiseCounter(wakeDescriptor)
    }

    /// Sets the one application deadline, in nanoseconds of CLOCK_MONOTONIC, replacing any earlier; nil for none.
    /// A deadline in the past fires in the next round. It is a timerfd: libwebsockets' own timers cost five times as
    /// much CPU at 20 ms (measured with 4.1.6).
    public func setDeadline(_ nanoseconds: Int64?) {
        deadlineTimer!.set(nanoseconds)
    }

    /// Watches a descriptor, level-triggered. The caller keeps owning and closing it, and calls `remove` on the handle
    /// before closing; the loop keeps the handle until then, so it need not be stored.
    ///
    /// When only an error or a hang-up is reported (no data left), the loop stops watching after that one call: a
    /// dead descriptor must not spin the loop.
    @discardableResult
    public func adopt(
        fileDescriptor: Int32, onReadable: @escaping (Readiness) -> Void
    ) throws(TransportError) -> AdoptedDescriptor {
        try adopt(fileDescriptor: fileDescriptor, interest: EPOLLIN.rawValue, onReady: onReadable)
    }

    public func log(_ level: TransportLogLevel, _ text: String) { logSink.write(level, text) }

    /// Takes libwebsockets' lines instead of the log, while it parses what one known peer has sent.
    var aside: ((TransportLogLevel, String) -> Void)? {
        get { logSink.aside }
        set { logSink.aside = newValue }
    }
}

// MARK: - Adopted descriptors

extension EventLoop {
    func adopt(
        fileDescriptor: Int32, interest: UInt32, onReady: @escaping (Readiness) -> Void
    ) throws(TransportError) -> AdoptedDescriptor {
        let slot = freeSlots.popLast() ?? descriptors.count
        let handle = AdoptedDescriptor(
            fileDescriptor: fileDescriptor, slot: slot, generation: nextGeneration, loop: self, onReady: onReady)
        nextGeneration &+= 1
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(handle.generation) << 32 | UInt64(slot)
        guard epoll_ctl(epollDescriptor, EPOLL_CTL_ADD, fileDescriptor, &event) == 0 else {
            if slot < descriptors.count { freeSlots.append(slot) }
            throw .system(call: "epoll_ctl", code: puck_errno())
        }
        if slot == descriptors.count { descriptors.append(handle) } else { descriptors[slot] = handle }
        return handle
    }

    func forget(_ handle: AdoptedDescriptor) {
        guard handle.slot < descriptors.count, descriptors[handle.slot] === handle else { return }
        epoll_ctl(epollDescriptor, EPOLL_CTL_DEL, handle.fileDescriptor, nil)
        descriptors[handle.slot] = nil
        freeSlots.append(handle.slot)
    }

    /// Runs `work` in a later round, never inside the caller. Bounded by its callers: a link has at most two such
    /// notes pending, a server connection one.
    func later(_ work: @escaping () -> Void) {
        postponed.append(work)
        raiseCounter(wakeDescriptor)
    }

    private func runPostponed() {
        let batch = postponed
        postponed = []
        for work in batch { work() }
    }

    fileprivate func serveDescriptors() {
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsPerTurn) { events in
            let count = epoll_wait(epollDescriptor, events.baseAddress!, Int32(Self.eventsPerTurn), 0)
            for index in 0..<max(0, Int(count)) { serve(events[index]) }
        }
    }

    private func serve(_ event: epoll_event) {
        let slot = Int(event.data.u64 & 0xffff_ffff)
        let generation = UInt32(event.data.u64 >> 32)
        // An earlier callback of this batch may have removed it, or put another one into its slot.
        guard slot < descriptors.count, let handle = descriptors[slot], handle.generation == generation else { return }
        let readiness = Readiness(epollEvents: event.events)
        handle.onReady(readiness)
        if readiness.isDisjoint(with: [.readable, .writable]) { forget(handle) }
    }
}

// MARK: - libwebsockets

extension EventLoop {
    private func createContext(connections: Int, readBytes: Int) throws(TransportError) {
        var info = lws_context_creation_info()
        info.options = UInt64(LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT)
        info.user = Unmanaged.passUnretained(self).toOpaque()
        info.port = CONTEXT_PORT_NO_LISTEN
        info.gid = .init(truncatingIfNeeded: -1)
        info.uid = .init(truncatingIfNeeded: -1)
        // One pollfd per connection, the epoll instance, and what libwebsockets opens for itself: an event pipe, from
        // 4.3 on a netlink socket; the rest is spare.
        info.fd_limit_per_thread = UInt32(connections + 8)
        info.max_http_header_pool = UInt16(max(2, connections))
        info.pt_serv_buf_size = UInt32(readBytes)
        // Only a second line of defence: this module's own, shorter deadlines fire first.
        info.timeout_secs = 10
        info.retry_and_idle_policy = UnsafePointer(keepAlivePolicy)
        context = lws_create_context(&info)
        guard context != nil else {
            throw .library("libwebsockets could not create its context")
        }
        let host = try makeVirtualHost(name: "loop", endpoint: nil) { _ in }
        var descriptor = lws_sock_file_fd_type()
        descriptor.filefd = epollDescriptor
        guard lws_adopt_descriptor_vhost(host, LWS_ADOPT_RAW_FILE_DESC, descriptor, protocolName, nil) != nil else {
            throw .library("libwebsockets could not adopt the loop's descriptor set")
        }
    }

    /// A virtual host whose callbacks go to `endpoint`; lives as long as the loop.
    func makeVirtualHost(
        name: String, endpoint: Endpoint?, configure: (inout lws_context_creation_info) -> Void
    ) throws(TransportError) -> OpaquePointer {
        endpoints.append(endpoint.map { Unmanaged.passUnretained($0) })
        var info = lws_context_creation_info()
        info.port = CONTEXT_PORT_NO_LISTEN
        info.protocols = UnsafePointer(protocols)
        info.retry_and_idle_policy = UnsafePointer(keepAlivePolicy)
        info.timeout_secs_ah_idle = 5
        info.connect_timeout_secs = 10
        // Slot plus one, so that a null pointer stays "nobody".
        info.user = UnsafeMutableRawPointer(bitPattern: endpoints.count)
        configure(&info)
        logSink.activate()
        let ownName = strdup(name)!
        info.vhost_name = UnsafePointer(ownName)
        hostNames.append(ownName)  // libwebsockets keeps the pointer
        guard let host = lws_create_vhost(context, &info) else {
            endpoints.removeLast()
            throw .library("libwebsockets could not set up the \(name)")
        }
        endpoint?.slot = endpoints.count - 1
        return host
    }

    /// Has `Endpoint.onSecured` called for the sessions of a server's context.
    fileprivate func watchHandshakes(of context: OpaquePointer) {
        SSL_CTX_set_ex_data(context, sslAppData, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_info_callback(context) { session, event, _ in
            guard event & SSL_CB_HANDSHAKE_DONE != 0, let session, let context = SSL_get_SSL_CTX(session),
                let owner = SSL_CTX_get_ex_data(context, sslAppData)
            else { return }
            let loop = Unmanaged<EventLoop>.fromOpaque(owner).takeUnretainedValue()
            for endpoint in loop.endpoints { endpoint?.takeUnretainedValue().onSecured?(session) }
        }
    }

    /// Keeps a client's TLS context, by a reference of its own, until libwebsockets is gone.
    func keep(trust: OpaquePointer) {
        SSL_CTX_up_ref(trust)
        clientTrust.append(trust)
    }

    func detach(_ endpoint: Endpoint) {
        if endpoint.slot >= 0 { endpoints[endpoint.slot] = nil }
    }

    var contextPointer: OpaquePointer { context! }
    var silentPolicy: UnsafePointer<lws_retry_bo_t> { UnsafePointer(keepAlivePolicy) }

    /// A number for one socket, never given out twice by this loop.
    func number(for endpoint: Endpoint) -> UInt32 {
        lastNumber &+= 1
        precondition(lastNumber != 0, "four billion sockets: their numbers would repeat")
        owners[lastNumber] = Unmanaged.passUnretained(endpoint)
        return lastNumber
    }

    func retire(_ number: UInt32) { owners[number] = nil }

    /// By number where the socket has one: libwebsockets may move a socket to another virtual host of the same loop
    /// when it reads the Host header. The virtual host counts only while a socket has no number yet.
    fileprivate func endpoint(for wsi: OpaquePointer) -> Endpoint? {
        let number = socketNumber(wsi)
        if number != 0 { return owners[number]?.takeUnretainedValue() }
        guard let host = lws_get_vhost(wsi), let user = lws_get_vhost_user(host) else { return nil }
        let slot = Int(bitPattern: user) - 1
        guard slot >= 0, slot < endpoints.count else { return nil }
        return endpoints[slot]?.takeUnretainedValue()
    }
}

/// What SSL_CTX_set_app_data, a macro, stores under: OpenSSL gives this index to nobody.
private let sslAppData: Int32 = 0

/// The number of a socket; 0 when it has none, yet or any more.
func socketNumber(_ wsi: OpaquePointer) -> UInt32 {
    UInt32(truncatingIfNeeded: UInt(bitPattern: lws_get_opaque_user_data(wsi)))
}

func setSocketNumber(_ wsi: OpaquePointer, _ number: UInt32) {
    lws_set_opaque_user_data(wsi, UnsafeMutableRawPointer(bitPattern: UInt(number)))
}

/// The one libwebsockets callback: finds the loop by the context, and the link by the socket's number.
private func dispatchToEndpoint(
    wsi: OpaquePointer?, reason: lws_callback_reasons, user: UnsafeMutableRawPointer?,
    input: UnsafeMutableRawPointer?, length: Int
) -> Int32 {
    switch reason {
    case LWS_CALLBACK_LOCK_POLL, LWS_CALLBACK_CHANGE_MODE_POLL_FD, LWS_CALLBACK_UNLOCK_POLL:
        return 0  // six of these a message; they are for loops that libwebsockets does not run
    default: break
    }
    guard let wsi, let context = lws_get_context(wsi), let owner = lws_context_user(context) else { return 0 }
    let loop = Unmanaged<EventLoop>.fromOpaque(owner).takeUnretainedValue()
    switch reason {
    case LWS_CALLBACK_RAW_RX_FILE:
        loop.serveDescriptors()
        return 0
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        // Each server has one certificate. libwebsockets' handler of the requested name would answer with that of the
        // first server of the process.
        if let user {
            SSL_CTX_callback_ctrl(OpaquePointer(user), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, nil)
            loop.watchHandshakes(of: OpaquePointer(user))
        }
        return 0
    default:
        break
    }
    if let endpoint = loop.endpoint(for: wsi) { return endpoint.handle(wsi, reason, user, input, length) }
    // Nothing that no link knows may pass the door.
    return reason == LWS_CALLBACK_HTTP_CONFIRM_UPGRADE || reason == LWS_CALLBACK_HTTP ? -1 : 0
}

/// What a virtual host's callbacks are handed to; its owner detaches it before going.
final class Endpoint {
    typealias Handler = (
        _ wsi: OpaquePointer, _ reason: lws_callback_reasons, _ user: UnsafeMutableRawPointer?,
        _ input: UnsafeMutableRawPointer?, _ length: Int
    ) -> Int32

    fileprivate(set) var slot = -1
    fileprivate var handle: Handler = { _, _, _, _, _ in 0 }
    /// After each round of the loop.
    var onTurn: (() -> Void)?
    /// A server's TLS handshake has ended, on any endpoint of the loop.
    var onSecured: ((OpaquePointer) -> Void)?

    func onCallback(_ handle: @escaping Handler) { self.handle = handle }
}

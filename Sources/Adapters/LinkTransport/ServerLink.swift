import CLinux
import CWebSockets
import PuckBase

/// A connection of the hub's; never used twice within a run.
public struct ConnectionID: Hashable, Sendable {
    public let value: UInt32

    public init(_ value: UInt32) { self.value = value }
}

/// The hub's listening side: accepts WebSockets whose token it was told to accept, and nothing else.
///
/// Limits: `maximumConnections` open ones, past which a newcomer gets HTTP 503, and `handshakesAtOnce` that have not
/// proved themselves yet. `Door` decides who gets a place among these; who waits for one costs a descriptor and no TLS
/// work. A connection has 5 s for all of it.
///
/// It listens as long as the object lives: keep it.
///
/// Thread: the loop's. Callbacks come out of the loop only, never from inside a call of `send`, `close` or
/// `disconnect`, so each of these may be called inside any callback, also for the connection it is about.
public final class ServerLink {
    public enum Security: Equatable, Sendable {
        /// `ws`, for tests on loopback and where the owner wrote `insecure = yes`.
        case insecure
        /// `wss`, with PEM files.
        case tls(certificateFile: String, keyFile: String)
    }

    /// Bounds of what a peer may make this hub do by sending, whatever it sends: reads cost a system call and a
    /// decryption each, bytes the parsing of frames, and no WebSocket ping, empty fragment or frame exists without them.
    public struct Work: Sendable {
        /// Reads with data, two for each TLS record (without TLS: for each TCP segment). A puck sends up to 300 messages a
        /// second, in as many records.
        public var readsPerSecond = 1_200
        public var readsAtOnce = 4_000
        /// PCM that catches up is 70 KB a second.
        public var bytesPerSecond = 160_000
        public var bytesAtOnce = 1 << 20

        public init() {}
    }

    public struct Configuration: Sendable {
        /// A numeric address; "*" listens on all of both families.
        public var address: String
        /// 0 lets the system choose: see `boundPort`.
        public var port: UInt16
        public var security: Security
        public var maximumConnections = 64
        /// TLS and HTTP together, in nanoseconds.
        public var handshakeTimeoutNanoseconds = LinkProtocol.openTimeoutNanoseconds
        /// How long somebody who is being paired keeps his place against a newcomer from whose address no more came to
        /// nothing than from his.
        var pairingGraceNanoseconds: Int64 = 1_000_000_000
        /// What each open connection may make this hub read; nil for as much as it likes.
        public var work: Work?

        public init(address: String, port: UInt16, security: Security) {
            self.address = address
            self.port = port
            self.security = security
        }
    }

    /// Accepted in one round of the loop; more wait for the next.
    static let acceptsPerRound = 64
    /// Handshakes begun in one round of the loop. One costs a millisecond and takes three rounds or more, so few enough
    /// that those who speak need not wait.
    static let handshakesPerRound = 4
    /// How long accepting rests when the process has no descriptor left, in nanoseconds.
    static let acceptPauseNanoseconds: Int64 = 1_000_000_000

    /// Is asked at the upgrade: who the bearer of this token is, or nil, which answers HTTP 401.
    public var authorize: (_ token: String) -> String? = { _ in nil }
    /// A puck is connected: its identity as `authorize` gave it, and its numeric address.
    public var onOpen: (ConnectionID, _ identity: String, _ peerAddress: String) -> Void = { _, _, _ in }
    /// One whole binary message, at most 4096 bytes, valid during the call.
    public var onMessage: (ConnectionID, UnsafeRawBufferPointer) -> Void = { _, _ in }
    /// Is asked when somebody without a token wants to be paired: nil for yes, else why not.
    public var admitStranger: () -> String? = { "No pairing is under way." }
    /// One whole message of somebody who is being paired; answer with `send`.
    public var onStrangerMessage: (ConnectionID, _ peerAddress: String, UnsafeRawBufferPointer) -> Void = { _, _, _ in }
    /// Once for each stranger that was let in.
    public var onStrangerClosed: (ConnectionID) -> Void = { _ in }
    /// A connection sends more than `Configuration.work` allows; once for each. End it.
    public var onWasteful: (ConnectionID) -> Void = { _ in }
    /// Exactly once for each `onOpen`.
    public var onClosed: (ConnectionID, _ reason: String) -> Void = { _, _ in }

    /// Says to what was postponed that this link has gone.
    let life = Life()
    let loop: EventLoop
    let configuration: Configuration
    let isTLS: Bool
    let endpoint = Endpoint()
    var host: OpaquePointer?
    var listener: Int32 = -1
    var listenerHandle: AdoptedDescriptor?
    private var timer: LoopTimer?
    var connections = AscendingTable<UInt32, ServerConnection>()
    var door: Door
    /// Connections that have not begun their handshake, by the door's number.
    var callers = AscendingTable<UInt32, Caller>()
    var lastCaller: UInt32 = 0
    /// `serveDoor` runs in the next round.
    var willServeDoor = false
    var turnedAway = TurnedAway()
    /// How often each token may connect.
    var arrivals: [String: Allowance] = [:]
    /// Lines of the log that peers without a token may cause.
    var lines = Allowance(perSecond: 1, atOnce: 20)
    var linesLeftOut = 0
    /// Set while libwebsockets takes over a socket.
    var adopting: ServerConnection?
    var acceptResumes: Int64?
    /// Between their TLS handshake and their upgrade; as many as the door lets be there at once.
    var gated: [ServerConnection] = []
    /// When plain connections were last looked at.
    var meteredAt: Int64 = 0
    private(set) var openCount = 0
    /// The port that is listened on.
    public private(set) var boundPort: UInt16 = 0

    /// Listens from here on.
    public init(on loop: EventLoop, configuration: Configuration) throws(TransportError) {
        self.loop = loop
        self.configuration = configuration
        door = Door(connections: configuration.maximumConnections)
        guard configuration.maximumConnections > 0,
            loop.connectionCapacity >= Self.capacity(for: configuration.maximumConnections)
        else {
            throw .configuration(
                "\(configuration.maximumConnections) connections need an event loop for "
                    + "\(Self.capacity(for: configuration.maximumConnections))")
        }
        var files: (certificate: String, key: String)?
        if case .tls(let certificate, let key) = configuration.security {
            try Self.checkReadable(certificate, "certificate")
            try Self.checkReadable(key, "private key")
            files = (certificate, key)
        }
        isTLS = files != nil
        let strings = ServerStrings(certificate: files?.certificate ?? "", key: files?.key ?? "")
        host = try loop.makeVirtualHost(name: "server", endpoint: endpoint) { [isTLS] info in
            info.port = CONTEXT_PORT_NO_LISTEN_SERVER
            info.alpn = UnsafePointer(strings.alpn)
            guard isTLS else { return }
            info.options =
                UInt64(LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS)
                | puck_lws_plain_on_tls_port()
            info.ssl_cert_filepath = UnsafePointer(strings.certificate)
            info.ssl_private_key_filepath = UnsafePointer(strings.key)
        }
        withExtendedLifetime(strings) {}
        // unowned(unsafe), here and below, is sound: deinit takes back every callback that was given out. Embedded
        // Swift has no checked unowned.
        endpoint.onCallback { [unowned(unsafe) self] wsi, reason, _, input, length in
            handle(wsi, reason, input, length)
        }
        endpoint.onSecured = { [unowned(unsafe) self] session in secured(session) }
        endpoint.onTurn = { [unowned(unsafe) self] in
            if isTLS { expectRest() } else { meterPlain() }
        }
        timer = try LoopTimer(on: loop) { [unowned(unsafe) self] in deadlineCame() }
        listener = try openListener(address: configuration.address, port: configuration.port)
        boundPort = Self.boundPort(of: listener)
        listenerHandle = try loop.adopt(fileDescriptor: listener) { [unowned(unsafe) self] _ in acceptWaiting() }
    }

    deinit {
        life.isOver = true
        loop.aside = nil
        listenerHandle?.remove()
        if listener >= 0 { CLinux.close(listener) }
        for caller in callers.values { caller.close() }
        for connection in connections.values {
            connection.stopMetering()
            connection.kill()
            loop.retire(connection.id.value)
        }
        // While the loop is surely still there: it goes with this link when this is its last.
        timer = nil
        loop.detach(endpoint)
    }

    // MARK: For the hub

    /// Queues one binary message, `head` followed by `body`, both copied. False, and nothing changed, when the
    /// connection is not open, the message is larger than 4096 bytes, or its 64 KiB queue has no room for it.
    public func send(to id: ConnectionID, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool {
        guard let connection = connections[id.value], connection.state == .open else { return false }
        return connection.queue(head: head, body: body)
    }

    /// Bytes of messages that wait for the connection's socket; 0 when there is no such connection.
    public func queuedBytes(of id: ConnectionID) -> Int { connections[id.value]?.queuedBytes ?? 0 }

    /// Sends what is queued and then a close with `code` and `reason` (at most 123 bytes of it), for at most a second.
    /// `onClosed` follows. Nothing more is received.
    public func close(_ id: ConnectionID, code: UInt16, reason: String) {
        guard let connection = connections[id.value], connection.state == .open else { return }
        connection.beginClose(
            code: code, reason: reason, by: monotonicNanoseconds() + LinkProtocol.closeTimeoutNanoseconds)
        setTimer()
    }

    /// Drops the connection and what is queued on it. `onClosed` follows in a later round of the loop.
    public func disconnect(_ id: ConnectionID) {
        guard let connection = connections[id.value], connection.isOpenOrClosing else { return }
        connection.closeReason = connection.closeReason ?? "dropped by the hub"
        connection.state = .dead
        connection.kill()
    }

    public var connectionCount: Int { openCount }

    // MARK: Deadlines

    func setTimer() {
        var earliest = acceptResumes
        func consider(_ deadline: Int64?) {
            if let deadline, earliest.map({ deadline < $0 }) ?? true { earliest = deadline }
        }
        for connection in connections.values { consider(connection.deadline) }
        // All have the same time, so the first to come is the first to go.
        consider(callers.values.first?.deadline)
        consider(door.nextTurn(now: monotonicNanoseconds()))
        timer?.set(earliest)
    }

    private func deadlineCame() {
        let now = monotonicNanoseconds()
        if let acceptResumes, acceptResumes <= now { resumeAccepting() }
        while let caller = callers.values.first, caller.deadline <= now { dismiss(callers.keys[0]) }
        for connection in connections.values {
            guard let deadline = connection.deadline, deadline <= now else { continue }
            connection.deadline = nil
            if connection.isStranger, connection.state == .open {
                logStranger(.info, "\(connection.peer) did not go on with its pairing in time")
            } else if connection.state == .handshaking {
                logStranger(.info, "\(connection.peer) did not finish its handshake in time")
            }
            connection.kill()
        }
        serveDoor()
        setTimer()
    }

    // MARK: libwebsockets

    private func handle(
        _ wsi: OpaquePointer, _ reason: lws_callback_reasons, _ input: UnsafeMutableRawPointer?, _ length: Int
    ) -> Int32 {
        if reason == LWS_CALLBACK_WSI_CREATE { adopting?.wsi = wsi }
        guard let connection = connection(for: wsi) else {
            // Nothing that this hub does not know may pass its door.
            return reason == LWS_CALLBACK_HTTP_CONFIRM_UPGRADE || reason == LWS_CALLBACK_HTTP ? -1 : 0
        }
        switch reason {
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE where connection.state == .dead,
            LWS_CALLBACK_HTTP where connection.state == .dead, LWS_CALLBACK_ESTABLISHED where connection.state == .dead:
            return -1  // it gave way in the middle of its handshake
        case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
            let verdict = confirmUpgrade(connection, to: input)
            if verdict == 0 { connection.gate?.isOpen = true }
            return verdict
        case LWS_CALLBACK_HTTP:
            return refusePlainRequest(connection)
        case LWS_CALLBACK_ESTABLISHED:
            if connection.isStranger {
                // It has shown no token: its handshake is not given back, but its place is free.
                let now = monotonicNanoseconds()
                door.gone(connection.doorNumber, now: now)
                serveDoor()
                connection.open(until: now + Self.strangerSilenceNanoseconds)
                connection.openedAt = now
                meter(connection)
                setTimer()
                return 0
            }
            if connection.identity.isEmpty { return -1 }
            connection.open()
            openCount += 1
            meter(connection)
            setTimer()
            onOpen(connection.id, connection.identity, connection.peer)
        case LWS_CALLBACK_RECEIVE:
            return received(connection, wsi, input, length)
        case LWS_CALLBACK_SERVER_WRITEABLE:
            return connection.writable(wsi)
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
            let close = decodeClose(input, length)
            let detail = close.reason.isEmpty ? "" : ": \(close.reason)"
            connection.closeReason = connection.closeReason ?? "closed by the puck (code \(close.code)\(detail))"
        case LWS_CALLBACK_CLOSED:
            // A WebSocket still; in WSI_DESTROY it is none any more.
            if connection.closeReason == nil, connection.wasOpen { connection.closeReason = Self.closedByLibrary(wsi) }
            forget(connection)
        case LWS_CALLBACK_WSI_DESTROY:
            forget(connection)
        default:
            break
        }
        return 0
    }

    /// libwebsockets sets the user's pointer anew while it takes a socket over, so until then it is the one at hand.
    private func connection(for wsi: OpaquePointer) -> ServerConnection? {
        if let adopting, adopting.wsi == wsi { return adopting }
        return connections[socketNumber(wsi)]
    }

    private func received(
        _ connection: ServerConnection, _ wsi: OpaquePointer, _ input: UnsafeMutableRawPointer?, _ length: Int
    ) -> Int32 {
        if connection.state == .dead { return -1 }
        guard connection.state == .open else { return 0 }
        switch connection.assembler.add(wsi, input, length) {
        case .incomplete:
            return 0
        case .message(let message):
            if connection.isStranger {
                connection.deadline = min(
                    monotonicNanoseconds() + Self.strangerSilenceNanoseconds,
                    connection.openedAt + Self.strangerTimeoutNanoseconds)
                setTimer()
                onStrangerMessage(connection.id, connection.peer, message)
            } else {
                onMessage(connection.id, message)
            }
            return connection.state == .dead ? -1 : 0
        case .tooLarge:
            connection.closeReason = "a message of more than \(LinkProtocol.maximumMessageBytes) bytes"
            setCloseReason(wsi, CloseCode.messageTooLarge, "more than \(LinkProtocol.maximumMessageBytes) bytes")
        case .text:
            connection.closeReason = "a text message, which \(LinkProtocol.subprotocol) does not have"
            setCloseReason(wsi, CloseCode.unsupportedData, "text")
        }
        connection.state = .closing
        connection.deadline = monotonicNanoseconds() + LinkProtocol.closeTimeoutNanoseconds
        setTimer()
        return -1
    }

    private func forget(_ connection: ServerConnection) {
        connections[connection.id.value] = nil
        loop.retire(connection.id.value)
        connection.stopMetering()
        let reason = connection.closeReason ?? "the connection broke"
        connection.wsi = nil
        door.gone(connection.doorNumber, now: monotonicNanoseconds())
        serveDoor()
        guard connection.wasOpen else { return setTimer() }
        setTimer()
        if connection.isStranger { return onStrangerClosed(connection.id) }
        openCount -= 1
        onClosed(connection.id, reason)
    }

    /// What libwebsockets wrote into a close frame of its own, when it refused what a puck sent; nil when it did not.
    private static func closedByLibrary(_ wsi: OpaquePointer) -> String? {
        let length = Int(lws_get_close_length(wsi))
        guard length >= 2, let payload = lws_get_close_payload(wsi) else { return nil }
        let code = Int(payload[0]) << 8 | Int(payload[1])
        let text = String(decoding: UnsafeBufferPointer(start: payload + 2, count: length - 2), as: UTF8.self)
        return
            "closed by the hub: what came is no WebSocket frame that it takes (code \(code)\(text.isEmpty ? "" : ": " + text))"
    }
}

/// Outlives the link that it belongs to, in the closures that the loop still holds.
final class Life {
    var isOver = false
}

/// C strings that libwebsockets reads while it sets the server up.
private final class ServerStrings {
    let certificate: UnsafeMutablePointer<CChar>
    let key: UnsafeMutablePointer<CChar>
    let alpn: UnsafeMutablePointer<CChar>

    init(certificate: String, key: String) {
        self.certificate = strdup(certificate)
        self.key = strdup(key)
        alpn = strdup("http/1.1")
    }

    deinit {
        free(certificate)
        free(key)
        free(alpn)
    }
}

import CLinux
import CWebSockets

/// A puck's connection to its hub: one WebSocket, opened again as often as the caller likes. It retries nothing by
/// itself; when to try again is the core's decision.
///
/// Thread: the loop's. Callbacks come out of the loop only, never from inside a call of `open`, `close` or `send`, so
/// each of these may be called inside any callback.
public final class ClientLink {
    public enum Security: Equatable, Sendable {
        /// `ws`: for loopback, and where the owner wrote `insecure = yes`.
        case plain
        /// `wss`. `certificateName` is the host name or address that the certificate must carry; nil means `host`, unless
        /// the certificate is itself in the trusted file: then it is the hub's wherever that is.
        case verified(Trust, certificateName: String? = nil)
    }

    public struct Configuration: Sendable {
        public var host: String
        public var port: UInt16
        public var token: String
        public var security: Security
        /// SHA-256 of certificates that are believed for themselves beside `security`, 64 hexadecimal digits each.
        public var believed: [String] = []
        public var path = LinkProtocol.path
        public var subprotocol = LinkProtocol.subprotocol
        /// Name lookup, TCP, TLS and HTTP together, in nanoseconds.
        public var openTimeoutNanoseconds = LinkProtocol.openTimeoutNanoseconds

        public init(host: String, port: UInt16, token: String, security: Security) {
            self.host = host
            self.port = port
            self.token = token
            self.security = security
        }
    }

    enum State {
        case idle
        case resolving
        case connecting
        case probing
        case open
        case closing
    }

    /// The hub accepted: messages may be sent.
    public var onOpen: () -> Void = {}
    /// One whole binary message, at most 4096 bytes, valid during the call.
    public var onMessage: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// Exactly once for each `open`, whatever happens. Afterwards `open` may be called again, also inside this call.
    public var onClosed: (LinkFailure) -> Void = { _ in }
    /// Everything that `send` took has been handed to the socket.
    public var onDrained: () -> Void = {}

    let loop: EventLoop
    var configuration: Configuration
    let trust: ServerTrust?
    var state = State.idle
    /// What the current or last `open` connects to.
    public private(set) var destination: (host: String, port: UInt16)
    /// The number of the socket that counts; a callback that carries another comes from one that was given up.
    var attempt: UInt32 = 0
    /// Counts `open` calls, so that a note of an earlier one is not taken for the current one's.
    var opening: UInt64 = 0
    var wsi: OpaquePointer?
    var host: OpaquePointer?
    var timer: LoopTimer?
    var lookup: NameLookup?
    var addresses: [SocketAddress] = []
    var addressIndex = 0
    var openDeadline: Int64 = 0
    /// How far the current socket got.
    var isConnected = false
    var sentRequest = false
    /// Known before libwebsockets reports the end: a bad message, a close frame.
    var pendingFailure: LinkFailure?
    /// What the hub may still cause on the current socket.
    var budget = ReceiveBudget(now: 0)
    /// Rounds of the loop until that is looked at again.
    var roundsUntilLook = ClientLink.roundsPerLook
    /// Taken when libwebsockets has it: asked a second time, it would not wait for the answer to it.
    private var closeFrame: (code: UInt16, reason: String)?
    var probe: (descriptor: Int32, handle: AdoptedDescriptor)?
    private let endpoint = Endpoint()
    private let reference = LinkReference()
    private let ring = SendRing()
    private var assembler = MessageAssembler()
    private let requestStrings: RequestStrings

    /// Checks the settings and loads the trusted certificates; connects nothing.
    public init(on loop: EventLoop, configuration: Configuration) throws(TransportError) {
        self.loop = loop
        self.configuration = configuration
        destination = (configuration.host, configuration.port)
        if configuration.host.isEmpty { throw .configuration("the hub's host is empty: set [hub] host") }
        if configuration.port == 0 { throw .configuration("the hub's port is 0: set [hub] port, usually 7443") }
        guard configuration.token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), configuration.token.utf8.count <= 512
        else {
            throw .configuration(
                "the token has blanks, line ends or other characters that no token has, or is longer than 512: "
                    + "copy it again from 'puckhub token add NAME'")
        }
        switch configuration.security {
        case .plain:
            trust = nil
        case .verified(let trusted, let name):
            trust = try ServerTrust(trusted, expectedName: name ?? configuration.host, isNamed: name != nil)
        }
        trust?.believed = configuration.believed
        requestStrings = RequestStrings(configuration)
        if let trust { loop.keep(trust: trust.context) }
        host = try loop.makeVirtualHost(name: "client", endpoint: endpoint) { [trust] info in
            if let trust {
                info.options = UInt64(LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT)
                info.provided_client_ssl_ctx = trust.context
            }
        }
        // unowned(unsafe), here and below, is sound: deinit takes back every callback that was given out. Embedded
        // Swift has no checked unowned.
        timer = try LoopTimer(on: loop) { [unowned(unsafe) self] in deadlineCame() }
        endpoint.onCallback { [unowned(unsafe) self] wsi, reason, user, input, length in
            handle(wsi, reason, user, input, length)
        }
        endpoint.onTurn = { [unowned(unsafe) self] in lookAtBudget() }
        reference.link = self
    }

    deinit {
        reference.link = nil
        abandonSocket()
        endProbe()
        // While the loop is surely still there: it goes with this link when this is its last.
        timer = nil
        lookup = nil
        loop.detach(endpoint)
    }

    /// Starts to connect. Only after `onClosed` of the open before.
    /// - Parameter place: where the hub may be instead of where the configuration says. Trust is not changed by it: the
    ///   certificate must be the trusted one and carry the configured name.
    public func open(to place: (host: String, port: UInt16)? = nil) {
        precondition(state == .idle, "open was called again before onClosed reported the end of the last one")
        state = .resolving
        destination = place ?? (configuration.host, configuration.port)
        opening += 1
        addresses = []
        addressIndex = 0
        pendingFailure = nil
        openDeadline = monotonicNanoseconds() + configuration.openTimeoutNanoseconds
        timer!.set(openDeadline)
        // A numeric address needs no thread.
        let numeric = lookUp(
            destination.host, port: destination.port, numericOnly: true, limit: NameLookup.maximumAddresses)
        if numeric.addresses.first?.lacksZone ?? isZoneUnknown {
            return finishLater(.addressWithoutZone(host: destination.host))
        }
        if numeric.code == 0 {
            addresses = numeric.addresses
            connectToNextAddress()
            return
        }
        lookup = NameLookup(destination.host, port: destination.port, on: loop) {
            [unowned(unsafe) self] found, code in
            lookedUp(found, code)
        }
        if lookup == nil { finishLater(.nameServiceSilent(host: destination.host)) }
    }

    /// Sends what is queued and then a close with `code` and `reason` (at most 123 bytes of it), for at most a second;
    /// an open that is under way is given up at once. `onClosed` follows. Without effect on a link that is not open.
    public func close(code: UInt16 = CloseCode.normal, reason: String = "") {
        switch state {
        case .idle, .closing:
            break
        case .resolving, .connecting, .probing:
            abandonSocket()
            finishLater(.closedHere)
        case .open:
            beginClose(code, reason)
        }
    }

    /// Sends what is queued, then the close frame, within a second. Never by -1 from a callback that receives:
    /// libwebsockets goes on to parse then, and writes past the end of its buffer, which it did not empty (4.1 and 4.3).
    private func beginClose(_ code: UInt16, _ reason: String) {
        state = .closing
        closeFrame = (code, reason)
        timer!.set(monotonicNanoseconds() + LinkProtocol.closeTimeoutNanoseconds)
        lws_callback_on_writable(wsi)
    }

    /// Queues one binary message, `head` followed by `body`, both copied. False, and nothing changed, when the link is
    /// not open, the message is larger than 4096 bytes, or the 64 KiB queue has no room for it.
    public func send(head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool {
        guard state == .open, ring.append(head: head, body: body) else { return false }
        lws_callback_on_writable(wsi)
        return true
    }

    /// Bytes of messages that wait for the socket.
    public var queuedBytes: Int { ring.queuedBytes }

    public var isOpen: Bool { state == .open }

    // MARK: The end of an open

    /// Reports the end, out of the loop. `closing` keeps `open` and `send` out until then.
    func finishLater(_ failure: LinkFailure) {
        state = .closing
        let current = opening
        later { link in
            if link.opening == current && link.state == .closing { link.finish(failure) }
        }
    }

    /// Does `work` out of the loop, unless the link has gone by then. Work that held the link itself would keep a loop
    /// that was stopped, and the link that holds it, for ever.
    func later(_ work: @escaping (ClientLink) -> Void) {
        loop.later { [reference] in
            if let link = reference.link { work(link) }
        }
    }

    /// Only out of the loop, never inside a call of the user's.
    func finish(_ failure: LinkFailure) {
        if state == .idle { return }
        abandonSocket()
        endProbe()
        lookup = nil
        timer!.set(nil)
        ring.removeAll()
        assembler.reset()
        state = .idle
        onClosed(failure)
    }

    /// Lets libwebsockets drop the current socket by itself; nothing that it still says is heard.
    func abandonSocket() {
        loop.retire(attempt)
        attempt = 0
        guard let wsi else { return }
        self.wsi = nil
        setSocketNumber(wsi, 0)
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC)
    }

    // MARK: libwebsockets

    private func handle(
        _ wsi: OpaquePointer, _ reason: lws_callback_reasons, _ user: UnsafeMutableRawPointer?,
        _ input: UnsafeMutableRawPointer?, _ length: Int
    ) -> Int32 {
        guard attempt != 0, socketNumber(wsi) == attempt else { return 0 }
        switch reason {
        case LWS_CALLBACK_WSI_CREATE:
            isConnected = true
        case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
            return appendAuthorization(input, length)
        case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
            // libwebsockets would take a hub that chose no subprotocol at all.
            if lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) == 0 {
                pendingFailure = .wrongSubprotocol
                return 1
            }
        case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
            self.wsi = nil
            connectionFailed(status: Int(lws_http_client_http_response(wsi)), text: input, length)
        case LWS_CALLBACK_CLIENT_ESTABLISHED:
            state = .open
            timer!.set(nil)
            onOpen()
        case LWS_CALLBACK_CLIENT_RECEIVE:
            received(wsi, input, length)
        case LWS_CALLBACK_CLIENT_WRITEABLE:
            return writable(wsi)
        case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
            let close = decodeClose(input, length)
            if pendingFailure == nil { pendingFailure = .closedByPeer(code: close.code, reason: close.reason) }
        case LWS_CALLBACK_CLIENT_CLOSED, LWS_CALLBACK_WSI_DESTROY:
            if self.wsi == wsi {
                self.wsi = nil
                finish(state == .closing ? pendingFailure ?? .closedHere : pendingFailure ?? .reset)
            }
        default:
            break
        }
        return 0
    }

    private func appendAuthorization(_ cursor: UnsafeMutableRawPointer?, _ room: Int) -> Int32 {
        sentRequest = true
        // Who is to be paired has none.
        if configuration.token.isEmpty { return 0 }
        let line = "Authorization: Bearer \(configuration.token)\r\n"
        guard let cursor, line.utf8.count < room else { return -1 }
        let place = cursor.assumingMemoryBound(to: UnsafeMutablePointer<UInt8>.self)
        for byte in line.utf8 {
            place.pointee.pointee = byte
            place.pointee += 1
        }
        return 0
    }

    private func received(_ wsi: OpaquePointer, _ input: UnsafeMutableRawPointer?, _ length: Int) {
        guard state == .open else { return }
        switch assembler.add(wsi, input, length) {
        case .incomplete: break
        case .message(let message):
            if budget.received(message.count), !isWithinBudget {
                return refuse(.flooded, CloseCode.policyViolation, Self.floodReason)
            }
            onMessage(message)
        case .tooLarge:
            refuse(
                .messageTooLarge, CloseCode.messageTooLarge, "more than \(LinkProtocol.maximumMessageBytes) bytes")
        case .text: refuse(.textMessage, CloseCode.unsupportedData, "text")
        }
    }

    /// Ends an open link for what the hub did. What was queued is dropped, and nothing more is read.
    func refuse(_ failure: LinkFailure, _ code: UInt16, _ reason: String) {
        ring.removeAll()
        pendingFailure = failure
        lws_rx_flow_control(wsi, 0)
        beginClose(code, reason)
    }

    private func writable(_ wsi: OpaquePointer) -> Int32 {
        guard state == .open || state == .closing else { return 0 }
        let hadWork = !ring.isEmpty
        if !writeQueued(ring, to: wsi) { return -1 }
        if !ring.isEmpty { return 0 }
        if state == .closing {
            guard let frame = closeFrame.take() else { return 0 }
            setCloseReason(wsi, frame.code, frame.reason)
            return -1
        }
        if hadWork { onDrained() }
        return 0
    }

    /// Starts one connection of libwebsockets' to the current address.
    func connectSocket(to address: SocketAddress) {
        loop.retire(attempt)
        attempt = loop.number(for: endpoint)
        isConnected = false
        sentRequest = false
        trust?.beginHandshake()
        budget = ReceiveBudget(now: monotonicNanoseconds())
        var info = lws_client_connect_info()
        info.context = loop.contextPointer
        info.vhost = host
        info.port = Int32(destination.port)
        info.path = UnsafePointer(requestStrings.path)
        info.host = UnsafePointer(requestStrings.host)
        info.protocol = UnsafePointer(requestStrings.subprotocol)
        info.local_protocol_name = UnsafePointer(requestStrings.localProtocol)
        info.alpn = UnsafePointer(requestStrings.alpn)
        info.retry_and_idle_policy = loop.silentPolicy
        info.ietf_version_or_minus_one = -1
        info.opaque_user_data = UnsafeMutableRawPointer(bitPattern: UInt(attempt))
        var flags = LCCSCF_HTTP_NO_FOLLOW_REDIRECT.rawValue
        if trust != nil {
            // The name is checked by the context's own parameters, see ServerTrust.
            flags |= LCCSCF_USE_SSL.rawValue | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK.rawValue
        }
        info.ssl_connection = Int32(flags)
        let started = address.numericHost.withCString { text in
            info.address = text
            return lws_client_connect_via_info(&info)
        }
        if let started {
            wsi = started
        } else {
            connectionRefusedAtOnce()
        }
    }
}

/// The link while it exists. (Embedded Swift has no weak references.)
private final class LinkReference {
    /// Sound: the link takes itself out when it goes.
    unowned(unsafe) var link: ClientLink?
}

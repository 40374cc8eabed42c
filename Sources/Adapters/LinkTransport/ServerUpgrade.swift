import CLinux
import CWebSockets

// What the hub answers to an HTTP request: the upgrade, or a status with a sentence that says what to do.

extension ServerLink {
    /// A refusal: HTTP status, its name, headers of its own, and a body for a human.
    private struct Refusal {
        let status: Int
        let name: String
        var headers = ""
        let body: String
    }

    /// libwebsockets has read the request's headers. 0 lets the upgrade through.
    func confirmUpgrade(_ connection: ServerConnection, to input: UnsafeMutableRawPointer?) -> Int32 {
        guard let wsi = connection.wsi else { return -1 }
        let wanted = input.map { String(cString: $0.assumingMemoryBound(to: CChar.self)) } ?? ""
        let path = path(of: wsi)
        let isPairing = path == LinkProtocol.pairingPath
        guard wanted.lowercased() == "websocket", isPairing || path == LinkProtocol.path else {
            return refusePlainRequest(connection)
        }
        guard header(wsi, WSI_TOKEN_VERSION) == "13" else {
            return answer(
                connection,
                Refusal(
                    status: 426, name: "Upgrade Required", headers: "Sec-WebSocket-Version: 13\r\n",
                    body: "This hub speaks version 13 of the WebSocket protocol (RFC 6455) only."))
        }
        let offered = header(wsi, WSI_TOKEN_PROTOCOL)
        guard offersSubprotocol(offered) else {
            return answer(
                connection,
                Refusal(
                    status: 426, name: "Upgrade Required", headers: Self.upgradeHeaders,
                    body: "This hub speaks the WebSocket subprotocol \(LinkProtocol.subprotocol) only."))
        }
        if isPairing {
            if let refusal = refuseStranger(connection) {
                return answer(connection, Refusal(status: refusal.status, name: refusal.name, body: refusal.body))
            }
            connection.isStranger = true
            return 0
        }
        guard let token = bearerToken(header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION)), let identity = authorize(token)
        else {
            return answer(
                connection,
                Refusal(
                    status: 401, name: "Unauthorized", headers: "WWW-Authenticate: Bearer\r\n",
                    body: "Token missing or not known: pair this puck with 'puckhub pair NAME' on the hub."))
        }
        guard mayArrive(connection, identity) else {
            return answer(
                connection,
                Refusal(
                    status: 429, name: "Too Many Requests", headers: "Retry-After: \(Self.retryAfterTooOften)\r\n",
                    body: "\"\(identity)\" connects more than \(Self.arrivalsPerSecond) time a second: "
                        + "look whether its token is used by two devices."))
        }
        if openCount >= configuration.maximumConnections {
            return answer(
                connection,
                Refusal(
                    status: 503, name: "Service Unavailable", headers: "Retry-After: \(Self.retryAfterFull)\r\n",
                    body: "This hub already serves \(openCount) connections, its limit."))
        }
        connection.identity = identity
        return 0
    }

    /// A token was shown. One that comes too often is refused, and its address loses the right to go first.
    private func mayArrive(_ connection: ServerConnection, _ identity: String) -> Bool {
        let now = monotonicNanoseconds()
        // As many as there are tokens; old names go with the next restart, or here.
        if arrivals.count > Door.Limits.knownAddresses { arrivals = [:] }
        var own =
            arrivals[identity]
            ?? Allowance(perSecond: Self.arrivalsPerSecond, atOnce: Self.arrivalsAtOnce, now: now)
        own.refill(now: now)
        let isWelcome = own.hasAny
        if isWelcome { own.take() }
        arrivals[identity] = own
        door.proved(connection.doorNumber, identity: identity, isWelcome: isWelcome, now: now)
        return isWelcome
    }

    /// Connections of one token: a puck makes seven in the second in which an utterance can be resumed (docs/PROTOCOL.md
    /// §11), then waits longer each time.
    static let arrivalsPerSecond = 1
    static let arrivalsAtOnce = 40
    /// Seconds that a refused client is asked to wait: with HTTP 429, and with 503. A puck does not read them.
    static let retryAfterTooOften = 10
    static let retryAfterFull = 30

    /// A request that is no WebSocket upgrade for a puck.
    func refusePlainRequest(_ connection: ServerConnection) -> Int32 {
        guard let wsi = connection.wsi else { return -1 }
        if path(of: wsi) != LinkProtocol.path {
            return answer(
                connection, Refusal(status: 404, name: "Not Found", body: "Pucks connect to \(LinkProtocol.path)."))
        }
        return answer(
            connection,
            Refusal(
                status: 426, name: "Upgrade Required", headers: Self.upgradeHeaders,
                body: "This is a puckhub: connect with a WebSocket, subprotocol \(LinkProtocol.subprotocol)."))
    }

    private static var upgradeHeaders: String {
        "Upgrade: websocket\r\nSec-WebSocket-Protocol: \(LinkProtocol.subprotocol)\r\n"
    }

    /// On the TLS port nothing is served in the clear, whatever it asks for.
    func refusePlaintext(_ caller: Caller) {
        let refusal = Refusal(
            status: 400, name: "Bad Request",
            body: "This port speaks wss:// only: connect to wss://THIS-HUB:\(boundPort)\(LinkProtocol.path)")
        note(refusal, to: caller.peer.numericHost)
        caller.answer(text(of: refusal))
    }

    /// Writes the answer; the -1 that it gives back closes the connection behind it.
    private func answer(_ connection: ServerConnection, _ refusal: Refusal) -> Int32 {
        note(refusal, to: connection.peer)
        connection.gate?.isOpen = true
        let headroom = puck_lws_pre()
        var bytes = [UInt8](repeating: 0, count: headroom)
        bytes.append(contentsOf: text(of: refusal).utf8)
        let length = bytes.count - headroom
        bytes.withUnsafeMutableBufferPointer {
            _ = lws_write(connection.wsi, $0.baseAddress! + headroom, length, LWS_WRITE_HTTP_HEADERS)
        }
        return -1
    }

    private func note(_ refusal: Refusal, to peer: String) {
        logStranger(.warning, "refused \(peer) with HTTP \(refusal.status): \(refusal.body)")
    }

    private func text(of refusal: Refusal) -> String {
        let body = refusal.body + "\n"
        return "HTTP/1.1 \(refusal.status) \(refusal.name)\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\(refusal.headers)\r\n\(body)"
    }

    // MARK: Reading the request

    private func path(of wsi: OpaquePointer) -> String { header(wsi, WSI_TOKEN_GET_URI) }

    /// A header's value; empty when it is absent or longer than any that this hub wants.
    private func header(_ wsi: OpaquePointer, _ token: lws_token_indexes) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 768) { buffer in
            let length = lws_hdr_copy(wsi, buffer.baseAddress!, Int32(buffer.count), token)
            return length > 0 ? String(cString: buffer.baseAddress!) : ""
        }
    }

    private func offersSubprotocol(_ list: String) -> Bool {
        for offer in list.utf8.split(separator: UInt8(ascii: ",")) {
            let name = offer.drop(while: { $0 == 0x20 })
            if name.elementsEqual(LinkProtocol.subprotocol.utf8) { return true }
        }
        return false
    }

    /// "Bearer TOKEN"; the scheme's name in any case (RFC 9110, 11.1).
    private func bearerToken(_ authorization: String) -> String? {
        let scheme = "bearer "
        guard authorization.utf8.count > scheme.utf8.count,
            String(authorization.prefix(scheme.count)).lowercased() == scheme
        else { return nil }
        return String(authorization.dropFirst(scheme.count))
    }
}

import CLinux
import CWebSockets

// How a client link gets to its hub: the name's addresses in turn, each with its share of the time, and the reason
// when none answers.

extension ClientLink {
    func lookedUp(_ found: [SocketAddress], _ code: Int32) {
        guard state == .resolving else { return }
        lookup = nil
        guard code == 0, !found.isEmpty else { return finish(Self.failure(lookup: code, host: destination.host)) }
        addresses = found
        connectToNextAddress()
    }

    /// A numeric address with a zone that is no interface: it was refused as a number, and is no name.
    var isZoneUnknown: Bool {
        let parts = destination.host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2
            && lookUp(String(parts[0]), port: 1, numericOnly: true, limit: 1).addresses.first?.lacksZone ?? false
    }

    /// getaddrinfo(3), "EAI_" and so on. The GNU C library's own two have no names here.
    static func failure(lookup code: Int32, host: String) -> LinkFailure {
        let noData: Int32 = -5
        let addressFamily: Int32 = -9
        switch code {
        case EAI_NONAME: return .nameNotFound(host: host)
        case 0, noData, addressFamily: return .nameWithoutAddress(host: host)
        case EAI_AGAIN: return hasAddress() ? .nameServiceSilent(host: host) : .noNetwork(host: host)
        default:
            let text = gai_strerror(code).map { String(cString: $0) } ?? "error \(code)"
            return .nameLookupFailed(host: host, reason: text)
        }
    }

    /// The time left is shared among the addresses left, so that a dead IPv6 route does not use up all of it.
    func connectToNextAddress() {
        state = .connecting
        let now = monotonicNanoseconds()
        let share = max(0, openDeadline - now) / Int64(addresses.count - addressIndex)
        timer!.set(now + share)
        connectSocket(to: addresses[addressIndex])
    }

    func deadlineCame() {
        switch state {
        case .idle, .open:
            break
        case .resolving:
            finish(.timedOut(.nameLookup))
        case .connecting:
            if isConnected {
                // The remaining time is this address's: it answers, only slowly.
                if monotonicNanoseconds() >= openDeadline {
                    finish(.timedOut(.handshake))
                } else {
                    timer!.set(openDeadline)
                }
            } else if addressIndex + 1 < addresses.count {
                abandonSocket()
                addressIndex += 1
                connectToNextAddress()
            } else {
                finish(.timedOut(.connect))
            }
        case .probing:
            finish(.timedOut(.connect))
        case .closing:
            finish(pendingFailure ?? .closedHere)
        }
    }

    /// libwebsockets gave the connection up before it said so by a callback.
    func connectionRefusedAtOnce() {
        let current = attempt
        later { link in
            if link.attempt == current && link.state == .connecting {
                link.connectionFailed(status: 0, text: nil, 0)
            }
        }
    }

    /// The connection ended before it was a WebSocket. Finds out why.
    func connectionFailed(status: Int, text: UnsafeMutableRawPointer?, _ length: Int) {
        guard state == .connecting else { return }
        if let pendingFailure { return finish(pendingFailure) }
        if !isConnected {
            if addressIndex + 1 < addresses.count {
                addressIndex += 1
                retryLater()
            } else {
                startProbe()
            }
            return
        }
        if trust != nil && !sentRequest {
            return finish(trust?.failure ?? .hungUpDuringHandshake)
        }
        finish(Self.failure(status: status, isPlain: trust == nil, detail: describe(text, length)))
    }

    private func retryLater() {
        let current = attempt
        later { link in
            if link.attempt == current && link.state == .connecting { link.connectToNextAddress() }
        }
    }

    private func describe(_ text: UnsafeMutableRawPointer?, _ length: Int) -> String {
        guard let text, length > 0 else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: text, count: length), as: UTF8.self)
    }

    private static func failure(status: Int, isPlain: Bool, detail: String) -> LinkFailure {
        switch status {
        case 401, 403: return .unauthorized
        case 404: return .wrongPath
        case 426: return .wrongSubprotocol
        case 503: return .hubFull
        case 400 where isPlain: return .needsTLS
        case 101: return detail.hasPrefix("HS: PROTOCOL") ? .wrongSubprotocol : .notWebSocket
        case 0: return isUnreadable(detail) ? .notWebSocket : .hungUpDuringHandshake
        default: return .httpStatus(status)
        }
    }

    /// libwebsockets' words for an answer that is no HTTP.
    private static func isUnreadable(_ detail: String) -> Bool {
        detail.hasPrefix("problems parsing header") || detail.hasPrefix("HS:")
    }

    // MARK: What the hub may cause

    /// So many rounds of the loop read at most a megabyte, and an idle puck's loop goes round 50 times a second.
    static let roundsPerLook = 64

    /// Looks now and then whether the hub sends more than it has to say.
    func lookAtBudget() {
        guard state == .open || state == .connecting else { return }
        roundsUntilLook -= 1
        if roundsUntilLook > 0 { return }
        roundsUntilLook = Self.roundsPerLook
        if isWithinBudget { return }
        if state == .connecting { return finish(.flooded) }
        refuse(.flooded, CloseCode.policyViolation, Self.floodReason)
    }

    static let floodReason = "far more than a hub has to say"

    var isWithinBudget: Bool {
        guard let wsi, let bytes = ReceivedTraffic(lws_get_socket_fd(wsi))?.bytes else { return true }
        return budget.look(wireBytes: bytes, now: monotonicNanoseconds())
    }

    // MARK: Why TCP failed

    /// libwebsockets 4.1 drops the errno of a failed connect. So when the last address has failed, one more connect
    /// of our own, which is closed at once, asks the kernel for the reason. It never carries data.
    private func startProbe() {
        state = .probing
        let address = addresses[addressIndex]
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return finish(.outOfResources("sockets")) }
        let result = address.withRaw { connect(descriptor, $0, address.length) }
        let code = result == 0 ? 0 : puck_errno()
        guard code == EINPROGRESS else {
            CLinux.close(descriptor)
            return finish(failure(connectError: code))
        }
        do throws(TransportError) {
            // Sound: the handle is removed when the attempt ends, and by deinit.
            let handle = try loop.adopt(fileDescriptor: descriptor, interest: EPOLLOUT.rawValue) {
                [unowned(unsafe) self] _ in
                var code: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
                finish(failure(connectError: code))
            }
            probe = (descriptor, handle)
            timer!.set(openDeadline)
        } catch {
            CLinux.close(descriptor)
            finish(.outOfResources("descriptors"))
        }
    }

    func endProbe() {
        guard let probe else { return }
        self.probe = nil
        probe.handle.remove()
        CLinux.close(probe.descriptor)
    }

    /// Zero: it answered now, a moment too late; nothing listened when it counted.
    private func failure(connectError code: Int32) -> LinkFailure {
        let address = addresses[addressIndex]
        switch code {
        case ENETUNREACH where hasAddress() && !hasAddress(family: address.family):
            return .familyMissing(address: address.numericHost)
        case 0, ECONNREFUSED: return .refused
        case ETIMEDOUT: return .timedOut(.connect)
        case ECONNRESET: return .reset
        default: return .unreachable(code: code)
        }
    }
}

/// C strings that libwebsockets reads while it connects.
final class RequestStrings {
    let path: UnsafeMutablePointer<CChar>
    let host: UnsafeMutablePointer<CChar>
    let subprotocol: UnsafeMutablePointer<CChar>
    let localProtocol: UnsafeMutablePointer<CChar>
    let alpn: UnsafeMutablePointer<CChar>

    init(_ configuration: ClientLink.Configuration) {
        path = strdup(configuration.path)
        var name = configuration.host
        if case .verified(_, let certificateName?) = configuration.security { name = certificateName }
        host = strdup(name)
        subprotocol = strdup(configuration.subprotocol)
        localProtocol = strdup(LinkProtocol.subprotocol)
        alpn = strdup("http/1.1")
    }

    deinit {
        free(path)
        free(host)
        free(subprotocol)
        free(localProtocol)
        free(alpn)
    }
}

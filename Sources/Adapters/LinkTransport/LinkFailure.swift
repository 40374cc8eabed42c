import CWebSockets

/// Why a link is not, or no longer, open. Reported exactly once per `ClientLink.open`.
public enum LinkFailure: Equatable, Sendable {
    // Before TCP.
    case nameNotFound(host: String)
    case nameServiceSilent(host: String)
    /// The name is known and has no address of either family.
    case nameWithoutAddress(host: String)
    /// A name server refused, or the system's resolver failed.
    case nameLookupFailed(host: String, reason: String)
    /// This machine has no address but the loopback's.
    case noNetwork(host: String)
    /// "fe80::1" without "%wlan0", or with the name of no interface.
    case addressWithoutZone(host: String)
    case refused
    /// This machine has no address of the family that the hub's has.
    case familyMissing(address: String)
    case unreachable(code: Int32)
    case timedOut(Phase)
    // TLS.
    case notTLS
    case hungUpDuringHandshake
    /// `reason` is OpenSSL's (`openssl/sslerr.h`).
    case tlsFailed(reason: Int)
    case certificateNotTrusted
    case certificateExpired
    case certificateNotYetValid
    case certificateWrongName(expected: String)
    case certificateInvalid(code: Int)
    // HTTP upgrade.
    case unauthorized
    case wrongSubprotocol
    case wrongPath
    case hubFull
    case needsTLS
    case httpStatus(Int)
    case notWebSocket
    // The open link.
    case closedByPeer(code: UInt16, reason: String)
    case messageTooLarge
    case textMessage
    /// More bytes, or messages, than a hub can have to say.
    case flooded
    /// The connection broke without a WebSocket close: the hub or the network died.
    case reset
    // This side.
    case closedHere
    case outOfResources(String)

    /// What was being waited for when the time ran out.
    public enum Phase: String, Equatable, Sendable {
        case nameLookup = "the name lookup"
        case connect = "the TCP connection"
        case handshake = "the TLS and WebSocket handshake"
    }

    /// The other end spoke HTTP, or more: over TLS, whoever it is has the trusted certificate.
    public var isAfterHandshake: Bool {
        switch self {
        case .unauthorized, .wrongSubprotocol, .wrongPath, .hubFull, .needsTLS, .httpStatus, .notWebSocket,
            .closedByPeer, .messageTooLarge, .textMessage:
            true
        default: false
        }
    }

    /// The other end is a hub, and had no place for this puck or did not know its token.
    public var isRefusalOfHub: Bool {
        switch self {
        case .unauthorized, .hubFull, .httpStatus(429): true
        default: false
        }
    }

    /// One sentence: what is wrong and what to do.
    public var advice: String {
        switch self {
        case .nameNotFound(let host):
            return "the name '\(host)' is not known here: check [hub] host, or write the hub's IP address there"
        case .nameServiceSilent(let host):
            return
                "no name server answered for '\(host)': check the network, or write the hub's IP address in [hub] host"
        case .nameWithoutAddress(let host):
            return "the name '\(host)' has no address: write the hub's IP address in [hub] host"
        case .nameLookupFailed(let host, let reason):
            return
                "the lookup of '\(host)' failed (\(reason)): check /etc/resolv.conf and /etc/nsswitch.conf, or write "
                + "the hub's IP address in [hub] host"
        case .noNetwork(let host):
            return
                "'\(host)' cannot be looked up: this machine has no network address yet; check the Wi-Fi or the cable"
        case .addressWithoutZone(let host):
            let bare = host.split(separator: "%").first.map { String($0) } ?? host
            return host == bare
                ? "'\(host)' is an address of one link only: write the interface behind it in [hub] host, as "
                    + "'\(host)%wlan0'"
                : "'\(host)' names an interface that this machine does not have: 'ip link' shows them, write it as "
                    + "'\(bare)%wlan0'"
        case .familyMissing(let address):
            let (has, other) = address.utf8.contains(UInt8(ascii: ":")) ? ("IPv6", "IPv4") : ("IPv4", "IPv6")
            return "the hub's address \(address) is an \(has) address, and this machine has none: let it get one, or "
                + "write the hub's \(other) address in [hub] host"
        case .refused:
            return "nothing listens at the hub's address and port: start puckhub, or correct [hub] host and port"
        case .unreachable(let code):
            return "the hub's address cannot be reached (\(systemMessage(code))): check the Wi-Fi and [hub] host"
        case .timedOut(let phase):
            return "\(phase.rawValue) took longer than "
                + "\(LinkProtocol.openTimeoutNanoseconds / 1_000_000_000) s: check that the hub runs, "
                + "and that no firewall drops its port"
        case .closedHere:
            return "this side closed the link"
        case .outOfResources(let what):
            return "the system ran out of \(what): see what else runs on this machine"
        case .closedByPeer(let code, let reason):
            let detail = reason.isEmpty ? "" : ": \(reason)"
            return "the hub closed the link (code \(code)\(detail)); its log says why"
        case .messageTooLarge:
            return "the hub sent a message of more than \(LinkProtocol.maximumMessageBytes) bytes: "
                + "check that both ends run matching versions"
        case .textMessage:
            return "the other end sent a text message, which \(LinkProtocol.subprotocol) does not have: "
                + "check that [hub] host and port name a puckhub"
        case .flooded:
            return "the hub sent far more than a hub sends (pings, empty fragments, endless headers): "
                + "check that [hub] host and port name a puckhub"
        case .reset:
            return "the connection broke: the hub stopped, or the network dropped it"
        default:
            return handshakeAdvice
        }
    }

    /// The ends have no version of TLS in common: this one refused the other's, or the other one said so.
    public var isTLSVersion: Bool {
        guard case .tlsFailed(let reason) = self else { return false }
        return [SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_SSL_VERSION]
            .contains { Int($0) == Int(reason) }
    }

    private var handshakeAdvice: String {
        switch self {
        case .notTLS:
            return "the other end does not speak TLS on this port: check [hub] port, or whether that hub runs insecure"
        case .hungUpDuringHandshake:
            return "the other end hung up during the handshake: it is full, or is no puckhub; its log says why"
        case .tlsFailed where isTLSVersion:
            return
                "the other end speaks no version of TLS that this one takes (1.2 and 1.3; for pairing 1.3): update the "
                + "older of the two programs"
        case .tlsFailed(let reason):
            return "the TLS handshake failed (OpenSSL reason \(reason)): check that both ends run a current OpenSSL, "
                + "and that [hub] port is the hub's"
        case .certificateNotTrusted:
            return "the hub's certificate is not the trusted one: copy the hub's current certificate to this puck "
                + "and name it in [hub] ca_file"
        case .certificateExpired:
            return "the hub's certificate has expired: make a new one on the hub, and copy it to this puck "
                + "(or correct this puck's clock)"
        case .certificateNotYetValid:
            return "the hub's certificate is not valid yet: this puck's clock is behind, let it get the time"
        case .certificateWrongName(let expected):
            return "the hub's certificate is not for '\(expected)': write a name that is in the certificate into "
                + "[hub] certificate_name, or make a certificate for this name"
        case .certificateInvalid(let code):
            return
                "the hub's certificate cannot be used (OpenSSL verification error \(code)): make a new one on the hub"
        case .unauthorized:
            return "the hub refused this puck's token: pair it again ('puckhub pair NAME' on the hub, "
                + "'sudo puckctl join --force CODE' here); or, where the configuration has the token, run "
                + "'puckhub revoke NAME' and 'puckhub token add NAME' on the hub"
        case .wrongSubprotocol:
            return "the hub does not speak \(LinkProtocol.subprotocol): update the older of the two programs"
        case .wrongPath:
            return "the other end has no \(LinkProtocol.path): check that [hub] host and port name a puckhub"
        case .hubFull:
            return "the hub has as many pucks as it allows: raise its limit, or disconnect one"
        case .needsTLS:
            return "the hub's port speaks TLS only: remove 'insecure = yes' on this puck"
        case .httpStatus(let status):
            return "the other end answered with HTTP status \(status): check that [hub] host and port name a puckhub"
        case .notWebSocket:
            return "the other end does not speak WebSocket: check that [hub] host and port name a puckhub"
        default:
            preconditionFailure("each failure has its advice above")
        }
    }
}

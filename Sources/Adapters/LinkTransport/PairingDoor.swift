import CWebSockets
import PuckBase

// The way in for a puck that has no token yet. It is open only while the owner pairs one, for few at a time and for a
// few seconds each, and takes no place away from pucks that have a token.
extension ServerLink {
    /// Connections at a time on which somebody is being paired.
    public static let strangersAtOnce = 4
    /// Of these, those of one address (of IPv6, of one /64).
    static let strangersOfOneAddress = 2
    /// A pairing is two round trips, and the puck's arithmetic between them (0.3 s on the slowest board).
    static let strangerTimeoutNanoseconds: Int64 = 10_000_000_000
    /// How long somebody may say nothing, from the upgrade and from each of his messages on.
    static let strangerSilenceNanoseconds: Int64 = 2_000_000_000

    /// Nil lets the connection through; else the status, its name and a sentence for a human.
    func refuseStranger(_ connection: ServerConnection) -> (status: Int, name: String, body: String)? {
        guard isTLS, let wsi = connection.wsi, let session = lws_get_ssl(wsi) else {
            return (404, "Not Found", "A hub without TLS cannot pair.")
        }
        guard SSL_version(session) == TLS1_3_VERSION else {
            return (403, "Forbidden", "Pairing needs TLS 1.3.")
        }
        if let body = admitStranger() { return (403, "Forbidden", body) }
        let strangers = connections.values.filter { $0.isStranger && $0.state != .dead }
        let own = strangers.filter { $0.address.group == connection.address.group }
        if own.count >= Self.strangersOfOneAddress {
            guard let giver = whoGivesWay(own, to: connection) else { return Self.isBusy }
            drop(giver)
        } else if strangers.count >= Self.strangersAtOnce {
            guard let giver = whoGivesWay(strangers, to: connection) else { return Self.isBusy }
            drop(giver)
        }
        return nil
    }

    private static let isBusy = (
        status: 503, name: "Service Unavailable", body: "Other pucks are being paired just now: try again in a moment."
    )

    /// The one from whose address the most came to nothing, if that is more than from the newcomer's; else the oldest,
    /// once it has had its time. A pairing that goes on well is over by then.
    private func whoGivesWay(_ strangers: [ServerConnection], to newcomer: ServerConnection) -> ServerConnection? {
        let now = monotonicNanoseconds()
        func wasted(_ connection: ServerConnection) -> Int { door.wasted(by: connection.address, now: now) }
        // In the order of their coming, so the first of equals is the oldest.
        guard let worst = strangers.max(by: { wasted($0) < wasted($1) }), let oldest = strangers.first else {
            return nil
        }
        // The upgrade of each who is in has been counted; the newcomer's has not.
        if wasted(worst) > wasted(newcomer) + 1 { return worst }
        return oldest.state != .open || now - oldest.openedAt >= configuration.pairingGraceNanoseconds ? oldest : nil
    }

    /// What counts as one peer: an IPv4 address as it is, an IPv6 address by its first 64 bits.
    public static func group(of peer: String) -> String {
        guard peer.utf8.contains(UInt8(ascii: ":")) else { return peer }
        guard let address = lookUp(peer, port: 0, numericOnly: true, limit: 1).addresses.first else { return peer }
        let group = PeerAddress(address).group
        return String(group.high, radix: 16) + ":" + String(group.low, radix: 16)
    }

    /// Of an open connection; nil when it has gone, is plain, or older than TLS 1.3.
    public func channel(of id: ConnectionID) -> SecureChannel? {
        guard let connection = connections[id.value], connection.state == .open, let wsi = connection.wsi else {
            return nil
        }
        return SecureChannel(of: wsi, isServer: true)
    }
}

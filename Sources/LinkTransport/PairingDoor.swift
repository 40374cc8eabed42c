import CWebSockets
import PuckBase

// The way in for a puck that has no token yet. It is open only while the owner pairs one, for few at a time and for a
// few seconds each, and takes no place away from pucks that have a token.
extension ServerLink {
    /// Connections at a time on which somebody is being paired.
    public static let strangersAtOnce = 4
    /// Of these, those of one address.
    static let strangersOfOneAddress = 2
    /// A pairing is two round trips, and the puck's arithmetic between them (0.3 s on the slowest board).
    static let strangerTimeoutNanoseconds: Int64 = 10_000_000_000

    /// Nil lets the connection through; else the status, its name and a sentence for a human.
    func refuseStranger(_ connection: ServerConnection) -> (status: Int, name: String, body: String)? {
        guard isTLS else { return (404, "Not Found", "A hub without TLS cannot pair.") }
        if let body = admitStranger(connection.peer) { return (403, "Forbidden", body) }
        let strangers = connections.values.filter { $0.isStranger && $0.state != .dead }
        let own = strangers.filter { $0.peer == connection.peer }
        if strangers.count >= Self.strangersAtOnce || own.count >= Self.strangersOfOneAddress {
            return (503, "Service Unavailable", "Other pucks are being paired just now: try again in a moment.")
        }
        return nil
    }

    /// Of an open connection; nil when it has gone, is plain, or older than TLS 1.3.
    public func channel(of id: ConnectionID) -> SecureChannel? {
        guard let connection = connections[id.value], connection.state == .open, let wsi = connection.wsi else {
            return nil
        }
        return SecureChannel(of: wsi, isServer: true)
    }
}

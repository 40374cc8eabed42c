import CLinux
import PuckBase

// Who may be in its handshake at a time. Nobody has proved anything then, so all that tells peers apart is the address;
// one that opens connections and says nothing must not keep the others out.
extension ServerLink {
    /// Connections that may be in their handshake at a time.
    public static let handshakesAtOnce = 32
    /// Of these, those of one address: half, so that one address alone never fills the door, and all pucks behind one
    /// router still get in after a restart of the hub.
    static let handshakesOfOneAddress = 16

    /// Connections that an event loop needs room for, to serve so many: those who are being paired, the handshakes, and
    /// those that gave way to a newcomer and go in the loop's next round.
    public static func capacity(for maximumConnections: Int) -> Int {
        maximumConnections + strangersAtOnce + handshakesAtOnce + acceptsPerRound
    }

    /// Sees to it that a newcomer from `peer` has a place. Past its share, an address gives its own oldest handshake for
    /// it; when the door is full, the address with the most does, if it would still have no fewer than the newcomer's.
    /// - Returns: false when there is none: each has as few as the newcomer's address.
    func makeRoom(for peer: String) -> Bool {
        let waiting = connections.values.filter { $0.state == .handshaking }
        let own = waiting.filter { $0.peer == peer }
        var givers = own
        if own.count < Self.handshakesOfOneAddress {
            if waiting.count < Self.handshakesAtOnce { return true }
            for connection in waiting {
                let group = waiting.filter { $0.peer == connection.peer }
                if group.count > givers.count { givers = group }
            }
            if givers.count < own.count + 2 { return false }
        }
        guard let oldest = givers.min(by: { $0.id.value < $1.id.value }) else { return false }
        loop.log(.debug, "a connection of \(oldest.peer) that was still in its handshake gave way to a newer one")
        oldest.state = .dead
        oldest.deadline = nil
        oldest.kill()
        return true
    }
}

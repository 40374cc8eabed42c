import CWebSockets
import PuckBase

// Between its TLS handshake and its upgrade a connection has shown nothing. What it is told then is this hub's to say, and
// what libwebsockets has to say about it is logged with its address.
extension ServerLink {
    /// A handshake of this loop's has ended.
    func secured(_ session: OpaquePointer) {
        let own = connections.values.first { $0.wsi.map { lws_get_ssl($0) == session } ?? false }
        guard let connection = own, connection.state == .handshaking, connection.gate == nil,
            let transport = SSL_get_rbio(session)
        else { return }
        let gate = Gate(session)
        // Sound, here and below: a gate goes with its connection, and that with this link.
        gate.onRead = { [unowned(unsafe) self, peer = connection.peer] in
            loop.aside = { [unowned(unsafe) self] level, text in logStranger(level, "\(peer): \(text)") }
        }
        gate.onHeldBack = { [unowned(unsafe) self, peer = connection.peer] in
            logStranger(
                .warning,
                "closed the connection of \(peer) without an answer: what it sends is no HTTP request that a puck "
                    + "makes")
        }
        connection.gate = gate
        gated.append(connection)
        BIO_set_callback_arg(transport, Unmanaged.passUnretained(gate).toOpaque().assumingMemoryBound(to: CChar.self))
        BIO_set_callback_ex(transport) { transport, operation, _, _, _, _, result, _ in
            guard let argument = BIO_get_callback_arg(transport) else { return Int(result) }
            let gate = Unmanaged<Gate>.fromOpaque(argument).takeUnretainedValue()
            switch operation {
            case BIO_CB_READ | BIO_CB_RETURN: gate.onRead()
            case BIO_CB_WRITE where !gate.lets: return -1
            default: break
            }
            return Int(result)
        }
    }

    /// After each round of the loop: what TLS has decrypted and libwebsockets has not taken is parsed in the next one, without
    /// a read.
    func expectRest() {
        if gated.isEmpty { return }
        // Only those: one silent stranger must not have every round look at all connections.
        gated.removeAll { $0.state != .handshaking || $0.gate == nil }
        let waiting = gated.filter { connection in
            guard let wsi = connection.wsi, let session = lws_get_ssl(wsi) else { return false }
            return SSL_pending(session) > 0
        }
        guard let first = waiting.first, let gate = first.gate else { return }
        if waiting.count == 1 { return gate.onRead() }
        loop.aside = { [unowned(unsafe) self] level, text in
            logStranger(level, "one of \(waiting.count) connections, \(first.peer) among them: \(text)")
        }
    }
}

/// Lies below TLS. libwebsockets answers what it cannot parse with a page of HTML, and no option of it changes that: so
/// nothing is let out before the hub itself answers or upgrades.
final class Gate {
    private let session: OpaquePointer
    /// The hub has decided what this connection is told.
    var isOpen = false
    private var hasHeldBack = false
    /// Something comes, and is parsed next.
    var onRead: () -> Void = {}
    /// libwebsockets wanted to answer by itself; once.
    var onHeldBack: () -> Void = {}

    init(_ session: OpaquePointer) { self.session = session }

    /// Whether what is about to be written may go out. The end of the handshake is still under way when it is reported:
    /// session tickets follow.
    fileprivate var lets: Bool {
        if isOpen || SSL_in_init(session) != 0 { return true }
        if !hasHeldBack {
            hasHeldBack = true
            onHeldBack()
        }
        return false
    }
}

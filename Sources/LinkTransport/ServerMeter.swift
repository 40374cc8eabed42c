import CWebSockets
import PuckBase

// What a peer makes the hub do. libwebsockets answers pings and skips empty fragments without telling anybody, so the
// work is counted below it: where OpenSSL reads the socket.
extension ServerLink {
    /// Counts what comes on an open connection from here on.
    func meter(_ connection: ServerConnection) {
        guard let work = configuration.work, let wsi = connection.wsi, let session = lws_get_ssl(wsi),
            let input = SSL_get_rbio(session)
        else { return }
        let now = monotonicNanoseconds()
        let meter = Meter(work, now: now) { [unowned(unsafe) self, life, id = connection.id] in
            // Not here, in the middle of a read.
            loop.later { [unowned(unsafe) self, life] in
                if !life.isOver { wasteful(id) }
            }
        }
        connection.meter = meter
        BIO_set_callback_arg(input, Unmanaged.passUnretained(meter).toOpaque().assumingMemoryBound(to: CChar.self))
        BIO_set_callback_ex(input) { input, operation, _, _, _, _, result, count in
            // Must be handed back: it is what the operation returns.
            guard operation == BIO_CB_READ | BIO_CB_RETURN, result > 0, let count,
                let meter = BIO_get_callback_arg(input)
            else { return Int(result) }
            Unmanaged<Meter>.fromOpaque(meter).takeUnretainedValue().read(count.pointee)
            return Int(result)
        }
    }

    private func wasteful(_ id: ConnectionID) {
        guard let connection = connections[id.value], connection.state == .open else { return }
        if connection.isStranger {
            logStranger(.warning, "\(connection.peer) sends more than pairing needs")
            drop(connection)
        } else {
            onWasteful(id)
        }
    }
}

extension ServerConnection {
    /// Before either of both goes.
    func stopMetering() {
        guard meter != nil else { return }
        if let wsi, let session = lws_get_ssl(wsi), let input = SSL_get_rbio(session) {
            BIO_set_callback_ex(input, nil)
        }
        meter = nil
    }
}

/// Counts reads of one connection, and says once that they are too many.
final class Meter {
    private var reads: Allowance
    private var bytes: Allowance
    private let onWasteful: () -> Void
    private var isOver = false

    init(_ work: ServerLink.Work, now: Int64, onWasteful: @escaping () -> Void) {
        reads = Allowance(perSecond: work.readsPerSecond, atOnce: work.readsAtOnce, now: now)
        bytes = Allowance(perSecond: work.bytesPerSecond, atOnce: work.bytesAtOnce, now: now)
        self.onWasteful = onWasteful
    }

    func read(_ count: Int) {
        reads.take()
        bytes.take(count)
        guard !isOver, !(reads.hasAny && bytes.hasAny) else { return }
        // The clock is read only when they seem used up.
        let now = monotonicNanoseconds()
        reads.refill(now: now)
        bytes.refill(now: now)
        guard !(reads.hasAny && bytes.hasAny) else { return }
        isOver = true
        onWasteful()
    }
}

import CWebSockets
import PuckBase

// What a peer makes the hub do. libwebsockets answers pings and skips empty fragments without telling anybody, so the
// work is counted below it: where OpenSSL reads the socket, and without TLS by the kernel.
extension ServerLink {
    /// Counts what comes on an open connection from here on.
    func meter(_ connection: ServerConnection) {
        guard let work = configuration.work, let wsi = connection.wsi else { return }
        let now = monotonicNanoseconds()
        // Sound, here and below: a meter goes with its connection, and what runs later asks `life`.
        let meter = Meter(work, now: now) { [unowned(unsafe) self, life, id = connection.id] in
            // Not here, in the middle of a read.
            loop.later { [unowned(unsafe) self, life] in
                if !life.isOver { wasteful(id) }
            }
        }
        connection.meter = meter
        guard let session = lws_get_ssl(wsi), let input = SSL_get_rbio(session) else {
            connection.counted = ReceivedTraffic(lws_get_socket_fd(wsi)) ?? ReceivedTraffic()
            return
        }
        meter.onRead = { [unowned(unsafe) self] in loop.aside = nil }
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

    /// After each round of the loop, where there is no TLS.
    func meterPlain() {
        if configuration.work == nil { return }
        let now = monotonicNanoseconds()
        guard now - meteredAt >= Self.metersPlainEvery else { return }
        meteredAt = now
        for connection in connections.values where connection.state == .open {
            guard let meter = connection.meter, let wsi = connection.wsi,
                let traffic = ReceivedTraffic(lws_get_socket_fd(wsi))
            else { continue }
            let bytes = Int(min(traffic.bytes &- connection.counted.bytes, UInt64(Int32.max)))
            let segments = Int(min(traffic.segments &- connection.counted.segments, UInt32(Int32.max) / 2))
            connection.counted = traffic
            if bytes > 0 { meter.read(bytes, reads: 2 * segments) }
        }
    }

    /// A flood keeps the loop busy, so that it is looked at as often; in nanoseconds.
    private static let metersPlainEvery: Int64 = 50_000_000

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
        guard meter != nil || gate != nil else { return }
        if let wsi, let session = lws_get_ssl(wsi), let input = SSL_get_rbio(session) {
            BIO_set_callback_ex(input, nil)
        }
        meter = nil
        gate = nil
    }
}

/// Counts reads of one connection, and says once that they are too many.
final class Meter {
    private var reads: Allowance
    private var bytes: Allowance
    private let onWasteful: () -> Void
    var onRead: () -> Void = {}
    private var isOver = false

    init(_ work: ServerLink.Work, now: Int64, onWasteful: @escaping () -> Void) {
        reads = Allowance(perSecond: work.readsPerSecond, atOnce: work.readsAtOnce, now: now)
        bytes = Allowance(perSecond: work.bytesPerSecond, atOnce: work.bytesAtOnce, now: now)
        self.onWasteful = onWasteful
    }

    func read(_ count: Int, reads number: Int = 1) {
        onRead()
        reads.take(number)
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

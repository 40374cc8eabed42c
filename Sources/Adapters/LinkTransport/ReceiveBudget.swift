import CLinux

/// How much work the other end of a connection may cause: what came over the wire beyond the messages that it carried,
/// and the number of messages. Pure: the time and the counts are arguments.
///
/// What libwebsockets answers by itself (pings), skips (headers) or hands out as nothing (empty fragments) costs time and
/// shows nowhere but in the bytes.
struct ReceiveBudget {
    /// A message may cost as much beside itself: a frame's header is at most 14 bytes, a TLS record's overhead 22 (TLS 1.3)
    /// to 29, and TCP may deliver both in pieces.
    static let overheadBytes = 128
    /// Bytes that may come in vain: a second's, and at once. The certificate and the answer to the upgrade are among them,
    /// and what the kernel holds for a process that stood still: a hub has at most 64 KiB in its queue and half a second's
    /// replay log (512 KiB) behind it.
    static let wastePerSecond = 65_536
    static let wasteAtOnce = 1_048_576
    /// Messages, a second's and at once: 50 packets and 200 control messages a second are allowed by docs/PROTOCOL.md, and
    /// 4,096 messages come at once when a broken link resumes.
    static let messagesPerSecond = 500
    static let messagesAtOnce = 8192
    /// A look is due after so many at the latest: a megabyte holds 350,000 of the smallest.
    static let messagesPerLook = 1024

    private var waste = 0
    private var messages = 0
    private var countedBytes: UInt64 = 0
    private var lookedAt: Int64

    /// Of what was received since the last look.
    private var payloadBytes = 0
    private var newMessages = 0

    init(now: Int64) { lookedAt = now }

    /// - Returns: whether it is time to look.
    mutating func received(_ bytes: Int) -> Bool {
        payloadBytes += bytes
        newMessages += 1
        return newMessages >= Self.messagesPerLook
    }

    /// - Parameters:
    ///   - wireBytes: all that came over the connection since it began.
    ///   - now: nanoseconds of a monotonic clock.
    /// - Returns: false when it was too much.
    mutating func look(wireBytes: UInt64, now: Int64) -> Bool {
        // A minute is as good as an hour, and does not overflow.
        let milliseconds = Int(min(max(0, now - lookedAt) / 1_000_000, 60_000))
        if milliseconds > 0 { lookedAt = now }
        let came = Int(min(wireBytes &- countedBytes, UInt64(Int32.max)))
        countedBytes = wireBytes
        let carried = payloadBytes + newMessages * Self.overheadBytes
        waste = max(0, waste + came - carried - Self.wastePerSecond / 1000 * milliseconds)
        messages = max(0, messages + newMessages - Self.messagesPerSecond * milliseconds / 1000)
        payloadBytes = 0
        newMessages = 0
        return waste <= Self.wasteAtOnce && messages <= Self.messagesAtOnce
    }
}

/// What TCP has received on a socket since it was connected.
struct ReceivedTraffic {
    var bytes: UInt64 = 0
    /// With data in them.
    var segments: UInt32 = 0

    init() {}

    /// Nil when the kernel does not say.
    init?(_ descriptor: Int32) {
        // Of linux/tcp.h, since Linux 4.1 and 4.6; the C library's own structure ends before them.
        let (tcpi_bytes_received, tcpi_data_segs_in) = (128, 152)
        let found: (UInt64, UInt32)? = withUnsafeTemporaryAllocation(byteCount: tcpi_data_segs_in + 4, alignment: 8) {
            info in
            var size = socklen_t(info.count)
            guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, info.baseAddress, &size) == 0, size == info.count
            else { return nil }
            return (
                info.load(fromByteOffset: tcpi_bytes_received, as: UInt64.self),
                info.load(fromByteOffset: tcpi_data_segs_in, as: UInt32.self)
            )
        }
        guard let found else { return nil }
        (bytes, segments) = found
    }
}

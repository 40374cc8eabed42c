import CLinux
import PuckBase

/// An accepted socket whose handshake has not begun: nothing was read from it and nothing allocated for it.
final class Caller {
    enum Look: Equatable {
        case incomplete
        /// Its first TLS message is there (without TLS: anything).
        case ready
        /// It does not speak TLS.
        case plaintext
        case gone
    }

    /// Times that a caller is looked at. A client's first message comes in two or three segments; one that lets it drip
    /// is not waited for.
    static let looks = 32
    /// A TLS record: a header of 5 bytes and at most 2^14 bytes (RFC 8446, 5.1).
    private static let recordHeader = 5
    private static let longestRecord = 1 << 14
    /// RFC 8446, 5.1.
    private static let handshakeRecord: UInt8 = 22

    let peer: SocketAddress
    /// When it must have shown its token, on CLOCK_MONOTONIC.
    let deadline: Int64
    var handle: AdoptedDescriptor?
    private var socket: Int32
    private var looked = 0

    init(socket: Int32, peer: SocketAddress, deadline: Int64) {
        self.socket = socket
        self.peer = peer
        self.deadline = deadline
    }

    /// Whether its first TLS message, which is what its handshake costs most for, is complete.
    func look(isTLS: Bool) -> Look {
        looked += 1
        if looked > Self.looks { return .gone }
        return withUnsafeTemporaryAllocation(byteCount: Self.recordHeader + Self.longestRecord, alignment: 1) { bytes in
            func peek(_ count: Int) -> Int { recv(socket, bytes.baseAddress, count, Int32(MSG_PEEK)) }
            let count = peek(Self.recordHeader)
            if count < 0 { return puck_errno() == EAGAIN ? .incomplete : .gone }
            if count == 0 { return .gone }
            if !isTLS { return .ready }
            if bytes[0] != Self.handshakeRecord { return .plaintext }
            if count < Self.recordHeader { return .incomplete }
            let length = Int(bytes[3]) << 8 | Int(bytes[4])
            if length > Self.longestRecord { return .gone }
            return peek(Self.recordHeader + length) == Self.recordHeader + length ? .ready : .incomplete
        }
    }

    /// Answers in the clear and hangs up. What came is read first: closing on unread bytes would reset the connection,
    /// and the answer would be lost.
    func answer(_ text: String) {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { bytes in
            _ = recv(socket, bytes.baseAddress, bytes.count, 0)
        }
        let answer = Array(text.utf8)
        _ = send(socket, answer, answer.count, Int32(MSG_NOSIGNAL))
    }

    /// The socket, which is the receiver's from here on.
    func release() -> Int32 {
        handle?.remove()
        handle = nil
        defer { socket = -1 }
        return socket
    }

    func close() {
        let socket = release()
        if socket >= 0 { CLinux.close(socket) }
    }
}

/// Connections that were closed because others wanted their places, for a line in the log now and then.
struct TurnedAway {
    static let reportsEvery: Int64 = 60_000_000_000

    private var count = 0
    private var reportedAt: Int64?

    /// The first one is reported at once, the others in numbers, a minute after the last report at the earliest.
    mutating func note(_ peer: @autoclosure () -> String, at now: Int64, _ loop: EventLoop) {
        count += 1
        if let reportedAt, now - reportedAt < Self.reportsEvery { return }
        let since = reportedAt == nil ? "" : " since the last report"
        reportedAt = now
        loop.log(
            .warning,
            "the door is full: \(count) connection\(count == 1 ? "" : "s") without a token closed\(since), the last of "
                + "\(peer()); addresses that have shown a token go first")
        count = 0
    }
}

extension ServerLink {
    /// Connections that may be in their handshake at a time.
    public static let handshakesAtOnce = Door.Limits.handshakes

    /// Connections that an event loop needs room for, to serve so many: those who are being paired, the handshakes, and
    /// those that gave way to a newcomer and go in the loop's next round.
    public static func capacity(for maximumConnections: Int) -> Int {
        maximumConnections + strangersAtOnce + handshakesAtOnce + 2 * handshakesPerRound
    }
}

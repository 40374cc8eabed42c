import CLinux

/// A connection beside the control socket, for what takes longer than one question: sound. The client makes it and passes
/// one end along with its request, so the daemon opens no file and knows at once when the client has gone; whichever end
/// dies, the kernel tells the other.
///
/// A connected pair of SOCK_SEQPACKET sockets. Each message is one byte that says what it is, and a body.
public final class ControlSession {
    public enum Kind: UInt8, Sendable {
        /// The body is sound: 16-bit samples in the machine's byte order, mono, 16,000 a second.
        case sound = 0
        /// Nothing follows; the body is text for people: empty, or "error: …", from the daemon; empty from a client.
        case end = 1
    }

    public enum Outcome: Equatable, Sendable {
        case done
        /// The other end does not take, or does not give, anything just now.
        case wouldWait
        case gone
    }

    /// Of sound in one message: 100 ms.
    public static let samplesPerMessage = 1600
    static let longestMessageBytes = 1 + 2 * samplesPerMessage

    /// For `poll`. Owned by this object: do not close it.
    public let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: longestMessageBytes)

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Takes over a descriptor that somebody passed. Nil, and closed, when it is anything but such a socket: a pipe, say,
    /// whose writing would not be told from its reading.
    static func adopt(_ descriptor: Int32) -> ControlSession? {
        let session = ControlSession(owning: descriptor)
        let isRight =
            option(descriptor, SO_DOMAIN) == AF_UNIX && option(descriptor, SO_TYPE) == Int32(SOCK_SEQPACKET.rawValue)
        return isRight ? session : nil
    }

    private static func option(_ descriptor: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : -1
    }

    /// Both ends of a new one.
    static func pair() throws(SystemError) -> (ControlSession, ControlSession) {
        var ends: [Int32] = [0, 0]
        if socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) != 0 {
            throw SystemError("cannot make a pair of sockets", code: puck_errno())
        }
        return (ControlSession(owning: ends[0]), ControlSession(owning: ends[1]))
    }

    /// Sends one message, whole or not at all.
    /// - Parameters:
    ///   - body: at most `samplesPerMessage` samples' bytes; what is more is left out.
    ///   - waits: for room, however long it takes.
    public func send(_ kind: Kind, _ body: UnsafeRawBufferPointer, waits: Bool = false) -> Outcome {
        let count = min(body.count, buffer.count - 1)
        buffer[0] = kind.rawValue
        for i in 0..<count { buffer[1 + i] = body[i] }
        let flags = Int32(MSG_NOSIGNAL) | (waits ? 0 : Int32(MSG_DONTWAIT))
        let sent = buffer.withUnsafeBytes { bytes in
            retryingInterrupted { CLinux.send(descriptor, bytes.baseAddress, 1 + count, flags) }
        }
        if sent >= 0 { return .done }
        return puck_errno() == EAGAIN ? .wouldWait : .gone
    }

    /// The last message.
    public func send(_ kind: Kind, _ text: String) -> Outcome {
        var text = text
        return text.withUTF8 { send(kind, UnsafeRawBufferPointer($0)) }
    }

    /// Takes the next message, without waiting. `body` lives for the call.
    public func receive(_ take: (Kind, UnsafeRawBufferPointer) -> Void) -> Outcome {
        var count = takeBytes()
        // An end that closes with messages unread leaves this behind once, before what it had said itself.
        if count < 0, puck_errno() == ECONNRESET { count = takeBytes() }
        if count < 0, puck_errno() == EAGAIN { return .wouldWait }
        // 0 is the end of the connection, or a message without a kind, which nobody sends.
        guard count > 0, let kind = Kind(rawValue: buffer[0]) else { return .gone }
        buffer.withUnsafeBytes { take(kind, UnsafeRawBufferPointer(rebasing: $0[1..<count])) }
        return .done
    }

    private func takeBytes() -> Int {
        buffer.withUnsafeMutableBytes { bytes in
            retryingInterrupted { recv(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT)) }
        }
    }

    /// The other end has closed it, whatever still waits to be read.
    public var isGone: Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLHUP | POLLERR) != 0
    }
}

/// Who asks, as the kernel says.
public struct ControlCaller {
    /// The user id of the process that sent the request; `UInt32.max` when it is not known.
    public let user: UInt32
    /// What was passed along with it, when it was what it should be.
    public let session: ControlSession?

    /// Whether this is root, or the user that the daemon itself runs as.
    public var isOwner: Bool { user == 0 || user == geteuid() }
}

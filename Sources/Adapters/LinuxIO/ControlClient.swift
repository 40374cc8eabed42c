import CLinux
import PuckBase

/// The asking end of a `ControlSocket`.
public enum ControlClient {
    /// A daemon answers from its event loop, within milliseconds; after this long it hangs.
    public static let patience = Interval.seconds(2)

    /// Sends one command and waits for the reply. Blocks up to `timeout`.
    public static func ask(
        _ command: String, at path: String, timeout: Interval = patience
    ) throws(SystemError) -> String {
        try ask(command, at: path, timeout: timeout, passing: nil)
    }

    /// Asks for something that takes longer: as `ask`, and one end of a session goes along. Which reply means that the daemon
    /// has taken it is between the two.
    public static func open(
        _ command: String, at path: String, timeout: Interval = patience
    ) throws(SystemError) -> (reply: String, session: ControlSession) {
        let (ours, theirs) = try ControlSession.pair()
        return (try ask(command, at: path, timeout: timeout, passing: theirs), ours)
    }

    private static func ask(
        _ command: String, at path: String, timeout: Interval, passing session: ControlSession?
    ) throws(SystemError) -> String {
        let bytes = Array(command.utf8)
        if bytes.count > ControlSocket.longestRequestBytes {
            throw SystemError(
                "cannot send the command", code: EMSGSIZE,
                advice: "a command has at most \(ControlSocket.longestRequestBytes) bytes")
        }
        let server = try UnixAddress(path: path)
        let descriptor = try UnixAddress.makeSocket()
        defer { close(descriptor) }
        // The kernel gives a nameless socket that is bound a free abstract address, to which the reply can be sent.
        var code = UnixAddress.automatic.bind(descriptor)
        if code == 0 { code = server.connect(descriptor) }
        if code != 0 { throw unreachable(path, code) }
        let sent = retryingInterrupted {
            guard let session else { return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
            return puck_send_passing(descriptor, bytes, bytes.count, session.descriptor)
        }
        if sent < 0 { throw unreachable(path, puck_errno()) }
        return try reply(descriptor, path, deadline: MonotonicClock.now() + timeout)
    }

    private static func reply(_ descriptor: Int32, _ path: String, deadline: Instant) throws(SystemError) -> String {
        var buffer = [UInt8](repeating: 0, count: ControlSocket.longestReplyBytes)
        while true {
            let left = (deadline - MonotonicClock.now()).wholeMilliseconds
            if left <= 0 {
                throw SystemError(
                    "no reply from \(path)", code: ETIMEDOUT, advice: "the daemon hangs; look into its log")
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, Int32(left)) <= 0 { continue }
            let size = retryingInterrupted { recv(descriptor, &buffer, buffer.count, 0) }
            if size >= 0 { return String(decoding: buffer.prefix(size), as: UTF8.self) }
            let code = puck_errno()
            if code != EAGAIN { throw unreachable(path, code) }
        }
    }

    private static func unreachable(_ path: String, _ code: Int32) -> SystemError {
        let advice: String
        switch code {
        case ENOENT, ECONNREFUSED: advice = "is the daemon running, and is [control] socket set to this path?"
        case EACCES: advice = "ask as root or as a member of the socket's group"
        default: advice = ""
        }
        return SystemError("cannot reach the daemon at \(path)", code: code, advice: advice)
    }
}

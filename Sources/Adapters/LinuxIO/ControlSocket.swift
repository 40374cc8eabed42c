import CLinux

/// A daemon's end of `puckctl`: a Unix datagram socket. A request is one datagram with one line of text, the reply is
/// one datagram back to whoever asked. There is no connection, so a client that hangs or dies costs nothing.
///
/// Who may ask is decided by the file's permissions: owner and group (0660), as in `systemctl`'s sockets.
public final class ControlSocket: Sendable {
    /// A longer request is answered with an error.
    public static let longestRequestBytes = 256
    /// A longer reply is cut at a line and says so.
    public static let longestReplyBytes = 4096
    /// So many requests are served in one turn of the loop, the rest in the next: a flood cannot starve the audio.
    public static let requestsPerTurn = 16

    /// Readable while requests wait. Owned by this object: do not close it.
    public let descriptor: Int32
    private let path: String

    /// Makes the socket. A stale one, left by a process that died, is replaced.
    public init(path: String) throws(SystemError) {
        let address = try UnixAddress(path: path)
        let descriptor = try UnixAddress.makeSocket()
        do throws(SystemError) {
            try Self.claim(address, path, descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        // Last: once these are set, leaving by an error would run deinit, which removes a file that is not ours.
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        unlink(path)
        close(descriptor)
    }

    private static func claim(_ address: UnixAddress, _ path: String, _ descriptor: Int32) throws(SystemError) {
        // The kernel then says of each request whose it is.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &yes, socklen_t(MemoryLayout<Int32>.size))
        // On the socket, before it has a name, so that the file never exists with wider permissions.
        fchmod(descriptor, 0o660)
        var code = address.bind(descriptor)
        if code == EADDRINUSE {
            try removeStale(address, path)
            code = address.bind(descriptor)
        }
        if code != 0 {
            let missing = code == ENOENT ? "create the folder first, or set [control] socket to another path" : ""
            throw SystemError("cannot make the control socket \(path)", code: code, advice: missing)
        }
        // The umask has been taken off; the group is wanted.
        chmod(path, 0o660)
    }

    /// Removes the socket file when nobody listens behind it.
    private static func removeStale(_ address: UnixAddress, _ path: String) throws(SystemError) {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & mode_t(S_IFMT) != mode_t(S_IFSOCK) {
            throw SystemError(
                "cannot make the control socket \(path)", code: EEXIST,
                advice: "the file there is not a socket; move it away or set [control] socket to another path")
        }
        let probe = try UnixAddress.makeSocket()
        defer { close(probe) }
        if address.connect(probe) == ECONNREFUSED {
            unlink(path)
            return
        }
        throw SystemError(
            "cannot make the control socket \(path)", code: EADDRINUSE,
            advice: "another daemon answers there; stop it, or set [control] socket to another path")
    }

    /// Answers what waits, at most `requestsPerTurn` requests. `answer` gets the line without its end and returns the
    /// reply. A reply that cannot be delivered is dropped: who asked has gone.
    public func serve(_ answer: (String) -> String) { serve { request, _ in answer(request) } }

    /// The same for who wants to know who asks, and takes what is passed along (see `ControlClient.open`).
    public func serve(_ answer: (String, ControlCaller) -> String) {
        var buffer = [UInt8](repeating: 0, count: Self.longestRequestBytes + 1)
        for _ in 0..<Self.requestsPerTurn {
            var sender = sockaddr_un()
            var senderBytes = socklen_t(MemoryLayout<sockaddr_un>.size)
            var passed: Int32 = -1
            var user = UInt32.max
            let size = withSocketAddress(&sender) { address in
                retryingInterrupted {
                    puck_receive_passed(
                        descriptor, &buffer, buffer.count, address, &senderBytes, &passed, &user)
                }
            }
            let session = passed < 0 ? nil : ControlSession.adopt(passed)
            if size < 0 { return }
            // A sender without a name cannot be answered.
            if Int(senderBytes) <= MemoryLayout<sa_family_t>.size { continue }
            let reply = Self.reply(to: buffer.prefix(size)) { answer($0, ControlCaller(user: user, session: session)) }
            _ = withSocketAddress(&sender) { address in
                retryingInterrupted {
                    sendto(descriptor, reply, reply.count, Int32(MSG_NOSIGNAL), address, senderBytes)
                }
            }
        }
    }

    private static func reply(to request: ArraySlice<UInt8>, _ answer: (String) -> String) -> [UInt8] {
        if request.count > longestRequestBytes {
            return Array("error: a command has at most \(longestRequestBytes) bytes".utf8)
        }
        var line = request
        while line.last == UInt8(ascii: "\n") || line.last == UInt8(ascii: "\r") { line.removeLast() }
        if line.contains(where: { $0 < 0x20 || $0 == 0x7f }) { return Array("error: a command is one line".utf8) }
        return fitted(Array(answer(String(decoding: line, as: UTF8.self)).utf8))
    }

    /// `reply` itself when it fits, else its whole lines that do, and a note.
    static func fitted(_ reply: [UInt8]) -> [UInt8] {
        if reply.count <= longestReplyBytes { return reply }
        let note = Array("\n(cut at \(longestReplyBytes) bytes)".utf8)
        var kept = reply.prefix(longestReplyBytes - note.count)
        if let end = kept.lastIndex(of: UInt8(ascii: "\n")) { kept = kept[..<end] }
        // In one overlong line, not in the middle of a character.
        while let last = kept.last, last >= 0x80 { kept.removeLast() }
        return Array(kept) + note
    }
}

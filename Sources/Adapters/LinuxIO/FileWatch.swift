import CLinux

/// Notices when a file gets new content: written and closed, or another file renamed over it (inotify). It watches the
/// folder, since the file itself may come and go. A file that is taken away is not reported: editors take it away for a
/// moment to put the new one in its place.
///
/// A folder that is itself removed or renamed is watched no longer.
public final class FileWatch: Sendable {
    /// Readable while something in the folder was noticed. Owned by this object: do not close it.
    public let descriptor: Int32
    private let name: [UInt8]

    /// The file need not exist, its folder must.
    public init(path: String) throws(SystemError) {
        let made = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        if made < 0 {
            throw SystemError(
                "cannot watch files", code: puck_errno(), advice: "raise fs.inotify.max_user_instances with sysctl")
        }
        let (folder, name) = splitPath(path)
        if inotify_add_watch(made, folder, UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO)) < 0 {
            let code = puck_errno()
            close(made)
            throw SystemError("cannot watch the folder \(folder)", code: code)
        }
        descriptor = made
        self.name = Array(name.utf8)
    }

    deinit { close(descriptor) }

    /// Takes what was noticed since the last call.
    /// - Returns: whether the file was among it.
    public func drain() -> Bool {
        var isOurs = false
        // The largest event is a header and a name of NAME_MAX; a folder's flood costs a few more turns of the loop.
        var buffer = [UInt8](repeating: 0, count: 16 * (Self.headerBytes + Int(NAME_MAX) + 1))
        let size = retryingInterrupted { read(descriptor, &buffer, buffer.count) }
        var rest = buffer.prefix(max(0, size))
        while rest.count >= Self.headerBytes {
            let (mask, length) = rest.withUnsafeBytes {
                (
                    $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                    $0.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
                )
            }
            // Padded with zeros.
            let file = rest.dropFirst(Self.headerBytes).prefix(Int(length)).prefix { $0 != 0 }
            // An overflow may have swallowed ours.
            if mask & UInt32(IN_Q_OVERFLOW) != 0 || file.elementsEqual(name) { isOurs = true }
            rest = rest.dropFirst(Self.headerBytes + Int(length))
        }
        return isOurs
    }

    /// `struct inotify_event` without its name: watch, mask, cookie and length, four bytes each.
    private static let headerBytes = 16
}

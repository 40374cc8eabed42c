import CLinux

/// A configuration or token file as bytes.
struct SettingsFile {
    /// A hundred times a usual configuration.
    static let longestBytes = 64 * 1024

    let bytes: [UInt8]
    /// Whether every user of the machine may read it.
    let isReadableByOthers: Bool

    /// - Parameter advice: what to do when the file is missing.
    init(path: String, advice: String) throws(SettingsErrors) {
        // Non-blocking: opening a FIFO would otherwise wait for ever.
        let descriptor = puck_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        if descriptor < 0 {
            let code = puck_errno()
            throw Self.failure(path, Self.text(code) + (code == ENOENT && !advice.isEmpty ? "; " + advice : ""))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure(path, Self.text(puck_errno())) }
        guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else {
            throw Self.failure(path, "not a regular file; name the file itself")
        }
        isReadableByOthers = status.st_mode & 0o004 != 0
        // One byte more than allowed tells a file of exactly that size from a larger one.
        var buffer = [UInt8](repeating: 0, count: Self.longestBytes + 1)
        var count = 0
        while count < buffer.count {
            let size = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if size < 0, puck_errno() == EINTR { continue }
            if size < 0 { throw Self.failure(path, Self.text(puck_errno())) }
            if size == 0 { break }
            count += size
        }
        if count > Self.longestBytes {
            throw Self.failure(path, "larger than \(Self.longestBytes) bytes; is it the right file?")
        }
        bytes = Array(buffer.prefix(count))
    }

    /// Whether something has that path, readable or not.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0
    }

    private static func failure(_ path: String, _ message: String) -> SettingsErrors {
        SettingsErrors([SettingsProblem(document: path, line: 0, message: message)])
    }

    private static func text(_ code: Int32) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }
}

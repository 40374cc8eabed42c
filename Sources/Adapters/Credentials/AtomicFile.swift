import CLinux
import PuckBase

/// The largest file that is read whole, in bytes. A token file with 1024 devices has at most 150 KiB.
private let maximumFileBytes = 1 << 20

/// The folder that a path lies in.
func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
}

/// Replaces a file so that a reader, or a crash at any moment, sees the old content or the new one, never half:
/// written beside it, synced, renamed over it, and the folder synced. The mode is set before the first byte. Only inside
/// `withFolderLocked`: the name of the new file is the same each time (`unfinishedSuffix`).
func replaceFile(_ path: String, with bytes: [UInt8], mode: mode_t) throws(CredentialError) {
    let unfinished = path + unfinishedSuffix
    unlink(unfinished)  // of a process that died
    let descriptor = puck_open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .file(path: path, call: "open", code: puck_errno()) }
    do throws(CredentialError) {
        try fill(descriptor, path, bytes, mode: mode)
    } catch {
        close(descriptor)
        unlink(unfinished)
        throw error
    }
    close(descriptor)
    guard rename(unfinished, path) == 0 else {
        let code = puck_errno()
        unlink(unfinished)
        throw .file(path: path, call: "rename", code: code)
    }
    let directory = puck_open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    if directory >= 0 {
        fsync(directory)
        close(directory)
    }
}

/// Removes what a process that died has left of writing these files: it holds hashes, or a key. Nothing is removed that
/// another process is writing now. What cannot be removed stays.
public func removeUnfinished(of paths: [String]) {
    for path in paths where access(path + unfinishedSuffix, F_OK) == 0 {
        do throws(CredentialError) {
            try withFolderLocked(of: path) { () throws(CredentialError) in _ = unlink(path + unfinishedSuffix) }
        } catch {}
    }
}

private func fill(_ descriptor: Int32, _ path: String, _ bytes: [UInt8], mode: mode_t) throws(CredentialError) {
    guard fchmod(descriptor, mode) == 0 else { throw .file(path: path, call: "fchmod", code: puck_errno()) }
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, bytes.count - written) }
        if count < 0 {
            let code = puck_errno()
            if code == EINTR { continue }
            throw .file(path: path, call: "write", code: code)
        }
        written += count
    }
    guard fsync(descriptor) == 0 else { throw .file(path: path, call: "fsync", code: puck_errno()) }
}

/// A whole file and its identity; nil when there is none.
func readFile(_ path: String) throws(CredentialError) -> (bytes: [UInt8], identity: FileIdentity)? {
    // Non-blocking: opening a FIFO would otherwise wait for ever.
    let descriptor = puck_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    if descriptor < 0 {
        let code = puck_errno()
        if code == ENOENT { return nil }
        throw .file(path: path, call: "open", code: code)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .file(path: path, call: "fstat", code: puck_errno()) }
    guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else { throw .invalid("\(path) is not a regular file") }
    guard status.st_size <= maximumFileBytes else {
        throw .invalid(
            "\(path) has \(status.st_size) bytes, more than \(maximumFileBytes): that is not a credentials file")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count <= maximumFileBytes {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0 {
            let code = puck_errno()
            if code == EINTR { continue }
            throw .file(path: path, call: "read", code: code)
        }
        if count == 0 { break }
        bytes.append(contentsOf: chunk[..<count])
    }
    return (bytes, FileIdentity(status))
}

/// What changes when a file is replaced or rewritten: its inode, size and modification time.
public struct FileIdentity: Equatable {
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int64
    private let nanoseconds: Int64

    init(_ status: stat) {
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = Int64(status.st_mtim.tv_sec)
        nanoseconds = Int64(status.st_mtim.tv_nsec)
    }

    /// Of the file as it is now; nil when there is none, or it cannot be looked at.
    static func of(_ path: String) -> FileIdentity? {
        var status = stat()
        return stat(path, &status) == 0 ? FileIdentity(status) : nil
    }
}

/// Runs `body` while no other process of this kind changes files in the same folder. The lock is on the folder itself
/// (flock), so it leaves nothing behind and ends with the process.
func withFolderLocked<R>(
    of path: String, _ body: () throws(CredentialError) -> R
) throws(CredentialError) -> R {
    let directory = puck_open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard directory >= 0 else { throw .file(path: path, call: "open", code: puck_errno()) }
    defer { close(directory) }
    while flock(directory, LOCK_EX) != 0 {
        let code = puck_errno()
        if code != EINTR { throw .file(path: path, call: "flock", code: code) }
    }
    return try body()
}

import CLinux
import PuckBase

/// The whole of a small file.
/// - Parameter limit: bytes; a larger file is refused rather than read in part.
public func readSmallFile(_ path: String, limit: Int = 64 * 1024) throws(SystemError) -> [UInt8] {
    // Non-blocking: opening a FIFO would otherwise wait for ever.
    let descriptor = puck_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    if descriptor < 0 { throw SystemError("cannot open \(path)", code: puck_errno()) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemError("cannot look at \(path)", code: puck_errno()) }
    guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else {
        throw SystemError(
            "cannot read \(path)", code: status.st_mode & mode_t(S_IFMT) == mode_t(S_IFDIR) ? EISDIR : EINVAL,
            advice: "it is not a regular file")
    }
    // One byte more than allowed tells a file of exactly `limit` bytes from a larger one.
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    var count = 0
    while count < bytes.count {
        let size = retryingInterrupted {
            bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
        }
        if size < 0 { throw SystemError("cannot read \(path)", code: puck_errno()) }
        if size == 0 { break }
        count += size
    }
    if count > limit {
        throw SystemError("cannot read \(path)", code: EFBIG, advice: "at most \(limit) bytes are allowed there")
    }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// Replaces a file so that a reader, or a power cut, sees either the old content or the new: a new file beside it is
/// written, flushed to disk and renamed over it, and the rename is flushed too.
/// - Parameters:
///   - mode: permission bits of the new file, whatever the umask.
///   - likeFolder: root gives the new file to the owner of its folder; for anybody else it is his own.
public func writeFileAtomically(
    _ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644, likeFolder: Bool = false
) throws(SystemError) {
    let temporary = path + unfinishedSuffix
    let descriptor = try openUnfinished(temporary)
    var failure: Int32 = 0
    if likeFolder, geteuid() == 0 {
        var status = stat()
        let isOwned =
            stat(splitPath(path).folder, &status) == 0 && fchown(descriptor, status.st_uid, status.st_gid) == 0
        failure = isOwned ? 0 : puck_errno()
    }
    if failure == 0 { failure = fill(descriptor, bytes, mode) }
    if failure == 0, rename(temporary, path) != 0 { failure = puck_errno() }
    if failure != 0 { unlink(temporary) }
    close(descriptor)  // ends the lock
    if failure != 0 {
        throw SystemError("cannot write \(path)", code: failure, advice: storageAdvice(errno: failure) ?? "")
    }
    flushFolder(of: path)
}

/// Opens the file that is to be renamed, empty and locked. The lock keeps two processes from writing one file; what a
/// process that died has left is taken over.
private func openUnfinished(_ path: String) throws(SystemError) -> Int32 {
    var code: Int32 = 0
    // Each turn after the first follows somebody's rename or a leftover that another user owns.
    for _ in 0..<8 {
        let descriptor = puck_open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor < 0 {
            code = puck_errno()
            if code == EACCES || code == ELOOP, unlink(path) == 0 { continue }
            break
        }
        var mine = stat()
        var there = stat()
        if retryingInterrupted({ Int(flock(descriptor, LOCK_EX)) }) == 0, fstat(descriptor, &mine) == 0,
            stat(path, &there) == 0, mine.st_ino == there.st_ino, ftruncate(descriptor, 0) == 0
        {
            return descriptor
        }
        code = puck_errno()
        close(descriptor)
    }
    throw SystemError("cannot create \(path)", code: code, advice: storageAdvice(errno: code) ?? "")
}

/// Removes what `writeFileAtomically` of a process that died has left in a folder: it may hold a token. What is being
/// written now stays.
public func removeUnfinished(in folder: String) {
    for name in folderEntries(folder) where name.hasSuffix(unfinishedSuffix) {
        let path = folder + "/" + name
        let descriptor = puck_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)
        if descriptor < 0 { continue }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
        close(descriptor)
    }
}

/// 0 or errno.
private func fill(_ descriptor: Int32, _ bytes: [UInt8], _ mode: UInt32) -> Int32 {
    var written = 0
    while written < bytes.count {
        let size = retryingInterrupted {
            bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
        }
        if size < 0 { return puck_errno() }
        written += size
    }
    return fchmod(descriptor, mode) == 0 && fsync(descriptor) == 0 ? 0 : puck_errno()
}

/// The folder that a path lies in, and its name there.
func splitPath(_ path: String) -> (folder: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let name = String(path[path.utf8.index(after: slash)...])
    return (slash == path.startIndex ? "/" : String(path[..<slash]), name)
}

/// Best effort: some file systems cannot flush a folder, and the content is safe already.
private func flushFolder(of path: String) {
    let descriptor = puck_open(splitPath(path).folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    if descriptor < 0 { return }
    fsync(descriptor)
    close(descriptor)
}

/// The names in a folder, sorted, without those that begin with a dot; none when there is no such folder.
public func folderEntries(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
        }
        if name.utf8.first != UInt8(ascii: ".") { names.append(name) }
    }
    return names.sorted()
}

/// This machine's name as the kernel knows it; "localhost" when it has none.
public func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
    guard gethostname(&buffer, buffer.count - 1) == 0, buffer[0] != 0 else { return "localhost" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The process's working folder; "." when it has been deleted.
public func currentFolder() -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) != nil else { return "." }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The value of an environment variable; nil when it is not set.
public func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    return String(cString: value)
}

/// The words of the command line behind the command's own name. From /proc, since Embedded Swift has no `CommandLine`.
/// Without it a daemon must not start as if nothing had been said.
public func commandLineWords() throws(CommandLineError) -> [String] {
    let bytes: [UInt8]
    do throws(SystemError) { bytes = try readSmallFile("/proc/self/cmdline", limit: 1024 * 1024) } catch {
        throw CommandLineError(message: "cannot read the command line: \(error.description); is /proc mounted?")
    }
    // Each word ends with a zero, the last one too.
    let words = bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false).map {
        String(decoding: $0, as: UTF8.self)
    }
    return Array(words.dropFirst())
}

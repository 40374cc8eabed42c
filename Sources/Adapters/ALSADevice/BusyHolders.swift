import CLinux

// Who holds a busy sound device. The kernel tells it in /proc/asound/cardN/pcmND/subK/status, as `owner_pid`.

/// Sentence that says what to do about a busy device, with the holders' names when the kernel knows them.
/// - Parameter root: `/proc`, or a test's imitation of it.
func busyAdvice(root: String) -> String {
    var holders = ""
    for card in entries(of: root + "/asound", prefix: "card") {
        for pcm in entries(of: card, prefix: "pcm") {
            for substream in entries(of: pcm, prefix: "sub") {
                guard let pid = owner(in: contents(of: substream + "/status")) else { continue }
                var name = contents(of: root + "/\(pid)/comm")
                if name.hasSuffix("\n") { name.removeLast() }
                let text = "\(name.isEmpty ? "a process" : "'\(name)'") (process \(pid))"
                holders += (holders.isEmpty ? "" : ", ") + text
            }
        }
    }
    if holders.isEmpty { return "Find the program that holds it with 'fuser -v /dev/snd/*' and stop it." }
    return "In use by \(holders): stop it, or share the card through dsnoop and dmix in /etc/asound.conf."
}

/// The number behind `owner_pid`; nil in a closed substream's status.
private func owner(in status: String) -> Int? {
    for line in status.split(separator: "\n") where line.hasPrefix("owner_pid") {
        var value = 0
        var isFound = false
        for byte in line.utf8 where byte >= 48 && byte <= 57 {
            value = value * 10 + Int(byte - 48)
            isFound = true
        }
        if isFound { return value }
    }
    return nil
}

/// Full paths of the folder's entries whose name is `prefix` and a digit, sorted; none when there is no such folder.
private func entries(of folder: String, prefix: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var found: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        let rest = name.utf8.dropFirst(prefix.utf8.count)
        guard name.hasPrefix(prefix), let digit = rest.first, digit >= 48, digit <= 57 else { continue }
        found.append(folder + "/" + name)
    }
    return found.sorted()
}

/// The first 4 KiB of a file; empty when it cannot be read.
private func contents(of path: String) -> String {
    let file = puck_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

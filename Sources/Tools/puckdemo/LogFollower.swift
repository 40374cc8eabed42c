import Foundation
import LinuxIO

/// Reads a daemon's log while it grows. Whole lines only; a line in the making waits for its end.
struct LogFollower {
    /// A line that is longer than this is no log line of ours; what there is of it is given up.
    static let longestLineBytes = 8192

    private var pending: [UInt8] = []

    init() {}

    /// Takes what was appended, in any portions.
    /// - Returns: the lines that are whole now.
    mutating func take(_ bytes: some Collection<UInt8>) -> [String] {
        pending.append(contentsOf: bytes)
        var lines: [String] = []
        while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(String(decoding: pending[..<end], as: UTF8.self))
            pending.removeSubrange(...end)
        }
        if pending.count > Self.longestLineBytes { pending.removeAll() }
        return lines
    }
}

/// A log file, followed.
final class LogFile {
    let source: String
    let path: String
    private let handle: Int32
    private var follower = LogFollower()
    /// The last lines, to show when something goes wrong.
    private(set) var lastLines: [String] = []

    init(source: String, path: String) throws(DemoError) {
        self.source = source
        self.path = path
        handle = open(path, O_RDONLY | O_CLOEXEC)
        guard handle >= 0 else { throw DemoError("cannot read \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(handle) }

    /// What has come since the last call.
    func lines() -> [String] {
        var lines: [String] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        // At most a megabyte at a time, so that a daemon gone wild cannot hold the loop.
        for _ in 0..<64 {
            let count = read(handle, &buffer, buffer.count)
            guard count > 0 else { break }
            lines += follower.take(buffer[..<count])
        }
        lastLines = Array((lastLines + lines).suffix(6))
        return lines
    }
}

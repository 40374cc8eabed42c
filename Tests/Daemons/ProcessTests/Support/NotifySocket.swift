import CLinux
import Foundation

/// A service manager's end of sd_notify(3): a real datagram socket, and what was said to it.
final class NotifySocket {
    /// What NOTIFY_SOCKET names.
    let name: String
    private let descriptor: Int32
    private(set) var messages: [String] = []

    /// - Parameter name: a path, or "@" and a name in the abstract namespace.
    init(_ name: String) throws {
        self.name = name
        descriptor = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if name.hasPrefix("@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (bytes[0] == 0 ? 0 : 1))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard result == 0 else { throw Disappointment("no socket \(name): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// A service manager's variables for a program, with a watchdog.
    func environment(watchdogMilliseconds: Int) -> [String: String] {
        ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "\(watchdogMilliseconds * 1000)"]
    }

    private func take() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let size = recv(descriptor, &buffer, buffer.count, 0), size >= 0 {
            messages.append(String(decoding: buffer.prefix(size), as: UTF8.self))
        }
    }

    /// Waits until there are so many messages that begin so.
    func message(_ beginning: String, count: Int = 1) async throws {
        try await eventually("never \(count) × \(beginning): \(messages)") {
            take()
            return messages.filter { $0.hasPrefix(beginning) }.count >= count
        }
    }

    /// What comes from now on is counted anew.
    func forget() {
        take()
        messages = []
    }

    func has(_ beginning: String) -> Bool {
        take()
        return messages.contains { $0.hasPrefix(beginning) }
    }
}

import Foundation
import Testing

/// A network of its own for a test (a network namespace), in which interfaces go up and down without anybody else
/// noticing. It exists as long as the process that holds it, so that nothing is left behind.
struct Network {
    /// Whether this user may make one; root may, unless a container forbids it.
    static let isPermitted: Bool = {
        let attempt = Process()
        attempt.executableURL = URL(filePath: "/usr/bin/env")
        attempt.arguments = ["unshare", "--net", "--", "ip", "link", "add", "puck-a", "type", "veth", "peer", "puck-b"]
        attempt.standardError = FileHandle.nullDevice
        guard (try? attempt.run()) != nil else { return false }
        attempt.waitUntilExit()
        return attempt.terminationStatus == 0
    }()

    static let isNotPermitted: Comment = "needs root, network namespaces, ip and unshare"

    private let house: House
    private let holder: Child

    init(in house: House) async throws {
        self.house = house
        let started = try house.help(["unshare", "--net", "--", "sleep", "infinity"])
        try await eventually("no network namespace: \(started.tail)") {
            let theirs = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(started.pid)/ns/net")
            let ours = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net")
            return theirs != nil && theirs != ours
        }
        holder = started
        try await ip("link", "set", "lo", "up")
    }

    var pid: pid_t { holder.pid }

    /// The words before a command that runs in it.
    var prefix: [String] { ["nsenter", "--net=/proc/\(pid)/ns/net", "--"] }

    /// iproute2's command, in it.
    func ip(_ words: String...) async throws {
        let child = try house.help(prefix + ["ip"] + words)
        guard try await child.exitStatus() == 0 else { throw Disappointment("ip \(words): \(child.output)") }
    }
}

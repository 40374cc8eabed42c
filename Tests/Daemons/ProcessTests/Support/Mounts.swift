import Foundation
import Testing

/// File systems of its own for a test (a mount namespace): small, read-only, or in memory. They exist as long as the
/// process that holds them, so that nothing is left behind.
struct Mounts {
    /// Whether this user may make one; root may, unless a container forbids it.
    static let isPermitted: Bool = {
        let attempt = Process()
        attempt.executableURL = URL(filePath: "/usr/bin/env")
        attempt.arguments = [
            "unshare", "--mount", "--propagation", "private", "--", "mount", "-t", "tmpfs", "tmpfs", "/mnt",
        ]
        attempt.standardError = FileHandle.nullDevice
        guard (try? attempt.run()) != nil else { return false }
        attempt.waitUntilExit()
        return attempt.terminationStatus == 0
    }()

    static let isNotPermitted: Comment = "needs root, mount namespaces, mount and unshare"

    private let house: House
    private let holder: Child

    init(in house: House) async throws {
        self.house = house
        let started = try house.help([
            "unshare", "--mount", "--propagation", "private", "--", "sleep", "infinity",
        ])
        try await eventually("no mount namespace: \(started.tail)") {
            let theirs = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(started.pid)/ns/mnt")
            let ours = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")
            return theirs != nil && theirs != ours
        }
        holder = started
    }

    /// The words before a command that runs in it.
    var prefix: [String] { ["nsenter", "--mount=/proc/\(holder.pid)/ns/mnt", "--"] }

    /// Runs a line of shell in it.
    @discardableResult
    func shell(_ line: String) async throws -> String {
        let child = try house.help(prefix + ["sh", "-c", line])
        guard try await child.exitStatus() == 0 else { throw Disappointment("\(line): \(child.output)") }
        return child.output
    }
}

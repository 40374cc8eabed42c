import Foundation
import Testing

@Suite("Processes: what puckd has touched stays in memory")
struct MemoryLockTests {
    /// - Returns: kilobytes that the kernel keeps in memory for a puck that was started under this limit.
    private static func locked(limit: String) async throws -> Int {
        var kilobytes = 0
        try await House.run { house in
            let arguments = try await house.configurePuck(token: House.anyToken, port: 1)
            let words = ["--memlock=\(limit)", try Build.program("puckd")] + arguments
            let puck = try Child("prlimit", words, name: "kitchen", in: house.folder, house.deviceEnvironment)
            house.adopt(puck)
            try await puck.line("capture.open")
            let status = try String(contentsOfFile: "/proc/\(puck.pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmLck:") }
            kilobytes = line.flatMap { Int($0.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) } ?? 0
        }
        return kilobytes
    }

    private static func mayLift() -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return false }
        let lifted = rlimit(rlim_cur: .max, rlim_max: .max)
        // As it is: whether it may be changed is all that is asked.
        return withUnsafePointer(to: lifted) { setrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), $0) } == 0
            && withUnsafePointer(to: limit) { setrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), $0) } == 0
    }

    @Test(
        "Without a limit on locked memory puckd locks it, and with one it starts all the same",
        .enabled(if: mayLift(), "only who has CAP_SYS_RESOURCE may lift the limit; make test-vm shows it, too"))
    func limit() async throws {
        #expect(try await Self.locked(limit: "unlimited:unlimited") > 1000)
        #expect(try await Self.locked(limit: "8388608:8388608") == 0)
    }
}

import CLinux
import Foundation
import Testing

@testable import HubRuntime
@testable import LinuxIO

@Suite("The hub's watching thread")
struct LivenessTests {
    /// A hub that would serve, and ends at once when it does.
    private static func daemon(in folder: URL) throws -> HubDaemon {
        let overrides = [
            "hub.listen=127.0.0.1", "hub.port=0", "hub.state_dir=\(folder.path)", "tls.insecure=yes",
            "control.socket=", "log.level=error",
        ]
        let daemon = try HubDaemon(
            settings: try HubSettings.load(path: nil, overrides: overrides, hostName: "hub"),
            configuration: .init(path: nil, overrides: overrides, hostName: "hub"),
            makeLog: { Log(level: $0, descriptor: -1) })
        daemon.beginStop()
        return daemon
    }

    private static func run(watchdog: String?) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("liveness-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let manager = try #require(
            ServiceManager(
                socket: folder.path + "/nobody", watchdogMicroseconds: watchdog, watchdogProcess: nil,
                process: getpid()))
        try daemon(in: folder).liveness.run(under: manager) { (_, _) throws(SystemError) in
            throw SystemError("cannot start the thread watch", code: EAGAIN)
        }
    }

    @Test("a hub whose service manager wants to hear of it does not start without one")
    func wanted() throws {
        let error = #expect(throws: HubStartError.self) { try Self.run(watchdog: "20000000") }
        #expect(error?.message.contains("cannot start the thread watch: Resource temporarily unavailable") == true)
    }

    @Test("one that nobody counts on does")
    func unwanted() throws {
        try Self.run(watchdog: nil)
    }
}

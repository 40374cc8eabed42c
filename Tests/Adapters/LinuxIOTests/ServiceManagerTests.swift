import CLinux
import PuckBase
import Testing

@testable import LinuxIO

@Suite struct ServiceManagerTests {
    private func manager(
        _ socket: String, watchdog: String? = nil, process: String? = nil
    ) -> ServiceManager? {
        ServiceManager(socket: socket, watchdogMicroseconds: watchdog, watchdogProcess: process, process: 42)
    }

    @Test("without a socket, or with one of another kind, there is no manager")
    func noManager() {
        for name in ["", "relative", "@", "/", "vsock:2:1234", "/" + String(repeating: "x", count: 200)] {
            #expect(manager(name) == nil, "\(name)")
        }
    }

    @Test("the watchdog's time is taken when it is meant for this process")
    func watchdog() {
        #expect(manager("/x", watchdog: "2000000")?.watchdog == .seconds(2))
        #expect(manager("/x", watchdog: "2000000", process: "42")?.watchdog == .seconds(2))
        #expect(manager("/x", watchdog: "2000000", process: "43")?.watchdog == nil)
        for wrong in ["", "0", "-1", "x", "99999999999999999999"] {
            #expect(manager("/x", watchdog: wrong)?.watchdog == nil, "\(wrong)")
        }
        #expect(manager("/x", watchdog: "9223372036854775807")?.watchdog == .seconds(86_400))
    }

    @Test("a loop that does not come round is named, and nobody is told that all is well")
    func stuckLoop() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let socket = try UnixAddress.makeSocket()
        defer { close(socket) }
        #expect(try UnixAddress(path: folder.path + "/notify").bind(socket) == 0)
        let log = puck_open(folder.path + "/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        defer { close(log) }
        let told = try #require(manager(folder.path + "/notify", watchdog: "200000"))
        let watch = try ThreadWatch([], manager: told, log: Log(level: .info, descriptor: log))
        defer { watch.stop() }

        // It turns for as long as it takes to be well three times, and then no more.
        var well = 0
        while well < 3 {
            waitReadable(watch.turnDescriptor, milliseconds: 1000)
            _ = watch.turned()
            while receive(socket) == "WATCHDOG=1" { well += 1 }
        }
        var text = ""
        while !text.contains("thread.stuck") {
            waitReadable(socket, milliseconds: 1000)
            text = String(decoding: try readSmallFile(folder.path + "/log"), as: UTF8.self)
        }
        #expect(text.contains("thread=loop"))
        var rest: [String] = []
        while let message = receive(socket) { rest.append(message) }
        #expect(rest.last == "STATUS=the loop thread stands still" && rest.filter { $0 == "WATCHDOG=1" }.count <= 1)
    }

    private func receive(_ socket: Int32) -> String? {
        var buffer = [UInt8](repeating: 0, count: 512)
        let size = recv(socket, &buffer, buffer.count, 0)
        return size < 0 ? nil : String(decoding: buffer.prefix(size), as: UTF8.self)
    }
}

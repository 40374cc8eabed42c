import CLinux
import Foundation
import LinuxIO
import Testing

/// A pipe as small as they come, which a test reads when it likes.
final class Gutter {
    let path: String
    /// F_SETPIPE_SZ of linux/fcntl.h, which the C library shows to GNU sources only.
    private let setPipeSize: Int32 = 1031
    private let descriptor: Int32
    private var heard: [UInt8] = []

    init(_ path: URL) throws {
        self.path = path.path
        guard mkfifo(self.path, 0o600) == 0 else { throw Disappointment("no pipe at \(self.path)") }
        descriptor = puck_open(self.path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0)
        _ = puck_fcntl(descriptor, setPipeSize, 4096)
    }

    deinit { close(descriptor) }

    /// Nothing more fits.
    var isFull: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    /// Reads until a line of the log has this event.
    func line(_ event: String) async throws -> LogLine {
        var found: LogLine?
        try await eventually("never \(event) in: \(String(decoding: heard.suffix(2000), as: UTF8.self))") {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while case let count = read(descriptor, &chunk, chunk.count), count > 0 { heard += chunk[..<count] }
            let lines = String(decoding: heard, as: UTF8.self).split(separator: "\n").compactMap {
                LogLine.parse(String($0))
            }
            found = lines.last { $0.event == event }
            return found != nil
        }
        return found!
    }
}

@Suite("Processes: a log that nobody reads", .fewAtATime)
struct UnreadLogTests {
    /// Asks a daemon over its control socket, which answers as long as its loop goes on.
    private static func ask(_ question: String, _ socket: URL) async throws -> String {
        let path = socket.path
        return try await offThePool { try ControlClient.ask(question, at: path) }
    }

    @Test("A puck whose log nobody reads goes on with all it does, and later says how many lines are missing")
    func puck() async throws {
        try await House.run { house in
            let manager = try NotifySocket(house.file("notify").path)
            let hub = try await house.hub(tls: true)
            let gutter = try Gutter(house.file("gutter"))
            house.environment = manager.environment(watchdogMilliseconds: 8000)
            let arguments = try await house.configurePuck(tls: true, set: ["log.level=debug"])
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true, errors: gutter.path)
            house.environment = [:]
            try await hub.line("session.open")
            let control = house.file("kitchen.control")
            // A wake of a muted puck is a line of the log.
            _ = try await Self.ask("mute", control)
            for _ in 0..<4000 { _ = try await Self.ask("wake", control) }
            #expect(gutter.isFull)
            manager.forget()
            try await manager.message("WATCHDOG=1", count: 2)
            let status = try await Self.ask("status", control)
            #expect(status.contains("\"connected\":true"), "\(status)")
            #expect(!hub.hasLogged("session.close"))
            let dropped = try await gutter.line("log.dropped")
            #expect(dropped.level == .warning)
            #expect(Int(dropped["lines"] ?? "").map { $0 > 0 } ?? false)
            // It ends in time, too, when nobody reads.
            for _ in 0..<2000 { _ = try await Self.ask("wake", control) }
            #expect(gutter.isFull)
            let (ended, _) = try await puck.terminate()
            #expect(ended == 0)
        }
    }

    @Test("A hub whose log nobody reads loses no puck, and later says how many lines are missing")
    func hub() async throws {
        try await House.run { house in
            let path = try house.configureHub()
            _ = try await house.token("kitchen")
            let gutter = try Gutter(house.file("gutter"))
            let hub = try house.start("puckhub", ["--config", path], name: "hub", errors: gutter.path)
            let listening = try await gutter.line("hub.listening")
            let puck = try await house.puck(port: Int(listening["port"] ?? ""))
            try await puck.line("link.up")
            puck.forgetThePast()
            let asked = try await house.hubCommand("status")
            #expect(asked.status == 0, "\(asked)")
            let control = house.file("hub/control")
            for _ in 0..<1500 {
                hub.signal(SIGHUP)
                _ = try await Self.ask("status", control)
            }
            #expect(gutter.isFull)
            #expect(try await house.hubCommand("status").output.contains("sessions=1"))
            #expect(!puck.hasLogged("link.disconnected"))
            try await house.converse(puck)
            let dropped = try await gutter.line("log.dropped")
            #expect(Int(dropped["lines"] ?? "").map { $0 > 0 } ?? false)
            let (ended, _) = try await hub.terminate()
            #expect(ended == 0)
        }
    }

    @Test(
        "A daemon that is started with its standard error closed, or on a full disk, works",
        arguments: ["&-", "/dev/full"])
    func closed(_ place: String) async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let arguments = try await house.configurePuck()
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true, errors: place)
            try await hub.line("session.open")
            #expect(try await house.control("status").status == 0)
            let (ended, _) = try await puck.terminate()
            #expect(ended == 0)
        }
    }
}

import CLinux
import Foundation
import Testing

@Suite("Processes: signals", .fewAtATime)
struct SignalTests {
    /// A daemon promises 200 ms. A busy test machine may take its time; that it ends by itself and in order is the point.
    static let generous = Duration.seconds(10)

    private func end(_ child: Child, while doing: String) async throws {
        let (status, took) = try await child.terminate()
        print("SIGTERM while \(doing): \(child.name) ended after \(took)")
        #expect(status == 0, "\(child.tail)")
        #expect(took < Self.generous)
    }

    @Test("SIGTERM ends a puck that waits for a hub which never answers")
    func blackHole() async throws {
        try await House.run { house in
            // Nobody accepts, and the queue is full: the kernel lets further connections hang.
            let hole = BlackHole()
            let puck = try await house.puck(token: House.anyToken, port: hole.port)
            try await puck.line("puckd.start")
            try await puck.line("capture.open")
            try await end(puck, while: "connecting")
        }
    }

    @Test("SIGTERM ends a puck and a hub in mid-utterance")
    func listening() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let puck = try await house.puck(tls: true, set: ["endpoint.utterance_limit_ms=10000"])
            try await puck.line("link.up")
            try await house.wake(puck)
            try await hub.line("conversation.first_audio")
            try await end(puck, while: "listening")
            try await hub.line("conversation.end", ["outcome": "degraded"])
            try await end(hub, while: "serving")
        }
    }

    @Test("SIGTERM ends a puck and a hub in the middle of an answer")
    func speaking() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            try await house.wake(puck)
            try await puck.line("play.start")
            try await end(hub, while: "answering")
            try await end(puck, while: "speaking")
        }
    }

    @Test("A puck that is told to stop says goodbye to its hub", arguments: [true, false])
    func puckSaysGoodbye(tls: Bool) async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: tls)
            // On a machine that is busy with other tests the puck's time may be over before it ran; it says so by
            // not logging its end.
            for _ in 0..<10 {
                let puck = try await house.puck(tls: tls)
                try await puck.line("link.up")
                #expect(try await puck.terminate().status == 0)
                let end = try await hub.line("session.close")
                guard puck.hasLogged("puckd.stop") else { continue }
                #expect(end["reason"] == "closed by the puck (code 1001: the puck is stopping)")
                return
            }
            throw Disappointment("ten pucks did not end in time")
        }
    }

    @Test("A hub that is told to stop says goodbye to its pucks", arguments: [true, false])
    func hubSaysGoodbye(tls: Bool) async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: tls)
            let puck = try await house.puck(tls: tls)
            try await puck.line("link.up")
            #expect(try await hub.terminate().status == 0)
            try await puck.line("link.closed", ["detail": "the hub closed the link (code 1001: the hub is stopping)"])
            try await puck.line("link.disconnected", ["reason": "closed-by-hub"])
        }
    }

    @Test("SIGTERM ends a puck whose microphone does not return")
    func stalled() async throws {
        try await House.run { house in
            try house.fault("at 1600 stall")
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.open")
            try await eventually("never reached the stall") { puck.hasLogged("link.failed") }
            try await end(puck, while: "stalled")
        }
    }

    @Test("SIGHUP takes a new volume, and keeps the old configuration when the new one is broken")
    func reread() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("puckd.start")
            let old = try String(contentsOf: house.file("kitchen.conf"), encoding: .utf8)
            try house.write(old.replacingOccurrences(of: "volume = 100", with: "volume = 42"), to: "kitchen.conf")
            puck.signal(SIGHUP)
            try await puck.line("config.reread")
            #expect(try await house.control("status").output.contains("volume=42"))
            try house.write(old.replacingOccurrences(of: "volume = 100", with: "volume = loud"), to: "kitchen.conf")
            puck.signal(SIGHUP)
            try await puck.line("config.invalid", ["detail": "kitchen.conf"])
            #expect(try await house.control("status").output.contains("volume=42"))
        }
    }

    @Test("SIGHUP says which sections need a restart, and takes the rest")
    func restartNeeded() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("puckd.start")
            let old = try String(contentsOf: house.file("kitchen.conf"), encoding: .utf8)
            puck.signal(SIGHUP)
            try await puck.line("config.reread")
            #expect(!puck.hasLogged("config.restart_needed"))
            let changes = [
                ("group = flat", "group = attic"), ("host = 127.0.0.1", "host = 127.0.0.2"),
                ("buffer_ms = 1000", "buffer_ms = 900"), ("buffer_ms = 400", "buffer_ms = 300"),
                ("volume = 100", "volume = 42"), ("detector = manual", "detector = level"),
            ]
            let new = changes.reduce(old) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
            try house.write(new + "[log]\nlevel = debug\n", to: "kitchen.conf")
            puck.signal(SIGHUP)
            let line = try await puck.line("config.restart_needed")
            let sections = "[capture] [playback] [wake] [log]"
            #expect(line["detail"] == "\(sections) changed: restart puckd for it to take effect")
            // Another hub, or another name there, is gone to at once.
            try await puck.line("hub.changed", ["hub": "127.0.0.2"])
            try await puck.line("config.reread")
            #expect(try await house.control("status").output.contains("volume=42"))
        }
    }

    @Test("SIGHUP gives a hub a new responder, and keeps the old one when the new one is broken")
    func hubReread() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            try house.configureHub(port: house.port(), extra: "[responder]\nkind = none")
            hub.signal(SIGHUP)
            try await hub.line("config.reloaded")
            try house.configureHub(port: house.port(), extra: "[responder]\nkind = wav\nwav_file = /nonexistent")
            hub.signal(SIGHUP)
            try await hub.line("config.refused", ["problem": "/nonexistent"])
            let puck = try await house.puck()
            try await puck.line("link.up")
            try await house.wake(puck)
            try await puck.line("uplink.end")
            try await hub.line("conversation.end", ["outcome": "done"])
            #expect(!puck.hasLogged("play.start"))
        }
    }
}

/// A port on loopback to which connecting takes for ever.
final class BlackHole {
    let port: Int
    private var descriptors: [Int32] = []

    init() {
        let (listener, port) = loopbackListener(backlog: 0)
        self.port = Int(port)
        descriptors.append(listener)
        // More than the queue holds; the rest hang as the puck will.
        for _ in 0..<4 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            var address = loopbackAddress(port)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(filler, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            descriptors.append(filler)
        }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }
}

func loopbackAddress(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A listener on a free port of loopback; never blocks.
func loopbackListener(backlog: Int32) -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(
        AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopbackAddress(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            precondition(bind(descriptor, $0, length) == 0 && listen(descriptor, backlog) == 0, "no loopback")
            getsockname(descriptor, $0, &length)
        }
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

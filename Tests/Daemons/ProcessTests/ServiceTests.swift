import Foundation
import Testing

@Suite("Processes: the service manager is told, and kills nobody in good order", .fewAtATime)
struct ServiceTests {
    enum Kind: String, CaseIterable { case path, abstract }

    private static func socket(_ kind: Kind, _ house: House) throws -> NotifySocket {
        try NotifySocket(kind == .path ? house.file("notify").path : "@puck-test-\(UUID().uuidString)")
    }

    @Test(
        "A puck says when it is ready, how it is, that it is well, that it reloads and that it stops",
        arguments: Kind.allCases)
    func puck(_ kind: Kind) async throws {
        try await House.run { house in
            let manager = try Self.socket(kind, house)
            _ = try await house.hub()
            house.environment = manager.environment(watchdogMilliseconds: 8000)
            let puck = try await house.puck()
            try await manager.message("READY=1")
            try await manager.message("STATUS=connected to the hub")
            try await manager.message("WATCHDOG=1", count: 2)
            manager.forget()
            puck.signal(SIGHUP)
            try await manager.message("RELOADING=1\nMONOTONIC_USEC=")
            try await manager.message("READY=1")
            _ = try await house.control("mute")
            try await manager.message("STATUS=connected to the hub, muted")
            _ = try await puck.terminate()
            try await manager.message("STOPPING=1")
        }
    }

    @Test("A puck whose microphone is missing is a puck with a fault, not one that stands still")
    func deafIsAlive() async throws {
        try await House.run { house in
            let manager = try Self.socket(.path, house)
            house.environment = manager.environment(watchdogMilliseconds: 4000)
            let puck = try await house.puck(token: House.anyToken, set: ["capture.device=nosuch"])
            try await puck.line("capture.failed")
            try await manager.message("STATUS=without a hub, microphone broken")
            manager.forget()
            try await manager.message("WATCHDOG=1", count: 3)
        }
    }

    @Test("A capture thread that never returns ends the watchdog's messages, and the log names it before")
    func wedgedCapture() async throws {
        try await House.run { house in
            let manager = try Self.socket(.path, house)
            house.environment = manager.environment(watchdogMilliseconds: 4000)
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("capture.open")
            try await manager.message("WATCHDOG=1", count: 2)
            try house.fault("hang 3600000")
            let line = try await puck.line("thread.stuck", ["thread": "capture"])
            #expect(Int(line["for_ms"] ?? "").map { $0 >= 2000 } ?? false)
            #expect(line["advice"]?.contains("the service manager restarts") == true)
            try await manager.message("STATUS=the capture thread stands still")
            manager.forget()
            try await Task.sleep(for: .seconds(3))  // three of its looks
            #expect(!manager.has("WATCHDOG=1"))
            // It ends in time all the same, with a thread that does not.
        }
    }

    @Test("A thread that goes on after all is said to, and all is well again")
    func recovers() async throws {
        try await House.run { house in
            let manager = try Self.socket(.path, house)
            house.environment = manager.environment(watchdogMilliseconds: 2000)
            let puck = try await house.puck(token: House.anyToken)
            try await manager.message("WATCHDOG=1")
            try house.fault("hang 4000")
            try await puck.line("thread.stuck", ["thread": "capture"])
            try await puck.line("thread.recovered", ["thread": "capture"])
            manager.forget()
            try await manager.message("WATCHDOG=1", count: 2)
        }
    }

    @Test("A hub says when it is ready, how many pucks there are, that it is well, and that it stops")
    func hub() async throws {
        try await House.run { house in
            let manager = try Self.socket(.path, house)
            house.environment = manager.environment(watchdogMilliseconds: 4000)
            let hub = try await house.hub()
            try await manager.message("READY=1")
            try await manager.message("STATUS=0 pucks connected")
            try await manager.message("WATCHDOG=1", count: 2)
            house.environment = [:]
            let puck = try await house.puck()
            try await puck.line("link.up")
            try await manager.message("STATUS=1 puck connected")
            manager.forget()
            hub.signal(SIGHUP)
            try await manager.message("RELOADING=1")
            try await manager.message("READY=1")
            _ = try await hub.terminate()
            try await manager.message("STOPPING=1")
        }
    }
}

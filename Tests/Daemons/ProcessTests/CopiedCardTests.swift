import Foundation
import Testing

@Suite("Processes: two pucks from one copied card", .fewAtATime)
struct CopiedCardTests {
    @Test("The second takes the place, the first is told why and waits, and hub, status and doctor name both")
    func copied() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let words = try house.configureUnpaired()
            let copy = try house.configureUnpaired("copy")
            let offer = try await house.offer()
            let joined = try await house.join(offer.code, "--state-dir", house.file("kitchen.state").path)
            #expect(joined.status == 0, "\(joined.output)")
            try FileManager.default.copyItem(at: house.pairingFile(), to: house.pairingFile("copy"))
            let first = try house.start("puckd", words, name: "kitchen", devices: true)
            try await first.line("link.up")
            let second = try house.start("puckd", copy, name: "copy", devices: true)
            try await second.line("link.up")
            try await first.line("link.closed", ["detail": "replaced by a new connection of the same puck, from"])
            try await first.line(
                "hub.error", ["code": "DUPLICATE", "detail": "connected from 127.0.0.1: pair this one again"])
            let failed = try await first.line("link.failed", ["reason": "hub-error"])
            #expect(Int(failed["retry_in_ms"] ?? "").map { (27_000...33_000).contains($0) } ?? false)
            try await hub.line("puck.duplicate", ["connected_from": "127.0.0.1", "refused_from": "127.0.0.1"])
            let said = try await house.hubCommand("status")
            #expect(said.output.contains("duplicate_puck=kitchen connected_from=127.0.0.1"), "\(said.output)")
            let status = try await house.run("puckctl", ["--socket", house.file("kitchen.control").path, "status"])
            #expect(status.output.contains("another puck with the same id and token"), "\(status.output)")
            let doctor = try await house.run(
                "puckctl",
                [
                    "--socket", house.file("kitchen.control").path, "--config", house.file("kitchen.conf").path,
                    "doctor",
                ], devices: true)
            #expect(doctor.output.contains("another puck with the same id and token"), "\(doctor.output)")
            #expect(!second.hasLogged("link.disconnected"))
        }
    }
}

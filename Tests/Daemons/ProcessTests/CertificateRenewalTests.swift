import Foundation
import Testing

@Suite("Processes: the hub gets another certificate", .fewAtATime)
struct CertificateRenewalTests {
    private func paired(in house: House) async throws -> (hub: Child, puck: Child, arguments: [String]) {
        let hub = try await house.hub(tls: true)
        let arguments = try house.configureUnpaired()
        let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
        try await puck.line("hub.unpaired")
        #expect(try await house.join(try await house.offer().code).status == 0)
        try await puck.line("link.up")
        return (hub, puck, arguments)
    }

    /// Until the hub knows what its puck believes.
    private func report(_ house: House, says words: String) async throws {
        let limit = ContinuousClock.now + patience
        while true {
            let said = try await house.hubCommand("certificate").output
            if said.contains(words) { return }
            if ContinuousClock.now > limit { throw Disappointment("no '\(words)' in: \(said)") }
        }
    }

    @Test("A renewal is announced before the restart, handed over the old link, and can be taken back")
    func renewed() async throws {
        try await House.run { house in
            var (hub, puck, arguments) = try await paired(in: house)
            let made = try await house.hubCommand("certificate", "new")
            #expect(made.status == 0 && made.output.contains("after a restart"), "\(made.output)")
            try await hub.line("certificate.changed", ["pucks": "1"])
            try await puck.line("trust.kept", ["certificates": "2"])
            try await report(house, says: "kitchen             believes the new one")
            let check = try await house.hubCommand("--check")
            #expect(check.output.contains("note certificate"), "\(check.output)")
            // Whoever is paired now is told by the hub that is shown now.
            #expect(try await house.offer("hall").line.contains("puck:"))

            hub.kill()
            hub = try await house.hub(tls: true)
            #expect(hub.hasLogged("certificate.replaced"))
            try await puck.line("link.up")
            // From its file, too, and back again.
            puck.kill()
            puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("link.up")
            #expect(try await house.hubCommand("certificate", "restore").status == 0)
            hub.kill()
            hub = try await house.hub(tls: true)
            try await puck.line("link.up")
            // The other one is believed no longer.
            #expect(try await house.hubCommand("certificate", "forget").status == 0)
            try await puck.line("trust.kept", ["certificates": "1"])
            #expect(try await house.hubCommand("certificate", "restore").status == 1)
            puck.kill()
            puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("link.up")
        }
    }

    @Test("A puck that was away during a renewal is listed, refuses the hub, and comes back with the old certificate")
    func away() async throws {
        try await House.run { house in
            var (hub, puck, arguments) = try await paired(in: house)
            puck.kill()
            let files = ["hub.crt", "hub.key"].map { house.file("hub/\($0)") }
            // As a renewal does it: the files, then a SIGHUP.
            _ = try await house.hub("other", tls: true)
            for file in files {
                try Data(contentsOf: house.file("other/\(file.lastPathComponent)")).write(to: file)
            }
            hub.signal(SIGHUP)
            try await hub.line("certificate.changed", ["advice": "1 of 1 pucks may not know"])
            try await report(house, says: "kitchen             is away")
            hub.kill()
            hub = try await house.hub(tls: true)
            #expect(hub.hasLogged("certificate.replaced", ["advice": "restore"]))
            puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("link.failed", ["reason": "certificate-not-trusted"])
            #expect(try await house.hubCommand("certificate", "restore").status == 0)
            hub.kill()
            hub = try await house.hub(tls: true)
            try await puck.line("link.up")
        }
    }
}

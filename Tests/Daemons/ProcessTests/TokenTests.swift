import Foundation
import Testing

@Suite("Processes: tokens end and are replaced", .fewAtATime)
struct TokenTests {
    private struct Pair {
        let hub: Child
        let puck: Child
        let arguments: [String]
    }

    private func paired(in house: House) async throws -> Pair {
        let hub = try await house.hub(tls: true)
        let arguments = try house.configureUnpaired()
        let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
        try await puck.line("hub.unpaired")
        #expect(try await house.join(try await house.offer().code).status == 0)
        try await puck.line("link.up")
        return Pair(hub: hub, puck: puck, arguments: arguments)
    }

    @Test("A puck that is revoked is cut off at once, and not let in again")
    func revoked() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            #expect(try await house.hubCommand("revoke", "attic").status == 1)
            #expect(try await house.hubCommand("revoke", "kitchen").status == 0)
            try await pair.puck.line("hub.error", ["code": "AUTH"])
            try await pair.puck.line("link.failed", ["reason": "unauthorized"])
            try await pair.puck.line("link.failed", ["reason": "unauthorized"])
        }
    }

    @Test("A token is replaced without a new pairing; the old one ends when the new one has been used")
    func replaced() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            let old = try house.paired("token")
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await pair.puck.line("token.kept")
            let new = try house.paired("token")
            #expect(new != old)
            #expect(try mode(house.pairingFile()) == 0o600)
            #expect(try await house.hubCommand("token", "list").output.contains("waits to be used"))
            let twice = try await house.hubCommand("token", "rotate", "kitchen")
            #expect(twice.status == 1 && twice.output.contains("already"), "\(twice.output)")
            // The link breaks: the same process comes back with the new one.
            #expect(!pair.puck.hasLogged("link.disconnected"))
            pair.hub.kill()
            let hub = try await house.hub(tls: true)
            try await pair.puck.line("link.up")
            try await hub.line("token.replaced", ["puck": "kitchen"])
            #expect(try await !house.hubCommand("token", "list").output.contains("waits to be used"))
            pair.puck.kill()
            let text = try String(contentsOf: house.pairingFile(), encoding: .utf8)
            try text.replacingOccurrences(of: new, with: old)
                .write(to: house.pairingFile(), atomically: true, encoding: .utf8)
            let stale = try house.start("puckd", pair.arguments, name: "kitchen", devices: true)
            try await stale.line("link.failed", ["reason": "unauthorized"])
        }
    }

    @Test("A puck that is killed before it has stored the new token comes back with the old one, and gets another")
    func killedBeforeStoring() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            let old = try String(contentsOf: house.pairingFile(), encoding: .utf8)
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await pair.puck.line("token.kept")
            pair.puck.kill()
            // As if the rename had not reached the disk.
            try old.write(to: house.pairingFile(), atomically: true, encoding: .utf8)
            let again = try house.start("puckd", pair.arguments, name: "kitchen", devices: true)
            try await again.line("link.up")
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await again.line("token.kept")
            again.kill()
            let last = try house.start("puckd", pair.arguments, name: "kitchen", devices: true)
            try await last.line("link.up")
            try await pair.hub.line("token.replaced")
        }
    }

    @Test("A puck that is killed after it has stored the new token, and a hub that is killed with it, agree on it")
    func bothKilled() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await pair.puck.line("token.kept")
            pair.hub.kill()
            pair.puck.kill()
            let hub = try await house.hub(tls: true)
            let puck = try house.start("puckd", pair.arguments, name: "kitchen", devices: true)
            try await puck.line("link.up")
            try await hub.line("token.replaced", ["puck": "kitchen"])
        }
    }

    @Test("A token that is old enough is replaced by itself")
    func old() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            pair.puck.kill()
            let tokens = house.file("hub/tokens")
            let line = try String(contentsOf: tokens, encoding: .utf8).split(separator: " ")
            // Made in 1970.
            try "\(line[0]) \(line[1]) 1\n".write(to: tokens, atomically: true, encoding: .utf8)
            let puck = try house.start("puckd", pair.arguments, name: "kitchen", devices: true)
            try await puck.line("token.kept")
        }
    }

    @Test("A token that was written into a configuration by hand is left alone")
    func byHand() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let puck = try await house.puck(tls: true)
            try await puck.line("link.up")
            let refused = try await house.hubCommand("token", "rotate", "kitchen")
            #expect(refused.status == 1 && refused.output.contains("by hand"), "\(refused.output)")
        }
    }

    private func mode(_ url: URL) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }
}

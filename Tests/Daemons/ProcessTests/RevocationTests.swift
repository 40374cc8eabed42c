import Foundation
import Testing

@Suite("Processes: tokens when the disk or the file fails", .fewAtATime)
struct RevocationTests {
    /// A hub whose state lies on a small disk of its own, and whose control socket does not.
    private func hubOnSmallDisk(_ house: House, _ mounts: Mounts) async throws -> (hub: Child, puck: Child) {
        let folder = house.file("hub").path
        try house.configureHub(tls: true)
        try await mounts.shell("mount -t tmpfs -o size=64k,mode=755 tmpfs '\(folder)'")
        let hub = try await house.hub(tls: true, extra: socket(house), mounts: mounts)
        let arguments = try house.configureUnpaired()
        let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
        try await puck.line("hub.unpaired")
        #expect(try await house.join(try await house.offer().code).status == 0)
        try await puck.line("link.up")
        return (hub, puck)
    }

    private func socket(_ house: House) -> String { "[control]\nsocket = \(house.file("hub.control").path)" }

    @Test(
        "A revocation on a disk that is full or read-only takes effect at once, says that it is not stored, and is stored later",
        .enabled(if: Mounts.isPermitted, Mounts.isNotPermitted),
        arguments: [
            (
                "dd if=/dev/zero of=$D/filler bs=1k 2>/dev/null; ! echo more >>$D/filler", "the disk is full",
                "rm $D/filler"
            ),
            ("mount -o remount,ro $D", "read-only", "mount -o remount,rw $D"),
        ])
    func notStored(_ breaks: String, _ words: String, _ mends: String) async throws {
        try await House.run { house in
            let mounts = try await Mounts(in: house)
            let (hub, puck) = try await hubOnSmallDisk(house, mounts)
            let folder = "D='\(house.file("hub").path)'; "
            try await mounts.shell(folder + breaks)
            let revoked = try await house.hubCommand("revoke", "kitchen")
            #expect(revoked.status == 1 && revoked.output.contains("not stored"), "\(revoked.output)")
            #expect(revoked.output.contains(words), "\(revoked.output)")
            try await puck.line("hub.error", ["code": "AUTH"])
            try await puck.line("link.failed", ["reason": "unauthorized"])
            try await hub.line("tokens.not_stored", ["problem": words])
            // The file still lists it; the hub does not let it in for that.
            try await mounts.shell(folder + "grep -q kitchen $D/tokens")
            hub.signal(SIGHUP)
            try await puck.line("link.failed", ["reason": "unauthorized"])

            try await mounts.shell(folder + mends)
            hub.signal(SIGHUP)
            try await hub.line("tokens.stored")
            hub.kill()
            let next = try await house.hub(tls: true, extra: socket(house), mounts: mounts)
            try await next.line("transport", ["text": "HTTP 401"])
        }
    }

    @Test("A token file that is missing or empty ends no session; 'revoke --all' does, and outlasts the hub")
    func accident() async throws {
        try await House.run { house in
            var hub = try await house.hub(tls: true)
            let puck = try await house.puck(tls: true)
            try await puck.line("link.up")
            let file = house.file("hub/tokens")
            let whole = try Data(contentsOf: file)
            for isEmpty in [false, true] {
                if isEmpty { try Data().write(to: file) } else { try FileManager.default.removeItem(at: file) }
                hub.signal(SIGHUP)
                try await hub.line("tokens.refused", ["problem": "revoke --all"])
                #expect(try await house.count("sessions") == 1)
                // Asked again, the hub writes what is in force.
                hub.signal(SIGHUP)
                try await hub.line("tokens.stored", ["devices": "1"])
                #expect(try Data(contentsOf: file) == whole)
            }
            #expect(!puck.hasLogged("link.disconnected"))
            #expect(try await house.hubCommand("revoke", "--all").status == 0)
            try await puck.line("hub.error", ["code": "AUTH"])
            hub.kill()
            hub = try await house.hub(tls: true)
            try await puck.line("link.failed", ["reason": "unauthorized"])
            #expect(try await house.hubCommand("revoke", "--all").status == 1)
        }
    }

    @Test("What a hub that was killed has left half written is removed at the next start")
    func unfinished() async throws {
        try await House.run { house in
            try house.configureHub(tls: true)
            for name in ["tokens", "hub.key", "earshot"] { try house.write("half", to: "hub/\(name).puck-unfinished") }
            _ = try await house.hub(tls: true)
            let left = try FileManager.default.contentsOfDirectory(atPath: house.file("hub").path)
            #expect(!left.contains { $0.contains("unfinished") }, "\(left)")
            // The same of a puck's, where it holds a token.
            let arguments = try house.configureUnpaired()
            try house.write("half", to: "kitchen.state/pairing.puck-unfinished")
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("hub.unpaired")
            #expect(try FileManager.default.contentsOfDirectory(atPath: house.file("kitchen.state").path).isEmpty)
        }
    }

    @Test("A puck with a token of before is known by it, and told what works")
    func retired() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let arguments = try house.configureUnpaired()
            var puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("hub.unpaired")
            #expect(try await house.join(try await house.offer().code).status == 0)
            try await puck.line("link.up")
            let before = try Data(contentsOf: house.pairingFile())
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await puck.line("token.kept")
            puck.kill()
            puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await hub.line("token.replaced")
            puck.kill()
            // As after a reboot of a puck whose folder lies in memory.
            try before.write(to: house.pairingFile())
            puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            let said = try await hub.line("token.retired", ["puck": "kitchen"])
            #expect(said["advice"]?.contains("puckhub pair kitchen") ?? false)
            try await hub.line("transport", ["text": "puckhub pair"])
            try await puck.line("link.closed", ["detail": "puckhub pair"])
            // The advice works.
            #expect(try await house.join(try await house.offer().code, "--force").status == 0)
            try await puck.line("link.up")
        }
    }

    @Test("A reload names the keys that need a restart, as long as they differ from what runs")
    func restartKeys() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let port = house.port()
            try house.configureHub(port: port, extra: "[tls]\nnames = other")
            for _ in 0..<2 {
                hub.signal(SIGHUP)
                let line = try await hub.line("config.reloaded", ["restart_needed": "yes"])
                #expect(line["keys"] == "[hub] port, [tls] names")
            }
        }
    }
}

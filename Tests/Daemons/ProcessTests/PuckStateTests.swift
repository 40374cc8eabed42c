import Foundation
import Testing

@Suite("Processes: a puck whose folder can no longer be written", .fewAtATime)
struct PuckStateTests {
    private struct Pair {
        let hub: Child
        let puck: Child
        let mounts: Mounts
        let folder: String

        func makeReadOnly() async throws { try await mounts.shell("mount -o remount,bind,ro '\(folder)'") }
        func makeWritable() async throws { try await mounts.shell("mount -o remount,bind,rw '\(folder)'") }
    }

    /// A puck whose state_dir is a mount of its own: on the disk, so that it lasts.
    private func paired(in house: House) async throws -> Pair {
        let hub = try await house.hub(tls: true)
        let mounts = try await Mounts(in: house)
        let arguments = try house.configureUnpaired()
        let folder = house.file("kitchen.state").path
        try await mounts.shell("mkdir -p '\(folder)' && mount --bind '\(folder)' '\(folder)'")
        let puck = try house.start("puckd", arguments, name: "kitchen", devices: true, mounts: mounts)
        try await puck.line("hub.unpaired")
        #expect(try await house.join(try await house.offer().code).status == 0)
        try await puck.line("link.up")
        return Pair(hub: hub, puck: puck, mounts: mounts, folder: folder)
    }

    @Test(
        "A new token that a puck cannot store: the old one works on, over a restart of the hub, until one can be stored",
        .enabled(if: Mounts.isPermitted, Mounts.isNotPermitted))
    func token() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            let before = try Data(contentsOf: house.pairingFile())
            try await pair.makeReadOnly()
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await pair.puck.line("token.not_kept", ["advice": "The old one stays good."])
            #expect(try Data(contentsOf: house.pairingFile()) == before)
            #expect(!pair.puck.hasLogged("link.disconnected"))
            pair.hub.kill()
            _ = try await house.hub(tls: true)
            try await pair.puck.line("link.up")
            try await pair.makeWritable()
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await pair.puck.line("token.kept")
            #expect(try Data(contentsOf: house.pairingFile()) != before)
        }
    }

    @Test(
        "What people set, and a certificate's successor, that a puck cannot store: said, and the puck goes on",
        .enabled(if: Mounts.isPermitted, Mounts.isNotPermitted))
    func settings() async throws {
        try await House.run { house in
            let pair = try await paired(in: house)
            try await pair.makeReadOnly()
            #expect(try await house.control("mute").status == 0)
            try await pair.puck.line("state.not_kept", ["advice": "state_dir"])
            #expect(try await house.control("unmute").status == 0)
            #expect(try await house.hubCommand("certificate", "new").status == 0)
            try await pair.puck.line("trust.not_kept", ["advice": "The old ones stay trusted."])
            // The hub does not count on it: a restart with the new one would lock this puck out, and it says so.
            #expect(try await !house.hubCommand("certificate").output.contains("believes the new one"))
            #expect(try await house.hubCommand("certificate", "restore").status == 0)
            pair.hub.kill()
            _ = try await house.hub(tls: true)
            try await pair.puck.line("link.up")
        }
    }
}

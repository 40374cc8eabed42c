import Credentials
import Foundation
import Testing

@Suite("Processes: folders, clocks and names that are not as they should be", .fewAtATime)
struct HouseTroubleTests {
    /// A puck whose state_dir is `folder` inside of `mounts`, paired.
    private func pairedPuck(_ house: House, _ mounts: Mounts, state folder: String) async throws -> (
        puck: Child, arguments: [String], joined: String
    ) {
        let arguments = try house.configureUnpaired() + ["--set", "puck.state_dir=\(folder)"]
        let puck = try house.start("puckd", arguments, name: "kitchen", devices: true, mounts: mounts)
        try await puck.line("hub.unpaired")
        let words = [
            "--socket", house.file("kitchen.control").path, "join", try await house.offer().code,
            "--hub", "127.0.0.1:\(house.port())",
        ]
        let join = try house.start("puckctl", words, name: "join", mounts: mounts)
        #expect(try await join.exitStatus() == 0, "\(join.output)")
        try await puck.line("link.up")
        return (puck, arguments, join.output)
    }

    @Test(
        "A puck whose state_dir lies in memory says so and keeps its token, so that a reboot does not lock it out",
        .enabled(if: Mounts.isPermitted, Mounts.isNotPermitted))
    func stateInMemory() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let mounts = try await Mounts(in: house)
            let folder = house.file("memory").path
            try await mounts.shell("mkdir '\(folder)' && mount -t tmpfs tmpfs '\(folder)'")
            let (puck, arguments, joined) = try await pairedPuck(house, mounts, state: folder)
            #expect(puck.hasLogged("state.not_lasting", ["detail": "lies in memory"]))
            #expect(joined.contains("lost with the next boot"), "\(joined)")
            #expect(try await house.control("status").output.contains("state_lasts=no"))
            let rotated = try await house.hubCommand("token", "rotate", "kitchen")
            #expect(rotated.status == 1 && rotated.output.contains("state_dir"), "\(rotated.output)")
            let check = try house.start(
                "puckd", arguments + ["--check"], name: "check", devices: true, mounts: mounts)
            _ = try await check.exitStatus()
            #expect(check.output.contains("note state_dir"), "\(check.output)")
        }
    }

    @Test(
        "A folder of the disk that is bound to a place in memory is no trouble: its token is replaced",
        .enabled(if: Mounts.isPermitted, Mounts.isNotPermitted))
    func stateBound() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let mounts = try await Mounts(in: house)
            let memory = house.file("memory").path
            let disk = house.file("disk").path
            try await mounts.shell(
                "mkdir '\(memory)' '\(disk)' && mount -t tmpfs tmpfs '\(memory)' && mkdir '\(memory)/state' "
                    + "&& mount --bind '\(disk)' '\(memory)/state'")
            let (puck, _, joined) = try await pairedPuck(house, mounts, state: memory + "/state")
            #expect(!puck.hasLogged("state.not_lasting") && !joined.contains("Note:"), "\(joined)")
            #expect(try await house.control("status").output.contains("state_lasts=yes"))
            #expect(try await house.hubCommand("token", "rotate", "kitchen").status == 0)
            try await puck.line("token.kept")
        }
    }

    @Test(
        "A hub with a certificate that has expired, or is not valid yet, starts, and its pucks come",
        arguments: [-40, 400] as [Int64])
    func dates(daysFromNow: Int64) async throws {
        try await House.run { house in
            try house.configureHub(tls: true)
            try Certificate.create(
                names: ["localhost"], addresses: [], certificateFile: house.file("hub/hub.crt").path,
                keyFile: house.file("hub/hub.key").path,
                nowUnixSeconds: Int64(Date().timeIntervalSince1970) + daysFromNow * 86_400, days: 30)
            let hub = try await house.hub(tls: true)
            #expect(hub.hasLogged("certificate.expired", ["advice": "pair"]) == (daysFromNow < 0))
            let arguments = try house.configureUnpaired()
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("hub.unpaired")
            #expect(try await house.join(try await house.offer().code).status == 0)
            try await puck.line("link.up")
        }
    }

    @Test(
        "A hub starts whatever its machine is called, says what is wrong with the name, and its join line works",
        .enabled(if: Mounts.isPermitted, Mounts.isNotPermitted),
        arguments: ["under_score", "küche", "my hub", String(repeating: "x", count: 64), "localhost", ""])
    func hostNames(_ name: String) async throws {
        try await House.run { house in
            try house.configureHub(tls: true)
            let text = try String(contentsOf: house.file("hub.conf"), encoding: .utf8)
            try house.write(
                text.replacingOccurrences(of: "name = localhost\nlisten = 127.0.0.1\n", with: "announce = no\n"),
                to: "hub.conf")
            let words = [
                "unshare", "--uts", "--", "sh", "-c",
                // Only a line's end can make it empty: nothing would not be written at all.
                "echo \"$1\" >/proc/sys/kernel/hostname; test \"$(uname -n)\" = \"$1\" || exit 9; shift; exec \"$@\"",
                "sh", name,
            ]
            let hub = try house.help(words + [Build.program("puckhub"), "--config", house.file("hub.conf").path])
            let port = try await hub.line("hub.listening")["port"] ?? ""
            #expect(hub.hasLogged("config.warning", ["text": "[hub] name"]), "\(hub.tail)")
            _ = try house.configureUnpaired()
            let line = try await house.offer().line
            #expect(name.isEmpty || !line.contains(name), "\(line)")
            #expect(line.contains(":\(port):"), "\(line)")
            let joined = try await house.join(line, at: nil, "--state-dir", house.file("kitchen.state").path)
            #expect(joined.status == 0, "\(joined.output)")
        }
    }
}

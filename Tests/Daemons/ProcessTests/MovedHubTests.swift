import Foundation
import Testing

@Suite("Processes: the hub's address changes", .fewAtATime)
struct MovedHubTests {
    /// A hub, and a puck that was paired with it by its address.
    private func pair(_ house: House, extra: String = "") async throws -> (
        hub: Child, words: [String], fingerprint: String
    ) {
        let hub = try await house.hub(tls: true)
        let words = try house.configureUnpaired(extra: extra)
        let offer = try await house.offer()
        let joined = try await house.join(offer.code, "--state-dir", house.file("kitchen.state").path)
        #expect(joined.status == 0, "\(joined.output)")
        #expect(try house.paired("host") == "127.0.0.1")
        let parts = offer.line.split(separator: ":")
        return (hub, words, String(parts[parts.count - 2]))
    }

    private func print(_ lines: [String], _ house: House) throws {
        try house.pretend("avahi-browse", "cat <<'END'\n\(lines.joined(separator: "\n"))\nEND\n")
    }

    @Test("A hub that moved is found by mDNS, believed by its certificate only, and kept over a restart")
    func moved() async throws {
        try await House.run { house in
            let (hub, words, fingerprint) = try await pair(house)
            let token = try house.paired("token")
            _ = try await house.hub("other", tls: true)
            try print([], house)
            let puck = try house.start("puckd", words, name: "kitchen", devices: true)
            try await puck.line("link.up")
            _ = try await hub.terminate()
            _ = try await house.hub(tls: true, address: "127.0.0.2")
            // It announces the right fingerprint, has another certificate, and passes on to the hub what it hears.
            let impostor = try ManInTheMiddle(showing: house.file("other"), to: house.port(of: "other"))
            try print(
                [
                    house.answer("impostor", impostor.port, fingerprint: fingerprint),
                    house.answer("other", house.port(of: "other"), fingerprint: "another"),
                    house.answer("hub", house.port(), address: "127.0.0.2", fingerprint: fingerprint),
                ], house)
            try await puck.line("hub.search")
            try await puck.line("link.closed", ["hub": ":\(impostor.port)", "detail": "not the trusted one"])
            try await puck.line("hub.moved", ["hub": "127.0.0.2:\(house.port())"])
            #expect(!puck.hasLogged("link.closed", ["hub": ":\(house.port(of: "other"))"]))
            #expect(!impostor.overheard.contains(token) && !impostor.overheard.contains("GET "))
            #expect(try house.paired("host") == "127.0.0.2")
            #expect(try house.paired("token") == token)
            let said = try await house.control("status").output
            #expect(said.contains("hub=wss://127.0.0.2:\(house.port())"), "\(said)")
            _ = try await puck.terminate()
            let again = try house.start("puckd", words, name: "kitchen", devices: true)
            try await again.line("link.up")
            #expect(!again.hasLogged("hub.search"))
        }
    }

    @Test("A hub that moved and does not know the token any more is kept where it is: 401, and no search for it")
    func refused() async throws {
        try await House.run { house in
            let (hub, words, fingerprint) = try await pair(house)
            #expect(try await house.hubCommand("revoke", "kitchen").status == 0)
            _ = try await hub.terminate()
            _ = try await house.hub(tls: true, address: "127.0.0.2")
            try print([house.answer("hub", house.port(), address: "127.0.0.2", fingerprint: fingerprint)], house)
            let puck = try house.start("puckd", words, name: "kitchen", devices: true)
            try await puck.line("hub.search")
            try await puck.line("hub.moved", ["hub": "127.0.0.2:\(house.port())"])
            #expect(try house.paired("host") == "127.0.0.2")
            try await puck.line("link.failed", ["reason": "unauthorized"])
            #expect(puck.log.filter { $0.event == "hub.search" }.count == 1)
        }
    }

    private static let openSSL = "/usr/bin/openssl"

    /// What the owner of an authority does: a certificate for a hub called localhost.
    private func signed(_ house: House, _ name: String) async throws {
        let folder = house.file(name).path
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        let script = """
            set -e; cd '\(folder)'
            openssl req -x509 \(key) -keyout ca.key -out ca.crt -days 30 -subj /CN=house
            openssl req -new \(key) -keyout hub.key -out hub.csr -subj /CN=localhost
            echo 'subjectAltName = DNS:localhost' >names
            openssl x509 -req -in hub.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out hub.crt -days 30 -extfile names
            """
        let made = try house.help(["/bin/sh", "-c", script])
        #expect(try await made.exitStatus() == 0, "\(made.tail)")
    }

    @Test(
        "With an authority as ca_file a hub that moved is found, and believed by its name and who signed it",
        .enabled(if: FileManager.default.isExecutableFile(atPath: openSSL), "needs openssl"))
    func authority() async throws {
        try await House.run { house in
            for name in ["hub", "other"] {
                try house.configureHub(name, tls: true)
                try await signed(house, name)
            }
            // Another authority's hub has the name, too.
            let other = try await house.hub("other", tls: true)
            let hub = try await house.hub(tls: true)
            let set = ["hub.ca_file=\(house.file("hub/ca.crt").path)"]
            let words = try await house.configurePuck(tls: true, set: set)
            try print([], house)
            let puck = try house.start("puckd", words, name: "kitchen", devices: true)
            try await puck.line("link.up")
            _ = try await hub.terminate()
            _ = try await house.hub(tls: true, address: "127.0.0.2")
            try print(
                [
                    house.answer("other", house.port(of: "other"), fingerprint: "one"),
                    house.answer("hub", house.port(), address: "127.0.0.2", fingerprint: "another"),
                ], house)
            try await puck.line("hub.search")
            try await puck.line("link.closed", ["hub": ":\(house.port(of: "other"))", "detail": "not the trusted one"])
            try await puck.line("hub.moved", ["hub": "127.0.0.2:\(house.port())"])
            // It was told no token.
            #expect(!other.output.contains("HTTP 401"))
        }
    }

    @Test("A host that the configuration names is tried in turn with what was found, and stays configured")
    func configuredHost() async throws {
        try await House.run { house in
            let (hub, words, fingerprint) = try await pair(house)
            _ = try await hub.terminate()
            _ = try await house.hub(tls: true, address: "127.0.0.2")
            try print(
                [house.answer("hub", house.port(), address: "127.0.0.2", fingerprint: fingerprint)], house)
            let set = words + ["--set", "hub.host=127.0.0.1"]
            let puck = try house.start("puckd", set, name: "kitchen", devices: true)
            try await puck.line("hub.moved", ["hub": "127.0.0.2:\(house.port())"])
            #expect(try house.paired("host") == "127.0.0.2")
            puck.forgetThePast()
            puck.signal(SIGHUP)
            try await puck.line("config.reread")
            #expect(!puck.hasLogged("hub.changed"))
        }
    }

    @Test("Without avahi-utils a puck says once what is missing, and goes on with its address")
    func withoutAvahi() async throws {
        try await House.run { house in
            let (hub, words, _) = try await pair(house)
            _ = try await hub.terminate()
            try house.pretend("nothing", "exit 1\n")
            house.environment["PATH"] = house.file("bin").path
            // By their whole paths: the daemon's PATH is the test's.
            let daemon = try Build.program("puckd")
            let puck = try Child(
                daemon, words, name: "kitchen", in: house.folder,
                ["PATH": house.file("bin").path, "ALSA_CONFIG_PATH": house.file("asound.conf").path])
            defer { puck.kill() }
            try await puck.line("hub.search_failed", ["detail": "install avahi-daemon and avahi-utils"])
            _ = try await house.hub(tls: true)
            try await puck.line("link.up")
            #expect(puck.log.filter { $0.event == "hub.search_failed" }.count == 1)
        }
    }

    @Test(
        "A puck whose puckctl is missing or older says so once, and goes on with its address", arguments: [false, true])
    func withoutPuckctl(isThere: Bool) async throws {
        try await House.run { house in
            let (hub, words, _) = try await pair(house)
            _ = try await hub.terminate()
            // What an older one says to a command that it does not know.
            try house.pretend(isThere ? "puckctl" : "nothing", "echo 'puckctl: unknown command' >&2; exit 64\n")
            // Alone in its folder, it looks for puckctl in PATH.
            let daemon = house.file("alone-puckd").path
            try FileManager.default.copyItem(atPath: try Build.program("puckd"), toPath: daemon)
            let puck = try Child(
                daemon, words, name: "kitchen", in: house.folder,
                ["PATH": house.file("bin").path, "ALSA_CONFIG_PATH": house.file("asound.conf").path])
            defer { puck.kill() }
            try await puck.line(
                "hub.search_failed", ["detail": isThere ? "puckctl ended with status 64" : "cannot run puckctl"])
            _ = try await house.hub(tls: true)
            try await puck.line("link.up")
            #expect(puck.log.filter { $0.event == "hub.search_failed" }.count == 1)
        }
    }

    @Test("'puckctl find-hub' says which answers name the certificate, and what is wrong")
    func findHub() async throws {
        try await House.run { house in
            let (_, _, fingerprint) = try await pair(house)
            let find = ["find-hub", house.pairingFile().path]
            try print(
                [
                    house.answer("hub", 7443, address: "127.0.0.2", fingerprint: fingerprint),
                    house.answer("other", 1, fingerprint: "another"),
                ], house)
            let found = try await house.run("puckctl", find)
            #expect(found.status == 0 && found.output == "pinned 127.0.0.2 7443\nother 127.0.0.1 1\ndone\n", "\(found)")
            let unreadable = try await house.run("puckctl", ["find-hub", house.file("none").path])
            #expect(unreadable.status == 69 && unreadable.output.hasPrefix("other 127.0.0.2"), "\(unreadable)")
            #expect(unreadable.output.contains("\nfailed "), "\(unreadable)")
            #expect(unreadable.output.contains(house.file("none").path), "\(unreadable)")
            try house.pretend("avahi-browse", "exit 1\n")
            let failed = try await house.run("puckctl", find)
            #expect(failed.status == 69 && failed.output.hasPrefix("failed cannot look for the hub"), "\(failed)")
            #expect(failed.output.contains("avahi-daemon"), "\(failed)")
            #expect(try await house.run("puckctl", ["find-hub"]).status == 64)
        }
    }

    @Test(
        "Avahi itself tells where the hub went",
        .enabled(if: Network.isPermitted && Avahi.isInstalled, "needs avahi-daemon, avahi-utils, dbus-daemon and root"))
    func avahi() async throws {
        try await House.run { house in
            let network = try await Network(in: house)
            try await network.ip("link", "add", "wire", "type", "veth", "peer", "name", "end")
            try await network.ip("address", "add", "10.77.0.1/24", "dev", "wire")
            try await network.ip("link", "set", "wire", "up")
            try await network.ip("link", "set", "end", "up")
            let avahi = try await Avahi(in: house, network)
            house.environment["DBUS_SYSTEM_BUS_ADDRESS"] = avahi.bus
            let hub = try await house.hub(tls: true, address: "10.77.0.1", network: network)
            let words = try house.configureUnpaired()
            let offer = try await house.offer(network: network)
            let join = try house.start(
                "puckctl",
                [
                    "--socket", house.file("none").path, "join", offer.code, "--hub", "10.77.0.1:\(house.port())",
                    "--state-dir", house.file("kitchen.state").path,
                ], name: "puckctl", network: network)
            #expect(try await join.exitStatus() == 0, "\(join.output)")
            let puck = try house.start("puckd", words, name: "kitchen", devices: true, network: network)
            try await puck.line("link.up")
            _ = try await hub.terminate()
            try await network.ip("address", "del", "10.77.0.1/24", "dev", "wire")
            try await network.ip("address", "add", "10.77.0.9/24", "dev", "wire")
            let moved = try await house.hub(tls: true, address: "10.77.0.9", network: network)
            try await moved.line("announce.started")
            try await puck.line("hub.moved", ["hub": "10.77.0.9:\(house.port())"])
            #expect(try house.paired("host") == "10.77.0.9", "\(avahi.log)")
        }
    }
}

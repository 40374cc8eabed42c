import Foundation
import Testing

@Suite("Processes: a hub is found", .fewAtATime)
struct DiscoveryTests {
    @Test("A puck that is given a code only finds the hub; with two it asks which, and says how to answer")
    func searched() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            _ = try await house.hub("other", tls: true)
            _ = try house.configureUnpaired()
            let folder = house.file("kitchen.state").path
            let offer = try await house.offer()
            let both = [house.answer("nas", house.port()), house.answer("attic", house.port(of: "other"))]
            try house.pretend("avahi-browse", "cat <<'END'\n\(both.joined(separator: "\n"))\nEND\n")
            let asked = try await house.join(offer.code, at: nil, "--state-dir", folder)
            #expect(asked.status == 3, "\(asked.output)")
            #expect(asked.output.contains("--hub 127.0.0.1:\(house.port())    nas"))
            #expect(asked.output.contains("--hub 127.0.0.1:\(house.port(of: "other"))    attic"))
            try house.pretend("avahi-browse", "exit 0\n")
            let none = try await house.join(offer.code, at: nil, "--state-dir", folder)
            #expect(none.status == 69 && none.output.contains("--hub HOST"), "\(none.output)")
            try house.pretend("avahi-browse", "exit 1\n")
            let broken = try await house.join(offer.code, at: nil, "--state-dir", folder)
            #expect(broken.status == 69 && broken.output.contains("avahi-daemon"), "\(broken.output)")
            try house.pretend("avahi-browse", "echo '\(both[0])'\n")
            let joined = try await house.join(offer.code, at: nil, "--state-dir", folder)
            #expect(joined.status == 0, "\(joined.output)")
            #expect(try house.paired("port") == "\(house.port())")
        }
    }

    @Test("A hub that is announced by somebody else, under any name, proves nothing")
    func announcedByAnother() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            _ = try await house.hub("other", tls: true)
            _ = try house.configureUnpaired()
            let offer = try await house.offer()
            _ = try await house.offer("attic", hub: "other")
            let impostor = house.answer("nas", house.port(of: "other"))
            try house.pretend("avahi-browse", "echo '\(impostor)'\n")
            let refused = try await house.join(offer.code, at: nil, "--state-dir", house.file("kitchen.state").path)
            #expect(refused.status == 1 && refused.output.contains("the code is wrong"), "\(refused.output)")
        }
    }

    @Test(
        "A hub announces itself where others can come from, and ends that with itself",
        .enabled(if: Network.isPermitted, Network.isNotPermitted))
    func announces() async throws {
        try await House.run { house in
            let network = try await Network(in: house)
            try await network.ip("link", "add", "wire", "type", "veth", "peer", "name", "end")
            try await network.ip("address", "add", "10.77.0.1/24", "dev", "wire")
            try await network.ip("link", "set", "wire", "up")
            let said = house.file("announced").path
            try house.pretend("avahi-publish-service", "echo $$ \"$@\" >\(said)\nexec sleep 1000\n")
            let hub = try await house.hub(tls: true, address: "10.77.0.1", network: network)
            try await hub.line("announce.started", ["service": "_puck._tcp"])
            var words: [Substring] = []
            try await eventually("nothing is announced") {
                words = ((try? String(contentsOfFile: said, encoding: .utf8)) ?? "").split { $0 == " " || $0 == "\n" }
                return words.count == 6
            }
            #expect(words[1] == "localhost" && words[2] == "_puck._tcp" && words[3] == "\(house.port())")
            #expect(words[4] == "proto=1" && words[5].hasPrefix("id=") && words[5].utf8.count == 46)
            let line = try await house.offer(network: network).line
            #expect(line.contains(words[5].dropFirst(3)))
            _ = try await hub.terminate()
            let process = try #require(pid_t(words[0]))
            try await eventually("the announcement goes on") { kill(process, 0) != 0 }
        }
    }

    @Test(
        "A hub without Avahi says once what is missing, and serves",
        .enabled(if: Network.isPermitted, Network.isNotPermitted))
    func withoutAvahi() async throws {
        try await House.run { house in
            let network = try await Network(in: house)
            try await network.ip("link", "add", "wire", "type", "veth", "peer", "name", "end")
            try await network.ip("address", "add", "10.77.0.1/24", "dev", "wire")
            try await network.ip("link", "set", "wire", "up")
            // Neither there nor anywhere.
            try house.pretend("nothing", "exit 1\n")
            let words = try house.configureHub(tls: true, address: "10.77.0.1")
            let bare = ["env", "PATH=" + house.file("bin").path, try Build.program("puckhub"), "--config", words]
            let hub = try house.help(network.prefix + bare)
            try await hub.line("announce.missing", ["advice": "apt install avahi-daemon"])
            #expect(hub.hasLogged("hub.listening"))
        }
    }

    @Test(
        "Avahi itself carries the announcement to puckctl",
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
            try await hub.line("announce.started")
            _ = try house.configureUnpaired()
            let offer = try await house.offer(network: network)
            let words = [
                "--socket", house.file("none").path, "join", offer.code, "--state-dir",
                house.file("kitchen.state").path,
            ]
            // Until it is established, 1 s after probing (RFC 6762, 8), nobody answers.
            var said = ""
            for _ in 0..<20 {
                let puckctl = try house.start("puckctl", words, name: "puckctl", network: network)
                let status = try await puckctl.exitStatus()
                said = puckctl.output
                if status != 69 { break }
            }
            #expect(said.contains("paired with 10.77.0.1:\(house.port())"), "\(said)\n\(avahi.log)")
            #expect(try house.paired("host") == "10.77.0.1")
        }
    }
}

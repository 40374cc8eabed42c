import Foundation
import Testing

@Suite(
    "Processes: names and addresses of the hub", .fewAtATime,
    .enabled(if: Network.isPermitted, Network.isNotPermitted))
struct NameLookupTests {
    /// The words before a command that sees this /etc/hosts, and no name server.
    private func hosts(_ text: String, _ house: House, _ network: Network) throws -> [String] {
        try house.write("127.0.0.1 localhost\n" + text + "\n", to: "hosts")
        try house.write("hosts: files dns\n", to: "nsswitch.conf")
        try house.write("nameserver 2001:db8::53\noptions timeout:1 attempts:1\n", to: "resolv.conf")
        let mounts = ["hosts", "nsswitch.conf", "resolv.conf"].map {
            "mount --bind \(house.file($0).path) /etc/\($0)"
        }
        return network.prefix + [
            "unshare", "--mount", "sh", "-c", mounts.joined(separator: " && ") + " && exec \"$@\"", "sh",
        ]
    }

    private func puck(_ host: String, _ prefix: [String], _ house: House, port: Int) async throws -> Child {
        let words = try await house.configurePuck(
            token: House.anyToken, port: port, set: ["hub.host=\(host)"])
        let command = prefix + [try Build.program("puckd")] + words
        let child = try Child(
            command[0], Array(command.dropFirst()), name: "kitchen", in: house.folder,
            ["ALSA_CONFIG_PATH": house.file("asound.conf").path])
        house.adopt(child)
        return child
    }

    @Test("A name that /etc/hosts knows is found with an IPv6 network only, and what is missing is said")
    func onlyIPv6() async throws {
        try await House.run { house in
            let network = try await Network(in: house)
            try await network.ip("link", "add", "wire", "type", "veth", "peer", "name", "end")
            try await network.ip("address", "add", "2001:db8::1/64", "dev", "wire", "nodad")
            try await network.ip("link", "set", "wire", "up")
            try await network.ip("link", "set", "end", "up")
            let prefix = try hosts("10.77.0.1 hub.test", house, network)
            let child = try await puck("hub.test", prefix, house, port: 7443)
            try await child.line("link.closed", ["detail": "10.77.0.1 is an IPv4 address, and this machine has none"])
            try await child.line("link.failed", ["reason": "family-missing"])
        }
    }

    @Test("A name that /etc/hosts knows is found before there is any network")
    func nothingYet() async throws {
        try await House.run { house in
            let network = try await Network(in: house)
            let prefix = try hosts("127.0.0.1 hub.test", house, network)
            let child = try await puck("hub.test", prefix, house, port: 9)
            try await child.line("link.failed", ["reason": "refused"])
            let other = try hosts("10.77.0.1 hub.test", house, network)
            _ = try await child.terminate()
            let second = try await puck("other.test", other, house, port: 9)
            try await second.line("link.closed", ["detail": "this machine has no network address yet"])
        }
    }

    @Test("A link-local address without its interface is refused with the way to write it")
    func linkLocal() async throws {
        try await House.run { house in
            let network = try await Network(in: house)
            let child = try await puck("fe80::1", network.prefix, house, port: 9)
            try await child.line("link.closed", ["detail": "fe80::1%wlan0"])
        }
    }
}

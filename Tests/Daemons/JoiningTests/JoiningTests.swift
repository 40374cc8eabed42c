import Credentials
import Testing

@testable import Joining

@Suite("What is typed, and who is found")
struct JoiningTests {
    private let fingerprint = String(repeating: "f", count: 43)
    private let secret = String(repeating: "s", count: 22)

    @Test("a join line says where, who and what, and reads back")
    func joinLine() throws {
        for host in ["hub.local", "192.168.1.5", "fd00::5", "fe80::1%wlan0"] {
            let line = JoinLine(host: host, port: 7443, fingerprint: fingerprint, secret: secret)
            #expect(JoinLine(line.text) == line)
            #expect(JoinSecret(line.text) == .line(line))
        }
        let v6 = JoinLine(host: "fd00::5", port: 1, fingerprint: fingerprint, secret: secret)
        #expect(v6.text == "puck:[fd00::5]:1:\(fingerprint):\(secret)")
    }

    @Test("clocks that are minutes apart are said, by how much and what helps")
    func clocks() {
        #expect(JoinCommand.clockComplaint(hub: 1_800_000_000, here: 1_800_000_200) == nil)
        for (here, words) in [
            (1_800_000_600 as Int64, "10 minutes ahead"), (1_800_000_000 - 5 * 3600, "5 hours behind"),
            (0, "20833 days behind"),
        ] {
            let said = JoinCommand.clockComplaint(hub: 1_800_000_000, here: here)
            #expect(said?.contains(words) == true && said?.contains("timedatectl") == true, "\(said ?? "")")
        }
    }

    @Test("a line that is not whole is none")
    func brokenLines() {
        let whole = "puck:hub.local:7443:\(fingerprint):\(secret)"
        #expect(JoinLine(whole) != nil)
        for broken in [
            "", "puck:", String(whole.dropLast()), String(whole.dropFirst()), whole + "x",
            "puck:hub:\(fingerprint):\(secret)",
            "puck:hub:0:\(fingerprint):\(secret)", "puck::7443:\(fingerprint):\(secret)",
            "puck:h\nb:7443:\(fingerprint):\(secret)",
        ] {
            #expect(JoinLine(broken) == nil, "\(broken)")
        }
    }

    @Test("--hub takes a host, a port with it, and IPv6")
    func places() {
        func place(_ text: String) -> String? { JoinLine.place(text).map { "\($0.host) \($0.port ?? 0)" } }
        #expect(place("hub.local") == "hub.local 0" && place("hub.local:99") == "hub.local 99")
        #expect(place("fd00::5") == "fd00::5 0" && place("[fd00::5]") == "fd00::5 0")
        #expect(place("[fd00::5]:99") == "fd00::5 99")
        for bad in ["", "hub:", "hub:0", "hub:99999", "[fd00::5", "[fd00::5]99", "a b"] { #expect(place(bad) == nil) }
    }

    /// As avahi-browse 0.8 prints it.
    private let printed = """
        +;eth0;IPv6;nas;_puck._tcp;local
        +;eth0;IPv4;nas;_puck._tcp;local
        =;eth0;IPv6;nas;_puck._tcp;local;nas.local;fe80::1;7443;"id=abc" "proto=1"
        =;eth0;IPv4;nas;_puck._tcp;local;nas.local;192.168.1.5;7443;"id=abc" "proto=1"
        =;wlan0;IPv4;Anna\\039s\\032hub;_puck._tcp;local;pi.local;192.168.1.6;7000;"proto=1"
        =;wlan0;IPv4;\\027[2J;_puck._tcp;local;evil\\010.local;192.168.1.7;7000;
        =;wlan0;IPv4;short;_puck._tcp;local
        =;wlan0;IPv4;printer;_ipp._tcp;local;pi.local;192.168.1.6;631;

        """

    @Test("a hub on several interfaces is one; what cannot be a host's name is none; names are printable")
    func browse() {
        let hubs = HubFinder.parse(printed)
        #expect(
            hubs == [
                FoundHub(name: "nas", host: "nas.local", address: "192.168.1.5", port: 7443, fingerprint: "abc"),
                FoundHub(name: "Anna's hub", host: "pi.local", address: "192.168.1.6", port: 7000, fingerprint: ""),
            ])
        let only6 = HubFinder.parse("=;eth0;IPv6;x\\027;_puck._tcp;local;nas.local;fe80::1;7443;\n")
        #expect(only6.first?.address == "fe80::1%eth0" && only6.first?.name == "x\\027")
        #expect(HubFinder.parse("") == [])
    }

    @Test("a search for one hub keeps every address, and marks those that name a believed certificate")
    func marked() {
        let found = FindCommand.marked(HubFinder.answers(in: printed), ["other", "abc"], isAuthority: false)
        #expect(found.map { $0.address } == ["fe80::1%eth0", "192.168.1.5", "192.168.1.6"])
        #expect(found.map { $0.namesPinnedCertificate } == [true, true, false])
        #expect(found.map { $0.port } == [7443, 7443, 7000])
        let authority = FindCommand.marked(HubFinder.answers(in: printed), [], isAuthority: true)
        #expect(authority.map { $0.namesPinnedCertificate } == [true, true, true])
    }
}

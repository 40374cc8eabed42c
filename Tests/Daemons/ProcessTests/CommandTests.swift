import Foundation
import Testing

@Suite("Processes: commands", .fewAtATime)
struct CommandTests {
    @Test("Every program tells its version and its options, and refuses one that it does not know")
    func commonOptions() async throws {
        try await House.run { house in
            for program in ["puckd", "puckhub", "puckctl"] {
                let version = try await house.run(program, ["--version"])
                #expect(version.status == 0 && version.output.hasPrefix(program + " "), "\(version)")
                let help = try await house.run(program, ["--help"])
                #expect(help.status == 0 && help.output.contains("--help") && help.output.contains("Exit status"))
                let unknown = try await house.run(program, ["--hepl"])
                #expect(unknown.status == 64 && unknown.output.contains("did you mean --help?"), "\(unknown)")
            }
        }
    }

    struct Mistake: CustomTestStringConvertible {
        let lines: String
        let complaint: String
        var testDescription: String { complaint }
    }

    @Test(
        "A wrong configuration is refused with file, line and what is allowed",
        arguments: [
            Mistake(lines: "[hub]\nhost = h\ntoken = t\nhots = h", complaint: "kitchen.conf:4: [hub] hots"),
            Mistake(lines: "[hub]\nhost = h\ntoken = t\nport = 70000", complaint: "kitchen.conf:4: [hub] port"),
            Mistake(lines: "[hub]\ntoken = t", complaint: "kitchen.conf: [hub] host"),
        ])
    func configuration(_ mistake: Mistake) async throws {
        try await House.run { house in
            try house.write(mistake.lines + "\n", to: "kitchen.conf")
            for options in [[], ["--check"]] {
                let result = try await house.run("puckd", ["--config", house.file("kitchen.conf").path] + options)
                #expect(result.status == 78, "\(result)")
                #expect(result.output.contains(mistake.complaint), "\(result.output)")
            }
        }
    }

    @Test("A configuration file that is missing is named, with what to do")
    func missingFile() async throws {
        try await House.run { house in
            for program in ["puckd", "puckhub"] {
                let result = try await house.run(program, ["--config", house.file("none.conf").path])
                #expect(result.status == 78 && result.output.contains("none.conf"), "\(result)")
                #expect(result.output.contains("docs/examples/\(program).conf"))
            }
            try house.write("[hub]\nprot = 1\n", to: "hub.conf")
            let hub = try await house.run("puckhub", ["--config", house.file("hub.conf").path])
            #expect(hub.status == 78 && hub.output.contains("hub.conf:2: [hub] prot"), "\(hub)")
            let check = try await house.run("puckhub", ["--check", "--config", house.file("hub.conf").path])
            #expect(check.status == 78, "\(check)")
        }
    }

    @Test("A FIFO in the place of a configuration, token or certificate is refused, and nothing waits for it")
    func specialFiles() async throws {
        try await House.run { house in
            let fifo = house.file("fifo").path
            try #require(mkfifo(fifo, 0o600) == 0)
            let hub = try house.configureHub(tls: true)
            let puck = try await house.configurePuck(token: House.anyToken, port: 1)
            try house.write("[hub]\nhost = h\ntoken_file = \(fifo)\ninsecure = yes\n", to: "token.conf")
            func set(_ words: String...) -> [String] { words.flatMap { ["--set", $0] } }
            let attempts: [(String, [String], Int32)] = [
                ("puckd", ["--config", fifo], 78),
                ("puckd", ["--config", house.file("token.conf").path], 78),
                ("puckd", puck + set("hub.insecure=no", "hub.ca_file=\(fifo)"), 1),
                ("puckhub", ["--config", fifo], 78),
                ("puckhub", ["--config", hub] + set("tokens.file=\(fifo)"), 1),
                ("puckhub", ["--config", hub] + set("tls.certificate=\(fifo)", "tls.key=\(fifo)"), 1),
                ("puckhub", ["--config", hub] + set("responder.kind=wav", "responder.wav_file=\(fifo)"), 1),
            ]
            for (program, arguments, status) in attempts {
                let result = try await house.run(program, arguments, devices: true)
                #expect(result.status == status && result.output.contains("regular file"), "\(arguments): \(result)")
            }
        }
    }

    @Test("puckd --check passes when everything works, and leaves the running daemon its session")
    func checkGood() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let arguments = try await house.configurePuck(tls: true)
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("link.up")
            let result = try await house.run("puckd", arguments + ["--check"], devices: true)
            #expect(result.status == 0, "\(result.output)")
            for word in ["ok   configuration", "ok   microphone", "ok   loudspeaker", "ok   hub"] {
                #expect(result.output.contains(word), "\(result.output)")
            }
            #expect(!result.output.contains("FAIL"))
            try await hub.line("session.close", ["reason": "probe"])
            #expect(try await house.control("status").output.contains("connected=yes"))
            #expect(!puck.hasLogged("link.disconnected"))
        }
    }

    struct Fault: CustomTestStringConvertible {
        let setting: String
        let complaint: [String]
        var testDescription: String { setting }
    }

    @Test(
        "puckd --check names what does not work, and how to mend it",
        arguments: [
            Fault(setting: "capture.device=nosuch", complaint: ["FAIL microphone", "nosuch"]),
            Fault(setting: "playback.device=nosuch", complaint: ["FAIL loudspeaker", "nosuch"]),
            Fault(setting: "hub.port=1", complaint: ["FAIL hub", "start puckhub"]),
            Fault(setting: "hub.token=wrong-token", complaint: ["FAIL hub", "puckhub pair NAME"]),
            Fault(setting: "puck.id=hall", complaint: ["FAIL hub", "AUTH", "set [puck] id = kitchen"]),
            Fault(setting: "hub.insecure=no", complaint: ["FAIL hub", "TLS"]),
        ])
    func checkFault(_ fault: Fault) async throws {
        try await House.run { house in
            _ = try await house.hub()
            let arguments = try await house.configurePuck(set: [fault.setting])
            let result = try await house.run("puckd", arguments + ["--check"], devices: true)
            #expect(result.status == 1, "\(result.output)")
            for word in fault.complaint { #expect(result.output.contains(word), "\(result.output)") }
        }
    }

    @Test("puckd --list-devices shows the devices by the names that the configuration takes")
    func listDevices() async throws {
        try await House.run { house in
            _ = try await house.configurePuck(token: House.anyToken)
            let result = try await house.run("puckd", ["--list-devices"], devices: true)
            #expect(result.status == 0 && !result.output.isEmpty, "\(result)")
        }
    }

    @Test("puckd --meter shows the level until it is interrupted")
    func meter() async throws {
        try await House.run { house in
            let arguments = try await house.configurePuck(token: House.anyToken)
            let meter = try house.start("puckd", arguments + ["--meter"], name: "meter", devices: true)
            try await eventually("no level: \(meter.tail)") {
                meter.output.split(separator: "\n").filter { $0.contains("SNR") }.count >= 3
            }
            meter.signal(SIGINT)
            #expect(try await meter.exitStatus() == 0)
        }
    }

    @Test("puckctl says what is wrong: no daemon, no such command")
    func control() async throws {
        try await House.run { house in
            let nobody = try await house.control("status")
            #expect(nobody.status == 69 && nobody.output.contains("is the daemon running"), "\(nobody)")
            for words in [[], ["wkae"], ["volume"], ["volume", "101"], ["wake", "now"]] {
                let result = try await house.run("puckctl", words)
                #expect(result.status == 64 && result.output.contains("Try 'puckctl --help'"), "\(result)")
            }
        }
    }

    @Test(
        "puckctl says that a stranger has no permission",
        .enabled(if: geteuid() == 0, "only root may become another user"))
    func permission() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await puck.line("puckd.start")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: house.folder.path)
            let socket = house.file("kitchen.control").path
            let words = [
                "--reuid=65534", "--regid=65534", "--clear-groups", try Build.program("puckctl"), "-s", socket,
                "status",
            ]
            let stranger = try Child("setpriv", words, name: "stranger", in: house.folder)
            let status = try await stranger.exitStatus()
            // 126 and 127: this machine does not let a stranger reach the program at all.
            #expect(status == 77 || status == 126 || status == 127, "\(stranger.tail)")
        }
    }

    @Test("A puck that lacks its control socket's folder, or its hub's certificate, does not start and says so")
    func controlSocket() async throws {
        try await House.run { house in
            let arguments = try await house.configurePuck(
                token: House.anyToken, set: ["control.socket=\(house.file("none").path)/control"])
            let result = try await house.run("puckd", arguments, devices: true)
            #expect(result.status == 1 && result.output.contains("create the folder first"), "\(result)")
            let tls = try await house.configurePuck("hall", tls: true, token: House.anyToken, port: 1)
            let untrusting = try await house.run("puckd", tls, devices: true)
            #expect(untrusting.status == 1 && untrusting.output.contains("hub.crt"), "\(untrusting)")
        }
    }

    @Test("puckhub token adds, lists and revokes, and refuses what cannot be a name")
    func tokens() async throws {
        try await House.run { house in
            let options = ["--config", try house.configureHub()]
            _ = try await house.token("kitchen")
            let listed = try await house.run("puckhub", options + ["token", "list"])
            #expect(listed.status == 0 && listed.output.contains("kitchen") && listed.output.contains("since 2"))
            let wrong = try await house.run("puckhub", options + ["token", "add", "My Kitchen"])
            #expect(wrong.status == 64 && wrong.output.contains("a-z 0-9"), "\(wrong)")
            #expect(try await house.run("puckhub", options + ["token", "revoke", "kitchen"]).status == 0)
            let again = try await house.run("puckhub", options + ["token", "revoke", "kitchen"])
            #expect(again.status == 1 && again.output.contains("puckhub token list"), "\(again)")
            let empty = try await house.run("puckhub", options + ["token", "list"])
            #expect(empty.output.contains("No tokens"))
            #expect(try await house.run("puckhub", options + ["tokn"]).status == 64)
        }
    }

    @Test("A hub that cannot start says why: port in use, broken token file, an answer that is no WAV")
    func hubCannotStart() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let path = try house.configureHub("second", port: house.port())
            for options in [[], ["--check"]] {
                let taken = try await house.run("puckhub", ["--config", path] + options)
                #expect(taken.status == 1 && taken.output.contains("port \(house.port())"), "\(taken)")
            }
            let third = try house.configureHub("third")
            try house.write("this is no token file\n", to: "third/tokens")
            for options in [[], ["--check"], ["token", "list"]] {
                let broken = try await house.run("puckhub", ["--config", third] + options)
                #expect(broken.status == 1 && broken.output.contains("third/tokens"), "\(broken)")
            }
            try house.write("no sound at all", to: "answer.wav")
            let extra = "[responder]\nkind = wav\nwav_file = \(house.file("answer.wav").path)"
            let fourth = try house.configureHub("fourth", extra: extra)
            for options in [[], ["--check"]] {
                let deaf = try await house.run("puckhub", ["--config", fourth] + options)
                #expect(deaf.status == 1 && deaf.output.contains("this is not a WAV file"), "\(deaf)")
            }
        }
    }

    @Test("A hub that cannot listen where it was told says so, and makes no certificate")
    func cannotListen() async throws {
        try await House.run { house in
            let path = try house.configureHub(tls: true)
            let cases: [(String, Int32, String)] = [
                ("hub.listen=localhost", 78, "command line: [hub] listen: found \"localhost\"; allowed: an IPv4"),
                // An address for documentation (RFC 5737), which no machine has.
                ("hub.listen=192.0.2.1", 1, "cannot listen on 192.0.2.1"),
            ]
            for (setting, status, words) in cases {
                for options in [[], ["--check"]] {
                    let result = try await house.run("puckhub", ["--config", path, "--set", setting] + options)
                    #expect(result.status == status && result.output.contains(words), "\(result)")
                }
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: house.file("hub").path)
            #expect(left.isEmpty, "\(left)")
            try house.write("[hub]\nport = 0\nlisten = nas.local\n", to: "named.conf")
            let named = try await house.run("puckhub", ["--config", house.file("named.conf").path])
            #expect(named.status == 78 && named.output.contains("named.conf:3: [hub] listen"), "\(named)")
        }
    }

    @Test("puckhub --check passes for a hub that can start, and changes nothing")
    func hubCheck() async throws {
        try await House.run { house in
            let path = try house.configureHub(tls: true)
            let before = try FileManager.default.contentsOfDirectory(atPath: house.file("hub").path)
            let result = try await house.run("puckhub", ["--check", "--config", path])
            #expect(result.status == 0 && !result.output.contains("FAIL"), "\(result)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: house.file("hub").path) == before)
        }
    }
}

import Foundation
import PuckWire
import Testing
import WAVFile

extension HubTests {
    @Test("with TLS: the first start makes a certificate that a puck can pin, and says its fingerprint")
    func tls() throws {
        let hub = try HubProcess(tls: true)
        let made = try #require(hub.waitForLog("certificate.made"))
        #expect(made["sha256"]?.utf8.count == 95)
        let file = try #require(made["file"])
        let puck = try TestPuck("kitchen", of: hub, certificate: file)
        #expect(puck.status == 101)
        _ = try puck.greet()
        let check = try hub.command(["--check"])
        #expect(check.status == 0 && check.output.contains(made["sha256"] ?? "-"))
    }

    @Test("a revoked token ends its session with AUTH, and no other")
    func revoked() throws {
        let hub = try HubProcess(pucks: ["kitchen", "hall"])
        let kitchen = try TestPuck("kitchen", of: hub)
        let hall = try TestPuck("hall", of: hub)
        _ = try kitchen.greet()
        _ = try hall.greet()
        #expect(try hub.command(["token", "revoke", "kitchen"]).status == 0)
        #expect(kitchen.next()?.error?.code == .auth)
        #expect(hub.waitForLog("session.error")?["code"] == "AUTH")
        hall.candidate(1, snr: 3)
        guard case .grant = hall.next()?.hub else {
            Issue.record("the other puck goes on")
            return
        }
        let again = try TestPuck("kitchen", of: hub)
        #expect(again.status == 401)
    }

    @Test("a preferred puck that has no token is warned of, until it has one")
    func strangers() throws {
        let hub = try HubProcess(pucks: ["kitchen"], ["arbitration.prefer=kitchen, kitchn, hall"])
        let warning = try #require(hub.waitForLog("config.warning") { $0["text"]?.contains("prefer") == true })
        #expect(warning["text"]?.contains("the name 'kitchn', 'hall',") == true)
        #expect(try hub.command(["--check"], ["hub.port=0"]).output.contains("note arbitration   [arbitration] prefer"))
        try hub.addToken("hall")
        #expect(hub.waitForLog("config.warning") { $0["text"]?.contains("the name 'kitchn', so") == true } != nil)
    }

    @Test("SIGTERM says goodbye to the pucks and ends with status 0")
    func terminated() throws {
        let hub = try HubProcess()
        let puck = try TestPuck("kitchen", of: hub)
        _ = try puck.greet()
        hub.signal(SIGTERM)
        #expect(puck.next() == nil)
        #expect(hub.waitForExit() == 0)
        #expect(hub.waitForLog("session.close")?["reason"] == "the hub is stopping")
    }

    @Test("tokens are added, listed and revoked; a name that no puck can have is refused")
    func tokenCommands() throws {
        let hub = try HubProcess(pucks: ["kitchen"])
        let list = try hub.command(["token", "list"])
        #expect(list.output.hasPrefix("kitchen ") && list.output.contains("since 20"))
        #expect(!list.output.contains(hub.tokens["kitchen"]!))
        #expect(try hub.command(["token", "add", "Kitchen"]).status == 64)
        #expect(try hub.command(["token", "revoke", "hall"]).status == 1)
        #expect(try hub.command(["token", "revoke", "kitchen"]).status == 0)
        #expect(try hub.command(["token", "list"]).output.hasPrefix("No tokens."))
        #expect(try hub.command(["token", "frob"]).status == 64)
    }

    @Test("a second hub on the same port is refused with the reason, by --check too")
    func portTaken() throws {
        let hub = try HubProcess()
        let check = try hub.command(["--check"], ["hub.port=\(hub.port)"])
        #expect(check.status == 1)
        #expect(check.output.contains("FAIL port"))
        let second = try hub.command([], ["hub.port=\(hub.port)"])
        #expect(second.status == 1)
        #expect(second.errors.contains("cannot listen on 127.0.0.1 port \(hub.port)"))
    }

    @Test("wrong configuration is 78, a wrong command line 64, and both name what is wrong")
    func wrong() throws {
        let key = try HubProcess.run(["--set", "hub.prt=1"])
        #expect(key.status == 78 && key.errors.contains("did you mean port?"))
        let missing = try HubProcess.run(["--config", "/nonexistent/puckhub.conf"])
        #expect(missing.status == 78 && missing.errors.contains("/nonexistent/puckhub.conf"))
        let option = try HubProcess.run(["--chek"])
        #expect(option.status == 64 && option.errors.contains("did you mean --check?"))
        #expect(try HubProcess.run(["--version"]).output.hasPrefix("puckhub "))
        #expect(try HubProcess.run(["--help"]).output.contains("token revoke NAME"))
    }

    @Test("a file that the wav responder cannot play is refused at the start, with what to do")
    func badWave() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("puckhub-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("answer.wav")
        let cases: [([UInt8], String)] = [
            (Array("not a wave".utf8), "not a WAV file"),
            (WAVFile(rate: 48_000, channels: 2, samples: [1, 2]).serialized(), "sox"),
            (WAVFile(rate: 16_000, channels: 1, samples: []).serialized(), "must last"),
        ]
        for (bytes, words) in cases {
            try Data(bytes).write(to: file)
            for check in [[], ["--check"]] {
                let result = try HubProcess.run(
                    ["hub.state_dir=\(folder.path)", "hub.port=0", "responder.kind=wav", "tls.insecure=yes"]
                        .flatMap { ["--set", $0] } + ["--set", "responder.wav_file=\(file.path)"] + check)
                #expect(result.status == 1)
                #expect((result.output + result.errors).contains(words))
            }
        }
    }
}

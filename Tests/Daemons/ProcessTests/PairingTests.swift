import Foundation
import Testing

@Suite("Processes: a puck is paired", .fewAtATime)
struct PairingTests {
    private func mode(_ url: URL) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }

    @Test("By the code: a running puck waits, says what to do, and goes to its hub and talks as soon as it is joined")
    func byCode() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let arguments = try house.configureUnpaired()
            var puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("hub.unpaired", ["advice": "puckctl join"])
            try await puck.line("lights", ["state": "pairing"])
            let offer = try await house.offer(room: "cellar")
            #expect(offer.code.utf8.count == 9)
            let joined = try await house.join(offer.code)
            #expect(joined.status == 0, "\(joined.output)")
            #expect(joined.output.contains("kitchen in cellar, paired with 127.0.0.1:\(house.port())"))
            try await puck.line("hub.changed", ["puck": "kitchen", "room": "cellar"])
            try await puck.line("link.up")
            try await hub.line("session.open", ["puck": "kitchen", "room": "cellar", "group": "cellar"])
            try await house.converse(puck)

            #expect(try mode(house.pairingFile()) == 0o600)
            let token = try house.paired("token")
            let tokens = try String(contentsOf: house.file("hub/tokens"), encoding: .utf8)
            #expect(!tokens.contains(token) && tokens.contains("room=cellar"))
            #expect(try mode(house.file("hub/tokens")) == 0o600)
            #expect(try await house.hubCommand("token", "list").output.contains("in cellar"))
            // Neither secret is in anybody's log.
            let digits = offer.code.filter(\.isNumber)
            for said in [hub.output, puck.output] {
                #expect(!said.contains(token) && !said.contains(offer.code) && !said.contains(digits))
            }

            // Used once; and a puck that has a hub is not given away by mistake.
            let again = try await house.join(offer.code)
            #expect(again.status == 1 && again.output.contains("--force"), "\(again.output)")
            let forced = try await house.join(offer.code, "--force")
            #expect(forced.status == 1 && forced.output.contains("puckhub pair"), "\(forced.output)")
            #expect(try house.paired("token") == token)

            // A power cut later.
            puck.kill()
            puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("link.up")
        }
    }

    @Test("By the line, before puckd runs: only the hub that made it gets to see its secret")
    func byLine() async throws {
        try await House.run { house in
            _ = try await house.hub("other", tls: true)
            let hub = try await house.hub(tls: true)
            let arguments = try house.configureUnpaired()
            let offer = try await house.offer()
            let folder = house.file("kitchen.state").path
            let wrong = try await house.join(offer.line, at: "other", "--state-dir", folder)
            // "other" has no offer open and says so at its door; with one open it is told apart by its certificate.
            #expect(wrong.status == 1, "\(wrong.output)")
            _ = try await house.offer("attic", hub: "other")
            let other = try await house.join(offer.line, at: "other", "--state-dir", folder)
            #expect(other.status == 1 && other.output.contains("not the hub that made the join line"))
            #expect(!FileManager.default.fileExists(atPath: house.pairingFile().path))

            // The line names this hub by itself.
            let joined = try await house.join(offer.line, at: nil, "--state-dir", folder)
            #expect(joined.status == 0 && joined.output.contains("puckd does not run"), "\(joined.output)")
            #expect(try mode(house.pairingFile()) == 0o600)
            try await hub.line("pairing.done", ["puck": "kitchen", "by": "line"])
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("link.up")
            let used = try await house.join(offer.line, at: nil, "--state-dir", folder, "--force")
            #expect(used.status == 1, "\(used.output)")
        }
    }

    @Test("A wrong code gets three tries from one address; that locks out no puck that has a token, and no join line")
    func wrongCodes() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let hall = try await house.puck("hall", tls: true)
            try await hall.line("link.up")
            _ = try house.configureUnpaired()
            let folder = house.file("kitchen.state").path
            let offer = try await house.offer()
            let digits = offer.code.filter(\.isNumber)
            let wrong = String(digits.dropLast()) + (digits.last == "0" ? "1" : "0")
            for _ in 0..<3 {
                let refused = try await house.join(wrong, "--state-dir", folder)
                #expect(refused.status == 1 && refused.output.contains("the code is wrong"), "\(refused.output)")
            }
            let lockedOut = try await house.join(offer.code, "--state-dir", folder)
            #expect(lockedOut.status == 1, "\(lockedOut.output)")
            try await hub.line("pairing.refused", ["reason": "attempts"])
            #expect(!FileManager.default.fileExists(atPath: house.pairingFile().path))

            hall.kill()
            let back = try house.start(
                "puckd", ["--config", house.file("hall.conf").path], name: "hall", devices: true)
            try await back.line("link.up")
            // The code is barred, the line is not; and a new code forgives.
            #expect(try await house.join(offer.line, at: nil, "--state-dir", folder).status == 0)
            let again = try await house.offer()
            #expect(try await house.join(again.code, "--state-dir", folder, "--force").status == 0)
        }
    }

    @Test("Another hub, which does not know the code, proves nothing and gives nothing")
    func wrongHub() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let other = try await house.hub("other", tls: true)
            _ = try house.configureUnpaired()
            let offer = try await house.offer()
            _ = try await house.offer("attic", hub: "other")
            let refused = try await house.join(offer.code, at: "other", "--state-dir", house.file("kitchen.state").path)
            #expect(refused.status == 1 && refused.output.contains("the code is wrong"), "\(refused.output)")
            try await other.line("pairing.refused", ["reason": "wrong"])
            let none = try await house.join(offer.code, port: 1, "--state-dir", house.file("kitchen.state").path)
            #expect(none.status == 69, "\(none.output)")
        }
    }

    @Test("A man in the middle who passes everything on under a certificate of his own gets no token")
    func manInTheMiddle() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            _ = try await house.hub("other", tls: true)
            _ = try house.configureUnpaired()
            let folder = house.file("kitchen.state").path
            let offer = try await house.offer()
            let man = try ManInTheMiddle(showing: house.file("other"), to: house.port())
            let byCode = try await house.join(offer.code, port: man.port, "--state-dir", folder)
            #expect(byCode.status == 1 && byCode.output.contains("sits between"), "\(byCode.output)")
            try await hub.line("pairing.refused", ["reason": "wrong"])
            let byLine = try await house.join(offer.line, port: man.port, "--state-dir", folder)
            #expect(byLine.status == 1 && byLine.output.contains("not the hub that made"), "\(byLine.output)")
            // He has seen the exchange, and neither the code, the line's secret nor a token in it.
            #expect(man.overheard.contains("pair_proof") && !man.overheard.contains("pair_done"))
            #expect(!man.overheard.contains(offer.code.filter(\.isNumber)) && !man.overheard.contains("pair_secret"))
            #expect(!FileManager.default.fileExists(atPath: house.pairingFile().path))
            // The same code without him.
            #expect(try await house.join(offer.code, "--state-dir", folder).status == 0)
        }
    }

    @Test("What a person gets wrong is said before the code is used up")
    func advice() async throws {
        try await House.run { house in
            let insecure = try await house.hub("plain")
            _ = insecure
            #expect(try await house.hubCommand("pair", "kitchen", hub: "plain").output.contains("token add kitchen"))
            _ = try await house.hub(tls: true)
            #expect(try await house.hubCommand("pair", "Kitchen").status == 64)
            #expect(try await house.join("1234-567").status == 64)
            let offer = try await house.offer()
            let nowhere = try await house.join(offer.code, "--state-dir", house.file("nowhere").path)
            #expect(nowhere.status == 73 && nowhere.output.contains("--state-dir"), "\(nowhere.output)")
            // By hand: its configuration has a token, which would win.
            let configured = try await house.puck("hall", tls: true)
            try await configured.line("link.up")
            let refused = try await house.join(offer.code, puck: "hall")
            #expect(refused.status == 1 && refused.output.contains("token of its own"), "\(refused.output)")
            _ = try house.configureUnpaired()
            #expect(try await house.join(offer.code, "--state-dir", house.file("kitchen.state").path).status == 0)
        }
    }
}

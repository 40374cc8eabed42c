import Foundation
import LinuxIO
import Testing

@Suite("Processes: the link breaks, and comes back", .fewAtATime)
struct LinkFailureTests {
    @Test("A puck with a token that the hub does not know says what to do, and goes on trying ever less often")
    func wrongToken() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck(token: String(repeating: "x", count: 43))
            try await puck.line("link.closed", ["detail": "pair it again ('puckhub pair NAME'"])
            let first = try await puck.line("link.failed", ["reason": "unauthorized", "attempt": "1"])
            let second = try await puck.line("link.failed", ["reason": "unauthorized", "attempt": "2"])
            #expect((900...1100).contains(Int(first["retry_in_ms"] ?? "") ?? 0))
            #expect((1800...2200).contains(Int(second["retry_in_ms"] ?? "") ?? 0))
            try await hub.line("transport", ["text": "HTTP 401"])
        }
    }

    @Test("A puck refuses a hub whose certificate it was not told to trust")
    func untrustedCertificate() async throws {
        try await House.run { house in
            _ = try await house.hub("other", tls: true)
            _ = try await house.hub(tls: true)
            let puck = try await house.puck(tls: true, set: ["hub.ca_file=\(house.file("other").path)/hub.crt"])
            try await puck.line("link.closed", ["detail": "copy the hub's current certificate to this puck"])
            try await puck.line("link.failed", ["reason": "certificate-not-trusted"])
            #expect(!puck.hasLogged("link.up"))
        }
    }

    @Test("A puck refuses a trusted certificate that is for another name")
    func wrongName() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let puck = try await house.puck(tls: true, set: ["hub.certificate_name=attic.example"])
            try await puck.line("link.closed", ["detail": "is not for 'attic.example'"])
            try await puck.line("link.failed", ["reason": "certificate-wrong-name"])
        }
    }

    @Test("A puck that starts before its hub connects as soon as there is one")
    func hubComesLater() async throws {
        try await House.run { house in
            let before = try await house.hub()
            #expect(try await before.terminate().status == 0)
            let puck = try await house.puck()
            try await puck.line("link.failed", ["reason": "refused"])
            _ = try await house.hub()
            try await puck.line("link.up")
        }
    }

    enum Moment: String, CaseIterable { case utterance, answer }

    @Test(
        "A hub that is killed in mid-conversation leaves an idle puck that comes back and converses",
        arguments: Moment.allCases)
    func hubKilled(in moment: Moment) async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let limit = moment == .utterance ? 10_000 : 1000
            let puck = try await house.puck(set: ["endpoint.utterance_limit_ms=\(limit)"])
            try await puck.line("link.up")
            try await house.wake(puck)
            switch moment {
            case .utterance: try await hub.line("conversation.first_audio")
            case .answer: try await puck.line("play.start")
            }
            hub.kill()
            try await puck.line("link.disconnected")
            try await puck.line("lights", ["state": "idle"])
            _ = try await house.hub()
            try await puck.line("link.up")
            try await house.wake(puck)
            if moment == .answer { try await puck.line("play.done") }
        }
    }

    @Test("A puck that is killed while it speaks to the hub does not keep the others from being heard")
    func puckKilled() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let first = try await house.puck("kitchen", set: ["endpoint.utterance_limit_ms=10000"])
            let second = try await house.puck("hall")
            try await first.line("link.up")
            try await second.line("link.up")
            let conversation = try await house.wake(first)
            try await hub.line("conversation.first_audio")
            first.kill()
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "degraded"])
            try await house.converse(second)
        }
    }

    @Test("A puck that stands still is given up by the hub after the keep-alive time, and returns when it goes on")
    func puckStopped() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            puck.signal(SIGSTOP)
            try await hub.line("session.close", ["reason": "nothing received for 10 s"])
            puck.signal(SIGCONT)
            try await puck.line("link.up")
            try await hub.line("session.open")
        }
    }

    @Test("A hub that stands still is given up by the puck, which returns when it goes on")
    func hubStopped() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            hub.signal(SIGSTOP)
            try await puck.line("link.disconnected", ["reason": "silent-hub"])
            hub.signal(SIGCONT)
            try await puck.line("link.up")
        }
    }

    enum Revocation: CaseIterable { case command, written, replaced }

    @Test(
        "A revoked token ends its session at once, however it was taken away, and no other",
        arguments: Revocation.allCases)
    func revoked(_ how: Revocation) async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck()
            let second = try await house.puck("attic")
            try await puck.line("link.up")
            try await second.line("link.up")
            let tokens = try String(contentsOf: house.file("hub/tokens"), encoding: .utf8)
            let others = tokens.split(separator: "\n").filter { !$0.hasPrefix("kitchen") }.joined(separator: "\n")
            switch how {
            case .command:
                let path = house.file("hub.conf").path
                let result = try await house.run("puckhub", ["--config", path, "token", "revoke", "kitchen"])
                #expect(result.status == 0 && result.output.contains("at once"), "\(result)")
            case .written: try house.write(others + "\n", to: "hub/tokens")
            case .replaced:
                try house.write(others + "\n", to: "hub/tokens.new")
                try #require(rename(house.file("hub/tokens.new").path, house.file("hub/tokens").path) == 0)
            }
            try await hub.line("session.error", ["code": "AUTH", "detail": "revoked"])
            try await puck.line("hub.error", ["code": "AUTH", "detail": "revoked"])
            try await puck.line("link.failed", ["reason": "unauthorized"])
            // A new one needs no signal either.
            let other = try await house.puck("hall")
            try await other.line("link.up")
            #expect(!second.hasLogged("link.disconnected"), "\(second.tail)")
        }
    }
}

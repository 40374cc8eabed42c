import Foundation
import Testing

/// Three real pucks hear the same wake, and the one that is to answer fails: FAILURES.md L4–L6. All three buttons are
/// pressed; `prefer` says who comes first among equals.
@Suite("Processes: who answers when the winner fails", .fewAtATime)
struct RunnerUpTests {
    private static let names = ["kitchen", "hall", "attic"]
    private static let said = Sound.speech(seconds: 60)

    /// The hub, and the pucks in the order in which they are to win. Earcons would be taken out of what is sent.
    private func start(_ house: House, earcons: Bool = false) async throws -> (Child, [Child]) {
        let hub = try await house.hub(extra: "[arbitration]\nprefer = kitchen, hall, attic\n")
        var pucks: [Child] = []
        for name in Self.names {
            pucks.append(
                try await house.puck(
                    name, microphone: .hearing(Self.said),
                    set: ["endpoint.utterance_limit_ms=3000", "earcons.enabled=\(earcons ? "yes" : "no")"]))
        }
        for puck in pucks { try await puck.line("link.up") }
        return (hub, pucks)
    }

    /// All pucks are woken while the hub stands still, so that it finds their candidates together; `meanwhile` happens when
    /// all have been sent and none has been judged.
    private func wakeAll(_ hub: Child, _ pucks: [Child], meanwhile: () -> Void = {}) async throws {
        hub.signal(SIGSTOP)
        for puck in pucks { puck.signal(SIGUSR1) }
        for puck in pucks { try await puck.line("wake.candidate") }
        meanwhile()
        hub.signal(SIGCONT)
    }

    private func decision(_ hub: Child) async throws -> String {
        try await hub.line("arbitration.decided", ["winner": "kitchen"])["conversation"] ?? ""
    }

    /// The turn is taken from the first, and hall gets it.
    private func runnerUp(_ hub: Child, after first: String) async throws -> String {
        try await hub.line("conversation.end", ["conversation": first, "outcome": "degraded"])
        return try await hub.line("arbitration.decided", ["winner": "hall", "rule": "runner_up"])["conversation"] ?? ""
    }

    /// Lets a frozen puck go on, and waits until it has found out that its turn is over.
    private func thaw(_ puck: Child) async throws {
        puck.forgetThePast()
        // Longer than its microphone holds, so that what it missed is known to come: the next utterance begins behind it.
        try await Task.sleep(for: .milliseconds(1200))
        puck.signal(SIGCONT)
        try await puck.line("lights", ["state": "idle"])
        try await eventually("the microphone never overran; the puck said:\n\(puck.tail)") {
            puck.hasLogged("capture.overrun")
        }
    }

    /// The runner-up is listened to and answered; what the first had said is gone.
    private func expectAnswered(_ house: House, _ hub: Child, _ pucks: [Child], _ second: String, not first: String)
        async throws
    {
        try await pucks[1].line("wake.granted", ["conversation": second])
        try await pucks[1].line("play.start", ["conversation": second])
        try await hub.line("conversation.end", ["conversation": second, "outcome": "done"])
        let heard = try await house.recording(second, "heard")
        // All but what the window of a second could not hold while it stood by.
        #expect((Int(1.5 * 16_000)...3 * 16_000).contains(heard.count), "\(heard.count) samples")
        try Codec.expectHeard(heard, of: Self.said)
        #expect(!house.hasRecording(first, "sent"))
        #expect(!pucks[2].hasLogged("wake.granted"))
        #expect(try await house.count("runners_up_total") == 1)
    }

    @Test(
        "A winner that is frozen before its first word loses its turn after 500 ms: the runner-up is heard and answered"
    )
    func frozenAtOnce() async throws {
        try await House.run { house in
            let (hub, pucks) = try await start(house)
            try await wakeAll(hub, pucks) { pucks[0].signal(SIGSTOP) }
            let first = try await decision(hub)
            let second = try await runnerUp(hub, after: first)
            #expect(hub.hasLogged("conversation.deadline", ["conversation": first, "missing": "first_audio"]))
            try await expectAnswered(house, hub, pucks, second, not: first)
            // It goes on as if nothing had been.
            try await thaw(pucks[0])
            try await house.converse(pucks[0])
        }
    }

    @Test("A winner that is frozen after its grant loses its turn 500 ms after its last word")
    func frozenAfterGrant() async throws {
        try await House.run { house in
            let (hub, pucks) = try await start(house)
            try await wakeAll(hub, pucks)
            let first = try await decision(hub)
            try await hub.line("conversation.first_audio")
            pucks[0].signal(SIGSTOP)
            let second = try await runnerUp(hub, after: first)
            #expect(hub.hasLogged("conversation.deadline", ["conversation": first, "missing": "audio"]))
            try await expectAnswered(house, hub, pucks, second, not: first)
            try await thaw(pucks[0])
            try await house.converse(pucks[0])
        }
    }

    @Test("A winner that is killed 0.6 s after its grant is replaced 300 ms later")
    func killed() async throws {
        try await House.run { house in
            let (hub, pucks) = try await start(house)
            try await wakeAll(hub, pucks)
            let first = try await decision(hub)
            try await hub.line("conversation.first_audio")
            // The failure's own time, of which nothing depends: anything below a second of speech.
            try await Task.sleep(for: .milliseconds(600))
            pucks[0].kill()
            let second = try await runnerUp(hub, after: first)
            #expect(hub.hasLogged("session.degraded", ["conversation": first]))
            try await expectAnswered(house, hub, pucks, second, not: first)
        }
    }

    @Test("When first and second are frozen the hub gives up: idle, and a short earcon where somebody still answers")
    func bothFrozen() async throws {
        try await House.run { house in
            let (hub, pucks) = try await start(house, earcons: true)
            try await wakeAll(hub, pucks) {
                pucks[0].signal(SIGSTOP)
                pucks[1].signal(SIGSTOP)
            }
            let second = try await runnerUp(hub, after: try await decision(hub))
            try await hub.line("conversation.end", ["conversation": second, "outcome": "degraded"])
            try await eventually("nothing was heard of attic's loudspeaker") {
                !Sound.trimmed(Sound.read(house.speaker("attic"))).isEmpty
            }
            #expect(try await house.count("conversations") == 0)
            #expect(!pucks[2].hasLogged("wake.granted"))
            for puck in pucks[..<2] { try await thaw(puck) }
            // Long after, they have nothing to say about it.
            try await house.converse(pucks[0])
            #expect(try await house.count("runners_up_total") == 1)
        }
    }

    @Test("What a person corrects decides the next wake, is explained, and outlives the hub")
    func corrected() async throws {
        try await House.run { house in
            let settings = "[arbitration]\npolicy = energy\nprefer = kitchen\n"
            let before = try await house.hub(extra: settings)
            var pucks: [Child] = []
            for name in Self.names {
                pucks.append(
                    try await house.puck(name))
            }
            for puck in pucks { try await puck.line("link.up") }
            func hubSays(_ words: String...) async throws -> String {
                let said = try await house.run("puckhub", ["--config", house.file("hub.conf").path] + words)
                #expect(said.status == 0, "\(said.output)")
                return said.output
            }
            try await wakeAll(before, pucks)
            let decided = try await before.line("arbitration.decided")
            let first = decided["conversation"] ?? ""
            let winner = decided["winner"] ?? ""
            let other = Self.names.first { $0 != winner } ?? ""
            #expect(try await hubSays("explain", first).contains("\(winner) answers"))
            let corrected = try await hubSays("correct", first, other)
            #expect(corrected.contains("corrected: it should have been \(other)"), "\(corrected)")
            #expect(corrected.contains("-1.0 of it from corrections"), "\(corrected)")
            let json = try JSONSerialization.jsonObject(with: Data(try await hubSays("explain", "--json").utf8))
            let members = try #require(json as? [String: Any])
            #expect(members["corrected_to"] as? String == other)
            #expect(members["winner_now"] as? String != winner)
            #expect((members["candidates"] as? [Any])?.count == Self.names.count)
            #expect((members["winner_by_policy"] as? [String: String])?.count == 5)

            #expect(try await before.terminate().status == 0)
            _ = try await house.hub(extra: settings)
            let kept = try String(contentsOf: house.file("hub/learned"), encoding: .utf8)
            #expect(kept.contains("gain \(other) "))
            #expect(kept.split(separator: "\n").contains { $0.hasPrefix("gain \(other) ") && $0.hasSuffix(" -100") })
            #expect(kept.split(separator: "\n").contains { $0.hasPrefix("gain \(winner) ") && $0.hasSuffix(" 100") })
        }
    }
}

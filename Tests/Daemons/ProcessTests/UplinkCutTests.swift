import Foundation
import Testing

@Suite("Processes: the link breaks while somebody speaks", .fewAtATime)
struct UplinkCutTests {
    /// About a second of a puck's speech, in bytes on the wire.
    static let secondOfSpeech = 4000
    /// What somebody goes on saying in these tests.
    static let said = Sound.speech(seconds: 60)

    @Test("A drop of 400 ms in mid-speech loses no sample: the same conversation goes on")
    func shortDrop() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(
                tls: true, port: proxy.port, microphone: .hearing(Self.said), set: ["endpoint.utterance_limit_ms=4000"])
            try await puck.line("link.up")
            proxy.interrupt(milliseconds: 400, after: Self.secondOfSpeech, more: .towardsHub)
            let conversation = try await house.wake(puck)
            try await puck.line("link.disconnected")
            try await puck.line("uplink.resumed", ["conversation": conversation])
            try await puck.line("uplink.end", ["conversation": conversation, "reason": "timeout"])
            try await puck.line("play.done")
            try await hub.line("conversation.resumed", ["conversation": conversation])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])

            let heard = try await house.recording(conversation, "heard")
            #expect(heard.count == 4 * Sound.rate)
            try await Codec.expectHeard(heard, of: Self.said)
            Sound.expectEqual(Sound.read(house.speaker()), try await house.recording(conversation, "sent"), puck.tail)
            #expect(try await house.count("uplinks_resumed_total") == 1)
            #expect(try await house.count("degraded_total") == 0)
            #expect(try await house.count("conversations_total") == 1)
        }
    }

    @Test("A drop of 5 s in mid-speech ends the conversation as degraded, and who still speaks is heard in a new one")
    func longDrop() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true, extra: "[conversation]\nlimit_ms = 3000\n")
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(
                tls: true, port: proxy.port, microphone: .hearing(Self.said), set: ["endpoint.utterance_limit_ms=15000"]
            )
            try await puck.line("link.up")
            proxy.interrupt(milliseconds: 5000, after: Self.secondOfSpeech, more: .towardsHub)
            let first = try await house.wake(puck)
            try await puck.line("link.disconnected")
            try await puck.line("uplink.interrupted")
            try await hub.line("session.degraded", ["conversation": first])
            try await puck.line("link.up")
            try await Self.expectSecond(house, hub, puck, after: first)
            #expect(try await house.count("degraded_total") == 1)
            #expect(try await house.count("uplinks_resumed_total") == 0)
        }
    }

    @Test("A hub that is killed in mid-speech and returns is told what the person goes on to say, and nothing else")
    func hubKilled() async throws {
        try await House.run { house in
            let limit = "[conversation]\nlimit_ms = 3000\n"
            let before = try await house.hub(tls: true, extra: limit)
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(
                tls: true, port: proxy.port, microphone: .hearing(Self.said),
                set: ["endpoint.utterance_limit_ms=15000"])
            try await puck.line("link.up")
            let first = try await house.wake(puck)
            try await proxy.relayed(Self.secondOfSpeech, more: .towardsHub)
            before.kill()
            try await puck.line("link.disconnected")
            let hub = try await house.hub(tls: true, extra: limit)
            try await puck.line("link.up")
            try await Self.expectSecond(house, hub, puck, after: first)
        }
    }

    /// The person is granted again and heard, without a hole and to the hub's limit; of the first attempt nothing remains.
    private static func expectSecond(
        _ house: House, _ hub: Child, _ puck: Child, after first: String
    ) async throws {
        let second = try await puck.line("wake.granted")["conversation"] ?? ""
        #expect(second != first)
        try await puck.line("uplink.end", ["conversation": second, "reason": "timeout"])
        try await puck.line("play.start", ["conversation": second])
        try await puck.line("play.done")
        try await hub.line("conversation.end", ["conversation": second, "outcome": "done"])
        #expect(!puck.hasLogged("uplink.resumed"))
        #expect(!hub.hasLogged("answer.start", ["conversation": first]))
        let heard = try await house.recording(second, "heard")
        #expect(heard.count == 3 * Sound.rate)
        try await Codec.expectHeard(heard, of: Self.said)
        let sent = try await house.recording(second, "sent")
        #expect(!house.hasRecording(first, "sent"))
        Sound.expectEqual(Sound.read(house.speaker()), sent, puck.tail)
    }

    enum End: String, CaseIterable { case heardByTheHub, notHeard }

    @Test("An utterance that had ended before the drop is answered after the return", arguments: End.allCases)
    func complete(_ end: End) async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(
                tls: true, port: proxy.port, microphone: .hearing(Self.said), set: ["endpoint.utterance_limit_ms=1600"])
            try await puck.line("link.up")
            proxy.hold(
                end == .heardByTheHub ? [.towardsPuck] : [.towardsHub], after: Self.secondOfSpeech, more: .towardsHub)
            let conversation = try await house.wake(puck)
            try await puck.line("uplink.end", ["conversation": conversation])
            // With its end in the hub's hands it may take any time; without, the hub waits for two seconds.
            if end == .heardByTheHub { try await hub.line("answer.start", ["conversation": conversation]) }
            proxy.interrupt(milliseconds: end == .heardByTheHub ? 5000 : 400)
            proxy.release()
            try await puck.line("uplink.resumed", ["conversation": conversation])
            try await puck.line("play.start", ["conversation": conversation])
            try await puck.line("play.done")
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])
            let heard = try await house.recording(conversation, "heard")
            #expect(heard.count == Sound.rate * 16 / 10)
            try await Codec.expectHeard(heard, of: Self.said)
            Sound.expectEqual(Sound.read(house.speaker()), try await house.recording(conversation, "sent"), puck.tail)
            #expect(try await house.count("uplinks_resumed_total") == (end == .heardByTheHub ? 0 : 1))
        }
    }

    @Test("A puck that stands still for 3 s in mid-speech ends the utterance as a gap, and the next one is whole")
    func stopped() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(
                port: proxy.port, microphone: .hearing(Self.said), set: ["endpoint.utterance_limit_ms=3000"])
            try await puck.line("link.up")
            let first = try await house.wake(puck)
            try await proxy.relayed(Self.secondOfSpeech, more: .towardsHub)
            puck.signal(SIGSTOP)
            // The link lives on: either side waits 10 s for the other. The microphone holds one second of this.
            try await Task.sleep(for: .seconds(3))
            puck.signal(SIGCONT)
            let overrun = try await puck.line("capture.overrun")
            try await puck.line("uplink.end", ["conversation": first, "reason": "gap"])
            try await hub.line("conversation.end", ["conversation": first, "outcome": "degraded"])
            try await Codec.expectHeard(try await house.recording(first, "heard"), of: Self.said)

            let second = try await house.converse(puck)
            let grid = (Int(overrun["position"] ?? "") ?? 0) + (Int(overrun["missing_samples"] ?? "") ?? 0)
            try await Codec.expectHeard(try await house.recording(second, "heard"), of: Self.said, grid: grid)
            #expect(!puck.hasLogged("link.disconnected") && !hub.hasLogged("session.close"))
        }
    }
}

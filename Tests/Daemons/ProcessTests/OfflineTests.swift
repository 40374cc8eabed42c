import Foundation
import PuckAudio
import PuckBase
import Testing

@Suite("Processes: the hub stays away for long", .fewAtATime)
struct OfflineTests {
    /// A name whose attempts to reconnect leave room for a hub to start between the 30 s of an outage and the attempt
    /// that follows them: the fifth, at 31 s ±10 %. (Past it the test works too, half a minute longer.)
    private static let name: String = {
        let names = (1...1000).map { "attic-\($0)" }
        return names.max { sumOfPauses($0) < sumOfPauses($1) }!
    }()

    private static func sumOfPauses(_ name: String) -> Int64 {
        var generator = SeededGenerator(name: name)
        var backoff = Backoff()
        return (0..<5).reduce(0) { sum, _ in sum + backoff.nextPause(using: &generator).nanoseconds }
    }

    @Test("Without a hub for 30 s lights and earcon say so once, and once when it is back")
    func offline() async throws {
        try await House.run { house in
            let before = try await house.hub()
            let puck = try await house.puck(Self.name, microphone: .quiet, set: ["earcons.enabled=yes"])
            try await puck.line("link.up")
            #expect(try await before.terminate().status == 0)
            // Lines are stamped when they are written, a moment after what they tell: the hub's is before the loss.
            let lost = try await before.line("hub.stop")
            try await puck.line("link.disconnected")
            let offline = try await puck.line("link.offline")
            try await puck.line("lights", ["state": "offline"])
            let after = (offline.seconds ?? 0) - (lost.seconds ?? 0)
            #expect(after >= 30, "\(after) s")
            // The hub is missing from here on, too, for as long as it takes to start.
            _ = try await house.hub()
            try await puck.line("link.up")
            try await puck.line("lights", ["state": "idle"])
            let earcons = [Earcon.offline, .online].flatMap { $0.samples(levelDecibels: -12) }
            try await eventually("the earcons were not heard; the puck said:\n\(puck.tail)") {
                Sound.read(house.speaker(Self.name)).count >= earcons.count
            }
            Sound.expectEqual(Sound.read(house.speaker(Self.name)), earcons, puck.tail)
            #expect(puck.log.filter { $0.event == "link.offline" }.count == 1)
            let shown = puck.log.filter { $0.event == "lights" }.compactMap { $0["state"] }
            #expect(shown == ["starting", "idle", "offline", "idle"])
        }
    }

    @Test("An answer whose puck stays away for longer than it is kept ends on both sides, and none of it is said later")
    func forgotten() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true, extra: AnswerCutTests.responder(AnswerCutTests.answer, house))
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(Self.name, tls: true, port: proxy.port)
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("play.start")
            try await AnswerCutTests.spoken(2, house, puck, by: Self.name)
            proxy.refuse()
            proxy.cut()
            try await puck.line("play.lost")
            try await hub.line("session.degraded", ["conversation": conversation, "reason": "the puck stayed away"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "degraded"])
            proxy.accept()
            try await puck.line("link.up", ["resume": "fresh"])
            let second = try await house.converse(puck)

            let sent = try Codec.roundTrip(AnswerCutTests.answer[...], Codec.hub)
            #expect(try await house.recording(second, "sent") == sent)
            var reading = Reading(Sound.read(house.speaker(Self.name)))
            let first = reading.play(sent[...])
            #expect(first.samples > 2 * Sound.rate && first.samples < sent.count && first.gaps.isEmpty, "\(first)")
            let isFollowed = reading.gap(before: sent[...]) != nil && reading.play(sent[...]).samples == sent.count
            #expect(isFollowed && reading.isAtEnd, "after \(reading.position) samples; the puck said:\n\(puck.tail)")
        }
    }
}

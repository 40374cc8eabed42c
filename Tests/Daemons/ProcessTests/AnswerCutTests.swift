import Foundation
import Testing

@Suite("Processes: the link breaks while an answer is spoken", .fewAtATime)
struct AnswerCutTests {
    /// What the hub answers: longer than the two seconds that a puck has ahead.
    static let answer = Sound.speech(seconds: 8, seed: 2)
    static let shortAnswer = Sound.speech(seconds: 1, seed: 3)

    /// The hub's configuration for an answer.
    static func responder(_ samples: [Int16], _ house: House) throws -> String {
        let file = house.file("answer-\(samples.count).wav")
        try Sound.write(samples, to: file)
        return "[responder]\nkind = wav\nwav_file = \(file.path)\n"
    }

    /// Waits until the loudspeaker has played so much since its recording began.
    static func spoken(_ seconds: Double, _ house: House, _ puck: Child, by name: String = "kitchen") async throws {
        try await eventually("\(name) does not speak for \(seconds) s; it said:\n\(puck.tail)") {
            let size = try? FileManager.default.attributesOfItem(atPath: house.speaker(name).path)[.size] as? Int
            return size ?? 0 > Int(seconds * Double(2 * Sound.rate))
        }
    }

    @Test("After a drop in mid-answer all of it is heard: without a gap after 400 ms", arguments: [400, 5000])
    func drop(milliseconds: Int) async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true, extra: Self.responder(Self.answer, house))
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(tls: true, port: proxy.port)
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("play.start", ["conversation": conversation])
            try await Self.spoken(2, house, puck)
            proxy.interrupt(milliseconds: milliseconds)
            try await puck.line("link.disconnected")
            try await puck.line("link.up", ["resume": "replayed"])
            try await puck.line("play.done", ["played_ms": "8000"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])

            let sent = try await house.recording(conversation, "sent")
            #expect(sent.count == 8 * Sound.rate)
            let gaps = Sound.expectWhole(Sound.read(house.speaker()), sent, puck.tail)
            // Two seconds are there already: 400 ms and the first pause of one second cost nothing.
            #expect(gaps.isEmpty == (milliseconds == 400), "\(gaps); the puck said:\n\(puck.tail)")
            #expect(try await house.count("streams_replayed_total") == 1)
            #expect(try await house.count("degraded_total") == 0)
        }
    }

    @Test(
        "A hub that is killed in mid-answer and returns: what was there is played out, then nothing, then the next answer"
    )
    func hubKilled() async throws {
        try await House.run { house in
            let before = try await house.hub(extra: Self.responder(Self.answer, house))
            let puck = try await house.puck()
            try await puck.line("link.up")
            try await house.wake(puck)
            try await puck.line("play.start")
            try await Self.spoken(1, house, puck)
            before.kill()
            try await puck.line("link.disconnected")
            let hub = try await house.hub(extra: Self.responder(Self.shortAnswer, house))
            try await puck.line("link.up", ["resume": "fresh"])
            try await puck.line("play.done")
            let second = try await house.converse(puck)
            try await hub.line("conversation.end", ["conversation": second, "outcome": "done"])

            // The killed hub has left no recording; what it sent is known all the same.
            let first = try Codec.roundTrip(Self.answer[...], Codec.hub)
            let next = try await house.recording(second, "sent")
            #expect(try Codec.roundTrip(Self.shortAnswer[...], Codec.hub) == next)
            var reading = Reading(Sound.read(house.speaker()))
            let played = reading.play(first[...])
            #expect(played.samples > Sound.rate && played.samples < first.count && played.gaps.isEmpty, "\(played)")
            let isFollowed = reading.gap(before: next[...]) != nil && reading.play(next[...]).samples == next.count
            #expect(isFollowed && reading.isAtEnd, "after \(reading.position) samples; the puck said:\n\(puck.tail)")
        }
    }

    @Test("A puck that is killed in mid-answer and returns speaks the rest, from the packet that it had reported")
    func puckKilled() async throws {
        try await House.run { house in
            let hub = try await house.hub(extra: Self.responder(Self.answer, house))
            let arguments = try await house.configurePuck()
            let before = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await before.line("link.up")
            let conversation = try await house.wake(before)
            try await before.line("play.start")
            try await Self.spoken(3, house, before)
            before.kill()
            let beginning = Sound.read(house.speaker())
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            let start = try await puck.line("play.start", ["conversation": conversation])
            try await puck.line("play.done", ["played_ms": "8000"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])

            let sent = try await house.recording(conversation, "sent")
            let packets = try Codec.packets(Self.answer[...], Codec.hub)
            #expect(try Codec.decoded(packets[...]) == sent)
            // Heard twice is what was not reported; nothing is left out.
            let reported = (Int(start["resumed_at_ms"] ?? "") ?? 0) / 20
            #expect(reported > 0 && reported * Codec.packetSamples <= beginning.count, "packet \(reported)")
            var reading = Reading(beginning)
            #expect(reading.play(sent[...]).samples == beginning.count)
            // The decoder of the new process knows nothing of what came before.
            let rest = try Codec.decoded(packets[reported...])
            Sound.expectWhole(Sound.read(house.speaker()), rest, puck.tail)
            #expect(try await house.count("streams_restarted_total") == 1)
        }
    }

    @Test("A puck that stands still for 3 s in mid-answer goes on where it was")
    func stopped() async throws {
        try await House.run { house in
            let hub = try await house.hub(extra: Self.responder(Self.answer, house))
            let puck = try await house.puck()
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("play.start")
            try await Self.spoken(2, house, puck)
            puck.signal(SIGSTOP)
            try await Task.sleep(for: .seconds(3))
            puck.signal(SIGCONT)
            try await puck.line("play.done", ["played_ms": "8000"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])
            Sound.expectWhole(Sound.read(house.speaker()), try await house.recording(conversation, "sent"), puck.tail)
            #expect(!puck.hasLogged("link.disconnected") && !hub.hasLogged("session.close"))
        }
    }

    @Test("A drop with two plays waiting: all of them are heard to their end, the paused one from its very sample")
    func queue() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(tls: true, port: proxy.port)
            try await puck.line("link.up")
            // The second is so long that it is not all there when the link breaks.
            for (number, seconds) in [6.0, 7, 1].enumerated() {
                let sound = Sound.speech(seconds: seconds, seed: UInt32(10 + number))
                try Sound.write(sound, to: house.file("play-\(number).wav"))
            }
            let music = try await house.play("play-0.wav", "music")
            try await Self.spoken(1.5, house, puck)
            let announcement = try await house.play("play-1.wav", "announcement")
            try await puck.line("play.paused", ["play_id": music])
            try await puck.line("play.start", ["play_id": announcement])
            let notification = try await house.play("play-2.wav", "notification")
            try await Self.spoken(2.5, house, puck)
            proxy.interrupt(milliseconds: 5000)
            try await puck.line("link.disconnected")
            try await puck.line("link.up", ["resume": "replayed"])
            try await puck.line("play.done")
            try await puck.line("play.start", ["play_id": notification])
            try await puck.line("play.done", ["play_id": notification])
            try await puck.line("play.resumed", ["play_id": music])
            try await puck.line("play.done", ["play_id": music, "played_ms": "6000"])
            for play in [announcement, notification, music] {
                try await hub.line("play.end", ["play_id": play, "outcome": "done"])
            }

            var reading = Reading(Sound.read(house.speaker()))
            let paused = try await house.recording("p-\(music)", "sent")
            var before = reading.play(paused[...]).samples
            for play in [announcement, notification] {
                let sent = try await house.recording("p-\(play)", "sent")
                if play == announcement { before -= reading.turn(to: sent[...]) ?? 0 }
                #expect(reading.play(sent[...]).samples == sent.count, "play \(play); the puck said:\n\(puck.tail)")
            }
            #expect(before > Sound.rate && before < paused.count, "\(before)")
            let after = reading.play(paused[before...]).samples
            #expect(before + after == paused.count && reading.isAtEnd, "\(before) and \(after) of \(paused.count)")
        }
    }

    @Test("A play that ran dry on a stalled link and is paused then goes on with the sample that is next")
    func stalledAndPaused() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(port: proxy.port)
            try await puck.line("link.up")
            for (number, seconds) in [6.0, 1].enumerated() {
                let sound = Sound.speech(seconds: seconds, seed: UInt32(20 + number))
                try Sound.write(sound, to: house.file("play-\(number).wav"))
            }
            let music = try await house.play("play-0.wav", "music")
            try await Self.spoken(1, house, puck)
            proxy.hold([.towardsPuck])
            try await puck.line("play.starved", ["play_id": music])
            let announcement = try await house.play("play-1.wav", "announcement")
            proxy.release()
            try await puck.line("play.done", ["play_id": announcement])
            try await puck.line("play.done", ["play_id": music, "played_ms": "6000"])
            try await hub.line("play.end", ["play_id": music, "outcome": "done"])

            let spoken = Sound.read(house.speaker())
            let paused = try await house.recording("p-\(music)", "sent")
            let sent = try await house.recording("p-\(announcement)", "sent")
            var reading = Reading(spoken)
            // It ran dry at the end of a packet. A little more of it may sound before the pause, which comes behind it.
            let read = reading.play(paused[...]).samples
            let dry = read / Codec.packetSamples * Codec.packetSamples
            let dryAt = reading.position - (read - dry)
            guard reading.gap(before: sent[...], bridging: Self.littleMore) != nil else {
                Issue.record("no announcement after \(dry) of \(paused.count); the puck said:\n\(puck.tail)")
                return
            }
            let between = spoken[dryAt..<reading.position]
            #expect(reading.play(sent[...]).samples == sent.count)
            // What is heard at the end tells where it went on.
            let end = (spoken.lastIndex { $0 != 0 } ?? 0) + 1
            let rest = zip(spoken[reading.position..<end].reversed(), paused.reversed()).prefix { $0 == $1 }.count
            let goesOn = paused.count - rest
            let more = paused[min(dry, goesOn)..<goesOn]
            #expect(goesOn >= dry, "from \(goesOn) of \(paused.count), it ran dry at \(dry)")
            #expect(
                more.isEmpty || between.indices.contains { between[$0...].starts(with: more) },
                "it ran dry at \(dry), heard up to \(read), and goes on at \(goesOn); the puck said:\n\(puck.tail)")
            #expect(spoken[reading.position..<end - rest].allSatisfy { $0 == 0 })
        }
    }

    /// What may sound of a play between the end of a stall and a pause that comes behind it: all that the hub is ahead,
    /// 2 s, on a machine that takes as long for what comes at once, and what bridges its end.
    private static let littleMore = 2 * Sound.rate + Reading.mostBridged

    @Test("What a puck still had to say is not said once somebody else has the floor")
    func superseded() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true, extra: Self.responder(Self.answer, house))
            let proxy = try FaultProxy(to: house.port())
            let first = try await house.puck("kitchen", tls: true, port: proxy.port)
            let second = try await house.puck("hall", tls: true, set: ["endpoint.utterance_limit_ms=60000"])
            try await first.line("link.up")
            try await second.line("link.up")
            let conversation = try await house.wake(first)
            try await first.line("play.start")
            try await Self.spoken(2, house, first)
            proxy.refuse()
            proxy.cut()
            try await first.line("link.disconnected")
            let other = try await house.wake(second)
            try await hub.line("session.degraded", ["conversation": conversation])
            proxy.accept()
            try await first.line("link.up", ["resume": "fresh"])
            // An exchange later everything that the return led to has happened.
            #expect(try await house.control("status", puck: "kitchen").output.contains("phase=idle"))
            let heardBefore = Sound.read(house.speaker("kitchen")).count
            first.forgetThePast()
            #expect(try await house.control("stop", puck: "hall").status == 0)
            try await hub.line("conversation.end", ["conversation": other, "outcome": "cancelled"])
            // The playback thread falls silent a moment after its loop; it had two seconds more to say.
            let said = Sound.read(house.speaker("kitchen"))
            #expect(said.count { $0 != 0 } - heardBefore <= Sound.rate * 4 / 10, "\(said.count) after \(heardBefore)")
            // With the floor free again it could speak, and still does not.
            let next = try await house.wake(first)
            #expect(next != conversation)
            #expect(Sound.read(house.speaker("kitchen")) == said)
            var reading = Reading(said)
            let sent = try Codec.roundTrip(Self.answer[...], Codec.hub)
            let played = reading.play(sent[...])
            reading.skipBrokenEnd()
            #expect(
                played.samples < sent.count && played.gaps.isEmpty && reading.isAtEnd,
                "\(played), \(reading.position) read of \(said.count); the puck said:\n\(first.tail)")
        }
    }
}

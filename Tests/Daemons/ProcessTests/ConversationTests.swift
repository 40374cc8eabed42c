import Foundation
import Testing

@Suite("Processes: conversations", .fewAtATime)
struct ConversationTests {
    @Test("A spoken sentence comes back through the echo responder, to the sample as the hub sent it")
    func echo() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            // The noise in front lets the detector learn the room.
            let sentence = Sound.noise(seconds: 2) + Sound.voice(seconds: 1) + Sound.noise(seconds: 6)
            let puck = try await house.puck(
                tls: true, microphone: .saying(sentence),
                set: ["wake.detector=level", "endpoint.hangover_ms=300", "endpoint.utterance_limit_ms=5000"])
            try await puck.line("capture.open")
            try await puck.line("link.up")
            try house.release()
            let conversation = try await puck.line("wake.granted")["conversation"] ?? ""
            try await puck.line("uplink.end", ["conversation": conversation])
            try await puck.line("play.done")
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])

            let heard = Sound.read(house.file("hub/\(conversation).heard.wav"))
            // A second of voice, its preroll and its hangover.
            #expect((20_000...40_000).contains(heard.count), "\(heard.count) samples")
            let sent = Sound.read(house.file("hub/\(conversation).sent.wav"))
            let spoken = Sound.read(house.speaker())
            Sound.expectEqual(spoken, sent, "\(puck.tail)")
        }
    }

    @Test("The WAV responder's file is what the loudspeaker plays, sample by sample as it was sent")
    func waveFile() async throws {
        try await House.run { house in
            try Sound.write(Sound.voice(seconds: 0.6, level: 0.5), to: house.file("answer.wav"))
            let hub = try await house.hub(
                extra: "[responder]\nkind = wav\nwav_file = \(house.file("answer.wav").path)\n")
            let puck = try await house.puck()
            try await puck.line("link.up")
            let conversation = try await house.converse(puck)
            try await hub.line("conversation.end", ["outcome": "done"])
            let sent = Sound.read(house.file("hub/\(conversation).sent.wav"))
            #expect(sent.count == 9600)
            Sound.expectEqual(Sound.read(house.speaker()), sent, puck.tail)
        }
    }

    @Test("Of three pucks that hear the same sentence the one that hears it best is granted, and only it speaks")
    func oneOfThree() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            var pucks: [Child] = []
            for (name, level) in [("hall", 0.05), ("kitchen", 0.6), ("attic", 0.1)] {
                let sentence =
                    Sound.noise(seconds: 2) + Sound.voice(seconds: 0.8, level: level) + Sound.noise(seconds: 6)
                pucks.append(
                    try await house.puck(
                        name, microphone: .saying(sentence),
                        set: ["wake.detector=level", "endpoint.hangover_ms=300"]))
            }
            for puck in pucks {
                try await puck.line("capture.open")
                try await puck.line("link.up")
            }
            try house.release()
            let decision = try await hub.line("arbitration.decided")
            #expect(decision["winner"] == "kitchen", "\(hub.tail)")
            try await pucks[1].line("wake.granted")
            try await pucks[1].line("play.done")
            for loser in [pucks[0], pucks[2]] {
                try await loser.line("wake.cancelled")
                #expect(!loser.hasLogged("wake.granted") && !loser.hasLogged("play.start"))
            }
            try await hub.line("conversation.end", ["outcome": "done"])
            #expect(hub.log.filter { $0.event == "arbitration.decided" && $0["winner"] != "none" }.count == 1)
            #expect(Sound.trimmed(Sound.read(house.speaker("hall"))).isEmpty)
            #expect(Sound.trimmed(Sound.read(house.speaker("attic"))).isEmpty)
        }
    }

    @Test("A muted puck ignores its button and its hub hears nothing of it")
    func muted() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck(set: ["endpoint.utterance_limit_ms=10000"])
            try await puck.line("link.up")
            try await house.wake(puck)
            try await hub.line("conversation.first_audio")
            #expect(try await house.control("mute").status == 0)
            try await puck.line("uplink.end", ["reason": "muted"])
            try await hub.line("conversation.end", ["outcome": "cancelled"])
            #expect(try await house.control("status").output.contains("muted=yes"))
            puck.signal(SIGUSR1)
            try await puck.line("wake.ignored", ["reason": "muted"])
            #expect(hub.log.filter { $0.event == "arbitration.candidate" }.count == 1)
            #expect(try await house.control("unmute").status == 0)
            try await house.wake(puck)
        }
    }

    @Test("puckctl wakes, stops, sets the volume and asks for the status")
    func control() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let puck = try await house.puck(set: ["endpoint.utterance_limit_ms=10000"])
            try await puck.line("link.up")
            #expect(try await house.control("wake").status == 0)
            try await puck.line("wake.granted")
            #expect(try await house.control("status").output.contains("phase=listening connected=yes"))
            #expect(try await house.control("stop").status == 0)
            try await puck.line("uplink.end", ["reason": "cancelled"])
            #expect(try await house.control("volume", "37").status == 0)
            let status = try await house.control("status").output
            #expect(status.contains("phase=idle") && status.contains("volume=37"), "\(status)")
        }
    }
}

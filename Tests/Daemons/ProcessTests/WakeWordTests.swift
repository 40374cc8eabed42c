import Foundation
import Testing

/// The real puckd with a model of pymicro-wakeword, and words by espeak-ng.
@Suite("Processes: wake words", .enabled(if: Speech.isThere), .fewAtATime)
struct WakeWordTests {
    private static let listening = ["wake.detector=model", "endpoint.utterance_limit_ms=6000"]

    private func settings() throws -> [String] { Self.listening + ["wake.wake_dir=\(try #require(Speech.models))"] }

    @Test("The wake word wakes, by its name; what follows without a pause is heard by the hub, and the word is not")
    func wakes() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let word = try Speech.say("okay nabu", in: house, before: 2)
            let command = try Speech.say("turn on the kitchen light", in: house, after: 6)
            let puck = try await house.puck(microphone: .saying(word + command), set: try settings())
            #expect(try await puck.line("wake.model")["phrase"] == "Okay Nabu")
            try await puck.line("capture.open")
            try await puck.line("link.up")
            try house.release()
            let heard = try await puck.line("wake.heard")
            #expect(heard["model"] == "okay_nabu" && heard["cutoff"] == "0.85", "\(heard)")
            #expect(try await puck.line("wake.candidate")["phrase"] == "Okay Nabu")
            let conversation = try await puck.line("wake.granted")["conversation"] ?? ""
            #expect(try await hub.line("arbitration.decided")["phrase"] == "Okay Nabu")
            try await puck.line("uplink.end", ["conversation": conversation, "reason": "endpoint"])
            let recording = try await house.recording(conversation, "heard")
            // All of the command, its hangover of 700 ms, and of the word less than what may be left of it.
            let least = command.count - 6 * 16_000 + 700 * 16 - 16_000 / 4
            #expect((least...(least + 14_000)).contains(recording.count), "\(recording.count) of \(least)")
            try await puck.line("play.done")
            let status = try await house.control("status").output
            #expect(status.contains(" wake_models=okay_nabu ") && status.contains(" last_wake=okay_nabu "), "\(status)")
        }
    }

    @Test("A sentence without the word wakes nobody, and in a silent room nothing is listened to")
    func sleeps() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let sentence = try Speech.say(
                "what is the weather like tomorrow in the mountains", in: house, before: 2, after: 4)
            let puck = try await house.puck(microphone: .saying(sentence), set: try settings())
            try await puck.line("capture.open")
            try await puck.line("link.up")
            try house.release()
            var heard = 0
            try await eventually("the sentence is not listened to") {
                let status = try await house.control("status").output
                heard = Self.number("wake_heard_ms", status)
                return heard > 3000
            }
            // Two seconds after the last of it the gate closes.
            var last = -1
            try await eventually("it does not sleep") {
                let now = Self.number("wake_heard_ms", try await house.control("status").output)
                defer { last = now }
                return now == last
            }
            #expect(!puck.hasLogged("wake.heard") && !puck.hasLogged("wake.candidate"))
            #expect(Self.number("wake_missed_ms", try await house.control("status").output) == 0)
        }
    }

    private static func number(_ key: String, _ status: String) -> Int {
        let word = status.split(separator: " ").first { $0.hasPrefix(key + "=") }
        return word.flatMap { Int($0.dropFirst(key.count + 1)) } ?? -1
    }

    @Test("Without a model only the button wakes, which is said; puckctl wake add brings one without a restart")
    func adding() async throws {
        try await House.run { house in
            let models = try #require(Speech.models)
            _ = try await house.hub()
            let mine = house.file("mine").path
            let word = try Speech.say("okay nabu", in: house, before: 2, after: 8)
            let set = Self.listening + ["wake.wake_dir=\(mine)"]
            let puck = try await house.puck(microphone: .saying(word), set: set)
            #expect(try await puck.line("wake.model_failed")["detail"]?.contains("puckctl wake add") == true)
            try await puck.line("wake.deaf")
            try await puck.line("link.up")
            let arguments =
                ["--check", "--config", house.file("kitchen.conf").path] + set.flatMap { ["--set", $0] }
            let check = try await house.run("puckd", arguments, devices: true)
            #expect(check.status == 1 && check.output.contains("FAIL wake          no okay_nabu.json in"), "\(check)")
            try await house.wake(puck)
            #expect(try await house.control("stop").status == 0)
            try await puck.line("uplink.end", ["reason": "cancelled"])
            let added = try await house.control("wake", "add", models + "/okay_nabu.json")
            #expect(added.status == 0, "\(added)")
            try await puck.line("wake.model", ["model": "okay_nabu"])
            // The hub has to know the phrase.
            try await puck.line("link.up")
            #expect(!puck.hasLogged("puckd.stop"))
            let good = try await house.run("puckd", arguments, devices: true)
            #expect(good.output.contains("ok   wake          say \"Okay Nabu\": \(mine)/okay_nabu.json"), "\(good)")
            try house.release()
            try await puck.line("wake.candidate", ["phrase": "Okay Nabu"])
            let used = try await house.control("wake", "remove", "okay_nabu")
            #expect(used.status == 1 && used.output.contains("puckd listens for okay_nabu"), "\(used)")
        }
    }

    @Test("A reload takes over other words and another sensitivity; a wrong one is refused and changes nothing")
    func reloading() async throws {
        try await House.run { house in
            let models = try #require(Speech.models)
            _ = try await house.hub()
            _ = try await house.configurePuck(microphone: .quiet)
            let text = try String(contentsOf: house.file("kitchen.conf"), encoding: .utf8)
            func configure(_ lines: String) throws {
                let wake = "[wake]\ndetector = model\nwake_dir = \(models)\n\(lines)"
                try house.write(
                    text.replacingOccurrences(of: "[wake]\ndetector = manual", with: wake), to: "kitchen.conf")
            }
            try configure("")
            let puck = try house.start(
                "puckd", ["--config", house.file("kitchen.conf").path], name: "kitchen", devices: true)
            try await puck.line("wake.model", ["model": "okay_nabu", "cutoff": "0.85"])
            try await puck.line("link.up")
            puck.forgetThePast()
            try configure("models = alexa, hey_jarvis\nsensitivity = very, alexa:0.5\n")
            puck.signal(SIGHUP)
            try await puck.line("wake.model", ["model": "alexa", "cutoff": "0.50"])
            try await puck.line("wake.model", ["model": "hey_jarvis", "cutoff": "0.91"])
            try await puck.line("link.up")
            #expect(try await house.control("status").output.contains(" wake_models=alexa,hey_jarvis "))
            for (lines, complaint) in [
                ("sensitivity = extremely\n", "slightly, moderately, very or a cutoff"),
                ("sensitivity = alexa:very\n", "alexa is not among the models"),
                ("models =\n", "set detector = manual"),
                ("models = ../x\n", "names of wake words"),
            ] {
                try configure(lines)
                let check = try await house.run("puckd", ["--check", "--config", house.file("kitchen.conf").path])
                #expect(check.status == 78 && check.output.contains(complaint), "\(check)")
            }
        }
    }

    @Test(
        "A stop word ends what sounds, and is not listened for while nothing does",
        .enabled(if: Speech.folder(of: "stop") != nil))
    func stopping() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let other = try #require(Speech.folder(of: "stop"))
            // Once into the silence, and once into the music.
            let early = try Speech.say("stop", in: house, before: 2, after: 2)
            let late = try Speech.say("stop", in: house, before: 4, after: 20)
            let puck = try await house.puck(
                microphone: .saying(early + late),
                set: try settings().dropLast() + ["wake.wake_dir=\(try folder()), \(other)", "wake.stop=stop"])
            try await puck.line("wake.model", ["model": "stop"])
            try await puck.line("capture.open")
            try await puck.line("link.up")
            try Sound.write(Sound.voice(seconds: 20, level: 0.01), to: house.file("long.wav"))
            try house.release()
            try await eventually("the first is not over") {
                Self.number("wake_heard_ms", try await house.control("status").output) > 2500
            }
            #expect(!puck.hasLogged("wake.heard"))
            _ = try await house.play("long.wav", "music")
            try await puck.line("play.start")
            try await puck.line("wake.heard", ["model": "stop"])
            try await eventually("it plays on: \(puck.tail)") {
                try await house.control("status").output.contains(" phase=idle ")
            }
            #expect(!puck.hasLogged("play.done"))
            #expect(!puck.hasLogged("wake.candidate"))
        }
    }

    private func folder() throws -> String { try #require(Speech.models) }

    @Test("What its own loudspeaker plays for puckctl wakes no puck, though the word is in it")
    func ownSound() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let word = try Speech.say("okay nabu", in: house, before: 2, after: 6)
            let puck = try await house.puck(microphone: .saying(word), set: try settings())
            try await puck.line("capture.open")
            try await puck.line("link.up")
            try Sound.write(Sound.voice(seconds: 8, level: 0.01), to: house.file("long.wav"))
            let play = try house.start(
                "puckctl", ["--socket", house.file("kitchen.control").path, "play", house.file("long.wav").path],
                name: "play")
            try await puck.line("file.start")
            try house.release()
            try await puck.line("wake.heard")
            try await puck.line("wake.ignored", ["reason": "own-sound"])
            #expect(!puck.hasLogged("wake.candidate"))
            play.signal(SIGINT)
            #expect(try await play.exitStatus() == 0)
        }
    }
}

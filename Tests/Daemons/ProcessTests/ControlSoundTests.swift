import Foundation
import LinuxIO
import Testing
import WAVFile

/// `puckctl play` and `record`, with the real puckd.
@Suite("Processes: puckctl plays and records", .fewAtATime)
struct ControlSoundTests {
    private static func socket(_ house: House) -> [String] { ["--socket", house.file("kitchen.control").path] }

    private static func start(_ house: House, _ words: [String], name: String) throws -> Child {
        try house.start("puckctl", socket(house) + words, name: name)
    }

    /// A puck whose microphone hears `heard` once, from its opening on, and that works.
    private static func puck(_ house: House, _ microphone: House.Microphone, set: [String] = []) async throws -> Child {
        let puck = try await house.puck(token: House.anyToken, microphone: microphone, set: set)
        for event in ["capture.open", "playback.open"] {
            try await eventually("no \(event):\n\(puck.tail)") { puck.hasLogged(event) }
        }
        return puck
    }

    /// No two stretches of it are alike.
    private static func noise(seconds: Int) -> [Int16] {
        var state: UInt32 = 99
        return (0..<seconds * Sound.rate).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int16(truncatingIfNeeded: state >> 16) / 4
        }
    }

    private static func place(of part: ArraySlice<Int16>, in whole: [Int16]) -> Int? {
        guard let first = part.first else { return nil }
        return whole.indices.first {
            whole[$0] == first && whole.count - $0 >= part.count && whole[$0..<($0 + part.count)] == part
        }
    }

    @Test("What is recorded is, sample for sample, what the microphone heard, and nobody else may read it")
    func record() async throws {
        try await House.run { house in
            let heard = Self.noise(seconds: 30)
            let puck = try await Self.puck(house, .hearing(heard))
            let file = house.file("take.wav")
            let said = try await house.control("record", "2", file.path)
            #expect(said.status == 0 && said.output == "2.0 s in \(file.path)\n", "\(said)")
            let wave = try WAVFile(parsing: [UInt8](Data(contentsOf: file)))
            #expect(wave.rate == 16_000 && wave.channels == 1 && wave.samples.count == 32_000)
            #expect(try Data(contentsOf: file).count == 44 + 64_000)
            #expect(Self.place(of: wave.samples[...], in: heard) != nil || puck.hasLogged("capture.overrun"))
            let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            try await puck.line("record.start", ["seconds": "2"])
            try await puck.line("lights", ["state": "listening"])
            try await puck.line("record.end")
            try await eventually("the lights stay:\n\(puck.tail)") {
                puck.log.last { $0.event == "lights" }?["state"] != "listening"
            }
        }
    }

    @Test("A muted puck is not recorded, and what it was asked to write stays as it was")
    func muted() async throws {
        try await House.run { house in
            _ = try await Self.puck(house, .talking)
            try house.write("precious", to: "take.wav")
            #expect(try await house.control("mute").status == 0)
            let said = try await house.control("record", "1", house.file("take.wav").path)
            #expect(said.status == 1 && said.output.contains("muted by person"), "\(said)")
            #expect(try String(contentsOf: house.file("take.wav"), encoding: .utf8) == "precious")
        }
    }

    @Test("Muting ends a recording: what was heard before is kept, and nothing after it")
    func muteEnds() async throws {
        try await House.run { house in
            let heard = Self.noise(seconds: 30)
            let puck = try await Self.puck(house, .hearing(heard))
            let file = house.file("take.wav")
            let recorder = try Self.start(house, ["record", "600", file.path], name: "recorder")
            try await eventually("nothing is written: \(recorder.tail)") {
                (try? Data(contentsOf: file).count) ?? 0 > 44 + 8000
            }
            let second = try await house.control("record", "1", house.file("second.wav").path)
            #expect(second.status == 1 && second.output.contains("another recording is running"), "\(second)")
            #expect(try await house.control("status").output.contains("recording=yes"))
            #expect(try await house.control("mute").status == 0)
            #expect(try await recorder.exitStatus() == 1)
            #expect(recorder.output.contains("muted by person"), "\(recorder.output)")
            // All but silence that was not heard is what the microphone said, without a gap.
            let samples = Sound.trimmed(Sound.read(file))
            #expect(samples.count > 4000)
            #expect(Self.place(of: samples, in: heard) != nil || puck.hasLogged("capture.overrun"))
            #expect(try await house.control("status").output.contains("recording=no"))
        }
    }

    @Test(
        "Recordings end by Ctrl-C, by stop, by a lost microphone, and with the daemon; a client that dies ends its own")
    func recordEnds() async throws {
        try await House.run { house in
            let puck = try await Self.puck(house, .talking)
            func recording(_ name: String) async throws -> Child {
                let file = house.file("\(name).wav")
                let child = try Self.start(house, ["record", "600", file.path], name: name)
                try await eventually("\(name) writes nothing: \(child.tail)") {
                    (try? Data(contentsOf: file).count) ?? 0 > 44
                }
                return child
            }
            let interrupted = try await recording("interrupted")
            interrupted.signal(SIGINT)
            #expect(try await interrupted.exitStatus() == 0)
            #expect(!Sound.read(house.file("interrupted.wav")).isEmpty)
            try await puck.line("record.end")
            let killed = try await recording("killed")
            killed.signal(SIGKILL)
            try await puck.line("record.end")
            let stopped = try await recording("stopped")
            #expect(try await house.control("stop").status == 0)
            #expect(try await stopped.exitStatus() == 1)
            #expect(stopped.output.contains("it was stopped"), "\(stopped.output)")
            let lost = try await recording("lost")
            try house.fault("enodev")
            #expect(try await lost.exitStatus() == 1)
            #expect(lost.output.contains("the microphone does not work"), "\(lost.output)")
            let deaf = try await house.control("record", "1", house.file("deaf.wav").path)
            #expect(deaf.status == 1 && deaf.output.contains("puckctl doctor"), "\(deaf)")
            #expect(!FileManager.default.fileExists(atPath: house.file("deaf.wav").path))
            try house.fault("return")
            try await puck.line("capture.recovered")
            let orphan = try await recording("orphan")
            puck.kill()
            #expect(try await orphan.exitStatus() == 69)
            #expect(orphan.output.contains("the daemon has gone"), "\(orphan.output)")
            #expect(!Sound.read(house.file("orphan.wav")).isEmpty)
        }
    }

    @Test(
        "A member of the socket's group may set the volume, and may not listen to the room",
        .enabled(if: geteuid() == 0, "only root may become another user"))
    func strangers() async throws {
        try await House.run { house in
            _ = try await Self.puck(house, .talking)
            let socket = house.file("kitchen.control").path
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: house.folder.path)
            try FileManager.default.setAttributes([.groupOwnerAccountID: 65_534], ofItemAtPath: socket)
            // The program may lie where a stranger cannot reach it.
            let program = house.file("puckctl").path
            try FileManager.default.copyItem(atPath: Build.program("puckctl"), toPath: program)
            func asMember(_ words: [String]) async throws -> (status: Int32, output: String) {
                let command = ["--reuid=65534", "--regid=65534", "--clear-groups", program, "-s", socket] + words
                let child = try Child("setpriv", command, name: "member", in: house.folder)
                return (try await child.exitStatus(), child.output)
            }
            let volume = try await asMember(["volume", "40"])
            // 126 and 127: this machine does not let a stranger reach the program's libraries.
            if volume.status == 126 || volume.status == 127 { return }
            #expect(volume.status == 0, "\(volume)")
            let record = try await asMember(["record", "1", "/dev/null"])
            #expect(record.status == 1 && record.output.contains("only root and the daemon's own user"), "\(record)")
        }
    }

    @Test("What is played is, sample for sample, what the file holds")
    func play() async throws {
        try await House.run { house in
            let puck = try await Self.puck(house, .quiet)
            let sound = Array(Self.noise(seconds: 3).dropLast(777))
            try Sound.write(sound, to: house.file("song.wav"))
            let said = try await house.control("play", house.file("song.wav").path)
            #expect(said.status == 0 && said.output.isEmpty, "\(said)")
            try await puck.line("file.end")
            #expect(!puck.hasLogged("playback.underrun"), "\(puck.tail)")
            Sound.expectEqual(Sound.read(house.speaker()), sound, puck.tail)
            #expect(try await house.control("status").output.contains("playing_file=no"))
        }
    }

    @Test("What cannot be played is refused by name: no file, no WAV, no sound, no loudspeaker")
    func unplayable() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken, set: ["playback.device=nosuch"])
            try await puck.line("playback.failed")
            try house.write("no sound at all", to: "text.wav")
            try Sound.write([], to: house.file("empty.wav"))
            try Sound.write(Sound.noise(seconds: 1), to: house.file("good.wav"))
            for (name, status, complaint) in [
                ("none.wav", 66, "cannot open"), ("text.wav", 66, "this is not a WAV file"),
                ("empty.wav", 66, "there is no sound in it"), ("good.wav", 1, "the loudspeaker does not work"),
            ] as [(String, Int32, String)] {
                let said = try await house.control("play", house.file(name).path)
                #expect(said.status == status && said.output.contains(complaint), "\(said)")
            }
        }
    }

    @Test("A play ends at once: by Ctrl-C, by stop, by somebody who speaks, by a lost loudspeaker, with the daemon")
    func playEnds() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let puck = try await house.puck(set: ["endpoint.utterance_limit_ms=10000"])
            try await puck.line("link.up")
            try await eventually("no loudspeaker:\n\(puck.tail)") { puck.hasLogged("playback.open") }
            try Sound.write(Self.noise(seconds: 100), to: house.file("long.wav"))
            func playing(_ name: String) async throws -> Child {
                let before = Sound.read(house.speaker()).count
                let child = try Self.start(house, ["play", house.file("long.wav").path], name: name)
                try await eventually("\(name) is not heard: \(child.tail)") {
                    Sound.read(house.speaker()).count > before + 1600
                }
                return child
            }
            let interrupted = try await playing("interrupted")
            let second = try await house.control("play", house.file("long.wav").path)
            #expect(second.status == 1 && second.output.contains("another file"), "\(second)")
            interrupted.signal(SIGINT)
            #expect(try await interrupted.exitStatus() == 0)
            try await puck.line("file.end")
            let stopped = try await playing("stopped")
            #expect(try await house.control("stop").status == 0)
            #expect(try await stopped.exitStatus() == 1)
            #expect(stopped.output.contains("it was stopped"), "\(stopped.output)")
            let outdone = try await playing("outdone")
            try await house.wake(puck)
            #expect(try await outdone.exitStatus() == 1)
            #expect(outdone.output.contains("something else to do"), "\(outdone.output)")
            let busy = try await house.control("play", house.file("long.wav").path)
            #expect(busy.status == 1 && busy.output.contains("the puck is busy (listening)"), "\(busy)")
            #expect(try await house.control("stop").status == 0)
            try await puck.line("uplink.end")
            let lost = try await playing("lost")
            try house.fault("enodev", on: "kitchen-speaker")
            #expect(try await lost.exitStatus() == 1)
            #expect(lost.output.contains("the loudspeaker does not work"), "\(lost.output)")
            try house.fault("return", on: "kitchen-speaker")
            try await puck.line("playback.recovered")
            let orphan = try await playing("orphan")
            puck.kill()
            #expect(try await orphan.exitStatus() == 69)
            #expect(orphan.output.contains("the daemon has gone"), "\(orphan.output)")
        }
    }
}

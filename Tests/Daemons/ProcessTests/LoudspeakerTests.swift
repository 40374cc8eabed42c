import Foundation
import LinuxIO
import Testing
import WAVFile

/// Loudspeakers whose drivers say little of what they have played, or that swallow the beginning of a sound.
@Suite("Processes: what a loudspeaker has played", .fewAtATime)
struct LoudspeakerTests {
    /// No sample of it is 0, and no two stretches are alike.
    private static func sound(milliseconds: Int) -> [Int16] {
        var state: UInt32 = 7
        return (0..<milliseconds * 16).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int16(truncatingIfNeeded: state >> 16) / 4 | 1
        }
    }

    private static func play(_ samples: [Int16], in house: House) async throws -> (status: Int32, output: String) {
        try Sound.write(samples, to: house.file("sound.wav"))
        return try await house.control("play", house.file("sound.wav").path)
    }

    private static func puck(_ house: House, set: [String] = []) async throws -> Child {
        let puck = try await house.puck(token: House.anyToken, set: set)
        try await eventually("no loudspeaker:\n\(puck.tail)") { puck.hasLogged("playback.open") }
        return puck
    }

    @Test("A card that never says its delay plays every sound to its end, and is reported once", arguments: [5, 524])
    func delayError(_ number: Int) async throws {
        try await House.run { house in
            try house.fault("delay_error \(number)", on: "kitchen-speaker")
            let puck = try await Self.puck(house)
            let short = Self.sound(milliseconds: 50)
            let long = Self.sound(milliseconds: 1_300)
            for sound in [short, long, short] {
                let said = try await Self.play(sound, in: house)
                #expect(said.status == 0, "\(said)")
            }
            let line = try await puck.line("playback.delay_unknown", ["detail": "does not report how much"])
            #expect(line["advice"]?.contains("counted against the clock") == true)
            Sound.expectEqual(Sound.read(house.speaker()).filter { $0 != 0 }, short + long + short, puck.tail)
            let status = try await house.control("status").output
            #expect(status.contains("playback=ok playback_faults=none"), "\(status)")
            #expect(puck.log.filter { $0.event == "playback.delay_unknown" }.count <= 1)
        }
    }

    @Test("An answer on a card that never says its delay is played to its end before it is done")
    func answer() async throws {
        try await House.run { house in
            try house.fault("delay_error 5", on: "kitchen-speaker")
            _ = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            let conversation = try await house.converse(puck)
            let sent = try await house.recording(conversation, "sent")
            try await eventually("the end is missing") { Sound.read(house.speaker()).count >= sent.count }
            Sound.expectEqual(Sound.read(house.speaker()), sent, puck.tail)
        }
    }

    @Test("A delay that stands still at the end of a good answer is no fault of the card")
    func delayFloor() async throws {
        try await House.run { house in
            try house.fault("delay_floor 900", on: "kitchen-speaker")
            let puck = try await Self.puck(house)
            let sound = Self.sound(milliseconds: 700)
            for _ in 0..<2 {
                let said = try await Self.play(sound, in: house)
                #expect(said.status == 0, "\(said)")
            }
            Sound.expectEqual(Sound.read(house.speaker()).filter { $0 != 0 }, sound + sound, puck.tail)
            let status = try await house.control("status").output
            #expect(status.contains("playback=ok playback_faults=none"), "\(status)")
            #expect(!puck.hasLogged("playback.failed") && !puck.hasLogged("playback.delay_unknown"))
        }
    }

    @Test("lead_in_ms puts silence before the first sample after each rest, and nowhere else")
    func leadIn() async throws {
        try await House.run { house in
            let puck = try await Self.puck(house, set: ["playback.lead_in_ms=300"])
            let sound = Self.sound(milliseconds: 700)
            for _ in 0..<2 { #expect(try await Self.play(sound, in: house).status == 0) }
            let played = Sound.read(house.speaker())
            let silence = [Int16](repeating: 0, count: 4_800)
            Sound.expectEqual(played.filter { $0 != 0 }, sound + sound, puck.tail)
            #expect(Array(played.prefix(4_800 + sound.count)) == silence + sound)
            // On a busy machine the sound may have gaps of its own.
            #expect(played.filter { $0 == 0 }.count >= 2 * 4_800)
        }
    }
}

extension LoudspeakerTests {
    /// A puck whose loudspeaker has these settings of the fake device.
    private static func puck(
        _ house: House, speaker: String, token: String? = nil, set: [String]
    ) async throws -> Child {
        let arguments = try await house.configurePuck(token: token, set: set)
        let devices = try String(contentsOf: house.file("asound.conf"), encoding: .utf8)
        try house.write(devices.replacingOccurrences(of: "outfile", with: speaker + " outfile"), to: "asound.conf")
        let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
        try await eventually("no loudspeaker:\n\(puck.tail)") { puck.hasLogged("playback.open") }
        return puck
    }

    @Test("Whoever interrupts during lead_in_ms hears nothing of the answer, and the next sound is whole")
    func interruptedLeadIn() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            // Half a second of the device's time takes five: the interruption comes before the first sample is heard.
            let puck = try await Self.puck(house, speaker: "slowness 10", set: ["playback.lead_in_ms=500"])
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("play.start", ["conversation": conversation])
            try await eventually("no lead-in:\n\(puck.tail)") { !Sound.read(house.speaker()).isEmpty }
            #expect(try await house.control("stop").status == 0)
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "cancelled"])
            try await eventually("it goes on:\n\(puck.tail)") {
                try await house.control("status").output.contains("phase=idle")
            }
            let sound = Self.sound(milliseconds: 100)
            #expect(try await Self.play(sound, in: house).status == 0)
            let played = Sound.read(house.speaker())
            Sound.expectEqual(played, sound, puck.tail)
            // A lead-in of its own before it.
            let first = played.firstIndex { $0 != 0 } ?? 0
            #expect(first >= 8_000, "\(first)")
            #expect(!puck.hasLogged("playback.failed"), "\(puck.tail)")
        }
    }

    @Test("At another rate lead_in_ms is as long, and takes nothing from the sound")
    func resampledLeadIn() async throws {
        try await House.run { house in
            let puck = try await Self.puck(
                house, speaker: "rates 48000", token: House.anyToken, set: ["playback.lead_in_ms=300"])
            let sound = Self.sound(milliseconds: 700)
            for _ in 0..<2 { #expect(try await Self.play(sound, in: house).status == 0) }
            #expect(puck.hasLogged("playback.open", ["format": "48000 Hz"]), "\(puck.tail)")
            let played = Sound.read(house.speaker())
            // At 48 kHz; the resampler's filter is a few milliseconds long.
            let filter = 480
            let first = played.firstIndex { $0 != 0 } ?? 0
            #expect((14_400...14_400 + filter).contains(first), "\(first)")
            var silences: [Range<Int>] = []
            var start = first
            for (i, sample) in played.enumerated().dropFirst(first) where sample != 0 {
                if i - start > 5_000 { silences.append(start + 1..<i) }
                start = i
            }
            #expect(silences.count == 1, "\(silences)")
            let rest = try #require(silences.first)
            #expect(rest.count >= 14_400 && rest.count <= 14_400 + 4 * filter, "\(rest.count)")
            // Both sounds, to their ends.
            for length in [rest.lowerBound - first, start + 1 - rest.upperBound] {
                #expect((33_600 - filter...33_600 + filter).contains(length), "\(length)")
            }
        }
    }
}

/// Two USB cards of one make, on a machine made of files.
@Suite("Processes: cards of one make", .fewAtATime)
struct TwinCardTests {
    private static func machine(_ name: String, _ ports: [String], in house: House) throws -> String {
        for (number, port) in ports.enumerated() {
            let root = house.file(name)
            for folder in ["proc/asound/card\(number)", "sys/class/sound/card\(number)"] {
                try FileManager.default.createDirectory(
                    at: root.appending(path: folder), withIntermediateDirectories: true)
            }
            let card = root.appending(path: "proc/asound/card\(number)")
            try Data((number == 0 ? "Device" : "Device_\(number)").utf8).write(to: card.appending(path: "id"))
            try Data("0d8c:0014".utf8).write(to: card.appending(path: "usbid"))
            try FileManager.default.createSymbolicLink(
                atPath: root.appending(path: "sys/class/sound/card\(number)/device").path,
                withDestinationPath: "../../../\(port):1.0")
        }
        return house.file(name).path
    }

    @Test("The one at the configured port is taken, in whatever order they were found; without a port it is warned of")
    func port() async throws {
        try await House.run { house in
            let arguments = try await house.configurePuck(token: House.anyToken)
            let old = try String(contentsOf: house.file("asound.conf"), encoding: .utf8)
            try house.write(
                old + """
                    pcm.hw {
                        @args [ CARD DEV ]
                        @args.CARD { type string }
                        @args.DEV { type integer default 0 }
                        type puckfake
                        infile "\(house.file("kitchen.wav").path)"
                        loop yes
                        control "\(house.faults().path)"
                    }

                    """, to: "asound.conf")
            let first = try Self.machine("first", ["1-1.2", "1-1.3"], in: house)
            let second = try Self.machine("second", ["1-1.3", "1-1.2"], in: house)
            let chosen = ["--set", "capture.usb_path=1-1.3", "--set", "capture.device=hw:CARD=$CARD"]
            for (root, id) in [(first, "Device_1"), (second, "Device")] {
                let words = arguments + chosen + ["--system-root", root]
                let puck = try house.start("puckd", words, name: "kitchen", devices: true)
                try await puck.line("capture.open", ["format": "capture hw:CARD=\(id): ", "usb_path": "1-1.3"])
                #expect(try await puck.terminate().0 == 0)
                #expect(!puck.hasLogged("card.ambiguous"))
            }
            let words = arguments + ["--set", "capture.device=hw:CARD=Device", "--system-root", first]
            let puck = try house.start("puckd", words, name: "kitchen", devices: true)
            let line = try await puck.line("card.ambiguous", ["detail": "Device at USB port 1-1.2, Device_1 at 1-1.3"])
            #expect(line["advice"]?.contains("[capture] usb_path = 1-1.2") == true)
            // The card goes and comes; the other one is still there, which is no news.
            for _ in 0..<2 {
                try house.fault("badfd")
                try await puck.line("capture.failed")
                try await puck.line("capture.open")
            }
            // What follows an opening has been said by then.
            #expect(try await house.control("status").status == 0)
            #expect(puck.log.filter { $0.event == "card.ambiguous" }.count == 1, "\(puck.tail)")
        }
    }

    @Test("--list-devices shows the USB port that usb_path takes behind each card that is at one")
    func list() async throws {
        try await House.run { house in
            let root = try Self.machine("machine", ["1-1.2", "1-1.3"], in: house)
            for stream in ["card0/pcm0c", "card0/pcm0p", "card1/pcm0c", "card2/pcm3p"] {
                try FileManager.default.createDirectory(
                    at: house.file("machine/proc/asound/\(stream)"), withIntermediateDirectories: true)
            }
            try Data("vc4hdmi\n".utf8).write(to: house.file("machine/proc/asound/card2/id"))
            let said = try await house.run("puckd", ["--list-devices", "--system-root", root])
            let lines = said.output.split(separator: "\n")
            func line(_ name: String) -> Substring? { lines.first { $0.hasPrefix(name + " ") } }
            #expect(said.status == 0 && lines.count == 3, "\(said)")
            let first = try #require(line("hw:CARD=Device,DEV=0"))
            #expect(first.hasSuffix(", usb_path 1-1.2") && first.contains(" capture, playback "), "\(said)")
            #expect(line("hw:CARD=Device_1,DEV=0")?.hasSuffix(", usb_path 1-1.3") == true, "\(said)")
            #expect(line("hw:CARD=vc4hdmi,DEV=3")?.contains("usb_path") == false, "\(said)")
        }
    }
}

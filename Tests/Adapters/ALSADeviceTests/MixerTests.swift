import Foundation
import Testing

@testable import ALSADevice

extension DeviceTests {
    @Suite struct MixerTests {
        /// A card as the ReSpeaker 2-Mics HAT v2 has it, in part.
        private static let controls = """
            integer 2 0 118 -5900 50 mutes: HP DAC Playback Volume
            integer 2 0 127 -6350 50: PCM Playback Volume
            integer 1 0 9: HP Playback Volume
            integer 2 0 1: Capture Volume ZC Switch
            boolean 2: HP Playback Switch
            words Off/1-4 channels /Stereo: ALC Function

            """
        private static let devices = """
            ctl.hw {
                @args [ CARD ]
                @args.CARD { type string }
                type puckfake
                file { @func concat strings [ "DIR/" $CARD ".controls" ] }
            }
            """

        private func bench() throws -> SoundBench {
            try SoundBench(Self.devices, files: ["board.controls": Array(Self.controls.utf8)])
        }

        private func writes(_ bench: SoundBench) -> [String] {
            let log = (try? bench.read("board.controls.log")) ?? []
            return String(decoding: log, as: UTF8.self).split(separator: "\n").map(String.init)
        }

        @Test(
            "a value is written to all channels, in the card's own numbers",
            arguments: [
                ("HP DAC Playback Volume", MixerValue.percent(100), "118 118"),
                ("HP DAC Playback Volume", .percent(0), "0 0"), ("HP DAC Playback Volume", .percent(80), "94 94"),
                ("HP DAC Playback Volume", .decibels(-6), "106 106"), ("HP DAC Playback Volume", .number(7), "7 7"),
                ("HP Playback Volume", .percent(50), "5"), ("HP Playback Switch", .isOn(true), "1 1"),
                ("HP Playback Switch", .number(0), "0 0"), ("Capture Volume ZC Switch", .isOn(true), "1 1"),
                ("ALC Function", .item("Stereo"), "2"), ("ALC Function", .item("1-4 channels"), "1"),
                ("ALC Function", .isOn(false), "0"), ("ALC Function", .number(2), "2"),
            ])
        func set(_ name: String, _ value: MixerValue, _ expected: String) throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            try mixer.check(name, value)
            #expect(writes(bench) == [], "looking changes nothing")
            try mixer.set(name, to: value)
            #expect(writes(bench) == ["\(name) = \(expected)"])
        }

        @Test(
            "a value that a control cannot take is refused with what it takes",
            arguments: [
                ("HP Playback Volume", MixerValue.number(10), "It takes 0 to 9"),
                ("HP Playback Volume", .decibels(-3), "does not take decibels"),
                ("HP Playback Volume", .isOn(true), "does not take on or off"),
                ("HP Playback Switch", .percent(50), "It takes on or off"),
                ("HP Playback Switch", .item("loud"), "does not take 'loud'"),
                ("ALC Function", .item("Right"), "It takes 'Off', '1-4 channels', 'Stereo'"),
            ])
        func refused(_ name: String, _ value: MixerValue, _ words: String) throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            let error = failure { () throws(DeviceError) in try mixer.set(name, to: value) }
            #expect(
                error?.code == .invalidArgument && error?.message.contains(words) == true, "\(error?.message ?? "")")
            #expect(writes(bench) == [])
        }

        @Test("a control that is missing is named, with the one that was probably meant")
        func missing() throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            let error = failure { () throws(DeviceError) in try mixer.set("HP Playback Volme", to: .percent(50)) }
            #expect(error?.code == .noSuchControl)
            #expect(error?.context == "card 'hw:CARD=board' has no control 'HP Playback Volme'")
            #expect(
                error?.advice.hasPrefix("Did you mean 'HP Playback Volume'? 'amixer -D hw:CARD=board controls'") == true
            )
            withExtendedLifetime(bench) {}
        }

        @Test("a card that is not there is said")
        func noCard() throws {
            let bench = try bench()
            let error = failure { () throws(DeviceError) in _ = try Mixer.open("hw:CARD=other") }
            #expect(
                error?.code == .lost && error?.advice.contains("/proc/asound/cards") == true, "\(error?.message ?? "")")
            withExtendedLifetime(bench) {}
        }

        @Test(
            "a volume follows the decibels where the control knows them, and its steps where it does not",
            arguments: [
                // −12.04 dB below 0 dB, in steps of 0.5 dB, rounded up.
                (name: "PCM Playback Volume", percent: 50, top: MixerValue?.none, expected: "103 103"),
                (name: "PCM Playback Volume", percent: 100, top: nil, expected: "127 127"),
                (name: "PCM Playback Volume", percent: 0, top: nil, expected: "0 0"),
                // The same below −6 dB.
                (name: "PCM Playback Volume", percent: 50, top: .decibels(-6), expected: "91 91"),
                (name: "PCM Playback Volume", percent: 100, top: .percent(50), expected: "64 64"),
                (name: "HP Playback Volume", percent: 50, top: nil, expected: "4"),
                // Below the scale is the lowest step that is heard: the least is silence.
                (name: "HP DAC Playback Volume", percent: 1, top: nil, expected: "1 1"),
            ])
        func volume(_ name: String, _ percent: Int, _ top: MixerValue?, _ expected: String) throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            let part = Double(max(percent, 1)) / 100
            try mixer.setVolume(name, percent: percent, attenuationDecibels: -40 * log10(part), top: top)
            #expect(writes(bench) == ["\(name) = \(expected)"])
        }

        private func turn(_ line: String, _ bench: SoundBench) throws {
            let old = (try? bench.read("board.controls.log")) ?? []
            try bench.write("board.controls.log", old + Array((line + "\n").utf8))
        }

        @Test("a control that another program has turned shows where it stands and where it should")
        func difference() throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            try mixer.set("HP Playback Switch", to: .isOn(true))
            try mixer.set("ALC Function", to: .item("Stereo"))
            #expect(try mixer.difference("HP Playback Switch", from: .isOn(true)) == nil)
            try turn("HP Playback Switch = 1 0", bench)
            try turn("ALC Function = 1", bench)
            #expect(try mixer.difference("HP Playback Switch", from: .isOn(true)) == "on off, not on")
            #expect(try mixer.difference("ALC Function", from: .item("Stereo")) == "'1-4 channels ', not 'Stereo'")
            #expect(try mixer.difference("HP Playback Volume", from: .percent(100)) == "0, not 9")
        }

        @Test(
            "where a volume control stands is read by its decibels where it knows them, by its steps where not",
            arguments: [
                ("PCM Playback Volume = 103 90", MixerValue?.none, 81, 12.0 as Double?),
                ("PCM Playback Volume = 127 127", .none, 100, 0),
                ("PCM Playback Volume = 127 127", .decibels(-6), 100, 0), ("PCM Playback Volume = 0 0", .none, 0, 63.5),
                ("HP Playback Volume = 4", .none, 44, nil), ("HP Playback Volume = 0", .none, 0, nil),
            ])
        func reading(_ line: String, _ top: MixerValue?, _ percent: Int, _ attenuation: Double?) throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            try turn(line, bench)
            let name = String(line.prefix { $0 != "=" }.dropLast())
            let reading = try mixer.volume(name, top: top)
            #expect(reading.percent == percent && reading.attenuationDecibels == attenuation, "\(reading)")
        }

        @Test("a watch tells of the controls that matter, whoever turned them, and of each change once")
        func watch() throws {
            let bench = try bench()
            let mixer = try Mixer.open("hw:CARD=board")
            let watch = try MixerWatch("hw:CARD=board")
            let names = ["HP Playback Switch"]
            #expect(watch.drain(names) == .nothing)
            try mixer.set("HP Playback Volume", to: .percent(50))
            #expect(watch.drain(names) == .nothing, "nobody asked for that one")
            try turn("HP Playback Switch = 1 1", bench)
            var entry = pollfd(fd: watch.descriptor, events: Int16(POLLIN), revents: 0)
            #expect(poll(&entry, 1, 5_000) == 1)
            #expect(watch.drain(names) == .changed)
            #expect(watch.drain(names) == .nothing && poll(&entry, 1, 0) == 0)
            let error = failure { () throws(DeviceError) in _ = try MixerWatch("hw:CARD=other") }
            #expect(error?.code == .lost)
        }

        private func failure(_ body: () throws(DeviceError) -> Void) -> DeviceError? {
            do throws(DeviceError) {
                try body()
                return nil
            } catch { return error }
        }
    }
}

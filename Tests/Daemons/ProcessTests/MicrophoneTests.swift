import Foundation
import LinuxIO
import Testing
import WAVFile

/// Microphones that work and are not ideal, with the real puckd.
@Suite("Processes: microphones that are not ideal", .fewAtATime)
struct MicrophoneTests {
    /// Noise and words, of known levels, from a seed; values between −1 and 1.
    struct Room {
        var state: UInt32 = 77

        mutating func noise(_ decibels: Double, seconds: Double) -> [Double] {
            let amplitude = pow(10, decibels / 20) * 3.0.squareRoot()
            return (0..<Int(seconds * 16_000)).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return (Double(state >> 16) / 32_768 - 1) * amplitude
            }
        }

        /// A word of half a second, every `every` seconds, over a room.
        mutating func words(_ count: Int, _ decibels: Double, over room: Double, every: Double = 3) -> [Double] {
            var all: [Double] = []
            for _ in 0..<count {
                all += noise(room, seconds: every - 0.5) + noise(decibels, seconds: 0.5)
            }
            return all + noise(room, seconds: 1)
        }
    }

    private static func write(_ channels: [[Double]], to file: URL) throws {
        var samples: [Int16] = []
        for i in channels[0].indices {
            for channel in channels { samples.append(Int16(clamping: Int((channel[i] * 32_768).rounded()))) }
        }
        try Data(WAVFile(rate: 16_000, channels: channels.count, samples: samples).serialized())
            .write(to: file, options: .atomic)
    }

    /// A puck whose microphone plays this, from each opening on.
    private static func arguments(
        _ house: House, _ channels: [[Double]], loop: Bool = false, port: Int? = nil, hub: Bool = false,
        set: [String] = []
    ) async throws -> [String] {
        let arguments = try await house.configurePuck(
            token: hub ? nil : House.anyToken, port: port, microphone: loop ? .talking : .hearing([0]),
            set: ["wake.detector=level", "capture.remove_offset=yes"] + set)
        try write(channels, to: house.file("kitchen.wav"))
        return arguments
    }

    private static func start(_ house: House, _ arguments: [String]) throws -> Child {
        try house.start("puckd", arguments, name: "kitchen", devices: true)
    }

    private static func value(_ key: String, in status: String) -> String? {
        status.split(separator: " ").first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    private static func periods(_ house: House) async throws -> Int {
        Int(value("periods", in: try await house.control("status").output) ?? "") ?? -1
    }

    @Test(
        "Speech at −38 dBFS over any constant offset wakes, ends, and reaches the hub without it",
        arguments: [-40, -20, -1])
    func offset(_ decibels: Int) async throws {
        try await House.run { house in
            _ = try await house.hub()
            var room = Room()
            let level = pow(10, Double(decibels) / 20)
            // A converter that saturates: at −1 dBFS 0.11 of full scale is left for the sound.
            let sound = (room.noise(-70, seconds: 2.5) + room.noise(-38, seconds: 0.8) + room.noise(-70, seconds: 3))
                .map { $0 + level }
            let puck = try Self.start(
                house,
                try await Self.arguments(
                    house, [sound], loop: true, hub: true, set: ["endpoint.utterance_limit_ms=15000"]))
            try await puck.line("capture.judged", ["microphone": "offset", "advice": "constant offset"])
            let granted = try await puck.line("wake.granted")
            let conversation = granted["conversation"] ?? ""
            try await puck.line("uplink.end", ["reason": "endpoint"])
            let status = try await house.control("status").output
            let found = Double(Self.value("offset_db", in: status) ?? "") ?? 0
            #expect(abs(found - Double(decibels)) < 0.5, "\(status)")
            let heard = try await house.recording(conversation, "heard")
            let mean = heard.reduce(0.0) { $0 + Double($1) } / Double(max(1, heard.count))
            #expect(heard.count > 8000 && abs(mean) < 8, "\(mean) of \(heard.count)")
        }
    }

    @Test("--meter shows the true ratio over an offset, names it, and says what it does")
    func meter() async throws {
        try await House.run { house in
            var room = Room()
            let sound = room.words(4, -38, over: -70).map { $0 + 0.1 }
            let arguments = try await Self.arguments(house, [sound], loop: true)
            let meter = try house.start("puckd", arguments + ["--meter"], name: "meter", devices: true)
            try await eventually("no ratio above 25: \(meter.tail)") {
                meter.output.split(separator: "\n").contains { line in
                    guard let at = line.range(of: "SNR ") else { return false }
                    return Double(line[at.upperBound...].prefix { $0 != " " }) ?? 0 > 25
                }
            }
            try await eventually("no offset: \(meter.tail)") { meter.output.contains("offset -20.0 dBFS") }
            #expect(meter.output.contains("remove_offset"), "\(meter.output)")
            meter.signal(SIGINT)
            #expect(try await meter.exitStatus() == 0)
        }
    }

    @Test("Exact zeros at the start, in mid-stream and at a reopening wake nobody; the word behind them does")
    func zeros() async throws {
        try await House.run { house in
            var room = Room()
            var sound: [Double] = []
            for gap in [1.0, 0.1, 0.5, 0.25, 0.75] {
                sound += [Double](repeating: 0, count: Int(gap * 16_000)) + room.noise(-45, seconds: 1.2)
            }
            let quiet = sound.count
            sound += room.noise(-15, seconds: 0.6) + room.noise(-45, seconds: 20)
            // A device whose zeros are no silence, as by default.
            let puck = try Self.start(
                house, try await Self.arguments(house, [sound], set: ["capture.zeros_ms=2000"]))
            let opened = try await puck.line("capture.open")
            let first = try await puck.first(of: ["wake.ignored", "wake.candidate"])
            // The word, and nothing before it.
            #expect((first.seconds ?? 0) - (opened.seconds ?? 0) > Double(quiet) / 16_000 - 0.5, "\(puck.tail)")
            try house.fault("badfd")
            try await puck.line("capture.failed")
            puck.forgetThePast()
            try await puck.line("capture.open")
            let again = try await puck.first(of: ["wake.ignored", "wake.candidate"])
            #expect(again.seconds != nil)
            let wakes = puck.log.filter { $0.event == "wake.ignored" || $0.event == "wake.candidate" }.count
            #expect(wakes == 2, "one for each time that the word was said:\n\(puck.tail)")
        }
    }

    @Test("A microphone 40 dB too quiet wakes after three words, and log, status and doctor name what helps")
    func tooQuiet() async throws {
        try await House.run { house in
            var room = Room()
            let sound = room.words(8, -70, over: -89)
            let puck = try Self.start(house, try await Self.arguments(house, [sound], loop: true))
            try await puck.line("capture.judged", ["microphone": "quiet", "advice": "gain_db"])
            _ = try await puck.first(of: ["wake.ignored", "wake.candidate"])
            #expect(try await house.control("status").output.contains("microphone=quiet"))
            let doctor = try await house.control("doctor")
            #expect(doctor.output.contains("Speech is too quiet") && doctor.output.contains("[mixer]"), "\(doctor)")
        }
    }

    struct Flaw: CustomTestStringConvertible {
        let name: String
        let words: [String]
        var testDescription: String { name }
    }

    @Test(
        "puckd --check names an offset, a room too quiet to be one, clipping and a silent channel, and the key",
        arguments: [
            Flaw(name: "offset", words: ["constant offset of -20.0 dBFS", "remove_offset"]),
            Flaw(name: "quiet", words: ["[mixer]", "[capture] gain_db = 2"]),
            Flaw(name: "clipping", words: ["clipped by the converter", "[mixer]"]),
            Flaw(name: "overdriven", words: ["[capture] gain_db drives loud sounds beyond full scale"]),
            Flaw(name: "silent", words: ["every sample of channel 0 was 0", "channel = 1"]),
            Flaw(name: "fine", words: []),
        ])
    func check(_ flaw: Flaw) async throws {
        try await House.run { house in
            var room = Room()
            var channels = [room.noise(-60, seconds: 2)]
            var set: [String] = []
            switch flaw.name {
            case "offset": channels[0] = channels[0].map { $0 + 0.1 }
            case "quiet": channels[0] = room.noise(-85, seconds: 2)
            case "clipping": channels[0] = room.noise(3, seconds: 2)
            case "overdriven":
                channels[0] = room.noise(-20, seconds: 2)
                set.append("capture.gain_db=30")
            case "silent": channels.insert([Double](repeating: 0, count: channels[0].count), at: 0)
            default: break
            }
            let arguments = try await Self.arguments(house, channels, loop: true, set: set)
            let check = try await house.run("puckd", arguments + ["--check"], devices: true)
            let notes = check.output.split(separator: "\n").filter { $0.hasPrefix("note microphone") }
            #expect(notes.isEmpty == flaw.words.isEmpty, "\(check.output)")
            for word in flaw.words { #expect(notes.contains { $0.contains(word) }, "\(word): \(check.output)") }
        }
    }

    struct TooLoud: CustomTestStringConvertible {
        let name: String
        /// Of the words, dBFS.
        let level: Double
        let set: [String]
        let advice: String
        var testDescription: String { name }
    }

    private static let tooLoud = [
        TooLoud(name: "clipping", level: 0, set: [], advice: "lower the card's capture volume or boost in [mixer]"),
        TooLoud(
            name: "overdriven", level: -18, set: ["capture.gain_db=30"],
            advice: "[capture] gain_db drives loud sounds beyond full scale: lower it"),
    ]

    @Test(
        "Clipping, by the converter or by the gain, is named by log, status and doctor, with the key that helps",
        arguments: tooLoud)
    func clipping(_ flaw: TooLoud) async throws {
        try await House.run { house in
            var room = Room()
            let sound = room.words(2, flaw.level, over: -70, every: 1)
            let puck = try Self.start(house, try await Self.arguments(house, [sound], loop: true, set: flaw.set))
            try await puck.line("capture.judged", ["microphone": flaw.name, "advice": flaw.advice])
            #expect(try await house.control("status").output.contains("microphone=\(flaw.name)"))
            let doctor = try await house.run(
                "puckctl",
                [
                    "--socket", house.file("kitchen.control").path, "doctor", "--config",
                    house.file("kitchen.conf").path,
                ], devices: true)
            #expect(doctor.output.contains("warn microphone") && doctor.output.contains(flaw.advice), "\(doctor)")
        }
    }

    @Test("--meter names clipping, by the converter or by the gain, with the key that helps", arguments: tooLoud)
    func meterClipping(_ flaw: TooLoud) async throws {
        try await House.run { house in
            var room = Room()
            let sound = room.words(2, flaw.level, over: -70, every: 1)
            let arguments = try await Self.arguments(house, [sound], loop: true, set: flaw.set)
            let meter = try house.start("puckd", arguments + ["--meter"], name: "meter", devices: true)
            try await eventually("it is not named: \(meter.tail)") {
                meter.output.contains("dB  \(flaw.name)") && meter.output.contains(flaw.advice)
            }
            meter.signal(SIGINT)
            #expect(try await meter.exitStatus() == 0)
        }
    }

    @Test("Channels that come in another order at the next opening are noticed, and a silent one that is heard")
    func rotation() async throws {
        try await House.run { house in
            var room = Room()
            let channels = [
                room.noise(-50, seconds: 4).map { $0 + 0.02 }, room.noise(-50, seconds: 4),
                [Double](repeating: 0, count: 64_000), room.noise(-44, seconds: 4),
            ]
            let puck = try Self.start(
                house, try await Self.arguments(house, channels, loop: true, set: ["capture.channel=1"]))
            try await puck.line("capture.open")
            let before = try await Self.periods(house)
            // Two surveys of 0.8 s each.
            while try await Self.periods(house) < before + 80 {}
            #expect(try await house.control("status").output.contains("microphone=ok"))
            try house.fault("rotate 1")
            try house.fault("badfd")
            try await puck.line("capture.judged", ["microphone": "moved-channels", "advice": "moved up by 1"])
            try house.fault("rotate 2")
            try house.fault("badfd")
            // Now the second zero channel of the board is the one that is heard: places 0 and 3 + 2.
            try await puck.line("capture.judged", ["microphone": "moved-channels"])
            try house.fault("rotate 3")
            try house.fault("badfd")
            try await puck.line("capture.judged", ["microphone": "silent-channel", "advice": "[capture] channel = 2"])
        }
    }

    @Test("A television makes a puck slower to believe, which log and status say; the button works as ever")
    func television() async throws {
        try await House.run { house in
            _ = try await house.hub()
            var room = Room()
            // Words every 0.6 s, 16 dB over what is behind them: no pause is as long as the hangover.
            var sound: [Double] = []
            for _ in 0..<20 { sound += room.noise(-46, seconds: 0.25) + room.noise(-30, seconds: 0.35) }
            let puck = try Self.start(
                house,
                try await Self.arguments(
                    house, [sound], loop: true, hub: true,
                    set: ["endpoint.utterance_limit_ms=1000", "wake.refractory_ms=200", "wake.hangover_ms=100"]))
            try await puck.line("wake.doubt", ["step": "1", "detail": "television"])
            let limit = ContinuousClock.now + patience
            while !(try await house.control("status").output.contains("wake_doubt=2")) {
                if ContinuousClock.now > limit { throw Disappointment("no second step:\n\(puck.tail)") }
            }
            try await puck.line("wake.ignored", ["reason": "doubt"])
            try await house.wake(puck)
        }
    }
}

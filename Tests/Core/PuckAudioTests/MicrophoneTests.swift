import PuckBase
import Testing

@testable import PuckAudio

@Suite("Microphones that are not ideal")
struct MicrophoneTests {
    private static func findings(
        _ samples: [Int16], settling: Int = 300, zerosAreSilence: Bool = false
    ) -> (found: [WakeFinding], isQuiet: Bool) {
        var detector = LevelWakeDetector(.init(zerosAreSilence: zerosAreSilence), settlingMilliseconds: settling)
        var found: [WakeFinding] = []
        samples.withUnsafeBufferPointer { all in
            for at in stride(from: 0, to: all.count - 319, by: 320) {
                let part = UnsafeBufferPointer(rebasing: all[at..<at + 320])
                if let finding = detector.process(part, at: Int64(at)) { found.append(finding) }
            }
        }
        return (found, detector.hearsTooLittle)
    }

    private static func zeros(_ milliseconds: Int) -> [Int16] { [Int16](repeating: 0, count: milliseconds * 16) }

    @Test(
        "100 to 1,000 ms of exact zeros wake nobody: at the start, in mid-stream, again and again",
        arguments: [100, 105, 250, 500, 1000])
    func zeroGaps(_ gap: Int) {
        for seed in 1...10 {
            for room in [-62.0, -50, -40, -30] {
                var sound = Sound(seed: UInt64(seed))
                var samples = Self.zeros(gap) + sound.noise(room, milliseconds: 2000)
                for _ in 0..<3 {
                    samples += Self.zeros(gap) + sound.noise(room, milliseconds: 90 * seed)
                }
                samples += sound.noise(room, milliseconds: 2000)
                #expect(Self.findings(samples).found.isEmpty, "\(room) dB, seed \(seed)")
            }
        }
    }

    @Test("a word behind zeros is found, with the room's noise and not the zeros'", arguments: [100, 500, 1000, 5000])
    func wordBehindZeros(_ gap: Int) throws {
        var sound = Sound()
        let room = sound.noise(-55, milliseconds: 1500)
        let samples = room + Self.zeros(gap) + sound.noise(-55, milliseconds: 300) + sound.noise(-30, milliseconds: 500)
        let found = Self.findings(samples).found
        #expect(found.count == 1)
        #expect(abs(try #require(found.first).noiseDecibels + 55) < 4)
    }

    @Test("a settling transient and a click at the start wake nobody, and are not the room's noise")
    func settling() {
        var sound = Sound()
        let quiet = sound.noise(-58, milliseconds: 6000)
        let settling = quiet.enumerated().map { index, sample in
            // 0.3 s in which a supply settles: e^(−t / 60 ms) of half of full scale, through the high-pass filter.
            let time = Double(index) / 16
            var decay = 1.0
            for _ in 0..<Int(time / 60 * 10) { decay *= 0.904_8 }
            return Int16(clamping: Int(sample) + Int(2200 * decay))
        }
        #expect(Self.findings(settling).found.isEmpty)
        let click = sound.noise(-8, milliseconds: 250) + quiet
        #expect(Self.findings(click).found.isEmpty)
        // Half a second after its start a puck hears.
        let word = sound.noise(-58, milliseconds: 520) + sound.noise(-30, milliseconds: 400)
        #expect(Self.findings(word).found.count == 1)
    }

    @Test("a microphone that gates its noise to zeros still wakes")
    func gate() {
        var sound = Sound()
        var samples: [Int16] = []
        for _ in 0..<6 {
            samples += Self.zeros(4000) + sound.noise(-60, milliseconds: 60) + sound.noise(-28, milliseconds: 500)
            samples += sound.noise(-60, milliseconds: 300)
        }
        #expect(Self.findings(samples).found.count >= 4)
    }

    @Test(
        "where zeros are silence, the first word behind them is found, from its beginning",
        arguments: [600, 2000, 8000])
    func zerosAreSilence(_ silence: Int) throws {
        var sound = Sound()
        let samples = Self.zeros(silence) + sound.noise(-28, milliseconds: 600) + Self.zeros(1000)
        let found = Self.findings(samples, zerosAreSilence: true).found
        #expect(found.count == 1)
        #expect(abs(Int(try #require(found.first).onset) - silence * 16) <= 160)
    }

    @Test("a microphone 40 dB too quiet is found out after three words, and heard from the fourth on")
    func tooQuiet() throws {
        var sound = Sound()
        var samples = sound.noise(-88, milliseconds: 2000)
        for _ in 0..<6 { samples += sound.noise(-70, milliseconds: 400) + sound.noise(-88, milliseconds: 2000) }
        let result = Self.findings(samples)
        #expect(result.isQuiet)
        #expect(result.found.count >= 2 && result.found.count <= 3, "\(result.found)")
        #expect(abs(try #require(result.found.first).levelDecibels + 70) < 2)
    }

    @Test("a voice of the usual level says that the microphone is not too quiet; a rustle in a quiet room is no voice")
    func notTooQuiet() {
        var sound = Sound()
        let quiet = sound.noise(-78, milliseconds: 2000)
        var samples = quiet
        for i in 0..<12 {
            samples += sound.noise(i % 3 == 2 ? -40 : -60, milliseconds: 400) + quiet
        }
        let result = Self.findings(samples)
        #expect(!result.isQuiet && result.found.count == 4)
        samples = quiet
        for _ in 0..<12 { samples += sound.noise(-66, milliseconds: 400) + quiet }
        #expect(!Self.findings(samples).isQuiet)
    }

    @Test("the endpoint comes in time though zeros lie in the utterance")
    func endpoint() {
        var endpointer = Endpointer(.init(), noiseDecibels: nil)
        var end: (Endpointer.Endpoint, Int)?
        let levels =
            [Float](repeating: -50, count: 20) + [Float](repeating: -90, count: 25)
            + [Float](repeating: -25, count: 40) + [Float](repeating: -50, count: 200)
        for (index, level) in levels.enumerated() where end == nil {
            if let endpoint = endpointer.observe(packetLevelDecibels: level) { end = (endpoint, index) }
        }
        #expect(end?.0 == .endOfSpeech && (end?.1 ?? 999) < 20 + 25 + 40 + 40, "\(String(describing: end))")
    }
}

@Suite("A microphone's health")
struct MicrophoneHealthTests {
    /// Periods of 20 ms at 16 kHz. Returns how often the flaws changed.
    private func run(
        _ health: inout MicrophoneHealth, seconds: Double, offset: Double = 0, atLimit: Int = 0, overdriven: Int = 0,
        isQuiet: Bool = false
    ) -> Int {
        (0..<Int(seconds * 50)).filter { _ in
            health.take(
                frames: 320, offset: Int32(offset * 2_147_483_647), atLimit: atLimit, overdriven: overdriven,
                isQuiet: isQuiet, channels: .none)
        }.count
    }

    @Test("an offset is a flaw after a second, once, and none when it is gone")
    func offset() {
        var health = MicrophoneHealth(rate: 16_000)
        #expect(run(&health, seconds: 0.9, offset: 0.1) == 0)
        #expect(run(&health, seconds: 10, offset: -0.1) == 1 && health.flaws == .offset)
        #expect(run(&health, seconds: 10, offset: 0.007) == 0, "between the two limits nothing changes")
        #expect(run(&health, seconds: 10, offset: 0.004) == 1 && health.flaws == .none)
        #expect(run(&health, seconds: 10, offset: 0.007) == 0)
    }

    @Test("clipping is a flaw when it is repeated, for a minute after the last time")
    func clipping() {
        var health = MicrophoneHealth(rate: 16_000)
        for _ in 0..<20 {
            #expect(run(&health, seconds: 0.06, atLimit: 300) == 0, "a door slams")
            #expect(run(&health, seconds: 11) == 0)
        }
        #expect(run(&health, seconds: 1, atLimit: 5, overdriven: 40) == 1 && health.flaws == .clipping)
        #expect(run(&health, seconds: 59) == 0)
        #expect(run(&health, seconds: 2) == 1 && health.flaws == .none)
        #expect(run(&health, seconds: 1, overdriven: 9) == 1 && health.flaws == .overdriven)
        #expect(run(&health, seconds: 1, isQuiet: true) == 1 && health.flaws.contains(.quiet))
    }
}

@Suite("A device's channels")
struct ChannelSurveyTests {
    private struct Channel {
        /// RMS of its noise, and its offset, 0…1.
        var level = 0.001
        var offset = 0.0
    }

    /// Two seconds of an opening.
    private func survey(
        _ channels: [Channel], heard: Int = 0, previous: ChannelSurvey.Signature = .init(), seed: UInt64 = 1,
        factor: Double = 1
    ) -> ChannelSurvey {
        var random = SeededGenerator(seed: seed)
        var survey = ChannelSurvey(rate: 16_000, channels: channels.count, heard: heard, previous: previous)
        for _ in 0..<200 where survey.isDue(frames: 320) {
            for (index, channel) in channels.enumerated() {
                var (sum, squares) = (Int64(0), Int64(0))
                for _ in 0..<320 {
                    let noise = random.nextSigned() * 3.0.squareRoot() * channel.level * factor
                    let value = Int64(((noise + channel.offset) * 32_767).rounded())
                    sum += value
                    squares += value * value
                }
                survey.add(channel: index, frames: 320, sum: sum, sumOfSquares: squares)
            }
            survey.endPeriod()
        }
        return survey
    }

    private let board = [
        Channel(level: 0.002, offset: 0.03), Channel(level: 0.002), Channel(level: 0.003, offset: -0.01),
        Channel(level: 0), Channel(level: 0),
    ]

    @Test("an order that moves up by some places is noticed, and by how many", arguments: 0..<5)
    func moved(_ places: Int) {
        let first = survey(board)
        #expect(first.movedBy == 0 && first.flaws == .none)
        let rotated = board.indices.map { board[($0 + 5 - places) % 5] }
        let second = survey(rotated, heard: 1, previous: first.signature, seed: 9, factor: 6)
        #expect(second.movedBy == places)
        #expect(second.flaws.contains(.movedChannels) == (places != 0))
    }

    @Test("microphones that are alike, other noise and another room are no other order", arguments: 1...30)
    func same(_ seed: Int) {
        let alike = [Channel](repeating: Channel(level: 0.002), count: 4)
        let first = survey(alike, seed: UInt64(seed))
        let second = survey(alike, previous: first.signature, seed: UInt64(seed) + 100, factor: 20)
        #expect(second.flaws == .none)
        let other = survey(board, seed: UInt64(seed))
        #expect(survey(board, previous: other.signature, seed: 77, factor: 8).flaws == .none)
        #expect(survey(alike + [Channel()], previous: first.signature).flaws == .none, "another card")
    }

    @Test("a channel that is heard and silent, while another carries sound, is noticed until it is not")
    func silent() {
        let found = survey(board, heard: 3)
        #expect(found.flaws == .silentChannel && found.loudest == 2)
        #expect(survey(board, heard: 1).flaws == .none)
        #expect(survey(board, heard: -1).flaws == .none, "the mean of all")
        #expect(survey([Channel](repeating: Channel(level: 0), count: 3)).flaws == .none)
        #expect(survey([Channel(level: 0)]).flaws == .none)
    }
}

import PuckBase
import Resampler
import Testing

@testable import ALSADevice
@testable import PuckAudio

#if canImport(Glibc)
    import Glibc
#endif

/// The way of a microphone's samples at the rates that cards have: offset filter, resampler, wake detector, as in
/// `CaptureLoop`.
@Suite("Microphones that are not ideal, at the rates of cards")
struct ResampledDetectorTests {
    private static let rates = [16_000, 44_100, 48_000]

    /// A device's samples, values between −1 and 1, from a seed. What sounds in it lies within the 8 kHz that are heard.
    private struct Room {
        let rate: Int
        var random: SeededGenerator

        init(rate: Int, seed: Int = 1) {
            self.rate = rate
            random = SeededGenerator(seed: UInt64(seed))
        }

        mutating func noise(_ decibels: Double, milliseconds: Int) throws -> [Double] {
            let amplitude = 32_768 * pow(10, decibels / 20) * 3.0.squareRoot()
            let sound = (0..<milliseconds * 16).map { _ in
                Int16(clamping: Int((random.nextSigned() * amplitude).rounded()))
            }
            return try resampled(sound, from: 16_000, to: rate).map { Double($0) / 32_768 }
        }

        func zeros(_ milliseconds: Int) -> [Double] { [Double](repeating: 0, count: milliseconds * rate / 1000) }
    }

    private static func resampled(_ sound: [Int16], from: Int, to: Int) throws -> [Int16] {
        let resampler = try Resampler(from: from, to: to)
        defer { resampler.destroy() }
        var output = [Int16](repeating: 0, count: resampler.outputBound(for: sound.count))
        let count = sound.withUnsafeBufferPointer { input in
            output.withUnsafeMutableBufferPointer { resampler.process(input, into: $0) }
        }
        return Array(output[..<count])
    }

    /// What the detector finds, after 300 ms of settling, in periods of 20 ms.
    private static func findings(_ sound: [Double], rate: Int) throws -> (found: [WakeFinding], isQuiet: Bool) {
        var filter = OffsetFilter(rate: rate)
        let resampler = try Resampler(from: rate, to: 16_000)
        defer { resampler.destroy() }
        var detector = LevelWakeDetector(.init(), settlingMilliseconds: 300)
        let frames = rate / 50
        var device = [Int16](repeating: 0, count: frames)
        var converted = [Int16](repeating: 0, count: resampler.outputBound(for: frames))
        var found: [WakeFinding] = []
        var position: Int64 = 0
        for start in stride(from: 0, to: sound.count - frames + 1, by: frames) {
            let raw = sound[start..<start + frames].map { Int16(clamping: Int(($0 * 32_768).rounded())).littleEndian }
            raw.withUnsafeBytes { bytes in
                device.withUnsafeMutableBufferPointer { to in
                    filter.monoSamples(
                        from: bytes.baseAddress!, format: .s16, channels: 1, frames: frames, choice: .channel(0),
                        gain: unityGain, into: to.baseAddress!)
                }
            }
            let count = device.withUnsafeBufferPointer { input in
                converted.withUnsafeMutableBufferPointer { resampler.process(input, into: $0) }
            }
            converted.withUnsafeBufferPointer { all in
                let samples = UnsafeBufferPointer(rebasing: all[..<count])
                if let finding = detector.process(samples, at: position) { found.append(finding) }
            }
            position += Int64(count)
        }
        return (found, detector.hearsTooLittle)
    }

    @Test("speech at −38 dBFS over any constant offset is found once, over the room's noise", arguments: rates)
    func offset(_ rate: Int) throws {
        for decibels in [-90.0, -40, -20, -1] {
            var room = Room(rate: rate)
            let sound =
                try room.noise(-70, milliseconds: 2500) + room.noise(-38, milliseconds: 800)
                + room.noise(-70, milliseconds: 3000)
            for sign in [1.0, -1] {
                let offset = sign * pow(10, decibels / 20)
                let found = try Self.findings(sound.map { $0 + offset }, rate: rate).found
                #expect(found.count == 1, "\(offset): \(found)")
                let first = try #require(found.first)
                #expect(abs(first.levelDecibels + 38) < 2 && abs(first.noiseDecibels + 70) < 4, "\(offset): \(first)")
            }
        }
    }

    @Test(
        "100 to 1,000 ms of exact zeros wake nobody, with an offset or without: at the start, in mid-stream, repeatedly",
        arguments: rates)
    func zeros(_ rate: Int) throws {
        for gap in [100, 105, 250, 500, 1000] {
            for (seed, level) in [-62.0, -50, -40, -30].enumerated() {
                for offset in [0, 0.05] {
                    var room = Room(rate: rate, seed: seed + 1)
                    var sound = try room.zeros(gap) + room.noise(level, milliseconds: 2000).map { $0 + offset }
                    for part in 1...3 {
                        sound += room.zeros(gap)
                        sound += try room.noise(level, milliseconds: 90 * part).map { $0 + offset }
                    }
                    sound += try room.noise(level, milliseconds: 2000).map { $0 + offset }
                    let found = try Self.findings(sound, rate: rate).found
                    #expect(found.isEmpty, "\(gap) ms, \(level) dB, offset \(offset): \(found)")
                }
            }
        }
    }

    @Test("a word behind zeros is found, with the room's noise and not the zeros'", arguments: rates)
    func wordBehindZeros(_ rate: Int) throws {
        for gap in [100, 500, 1000, 5000] {
            var room = Room(rate: rate)
            let sound =
                try room.noise(-55, milliseconds: 1500) + room.zeros(gap) + room.noise(-55, milliseconds: 300)
                + room.noise(-30, milliseconds: 500)
            let found = try Self.findings(sound, rate: rate).found
            #expect(found.count == 1, "\(gap): \(found)")
            #expect(abs(try #require(found.first).noiseDecibels + 55) < 4, "\(gap): \(found)")
        }
    }

    @Test("a supply that settles and a click at the start wake nobody, and are not the room's noise", arguments: rates)
    func settling(_ rate: Int) throws {
        var room = Room(rate: rate)
        let quiet = try room.noise(-58, milliseconds: 6000)
        let settling = quiet.enumerated().map { $0.element + 0.5 * exp(-Double($0.offset) / Double(rate) / 0.06) }
        #expect(try Self.findings(settling, rate: rate).found.isEmpty)
        #expect(try Self.findings(room.noise(-8, milliseconds: 250) + quiet, rate: rate).found.isEmpty)
        let word = try room.noise(-58, milliseconds: 560) + room.noise(-30, milliseconds: 400)
        #expect(try Self.findings(word, rate: rate).found.count == 1)
    }

    @Test("a microphone 40 dB too quiet is found out after three words, and heard from the fourth on", arguments: rates)
    func tooQuiet(_ rate: Int) throws {
        var room = Room(rate: rate)
        var sound = try room.noise(-88, milliseconds: 2000)
        for _ in 0..<6 {
            sound += try room.noise(-70, milliseconds: 400)
            sound += try room.noise(-88, milliseconds: 2000)
        }
        let result = try Self.findings(sound, rate: rate)
        #expect(result.isQuiet)
        #expect(result.found.count >= 2 && result.found.count <= 3, "\(result.found)")
        #expect(abs(try #require(result.found.first).levelDecibels + 70) < 2, "\(result.found)")
    }
}

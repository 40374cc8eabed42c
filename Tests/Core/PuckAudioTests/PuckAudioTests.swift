import AudioRing
import PuckBase
import Testing

@testable import PuckAudio

/// Noise and tones of known level, from a seed.
struct Sound {
    var generator: SeededGenerator
    var phase = 0.0

    init(seed: UInt64 = 1) { generator = SeededGenerator(seed: seed) }

    /// White noise with this mean level.
    mutating func noise(_ decibels: Double, milliseconds: Int) -> [Int16] {
        let amplitude = 32_768 * exp10(decibels / 20) * 3.0.squareRoot()  // uniform: peak is √3 above RMS
        return (0..<milliseconds * 16).map { _ in Int16(clamping: Int((generator.nextSigned() * amplitude).rounded())) }
    }

    private func exp10(_ x: Double) -> Double {
        var result = 1.0
        let whole = Int(x.rounded(.down))
        for _ in 0..<abs(whole) { result *= whole > 0 ? 10 : 0.1 }
        // The fraction by its series: e^(f ln 10).
        let f = (x - Double(whole)) * 2.302_585_092_994_046
        var term = 1.0
        var sum = 1.0
        for n in 1..<20 {
            term *= f / Double(n)
            sum += term
        }
        return result * sum
    }
}

private func findings(
    _ samples: [Int16], block: Int = 320, _ parameters: LevelWakeDetector.Parameters = .init()
) -> [WakeFinding] {
    var detector = LevelWakeDetector(parameters)
    var found: [WakeFinding] = []
    samples.withUnsafeBufferPointer { all in
        var position = 0
        while position < all.count {
            let end = min(position + block, all.count)
            let slice = UnsafeBufferPointer(rebasing: all[position..<end])
            if let finding = detector.process(slice, at: Int64(position)) { found.append(finding) }
            position = end
        }
    }
    return found
}

@Suite("Levels")
struct LevelTests {
    @Test("a full-scale square wave is 0 dB, silence is −90 dB, half amplitude is 6 dB less")
    func known() {
        let full = [Int16](repeating: -32_768, count: 320)
        let half = [Int16](repeating: 16_384, count: 320)
        let silence = [Int16](repeating: 0, count: 320)
        #expect(abs(full.withUnsafeBufferPointer { Level.decibels($0) }) < 0.001)
        #expect(abs(half.withUnsafeBufferPointer { Level.decibels($0) } + 6.02) < 0.01)
        #expect(silence.withUnsafeBufferPointer { Level.decibels($0) } == -90)
        #expect(Level.decibels(energy: 0, count: 0) == -90)
    }

    @Test("noise of a known level measures as that level", arguments: [-70.0, -50, -30, -10])
    func noise(_ decibels: Double) {
        var sound = Sound()
        let samples = sound.noise(decibels, milliseconds: 500)
        let measured = Double(samples.withUnsafeBufferPointer { Level.decibels($0) })
        #expect(abs(measured - decibels) < 0.3)
    }
}

@Suite("Noise floor")
struct NoiseFloorTests {
    private func floor(after levels: [Float]) -> Float {
        var floor = NoiseFloor()
        for level in levels { floor.observe(levelDecibels: level) }
        return floor.decibels
    }

    @Test("a sentence with gaps does not lift it")
    func speech() {
        var levels = [Float](repeating: -60, count: 200)
        for _ in 0..<10 { levels += [Float](repeating: -25, count: 40) + [Float](repeating: -60, count: 15) }
        #expect(abs(floor(after: levels) + 60) < 3)
    }

    @Test("a fan that is switched on is the new floor within two seconds")
    func step() {
        let levels = [Float](repeating: -60, count: 200) + [Float](repeating: -40, count: 200)
        #expect(abs(floor(after: levels) + 40) < 2)
    }

    @Test("digital silence counts as a very quiet room, not as minus infinity")
    func digitalSilence() { #expect(floor(after: [Float](repeating: -90, count: 100)) == -88) }
}

@Suite("Level wake detector")
struct WakeDetectorTests {
    @Test("finds speech once, with its onset within 10 ms, its level and its noise")
    func onset() throws {
        var sound = Sound()
        let samples =
            sound.noise(-60, milliseconds: 1000) + sound.noise(-30, milliseconds: 600)
            + sound.noise(-60, milliseconds: 1000)
        let found = findings(samples)
        #expect(found.count == 1)
        let finding = try #require(found.first)
        #expect(abs(finding.onset - 16_000) <= 160)
        #expect(abs(finding.levelDecibels + 30) < 1)
        #expect(abs(finding.noiseDecibels + 60) < 3)
        #expect(finding.confidence > 0.8)
    }

    @Test("the block length does not change what is found", arguments: [1, 7, 160, 320, 1024])
    func blocks(_ block: Int) {
        var sound = Sound(seed: 3)
        let samples = sound.noise(-55, milliseconds: 700) + sound.noise(-25, milliseconds: 400)
        #expect(findings(samples, block: block) == findings(samples, block: 320))
    }

    @Test("a click is not a word")
    func click() {
        var sound = Sound()
        let samples =
            sound.noise(-60, milliseconds: 1000) + sound.noise(-10, milliseconds: 30)
            + sound.noise(-60, milliseconds: 1000)
        #expect(findings(samples).isEmpty)
    }

    @Test("speech below the threshold, and noise that goes on for ever, wake nobody")
    func quiet() {
        var sound = Sound()
        #expect(findings(sound.noise(-40, milliseconds: 10_000)).isEmpty)
        let soft = sound.noise(-60, milliseconds: 1000) + sound.noise(-54, milliseconds: 1000)
        #expect(findings(soft).isEmpty)
    }

    @Test("it rearms after the hangover, not before the refractory time")
    func rearms() {
        var sound = Sound()
        var samples = sound.noise(-60, milliseconds: 1000)
        for _ in 0..<3 { samples += sound.noise(-30, milliseconds: 400) + sound.noise(-60, milliseconds: 600) }
        // Words 1 s apart: the second comes within 1.5 s of the first, the third after it.
        #expect(findings(samples).count == 2)
    }

    @Test("a fan switched on is one wake, not a wake for ever")
    func fan() {
        var sound = Sound()
        let samples =
            sound.noise(-60, milliseconds: 1000) + sound.noise(-35, milliseconds: 6000)
            + sound.noise(-15, milliseconds: 500)
        let found = findings(samples)
        #expect(found.count == 2, "the fan, and the voice over the fan")
    }
}

@Suite("Endpointer")
struct EndpointerTests {
    private func end(_ levels: [(Float, Int)], noise: Float? = -60) -> (Endpointer.Endpoint?, Int) {
        var endpointer = Endpointer(.init(), noiseDecibels: noise)
        var elapsed = 0
        for (level, milliseconds) in levels {
            for _ in 0..<milliseconds / 20 {
                elapsed += 20
                if let endpoint = endpointer.observe(packetLevelDecibels: level) { return (endpoint, elapsed) }
            }
        }
        return (nil, elapsed)
    }

    @Test("ends 700 ms after the last speech, and not in a gap of 600 ms")
    func hangover() {
        let (endpoint, elapsed) = end([(-30, 500), (-60, 600), (-30, 500), (-60, 3000)])
        #expect(endpoint == .endOfSpeech)
        #expect(elapsed == 500 + 600 + 500 + 700)
    }

    @Test("gives up after 5 s in which nobody spoke")
    func noSpeech() {
        let (endpoint, elapsed) = end([(-60, 20_000)])
        #expect(endpoint == .noSpeech && elapsed == 5000)
    }

    @Test("cuts an utterance at 15 s")
    func tooLong() {
        var levels: [(Float, Int)] = []
        for _ in 0..<40 { levels += [(-30, 400), (-58, 100)] }
        let (endpoint, elapsed) = end(levels)
        #expect(endpoint == .tooLong && elapsed == 15_000)
    }

    @Test("a fan that starts in mid-sentence does not hold the microphone open")
    func fan() {
        let (endpoint, elapsed) = end([(-30, 500), (-45, 14_000)])
        #expect(endpoint == .endOfSpeech)
        #expect(elapsed < 4000)
    }
}

@Suite("Preroll")
struct PrerollTests {
    @Test("starts at or before the wanted place, at a packet border that ends with a period")
    func aligned() {
        for onset in stride(from: Int64(20_000), to: 20_400, by: 7) {
            let newest: Int64 = 22_080
            let start = Preroll.start(onset: onset, prerollSamples: 4800, newest: newest, oldest: 8000, packet: 320)
            #expect((newest - start) % 320 == 0)
            #expect(start <= onset - 4800 && start > onset - 4800 - 320)
        }
    }

    @Test("never asks for what the ring no longer has, nor for what has not come yet")
    func bounds() {
        #expect(Preroll.start(onset: 100, prerollSamples: 4800, newest: 640, oldest: 0, packet: 320) == 0)
        #expect(Preroll.start(onset: 9000, prerollSamples: 4800, newest: 24_000, oldest: 8320, packet: 320) >= 8320)
        #expect(Preroll.start(onset: 640, prerollSamples: 0, newest: 640, oldest: 0, packet: 320) == 640)
    }
}

@Suite("Earcons")
struct EarconTests {
    @Test(
        "are as loud as asked, begin and end in silence, and are shorter than half a second", arguments: Earcon.allCases
    )
    func shape(_ earcon: Earcon) {
        let samples = earcon.samples(levelDecibels: -12)
        let peak = samples.map { abs(Int($0)) }.max() ?? 0
        #expect(abs(Double(peak) - 32_767 * 0.2512) < 100)
        #expect(samples.first == 0 && abs(Int(samples.last ?? 99)) < 5)
        #expect(samples.count == earcon.notes.map { $0.milliseconds * 16 }.reduce(0, +))
        #expect(samples.count <= 8000)
    }

    @Test("differ from one another") func distinct() {
        #expect(Set(Earcon.allCases.map { $0.samples(levelDecibels: -12) }).count == Earcon.allCases.count)
    }
}

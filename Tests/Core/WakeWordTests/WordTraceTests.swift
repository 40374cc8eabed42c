import Testing

@testable import PuckAudio
@testable import WakeWord

@Suite("Wake words: where the word was")
struct WordTraceTests {
    private var state: UInt32 = 0x1234_5678

    /// Sound of one level: noise, as speech is in its level's course.
    private mutating func sound(milliseconds: Int, amplitude: Int) -> [Int16] {
        (0..<milliseconds * 16).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int16(Int(state >> 16) % (2 * amplitude + 1) - amplitude)
        }
    }

    private func hear(_ samples: [Int16], _ trace: inout WordTrace, from position: Int64 = 0) {
        samples.withUnsafeBufferPointer { buffer in
            for start in stride(from: 0, to: buffer.count - 159, by: 160) {
                trace.hear(buffer.baseAddress! + start, end: position + Int64(start + 160))
            }
        }
    }

    @Test("After a pause onset and end are where the level rose and fell, to 20 ms, stops within the word included")
    mutating func paused() {
        var samples = sound(milliseconds: 2000, amplitude: 30)
        let onset = Int64(samples.count)
        samples += sound(milliseconds: 300, amplitude: 3000)
        samples += sound(milliseconds: 120, amplitude: 30)
        samples += sound(milliseconds: 280, amplitude: 3000)
        let end = Int64(samples.count)
        samples += sound(milliseconds: 150, amplitude: 30)
        var trace = WordTrace()
        hear(samples, &trace)
        let word = trace.word()
        #expect(word.hasPaused)
        #expect(abs(word.onset - onset) <= 320, "\(word.onset - onset)")
        #expect(word.end >= end - 80 && word.end - end <= 320, "\(word.end - end)")
        #expect(abs(word.noiseDecibels - Level.decibels(amplitude: 17.3 / 32_768)) < 3, "\(word.noiseDecibels)")
        #expect(abs(word.levelDecibels - Level.decibels(amplitude: 1732 / 32_768)) < 2, "\(word.levelDecibels)")
        #expect(word.envelope.count == OnsetEnvelope.mostSteps)
        // 60 ms of room, and then the word.
        #expect(word.envelope[..<8].allSatisfy { $0 < -55 } && word.envelope[16...].allSatisfy { $0 > -35 })
    }

    @Test("Without a pause the recording begins before the latest end of a word, and the onset is still the word's")
    mutating func joined() {
        var samples = sound(milliseconds: 2000, amplitude: 30)
        let onset = Int64(samples.count)
        samples += sound(milliseconds: 900, amplitude: 3000)
        var trace = WordTrace()
        hear(samples, &trace)
        let word = trace.word()
        #expect(!word.hasPaused && abs(word.onset - onset) <= 320)
        #expect(word.end == Int64(samples.count) - Int64(WordTrace.latestDetectionMilliseconds * 16))
    }

    @Test("Somebody who speaks without a pause: the word begins where he was weakest, and within a second and a half")
    mutating func endless() {
        var samples = sound(milliseconds: 2000, amplitude: 3000)
        samples += sound(milliseconds: 40, amplitude: 1000)
        let onset = Int64(samples.count)
        samples += sound(milliseconds: 800, amplitude: 3000)
        var trace = WordTrace()
        hear(samples, &trace)
        #expect(abs(trace.word().onset - onset) <= 960, "\(trace.word().onset - onset)")
    }

    @Test("A gap in what is heard is no silence: what was before it is forgotten, and positions go on behind it")
    mutating func gap() {
        var trace = WordTrace()
        hear(sound(milliseconds: 1000, amplitude: 3000), &trace)
        trace.restart()
        hear(sound(milliseconds: 100, amplitude: 3000), &trace, from: 1_000_000)
        let word = trace.word()
        #expect(word.onset >= 1_000_000 && word.onset <= 1_000_160 && word.end >= 1_000_000)
        var empty = WordTrace()
        hear([Int16](repeating: 0, count: 160), &empty)
        #expect(empty.word().envelope == [])
    }
}

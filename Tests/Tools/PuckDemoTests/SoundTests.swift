import Foundation
import PuckBase
import Testing

@testable import puckdemo

/// Something like speech: syllables of 180 ms with harmonics, a pause of 60 ms after each.
private func makeVoice(seconds: Double, seed: UInt64 = 1) -> [Int16] {
    var generator = SeededGenerator(seed: seed)
    var voice: [Int16] = []
    while Double(voice.count) < seconds * 16_000 {
        let pitch = 140 + 60 * generator.nextSigned()
        let formant = 1200 + 700 * generator.nextSigned()
        for i in 0..<2880 {
            let t = Double(i) / 16_000
            let envelope = sin(.pi * Double(i) / 2880)
            let sound = sin(2 * .pi * pitch * t) + 0.7 * sin(2 * .pi * formant * t) + 0.1 * generator.nextSigned()
            voice.append(Int16(9000 * envelope * sound))
        }
        voice += [Int16](repeating: 0, count: 960)
    }
    return voice
}

private let kitchen = Position(name: "kitchen", delayMilliseconds: 0, levelDecibels: -6, noiseDecibels: -62)
private let hall = Position(name: "hall", delayMilliseconds: 9, levelDecibels: -14, noiseDecibels: -60)

@Suite("Room mix")
struct RoomMixTests {
    @Test("is the same on every run, and another in every position")
    func repeatable() {
        let voice = makeVoice(seconds: 0.5)
        #expect(
            RoomMix(voice: voice, at: kitchen, secondsAfter: 1) == RoomMix(voice: voice, at: kitchen, secondsAfter: 1))
        #expect(RoomMix(voice: voice, at: kitchen, secondsAfter: 1) != RoomMix(voice: voice, at: hall, secondsAfter: 1))
    }

    @Test("has the position's delay, level and noise, and no dead silence")
    func asConfigured() {
        let voice = makeVoice(seconds: 1)
        let near = RoomMix(voice: voice, at: kitchen, secondsAfter: 2)
        let far = RoomMix(voice: voice, at: hall, secondsAfter: 2)
        #expect(far.speech.lowerBound - near.speech.lowerBound == 144)
        let peak = near.samples.map { abs(Int($0)) }.max() ?? 0
        #expect(abs(20 * log10(Double(peak) / 32_768) + 6) < 0.2)
        let noise = RoomMix.levels(of: Array(near.samples[..<16_000]))
        let mean = (noise.map { $0 * $0 }.reduce(0, +) / Double(noise.count)).squareRoot()
        #expect(abs(20 * log10(mean / 32_768) + 62) < 0.5)
        #expect(noise.allSatisfy { $0 > 0 })
        #expect(near.samples.count == 32_000 + voice.count + 32_000)
    }

    @Test("finds where speech begins and ends, and nothing in silence")
    func speechRange() {
        let quiet = [Int16](repeating: 0, count: 3200)
        let range = RoomMix.speechRange(of: quiet + makeVoice(seconds: 1) + quiet)
        #expect((3200...3520).contains(range.lowerBound))
        #expect(RoomMix.speechRange(of: quiet).isEmpty)
        #expect(RoomMix.speechRange(of: []).isEmpty)
    }
}

@Suite("Comparison with the microphone")
struct ComparisonTests {
    let voice = makeVoice(seconds: 1.5)
    var mix: RoomMix { RoomMix(voice: voice, at: kitchen, secondsAfter: 1) }

    @Test("finds an exact excerpt at its place, with nothing missing")
    func excerpt() {
        let mix = mix
        let heard = Array(mix.samples[(mix.speech.lowerBound - 4800)..<(mix.speech.upperBound + 9600)])
        let result = Comparison(heard: heard, reference: mix.samples, speech: mix.speech)
        #expect(result.offset == mix.speech.lowerBound - 4800)
        #expect(result.segmentalSNR > 25)
        #expect(result.missingFrames == 0)
        #expect(result.speechFrames > 40)
    }

    @Test("measures added noise as what it is")
    func noisy() {
        let mix = mix
        var generator = SeededGenerator(seed: 9)
        let heard = mix.samples[20_000...].map {
            Int16(max(-32_768, min(32_767, Double($0) + 400 * generator.nextSigned())))
        }
        let result = Comparison(heard: heard, reference: mix.samples, speech: mix.speech)
        #expect(result.offset == 20_000)
        #expect((5..<30).contains(result.segmentalSNR))
    }

    @Test("another utterance is below the bound by far")
    func another() {
        let mix = mix
        let other = RoomMix(voice: makeVoice(seconds: 1.5, seed: 77), at: kitchen, secondsAfter: 1)
        let result = Comparison(
            heard: Array(other.samples[27_200...]), reference: mix.samples, speech: mix.speech)
        #expect(result.segmentalSNR < Verdict.leastSegmentalSNR - 3)
    }

    @Test("a beginning that was cut off is counted as missing, a hole as the worst frame")
    func damaged() {
        let mix = mix
        let late = Comparison(
            heard: Array(mix.samples[(mix.speech.lowerBound + 3200)...]), reference: mix.samples, speech: mix.speech)
        #expect(late.missingFrames >= 5)
        var holed = Array(mix.samples[(mix.speech.lowerBound - 4800)...])
        for i in 4800 + 1280..<4800 + 1600 { holed[i] = Int16(truncatingIfNeeded: -Int(holed[i])) }
        let result = Comparison(heard: holed, reference: mix.samples, speech: mix.speech)
        #expect(result.missingFrames == 0)
        #expect(result.worstSNR < Verdict.leastWorstSNR)
    }
}

@Suite("What a loudspeaker played")
struct PlaybackTests {
    let answer: [Int16] = [0, 0, 5, -3, 7, 0, 2, 9, 0]
    let earcon: [Int16] = [1, 2, 5, -1]

    @Test("the answer is found behind an earcon and silence, and in front of silence")
    func found() {
        let played = Playback(recorded: earcon + [0, 0] + answer + [0, 0, 0], answer: answer)
        #expect(played.answerAt == 6)
        #expect(played.soundBefore == 4)
        #expect(played.soundAfter == 0)
    }

    @Test("one wrong sample, a gap and a missing end are not the answer")
    func different() {
        var wrong = answer
        wrong[6] += 1
        #expect(Playback(recorded: earcon + wrong, answer: answer).answerAt == nil)
        #expect(Playback(recorded: earcon + wrong, answer: answer).longestMatch == 4)
        #expect(Playback(recorded: answer[..<5] + [0, 0] + answer[5...], answer: answer).answerAt == nil)
        #expect(Playback(recorded: Array(answer.dropLast(2)), answer: answer).answerAt == nil)
        #expect(Playback(recorded: [], answer: answer).answerAt == nil)
    }

    @Test("sound after the answer is counted")
    func after() {
        #expect(Playback(recorded: answer + [0, 4, 4], answer: answer).soundAfter == 2)
    }

    @Test("a silent answer is nowhere")
    func silent() {
        #expect(Playback(recorded: [0, 0, 0], answer: [0, 0]).answerAt == nil)
    }
}

import Foundation
import Testing

@testable import PuckAudio

@Suite("An earcon in what is recorded")
struct EarconFilterTests {
    private func filtered(_ samples: [Int16], _ earcon: Earcon) -> [Int16] {
        var filter = EarconFilter()
        filter.add(earcon.frequencies)
        var samples = samples
        // In packets, as it is used.
        for start in stride(from: 0, to: samples.count, by: 320) {
            samples[start..<min(start + 320, samples.count)].withUnsafeMutableBufferPointer { filter.process($0) }
        }
        return samples
    }

    private func decibels(_ samples: [Int16]) -> Double {
        let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, samples.count))
        return 10 * log10(max(power, 1e-9) / (32_768.0 * 32_768))
    }

    /// As a room gives it back: late, twice, and fading.
    private func heard(_ earcon: Earcon) -> [Int16] {
        let dry = earcon.samples(levelDecibels: -12)
        return (0..<dry.count + 4000).map { i in
            let echoes = [(531, 0.6), (1270, 0.3), (2411, 0.1)].map { delay, gain in
                dry.indices.contains(i - delay) ? gain * Double(dry[i - delay]) : 0
            }
            return Int16(echoes.reduce(0, +))
        }
    }

    @Test("is at least 16 dB quieter, whatever the room does to it", arguments: Earcon.allCases)
    func removed(_ earcon: Earcon) {
        let before = heard(earcon)
        let after = filtered(before, earcon)
        #expect(decibels(before) - decibels(after) >= 16, "\(decibels(before)) to \(decibels(after))")
    }

    @Test("a voice over it is left nearly as it was")
    func voice() {
        // Ten harmonics of 120 Hz, falling as a voice's do.
        let voice = (0..<16_000).map { i in
            let sum = (1...20).reduce(0.0) { $0 + sin(2 * .pi * 120 * Double($1) * Double(i) / 16_000) / Double($1) }
            return Int16(sum * 4000)
        }
        let after = filtered(voice, .listening)
        #expect(abs(decibels(voice) - decibels(after)) < 1)
        // Nothing rings on or is amplified.
        #expect(after.map { abs(Int($0)) }.max()! < 2 * voice.map { abs(Int($0)) }.max()!)
    }

    @Test("silence stays silence, and the loudest samples do not overflow")
    func extremes() {
        #expect(filtered([Int16](repeating: 0, count: 1000), .failed).allSatisfy { $0 == 0 })
        _ = filtered((0..<2000).map { $0 / 12 % 2 == 0 ? .max : .min }, .listening)
        var filter = EarconFilter()
        for earcon in Earcon.allCases { filter.add(earcon.frequencies) }
        var samples = [Int16](repeating: 1000, count: 320)
        samples.withUnsafeMutableBufferPointer { filter.process($0) }
    }
}

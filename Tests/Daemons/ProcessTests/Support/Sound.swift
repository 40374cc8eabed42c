import Testing
import Foundation
import WAVFile

/// What microphones hear in these tests: made of numbers, the same in every run.
enum Sound {
    static let rate = 16_000

    /// A room in which nobody speaks, at −62 dB.
    static func noise(seconds: Double, rate: Int = rate) -> [Int16] {
        var state: UInt32 = 0x1234_5678
        return (0..<Int(seconds * Double(rate))).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int16(truncatingIfNeeded: Int(state >> 16) % 90 - 45)
        }
    }

    /// Five harmonics of 150 Hz over the noise: as loud as speech, and never silent.
    /// - Parameter level: the peak, 0…1.
    static func voice(seconds: Double, level: Double = 0.3) -> [Int16] {
        noise(seconds: seconds).enumerated().map { index, quiet in
            let time = Double(index) / Double(rate)
            let sum = (1...5).reduce(0.0) { $0 + sin(2 * .pi * 150 * Double($1) * time) / Double($1) }
            return Int16(clamping: Int(sum * level * 14_000) + Int(quiet))
        }
    }

    static func write(_ samples: [Int16], to file: URL, rate: Int = rate) throws {
        try Data(WAVFile(rate: rate, channels: 1, samples: samples).serialized()).write(to: file)
    }

    /// Empty when there is no whole file yet.
    static func read(_ file: URL) -> [Int16] {
        guard let data = try? Data(contentsOf: file), let wave = try? WAVFile(parsing: [UInt8](data)) else { return [] }
        return wave.samples
    }

    /// Without the silence at both ends: what a loudspeaker's last, incomplete period was filled up with.
    /// What the loudspeaker played is what was sent, silence before and after it left out.
    static func expectEqual(_ spoken: [Int16], _ sent: [Int16], _ log: @autoclosure () -> String) {
        let a = Array(trimmed(spoken))
        let b = Array(trimmed(sent))
        #expect(!b.isEmpty, "nothing was sent")
        if a == b { return }
        let at = zip(a, b).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(a.count, b.count)
        Issue.record("played \(a.count) samples, sent \(b.count), different from \(at) on; the puck said:\n\(log())")
    }

    /// The largest sample, without its sign.
    static func peak(_ samples: ArraySlice<Int16>) -> Int { samples.map { abs(Int($0)) }.max() ?? 0 }

    static func trimmed(_ samples: [Int16]) -> ArraySlice<Int16> {
        guard let first = samples.firstIndex(where: { $0 != 0 }), let last = samples.lastIndex(where: { $0 != 0 })
        else { return [] }
        return samples[first...last]
    }
}

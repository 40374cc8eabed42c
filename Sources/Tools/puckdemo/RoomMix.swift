import Foundation
import PuckBase

/// Where a puck stands, as seen from the person who speaks.
struct Position: Equatable, Sendable {
    var name: String
    /// How much later than at the nearest puck the voice arrives; sound travels 34 cm in 1 ms.
    var delayMilliseconds: Double
    /// The voice's peak, dB full scale.
    var levelDecibels: Double
    /// The room's noise, RMS, dB full scale. Below −56, so that noise alone never is a wake (minimum_level_db).
    var noiseDecibels: Double

    /// Whether the voice is there at all: 16 bits hold no less.
    var isInEarshot: Bool { levelDecibels > -90 }

    /// A flat: the person stands in the kitchen.
    static let flat = [
        Position(name: "kitchen", delayMilliseconds: 0, levelDecibels: -6, noiseDecibels: -62),
        Position(name: "hall", delayMilliseconds: 9, levelDecibels: -14, noiseDecibels: -60),
        Position(name: "living-room", delayMilliseconds: 21, levelDecibels: -20, noiseDecibels: -58),
        // Out of earshot.
        Position(name: "cellar", delayMilliseconds: 40, levelDecibels: -120, noiseDecibels: -62),
    ]
}

/// What one microphone hears: noise, the sentence, noise.
struct RoomMix: Equatable {
    static let rate = 16_000
    /// The noise floor looks back 1.6 s in windows of 0.2 s; before that it would still see the time before the start.
    static let secondsBefore = 2.0

    var samples: [Int16]
    /// Where the sentence is: from the first 20 ms of speech to the last.
    var speech: Range<Int>
    /// Where the wake word begins.
    var word: Int

    /// - Parameters:
    ///   - voice: the dry sentence at 16 kHz, any level.
    ///   - sentence: where in the voice the sentence is, behind the wake word; all of it where there is none.
    ///   - word: where the wake word begins.
    ///   - secondsAfter: noise behind it; a microphone that falls dead silent is taken for broken.
    init(
        voice: [Int16], sentence: Range<Int>? = nil, word: Int = 0, at position: Position, secondsAfter: Double
    ) {
        let lead = Int(Self.secondsBefore * Double(Self.rate))
        let start = lead + Int((position.delayMilliseconds / 1000 * Double(Self.rate)).rounded())
        let count = start + voice.count + Int(secondsAfter * Double(Self.rate))
        var generator = SeededGenerator(name: position.name)
        let peak = voice.reduce(0) { max($0, abs(Double($1))) }
        let gain = peak > 0 ? 32_767 * pow(10, position.levelDecibels / 20) / peak : 0
        // Evenly spread numbers have an RMS of 1/√3 of their bound.
        let noise = 32_767 * pow(10, position.noiseDecibels / 20) * 3.0.squareRoot()
        samples = (0..<count).map { i in
            let spoken = voice.indices.contains(i - start) ? Double(voice[i - start]) * gain : 0
            let sum = (spoken + generator.nextSigned() * noise).rounded()
            return Int16(min(32_767, max(-32_768, sum)))
        }
        let spoken = sentence ?? Self.speechRange(of: voice)
        self.word = start + word
        speech = start + spoken.lowerBound..<start + spoken.upperBound
    }

    /// From the first 20 ms within 35 dB of the loudest to the last; empty for silence.
    static func speechRange(of voice: [Int16]) -> Range<Int> {
        let levels = levels(of: voice)
        guard let loudest = levels.max(), loudest > 0 else { return 0..<0 }
        let gate = loudest * pow(10, -Comparison.speechRange / 20)
        let first = levels.firstIndex { $0 > gate } ?? 0
        let last = levels.lastIndex { $0 > gate } ?? 0
        return first * Comparison.frame..<min(voice.count, (last + 1) * Comparison.frame)
    }

    /// RMS of each whole 20 ms.
    static func levels(of voice: [Int16]) -> [Double] {
        stride(from: 0, to: voice.count - Comparison.frame + 1, by: Comparison.frame).map { start in
            let energy = voice[start..<start + Comparison.frame].reduce(0.0) { $0 + Double($1) * Double($1) }
            return (energy / Double(Comparison.frame)).squareRoot()
        }
    }
}

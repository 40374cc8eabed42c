import Foundation

/// How well a decoded utterance matches what the microphone heard.
///
/// The measure is the segmental SNR: in each 20 ms of speech, the reference's energy over the difference's, in dB,
/// clamped to −10…35 and averaged. Frequencies below 300 Hz are left out on both sides: the VOIP mode of Opus begins
/// with a high-pass filter (RFC 6716, 2.1.9), which turns the phase there without anything being lost.
struct Comparison: Equatable {
    static let rate = 16_000.0
    static let frame = 320
    static let cutoff = 300.0
    /// A frame counts as speech down to this far below the loudest.
    static let speechRange = 35.0

    /// Sample of the reference with which `heard` begins; negative when it begins before it.
    var offset: Int
    /// dB; the mean over the speech.
    var segmentalSNR: Double
    /// dB; the worst 20 ms of speech.
    var worstSNR: Double
    /// Frames of speech, and those of them that `heard` does not hold at all.
    var speechFrames: Int
    var missingFrames: Int

    /// - Parameters:
    ///   - reference: what the microphone heard, 16 kHz.
    ///   - speech: where in it somebody speaks.
    init(heard: [Int16], reference: [Int16], speech: Range<Int>) {
        let count = Spectrum.powerOfTwo(atLeast: heard.count + reference.count)
        var heardSpectrum = Spectrum(of: heard.map(Double.init), count: count)
        var referenceSpectrum = Spectrum(of: reference.map(Double.init), count: count)
        heardSpectrum.removeBelow(Self.cutoff, rate: Self.rate)
        referenceSpectrum.removeBelow(Self.cutoff, rate: Self.rate)
        let correlation = referenceSpectrum.correlated(with: heardSpectrum).signal()
        let peak = correlation.indices.max { correlation[$0] < correlation[$1] } ?? 0
        offset = peak > count / 2 ? peak - count : peak
        let x = referenceSpectrum.signal()
        let y = heardSpectrum.signal()

        let starts = stride(from: speech.lowerBound, to: speech.upperBound, by: Self.frame)
            .filter { $0 + Self.frame <= reference.count }
        let energies = starts.map { start in Self.energy(x, start) }
        let gate = (energies.max() ?? 0) * pow(10, -Self.speechRange / 10)
        var ratios: [Double] = []
        var missing = 0
        for (start, energy) in zip(starts, energies) where energy > gate {
            let first = start - offset
            guard first >= 0, first + Self.frame <= heard.count else {
                missing += 1
                continue
            }
            var difference = 0.0
            for i in 0..<Self.frame {
                let d = x[start + i] - y[first + i]
                difference += d * d
            }
            ratios.append(min(35, max(-10, 10 * log10((energy + 1) / (difference + 1)))))
        }
        speechFrames = ratios.count + missing
        missingFrames = missing
        segmentalSNR = ratios.isEmpty ? -10 : ratios.reduce(0, +) / Double(ratios.count)
        worstSNR = ratios.min() ?? -10
    }

    private static func energy(_ signal: [Double], _ start: Int) -> Double {
        var sum = 0.0
        for i in start..<start + frame { sum += signal[i] * signal[i] }
        return sum
    }
}

/// What a loudspeaker recorded, against the answer that was sent to it.
struct Playback: Equatable {
    /// Where in the recording the answer stands, sample by sample; nil when it does not.
    var answerAt: Int?
    /// Samples before it that are not silence: the earcon.
    var soundBefore: Int
    /// Samples after it that are not silence.
    var soundAfter: Int
    /// How many samples of the answer the best place matches from the start: where it went wrong.
    var longestMatch: Int

    init(recorded: [Int16], answer: [Int16]) {
        (answerAt, soundBefore, soundAfter, longestMatch) = (nil, 0, 0, 0)
        // The answer's first sound is compared at each place; silence before it would match anywhere.
        guard let lead = answer.firstIndex(where: { $0 != 0 }) else { return }
        for place in recorded.indices where recorded[place] == answer[lead] {
            let match = Self.match(recorded, from: place, answer, from: lead)
            longestMatch = max(longestMatch, match)
            let start = place - lead
            guard lead + match == answer.count, start >= 0, recorded[start..<place].allSatisfy({ $0 == 0 }) else {
                continue
            }
            answerAt = start
            soundBefore = recorded[..<start].count { $0 != 0 }
            soundAfter = recorded[(start + answer.count)...].count { $0 != 0 }
            return
        }
    }

    private static func match(_ a: [Int16], from i: Int, _ b: [Int16], from j: Int) -> Int {
        var count = 0
        while i + count < a.count, j + count < b.count, a[i + count] == b[j + count] { count += 1 }
        return count
    }
}

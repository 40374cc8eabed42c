import Foundation
import PuckAudio

/// Runs the shipped detector over what pucks heard, as the capture thread does: in periods of 20 ms.
enum Detection {
    /// One recording on standard input: `NAME COUNT` padded with spaces to 64 bytes, then so many little-endian samples.
    struct Recording {
        var name: String
        var samples: [Int16]
    }

    static let headerBytes = 64
    static let periodSamples = 320

    struct Found {
        var onset: Int64
        /// Samples that the detector had heard when it said so.
        var after: Int64
        var finding: WakeFinding
        /// As `puckd` reads it from its ring when it is told of the finding.
        var envelope: [Int8]
    }

    static func read() -> Recording? {
        guard let header = bytes(headerBytes) else { return nil }
        let words = String(decoding: header, as: UTF8.self).split(separator: " ")
        guard words.count == 2, let count = Int(words[1]), let body = bytes(2 * count) else {
            fail("a recording is cut off, or its header is no name and count")
        }
        var samples = [Int16](repeating: 0, count: count)
        _ = samples.withUnsafeMutableBytes { body.copyBytes(to: $0) }
        return Recording(name: String(words[0]), samples: samples)
    }

    /// Exactly so many bytes of standard input; nil at its end.
    private static func bytes(_ count: Int) -> Data? {
        var data = Data()
        while data.count < count {
            guard let more = try? FileHandle.standardInput.read(upToCount: count - data.count), !more.isEmpty else {
                return nil
            }
            data.append(more)
        }
        return data
    }

    /// Every finding of one recording.
    static func findings(in samples: [Int16]) -> [Found] {
        var detector = LevelWakeDetector(LevelWakeDetector.Parameters())
        var found: [Found] = []
        samples.withUnsafeBufferPointer { all in
            var start = 0
            while start < all.count {
                let end = min(start + periodSamples, all.count)
                let period = UnsafeBufferPointer(rebasing: all[start..<end])
                if let finding = detector.process(period, at: Int64(start)) {
                    let from = max(0, Int(finding.onset) - OnsetEnvelope.leadSamples)
                    let envelope = OnsetEnvelope.decibels(UnsafeBufferPointer(rebasing: all[from..<end]))
                    found.append(
                        Found(onset: finding.onset, after: Int64(end), finding: finding, envelope: envelope))
                }
                start = end
            }
        }
        return found
    }

    /// Answers each recording with a line: its name, then for each finding onset, time of the finding (samples), level,
    /// noise (dB), confidence and envelope.
    static func run() {
        while let recording = read() {
            var line = recording.name
            for found in findings(in: recording.samples) {
                let f = found.finding
                line += String(
                    format: " %d %d %.2f %.2f %.3f ", Int(found.onset), Int(found.after), f.levelDecibels,
                    f.noiseDecibels, f.confidence)
                line += CaseFile.text(found.envelope)
            }
            print(line)
        }
    }
}

import LinuxIO
import PuckWire
import WAVFile

/// Who answers. Speech and language models take this place later; these three need nothing but the hub itself.
enum Responder: Sendable {
    case echo
    /// Mono, 16 kHz.
    case wave([Int16])
    case none

    /// Two minutes; a longer file is refused at the start, a longer echo is cut.
    static let longestAnswerSamples = 120 * WireLimits.sampleRate
    /// 10 ms, so that a cut in the middle of a sound does not click.
    static let fadeSamples = 160

    init(_ settings: ResponderSettings) throws(HubStartError) {
        switch settings.kind {
        case .echo: self = .echo
        case .none: self = .none
        case .wav:
            do throws(HubStartError) {
                self = .wave(try Self.readWave(settings.waveFile))
            } catch {
                throw HubStartError("[responder] wav_file: \(error.message)")
            }
        }
    }

    /// What to say to `utterance`, at most `longestAnswerSamples`; nil for nothing.
    func answer(to utterance: [Int16]) -> [Int16]? {
        switch self {
        case .echo: Self.faded(utterance.prefix(Self.longestAnswerSamples))
        case .wave(let samples): samples
        case .none: nil
        }
    }

    static func faded(_ samples: ArraySlice<Int16>) -> [Int16] {
        var result = Array(samples)
        let length = min(fadeSamples, samples.count / 2)
        for i in 0..<length {
            result[i] = Int16(Int(result[i]) * i / length)
            let j = samples.count - 1 - i
            result[j] = Int16(Int(result[j]) * i / length)
        }
        return result
    }

    /// A WAV file that can be played: mono, 16 kHz, at most two minutes.
    static func readWave(_ path: String) throws(HubStartError) -> [Int16] {
        let bytes: [UInt8]
        do throws(SystemError) {
            // Header and chunks around the samples are small; 64 KiB is more than any tool writes.
            bytes = try readSmallFile(path, limit: 2 * longestAnswerSamples + 64 * 1024)
        } catch {
            throw HubStartError(error.description)
        }
        let file: WAVFile
        do throws(WAVFile.Malformed) {
            file = try WAVFile(parsing: bytes)
        } catch {
            throw HubStartError("\(path): \(error.advice)")
        }
        guard file.rate == WireLimits.sampleRate, file.channels == 1 else {
            throw HubStartError(
                "\(path) has \(file.rate) Hz and \(file.channels) channels; it must be mono "
                    + "with 16000 Hz: sox \(path) -r 16000 -c 1 -b 16 answer.wav")
        }
        guard !file.samples.isEmpty, file.samples.count <= longestAnswerSamples else {
            throw HubStartError("\(path) must last more than nothing and at most two minutes")
        }
        return file.samples
    }
}

/// Why the hub cannot start: one sentence that says what is wrong and what to do.
public struct HubStartError: Error, Equatable, Sendable {
    public let message: String

    init(_ message: String) { self.message = message }
}

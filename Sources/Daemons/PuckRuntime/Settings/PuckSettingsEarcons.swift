import LinuxIO
import PuckAudio
import Settings
import WAVFile

/// `[earcons]`: the short sounds that say what the puck is doing.
public struct EarconSettings: Equatable, Sendable {
    /// A recorded sound in place of a synthesised one.
    public struct Recording: Equatable, Sendable {
        public var earcon: Earcon
        /// 16 kHz mono, as loud as they are.
        public var samples: [Int16]
    }

    /// What is longer is no earcon, and holds up what is said.
    static let longestSeconds = 3
    /// Of 8 channels, with some room for what else is in such a file.
    private static let longestFile = longestSeconds * 16_000 * 2 * 8 + 16_384

    public var isEnabled: Bool
    /// −60…0 dB full scale, before the volume; of what is synthesised.
    public var levelDecibels: Double
    public var recordings: [Recording]

    init(_ reader: inout SettingsReader) {
        isEnabled = reader.boolean("earcons", "enabled", default: true)
        levelDecibels = reader.decimal("earcons", "level_db", default: -12, range: -60...0, unit: "dBFS")
        recordings = []
        for earcon in Earcon.allCases {
            let path = reader.path("earcons", earcon.rawValue, default: "")
            if path.isEmpty { continue }
            switch Self.read(path) {
            case .success(let samples): recordings.append(Recording(earcon: earcon, samples: samples))
            case .failure(let problem): reader.refuse("earcons", earcon.rawValue, problem.text)
            }
        }
    }

    private struct Problem: Error { let text: String }

    private static func read(_ path: String) -> Result<[Int16], Problem> {
        let file: WAVFile
        do throws(SystemError) {
            let bytes = try readSmallFile(path, limit: longestFile)
            do throws(WAVFile.Malformed) { file = try WAVFile(parsing: bytes) } catch {
                return .failure(Problem(text: path + ": " + error.advice))
            }
        } catch { return .failure(Problem(text: error.description)) }
        guard file.rate == 16_000 else {
            return .failure(
                Problem(
                    text: "\(path) has \(file.rate) Hz, 16000 are needed: convert it with "
                        + "'sox IN -r 16000 -c 1 -b 16 OUT.wav'"))
        }
        let frames = file.samples.count / file.channels
        guard (1...longestSeconds * 16_000).contains(frames) else {
            return .failure(Problem(text: "\(path) has \(frames / 16) ms; allowed: up to \(longestSeconds) s"))
        }
        var samples: [Int16] = []
        samples.reserveCapacity(frames)
        for frame in 0..<frames {
            var sum = 0
            for channel in 0..<file.channels { sum += Int(file.samples[frame * file.channels + channel]) }
            samples.append(Int16(sum / file.channels))
        }
        return .success(samples)
    }

    func recording(of earcon: Earcon) -> [Int16]? {
        for recording in recordings where recording.earcon == earcon { return recording.samples }
        return nil
    }
}

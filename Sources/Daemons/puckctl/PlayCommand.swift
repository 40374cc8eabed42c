import LinuxIO
import PuckBase
import Resampler
import WAVFile

/// `puckctl play FILE`: reads and converts the file here, with the rights of who asks, and sends the daemon sound.
struct PlayCommand {
    /// Eleven minutes in stereo at 48,000 Hz.
    static let longestFileBytes = 128 * 1024 * 1024

    let file: String
    let socket: String

    func run() -> Int32 {
        let samples: [Int16]
        do throws(SystemError) {
            let bytes = try readSmallFile(file, limit: Self.longestFileBytes)
            do throws(WAVFile.Malformed) {
                samples = Self.converted(try WAVFile(parsing: bytes))
            } catch { return Command.fail("puckctl: \(file): \(error.advice)", ExitCode.noInput) }
        } catch { return Command.fail("puckctl: \(error.description)", ExitCode.noInput) }
        if samples.isEmpty { return Command.fail("puckctl: \(file): there is no sound in it", ExitCode.noInput) }
        switch Session.begin("play", at: socket) {
        case .failed(let status): return status
        case .begun(let session): return send(samples, session)
        }
    }

    /// One channel, 16,000 Hz: the mean of all channels, through the puck's own resampler.
    static func converted(_ wave: WAVFile) -> [Int16] {
        var mono = wave.samples
        if wave.channels > 1 {
            mono = (0..<wave.samples.count / wave.channels).map { frame in
                var sum = 0
                for channel in 0..<wave.channels { sum += Int(wave.samples[frame * wave.channels + channel]) }
                return Int16(sum / wave.channels)
            }
        }
        if wave.rate == 16_000 { return mono }
        let resampler: Resampler
        do throws(Resampler.Unsupported) { resampler = try Resampler(from: wave.rate, to: 16_000) } catch {
            preconditionFailure("rates of 8 to 192 kHz can be resampled: \(error.description)")
        }
        defer { resampler.destroy() }
        // What the filter still holds at the end is pushed out.
        mono += [Int16](repeating: 0, count: resampler.inputLatency())
        var result: [Int16] = []
        result.reserveCapacity(mono.count * 16_000 / wave.rate + 16)
        let piece = 4096
        var output = [Int16](repeating: 0, count: resampler.outputBound(for: piece))
        for start in stride(from: 0, to: mono.count, by: piece) {
            let end = min(mono.count, start + piece)
            let count = mono.withUnsafeBufferPointer { input in
                output.withUnsafeMutableBufferPointer {
                    resampler.process(UnsafeBufferPointer(rebasing: input[start..<end]), into: $0)
                }
            }
            result += output[..<count]
        }
        return result
    }

    private func send(_ samples: [Int16], _ session: Session) -> Int32 {
        var offset = 0
        var hasSaidAll = false
        while true {
            if !hasSaidAll {
                let end = min(samples.count, offset + ControlSession.samplesPerMessage)
                let outcome =
                    offset == samples.count
                    ? session.control.send(.end, "")
                    : samples.withUnsafeBytes {
                        session.control.send(.sound, UnsafeRawBufferPointer(rebasing: $0[(2 * offset)..<(2 * end)]))
                    }
                if outcome == .done {
                    hasSaidAll = offset == samples.count
                    offset = end
                    continue
                }
            }
            var verdict: String?
            let outcome = session.control.receive { kind, body in
                if kind == .end { verdict = String(decoding: body, as: UTF8.self) }
            }
            if let verdict { return judge(verdict) }
            if outcome == .gone { return Command.fail("puckctl: " + Session.gone, ExitCode.unreachable) }
            switch session.wait(forRoom: !hasSaidAll) {
            case .interrupted: return 0  // the daemon is silent as soon as it sees that this end has gone
            case .nothing: return Command.fail("puckctl: " + Session.hangs, ExitCode.unreachable)
            case .ready: break
            }
        }
    }

    private func judge(_ verdict: String) -> Int32 {
        guard let refusal = Command.refusal(in: verdict) else { return 0 }
        return Command.fail("puckctl: not played to its end: " + refusal, ExitCode.refused)
    }
}

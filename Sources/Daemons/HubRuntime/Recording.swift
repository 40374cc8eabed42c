import HubService
import LinuxIO
import OpusCodec
import PuckBase
import PuckWire
import WAVFile

/// `[debug] record_dir`: what the hub heard and what it sent, for comparison with what was said and what was played.
/// Writing stops the loop for some milliseconds a conversation; it is for tests and for finding faults.
struct Recording {
    /// Empty for no recordings.
    var folder: String
    private var unwritten = Complaint.once

    init(folder: String) { self.folder = folder }

    var isOn: Bool { !folder.isEmpty }

    /// `<conversation>.heard.wav`: the decoded uplink. Conversation ids are the hub's own words, safe in a path.
    mutating func write(heard samples: [Int16], _ name: String, _ log: Log) {
        write(samples, "\(name).heard.wav", log)
    }

    /// `<conversation>.sent.wav`: decoded from the very packets that went out.
    mutating func write(sent answer: Answer<OpusAnswerEncoder>, _ log: Log) {
        guard let samples = Self.decode(answer) else {
            return complain("cannot decode the answer of \(answer.name) for its recording", log)
        }
        write(samples, "\(answer.name).sent.wav", log)
    }

    private static func decode(_ answer: Answer<OpusAnswerEncoder>) -> [Int16]? {
        guard let decoder = OpusUplinkDecoder() else { return nil }
        var samples: [Int16] = []
        for index in 0..<answer.sentPackets {
            guard let count = answer.withPacket(index, { decoder.decode($0) }) else { return nil }
            samples += decoder.samples[..<count]
        }
        return samples
    }

    private mutating func write(_ samples: [Int16], _ name: String, _ log: Log) {
        let file = WAVFile(rate: WireLimits.sampleRate, channels: 1, samples: samples)
        do throws(SystemError) {
            try writeFileAtomically(folder + "/" + name, file.serialized(), mode: 0o600)
        } catch {
            complain(error.description, log)
        }
    }

    private mutating func complain(_ problem: String, _ log: Log) {
        guard unwritten.take(problem, now: MonotonicClock.now()) != nil else { return }
        log.warning("record.failed", [Field("problem", problem)])
    }
}

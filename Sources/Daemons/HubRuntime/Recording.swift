import LinuxIO
import OpusCodec
import PuckWire
import WAVFile

/// `[debug] record_dir`: what the hub heard and what it sent, for comparison with what was said and what was played.
/// Writing stops the loop for some milliseconds a conversation; it is for tests and for finding faults.
struct Recording: Sendable {
    /// Empty for no recordings.
    let folder: String

    var isOn: Bool { !folder.isEmpty }

    /// `<conversation>.heard.wav`: the decoded uplink. Conversation ids are the hub's own words, safe in a path.
    func writeHeard(_ turn: Turn) throws(SystemError) {
        guard isOn, !turn.recordedHeard, turn.hasHeard else { return }
        turn.recordedHeard = true
        try write(turn.heard, "\(turn.id).heard.wav")
    }

    /// `<conversation>.sent.wav`: decoded from the very packets that went out.
    func writeSent(_ answer: Answer) throws(SystemError) {
        guard isOn, !answer.recordedSent, answer.sentPackets > 0 else { return }
        answer.recordedSent = true
        var samples: [Int16] = []
        do throws(CodecError) {
            let decoder = try UplinkDecoder()
            for index in 0..<answer.sentPackets {
                samples += try Self.decode(answer, index, decoder)
            }
        } catch {
            throw SystemError("cannot decode the answer of \(answer.name) for its recording", code: 0)
        }
        try write(samples, "\(answer.name).sent.wav")
    }

    private static func decode(
        _ answer: Answer, _ index: Int, _ decoder: UplinkDecoder
    ) throws(CodecError) -> ArraySlice<Int16> {
        var failure: CodecError?
        let count = answer.withPacket(index) { packet in
            do throws(CodecError) {
                return try decoder.decode(packet)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return decoder.samples[..<count]
    }

    private func write(_ samples: [Int16], _ name: String) throws(SystemError) {
        let file = WAVFile(rate: WireLimits.sampleRate, channels: 1, samples: samples)
        try writeFileAtomically(folder + "/" + name, file.serialized(), mode: 0o600)
    }
}

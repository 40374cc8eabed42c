import AudioRing
import LinuxIO
import PuckBase

/// `puckctl record`: sends what the microphone's path puts into the ring to a client, from now on. Loop thread.
///
/// A reader of its own that never asks to be woken: the ring has one waker, and that is the utterance's.
final class FileRecorder {
    /// A tenth of the second that the ring holds, so that a loop that is late loses nothing.
    static let every = Interval.milliseconds(100)
    static let longestSeconds = 3600

    private let session: ControlSession
    private var reader: RingReader
    private var left: Int
    private var block = [Int16](repeating: 0, count: ControlSession.samplesPerMessage)
    /// Samples in `block` that the client has not taken yet.
    private var waiting = 0
    /// What the client is told at the end; empty when it has got all that it asked for.
    private var verdict = ""

    init(_ session: ControlSession, ring: AudioRing, seconds: Int) {
        self.session = session
        reader = ring.reader()
        reader.seek(to: reader.end)
        left = seconds * 16_000
    }

    /// Sends what there is. False once it is over, or the client has gone.
    func pump() -> Bool {
        while true {
            if waiting == 0, left > 0 { fill() }
            if waiting == 0, left > 0 { return !session.isGone }
            let outcome =
                waiting > 0
                ? block.withUnsafeBytes { session.send(.sound, UnsafeRawBufferPointer(rebasing: $0[..<(2 * waiting)])) }
                : session.send(.end, verdict)
            // Whoever does not read is waited for, unless it has ended early: then nothing may look like a recording.
            if outcome == .wouldWait { return verdict.isEmpty && !session.isGone }
            if outcome == .gone || waiting == 0 { return false }
            waiting = 0
        }
    }

    /// Ends early. What the ring holds by now is the last that is sent.
    func end(_ verdict: String) {
        self.verdict = verdict
        left = min(left, Int(reader.fill))
        _ = pump()
    }

    private func fill() {
        let wanted = min(left, block.count)
        let read = block.withUnsafeMutableBufferPointer {
            reader.read(into: UnsafeMutableBufferPointer(rebasing: $0[..<wanted]))
        }
        waiting = read.count
        left -= read.count
        if read.lost > 0 {
            (waiting, left) = (0, 0)
            verdict = "error: it was not taken as fast as it came; record to a faster disk"
        }
    }
}

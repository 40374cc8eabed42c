import LinuxIO
import PuckBase

/// `puckctl play`: takes what a client sends and gives it to the loudspeaker, about a second ahead of what is heard. What
/// does not fit waits in the socket, and then in the client. Loop thread.
final class FilePlayer {
    /// Samples that wait here at most, before the last message.
    static let ahead = 8000

    private let session: ControlSession
    private let speaker: SpeakerFeed
    private var hasAll = false

    init(_ session: ControlSession, speaker: SpeakerFeed) {
        self.session = session
        self.speaker = speaker
    }

    /// Takes what there is room for. False once all of it has been heard, or the client has gone.
    func pump() -> Bool {
        if session.isGone {
            speaker.dropFile()
            return false
        }
        while !hasAll, speaker.fileBacklog < Self.ahead {
            let outcome = session.receive { kind, body in
                if kind == .end { hasAll = true } else { speaker.append(file: body) }
            }
            if outcome == .wouldWait { break }
            // A client that says no more has gone, and is seen to be at the next turn.
            if outcome == .gone { hasAll = true }
        }
        guard hasAll, speaker.hasPlayedFile else { return true }
        _ = session.send(.end, "")
        return false
    }

    /// Silence, now.
    func end(_ verdict: String) {
        speaker.dropFile()
        _ = session.send(.end, verdict)
    }
}

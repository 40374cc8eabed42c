import PuckBase
import PuckWire

/// 4. What the hub holds of an utterance is contiguous from its start: packet after packet of one recording, as the
/// microphone encoded them, and all of them when the utterance is answered.
struct UplinkChecker {
    private struct Utterance {
        var recording: Int32
        var next: Int32
    }

    private var utterances: [String: Utterance] = [:]
    /// Packets encoded of each puck's present recording.
    private var encoded: [Int: Int32] = [:]
    /// What each ended utterance has to hold.
    private var whole: [String: Int32] = [:]
    private var cutShort: Set<String> = []
    /// Candidates that lost, by connection, and the conversations of those that were asked all the same: what they said
    /// first fell out while they stood by.
    private var losers: [Int: UInt32] = [:]
    private var runnersUp: Set<String> = []

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .recordingStarted(let puck, _): encoded[puck] = 0
        case .encoded(let puck, let sound): encoded[puck] = sound.index + 1
        case .kept(let conversation, let sound): kept(conversation, sound, findings)
        case .puckSent(let puck, _, .uplinkEnd(let end)):
            if end.reason == .endpoint || end.reason == .timeout { whole[end.conversationID] = encoded[puck] ?? 0 }
        case .hubSent(let connection, .cancel(let wakeID, .lost), _): losers[connection] = wakeID
        case .hubSent(let connection, .grant(let wakeID, let conversation), _):
            if losers.removeValue(forKey: connection) == wakeID { runnersUp.insert(conversation) }
        case .hubSent(_, .listenStop(let conversation, _), _): cutShort.insert(conversation)
        case .answerWanted(let conversation, _, _):
            let held = utterances[conversation]?.next ?? 0
            if held != whole[conversation] ?? 0, !cutShort.contains(conversation) {
                findings.report(
                    .uplink, nil,
                    "\(conversation) is answered with \(held) packets, its puck spoke \(whole[conversation] ?? 0)")
            }
        case .forgotten(let conversation):
            utterances[conversation] = nil
            whole[conversation] = nil
            cutShort.remove(conversation)
            runnersUp.remove(conversation)
        case .connectionClosed(let connection): losers[connection] = nil
        case .hubEnded: utterances = [:]
        default: break
        }
    }

    private mutating func kept(_ conversation: String, _ sound: Sound, _ findings: Findings) {
        guard let utterance = utterances[conversation] else {
            if sound.index != 0, !runnersUp.contains(conversation) {
                findings.report(.uplink, nil, "\(conversation) begins with packet \(sound.index) of its recording")
            }
            utterances[conversation] = Utterance(recording: sound.recording, next: sound.index + 1)
            return
        }
        if sound.recording != utterance.recording {
            findings.report(.uplink, nil, "\(conversation) holds parts of two recordings")
        }
        if sound.index != utterance.next {
            findings.report(
                .uplink, nil, "\(conversation): packet \(sound.index) of the recording where \(utterance.next) is next")
        }
        utterances[conversation]!.next = sound.index + 1
    }
}

import PuckBase
import PuckWire

/// 3. What a puck plays of an answer is, packet by packet, what the responder produced: in order, nothing left out,
/// nothing twice, from the place that its `down_start` names. A play that ran to its `down_stop` was played whole.
struct PlaybackChecker {
    private struct Answer {
        var produced = 0
        var isComplete = false
        /// The first packet that no puck has played yet.
        var heard: Int32 = 0
    }
    private struct Play {
        var playID: UInt32
        var answer: Int
        var next: Int32
        var isWhole = false
    }

    private var answers: [Int: Answer] = [:]
    /// By conversation: play ids begin anew with each hub.
    private var numbers: [String: Int] = [:]
    private var plays: [Play?]

    init(pucks: Int) { plays = [Play?](repeating: nil, count: pucks) }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .answerWanted(let conversation, _, let answer):
            numbers[conversation] = answer
            answers[answer] = Answer()
        case .produced(let answer, let count, let isComplete):
            answers[answer]?.produced = count
            answers[answer]?.isComplete = isComplete
        case .playStarted(let puck, let start): started(puck, start, findings)
        case .played(let puck, let packet): played(puck, packet, findings)
        case .puckHeard(let puck, _, .downStop(let playID, .done), _):
            if plays[puck]?.playID == playID { plays[puck]?.isWhole = true }
        case .playDrained(let puck):
            guard let play = plays[puck], let answer = answers[play.answer] else { return }
            plays[puck] = nil
            if play.isWhole, answer.isComplete, Int(play.next) != answer.produced {
                findings.report(
                    .playback, puck,
                    "answer \(play.answer) was called done after \(play.next) of \(answer.produced) packets")
            }
        case .playStopped(let puck), .puckEnded(let puck): plays[puck] = nil
        default: break
        }
    }

    private mutating func started(_ puck: Int, _ start: DownStart, _ findings: Findings) {
        guard let number = numbers[start.conversationID], let answer = answers[number] else {
            return findings.report(.playback, puck, "a play of \(start.conversationID), which nobody answers")
        }
        let first = start.resumedAtMilliseconds / WireLimits.packetMilliseconds
        if first * WireLimits.packetMilliseconds != start.resumedAtMilliseconds {
            findings.report(.playback, puck, "resumed at \(start.resumedAtMilliseconds) ms, between two packets")
        }
        if first > Int(answer.heard) {
            findings.report(
                .playback, puck, "answer \(number) goes on at packet \(first), but only \(answer.heard) were heard")
        }
        plays[puck] = Play(playID: start.playID, answer: number, next: Int32(first))
    }

    private mutating func played(_ puck: Int, _ packet: AnswerPacket, _ findings: Findings) {
        guard var play = plays[puck] else {
            return findings.report(.playback, puck, "packet \(packet.index) of answer \(packet.answer) in no play")
        }
        if Int(packet.answer) != play.answer {
            findings.report(.playback, puck, "answer \(packet.answer) is heard in the play of answer \(play.answer)")
        }
        if packet.index != play.next {
            findings.report(
                .playback, puck, "packet \(packet.index) of answer \(packet.answer) is heard where \(play.next) is next"
            )
        }
        guard let answer = answers[play.answer] else { return }
        if Int(packet.index) >= answer.produced {
            findings.report(.playback, puck, "packet \(packet.index) of answer \(packet.answer) was never produced")
        }
        play.next = packet.index + 1
        plays[puck] = play
        answers[play.answer]!.heard = max(answer.heard, play.next)
    }
}

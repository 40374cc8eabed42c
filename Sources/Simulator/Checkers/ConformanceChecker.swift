import PuckBase
import PuckWire

/// 10. Two peers of this project never break the protocol between them: what each sends is allowed where it sends it,
/// and neither refuses the other. Where a message that is forbidden is slipped in, its receiver refuses it.
struct ConformanceChecker {
    /// One connection, as anybody who reads along sees it.
    struct Dialogue {
        var puck: Int
        var openedAt: Instant
        var saidHello = false
        var saidWelcome = false
        /// The next number of the downlink stream.
        var nextSent = SerialNumber.zero
        var nextHeard = SerialNumber.zero
        var hasHeardStream = false
        var lastHeard: (AnswerPacket, SerialNumber)?
        var unplayed = Line<SerialNumber>()
        var wakeAsked: UInt32?
        var granted: String?
        /// Packets that the puck sent, and the hub received, of the conversation that is granted.
        var sentPackets = 0
        var heardPackets = 0
        var hasEndedUplink = false
        var isForged = false
        /// As the hub knows it.
        var wasEverGranted = false
        var listenedTo: String?
        var isListenedTo: Bool { listenedTo != nil }
    }

    /// `downlink.ahead_ms`, 2 s.
    private static let aheadPackets = 100

    private var dialogues: [Int: Dialogue] = [:]

    func dialogue(_ connection: Int) -> Dialogue { dialogues[connection] ?? Dialogue(puck: 0, openedAt: .zero) }

    mutating func watch(
        _ observation: Observation, _ moment: Moment, _ findings: Findings, _ disturbances: Disturbances
    ) {
        switch observation {
        case .connectionOpened(let connection, let puck):
            dialogues[connection] = Dialogue(puck: puck, openedAt: moment.now)
        case .connectionClosed: break  // what is under way is still judged; numbers do not return
        case .puckSent(let puck, let connection, let control): puckSent(puck, connection, control, findings)
        case .puckSentAudio(let puck, let connection, let sequence, _, _):
            puckSentAudio(puck, connection, sequence, findings)
        case .puckHeard(_, let connection, let control, let sequence):
            puckHeard(connection, control, sequence)
        case .puckHeardAudio(_, let connection, let sequence, let packet):
            if heardStream(connection, sequence) { dialogues[connection]!.lastHeard = (packet, sequence) }
        case .hubHeard(let connection, .played(let played)): playedHeard(connection, played)
        case .hubHeard(let connection, .uplinkEnd): dialogues[connection]?.listenedTo = nil
        case .forgotten(let id): forgotten(id)
        case .hubHeardAudio(let connection, _, _): dialogues[connection]?.heardPackets += 1
        case .hubSent(let connection, let control, let sequence): hubSent(connection, control, sequence, findings)
        case .hubSentAudio(let connection, let sequence, _):
            streamed(connection, sequence, findings)
            dialogues[connection]?.unplayed.append(sequence)
            if let count = dialogues[connection]?.unplayed.count, count > Self.aheadPackets {
                findings.report(.conformance, dialogues[connection]?.puck, "\(count) packets are sent and not played")
            }
        case .puckRefused(let puck, let connection, let error):
            refused("the puck", puck, connection, error, findings, disturbances)
        case .hubRefused(let connection, let error):
            refused("the hub", dialogues[connection]?.puck, connection, error, findings, disturbances)
        case .forged(_, let connection): dialogues[connection]?.isForged = true
        default: break
        }
    }

    private func refused(
        _ who: String, _ puck: Int?, _ connection: Int, _ error: WireError, _ findings: Findings,
        _ disturbances: Disturbances
    ) {
        guard let dialogue = dialogues[connection], !dialogue.isForged else { return }
        // A hello may be late on a bad line; that is the only refusal that a correct peer can earn.
        if !dialogue.saidWelcome, disturbances.disturbed(dialogue.puck, since: dialogue.openedAt) { return }
        findings.report(.conformance, puck, "\(who) refuses: \(error.code.name) \(error.detail)")
    }

    // MARK: What a puck says

    private mutating func puckSent(_ puck: Int, _ connection: Int, _ control: PuckControl, _ findings: Findings) {
        guard var dialogue = dialogues[connection] else { return }
        func isWrong(_ what: String) { findings.report(.conformance, puck, what) }
        switch control {
        case .hello:
            if dialogue.saidHello { isWrong("says hello twice") }
            dialogue.saidHello = true
        case .wakeCandidate(let wake):
            if dialogue.wakeAsked == wake.wakeID { isWrong("asks twice with wake id \(wake.wakeID)") }
            dialogue.wakeAsked = wake.wakeID
        case .uplinkEnd(let end):
            // A grant that came too late is answered with one, too.
            if end.conversationID == dialogue.granted {
                if end.reason == .endpoint || end.reason == .timeout {
                    if dialogue.hasEndedUplink { isWrong("ends the uplink of \(end.conversationID) twice") }
                    if Int(end.lastSequence.next.value) != dialogue.sentPackets {
                        isWrong("names \(end.lastSequence.value) as its last of \(dialogue.sentPackets) packets")
                    }
                }
                dialogue.hasEndedUplink = true
            }
        case .played(let played):
            let isAhead = played.sequence.distance(to: dialogue.nextHeard) <= 0
            if !dialogue.hasHeardStream || isAhead { isWrong("reports \(played.sequence.value), which it has not got") }
        case .status, .ping, .pong, .unknown: break
        }
        if !dialogue.saidHello { isWrong("does not say hello first") }
        dialogues[connection] = dialogue
    }

    private mutating func puckSentAudio(
        _ puck: Int, _ connection: Int, _ sequence: SerialNumber, _ findings: Findings
    ) {
        guard let dialogue = dialogues[connection] else { return }
        if dialogue.granted == nil || dialogue.hasEndedUplink {
            return findings.report(.conformance, puck, "sends audio packet \(sequence.value) without a grant")
        }
        if sequence != SerialNumber.zero.advanced(by: dialogue.sentPackets) {
            findings.report(
                .conformance, puck, "sends packet \(sequence.value) where \(dialogue.sentPackets) is next")
        }
        dialogues[connection]!.sentPackets += 1
    }

    private mutating func puckHeard(_ connection: Int, _ control: HubControl, _ sequence: SerialNumber) {
        if control.isStreamed {
            if heardStream(connection, sequence) { dialogues[connection]!.lastHeard = nil }
            return
        }
        switch control {
        case .grant(_, let id):
            dialogues[connection]?.granted = id
            dialogues[connection]?.sentPackets = 0
            dialogues[connection]?.hasEndedUplink = false
        case .welcome(let welcome): dialogues[connection]?.nextHeard = welcome.from
        default: break
        }
    }

    /// - Returns: whether it was the next one.
    private mutating func heardStream(_ connection: Int, _ sequence: SerialNumber) -> Bool {
        guard let dialogue = dialogues[connection], sequence == dialogue.nextHeard else { return false }
        dialogues[connection]!.nextHeard = sequence.next
        dialogues[connection]!.hasHeardStream = true
        return true
    }

    private mutating func forgotten(_ conversation: String) {
        for (connection, dialogue) in dialogues where dialogue.listenedTo == conversation {
            dialogues[connection]!.listenedTo = nil
        }
    }

    // MARK: What the hub says

    private mutating func hubSent(
        _ connection: Int, _ control: HubControl, _ sequence: SerialNumber, _ findings: Findings
    ) {
        if control.isStreamed { streamed(connection, sequence, findings) }
        guard let dialogue = dialogues[connection] else { return }
        func isWrong(_ what: String) { findings.report(.conformance, dialogue.puck, "the hub " + what) }
        switch control {
        case .welcome(let welcome):
            if dialogue.saidWelcome { isWrong("says welcome twice") }
            dialogues[connection]!.saidWelcome = true
            dialogues[connection]!.nextSent = welcome.from
        case .grant(_, let id):
            dialogues[connection]!.wasEverGranted = true
            dialogues[connection]!.listenedTo = id
            dialogues[connection]!.heardPackets = 0
        case .listenStop: dialogues[connection]!.listenedTo = nil
        case .uplinkAck(let id, let next):
            // A grant that was taken back is acknowledged no more; numbers of the one that counts are known.
            if id == dialogue.granted, Int(next.value) > dialogue.heardPackets {
                isWrong("acknowledges \(next.value) of \(dialogue.heardPackets) packets")
            }
        default:
            if !dialogue.saidWelcome { isWrong("does not say welcome first") }
        }
    }

    private mutating func streamed(_ connection: Int, _ sequence: SerialNumber, _ findings: Findings) {
        guard let dialogue = dialogues[connection] else { return }
        if sequence != dialogue.nextSent {
            findings.report(
                .conformance, dialogue.puck,
                "the hub sends stream message \(sequence.value) where \(dialogue.nextSent.value) is next")
        }
        dialogues[connection]!.nextSent = sequence.next
    }

    private mutating func playedHeard(_ connection: Int, _ played: Played) {
        guard var dialogue = dialogues.removeValue(forKey: connection) else { return }
        while let first = dialogue.unplayed.first, first.distance(to: played.sequence) >= 0 {
            _ = dialogue.unplayed.popFirst()
        }
        dialogues[connection] = dialogue
    }
}

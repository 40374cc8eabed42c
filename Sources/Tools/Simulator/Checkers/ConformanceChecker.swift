import PuckBase
import PuckCore
import PuckWire

/// 10. Two peers of this project never break the protocol between them: what each sends is allowed where it sends it,
/// and neither refuses the other. Where a message that is forbidden is slipped in, its receiver refuses it.
struct ConformanceChecker {
    /// One connection, as anybody who reads along sees it.
    struct Dialogue {
        var puck: Int
        var openedAt: Instant
        var saidHello = false
        var hello: Hello?
        var saidWelcome = false
        var heardWelcome = false
        /// The next number of the downlink stream.
        var nextSent = SerialNumber.zero
        var wakeAsked: UInt32?
        var isForged = false
        /// As the hub knows it.
        var wasEverGranted = false
    }

    /// What a puck takes from one connection to the next.
    struct PuckSide {
        var epoch: UInt32?
        var nextHeard = SerialNumber.zero
        var hasHeardStream = false
        var lastHeard: (AnswerPacket, SerialNumber)?
        var granted: String?
        /// Packets of the conversation that is granted.
        var sentPackets = 0
        /// The wake that it lost last, and whether it was asked all the same: then its packets may begin anywhere.
        var lostWake: UInt32?
        var isRunnerUp = false
        var hasEndedUplink = false
        /// The connection on which it was welcomed, while it has it.
        var isWelcome = false
    }

    /// What the hub keeps of a puck from one connection to the next.
    struct HubSide {
        var listenedTo: String?
        var heardPackets = 0
    }

    private var dialogues: [Int: Dialogue] = [:]
    private(set) var pucks: [PuckSide]
    private(set) var hubs: [HubSide]

    init(pucks count: Int) {
        pucks = [PuckSide](repeating: PuckSide(), count: count)
        hubs = [HubSide](repeating: HubSide(), count: count)
    }

    func dialogue(_ connection: Int) -> Dialogue { dialogues[connection] ?? Dialogue(puck: 0, openedAt: .zero) }

    mutating func watch(
        _ observation: Observation, _ moment: Moment, _ findings: Findings, _ disturbances: Disturbances
    ) {
        switch observation {
        case .puckStarted(let puck): pucks[puck] = PuckSide()
        case .hubEnded: for puck in hubs.indices { hubs[puck] = HubSide() }
        case .connectionOpened(let connection, let puck):
            dialogues[connection] = Dialogue(puck: puck, openedAt: moment.now)
        case .connectionClosed: break  // what is under way is still judged; numbers do not return
        case .puckSent(let puck, let connection, let control): puckSent(puck, connection, control, findings)
        case .puckSentAudio(let puck, let connection, let sequence, _, _):
            puckSentAudio(puck, connection, sequence, findings)
        case .puckHeard(let puck, let connection, let control, let sequence):
            puckHeard(puck, connection, control, sequence, findings)
        case .puckHeardAudio(let puck, _, let sequence, let packet):
            if heardStream(puck, sequence) { pucks[puck].lastHeard = (packet, sequence) }
        case .hubHeard(let connection, .uplinkEnd):
            if let puck = dialogues[connection]?.puck { hubs[puck].listenedTo = nil }
        case .forgotten(let id):
            for puck in hubs.indices where hubs[puck].listenedTo == id { hubs[puck].listenedTo = nil }
        case .hubHeardAudio(let connection, let sequence, _):
            guard let puck = dialogues[connection]?.puck else { return }
            // A runner-up may begin anywhere; who else may not is refused.
            let isFirst = hubs[puck].heardPackets == 0 && pucks[puck].isRunnerUp
            hubs[puck].heardPackets = isFirst ? Int(sequence.value) + 1 : hubs[puck].heardPackets + 1
        case .hubSent(let connection, let control, let sequence): hubSent(connection, control, sequence, findings)
        case .hubSentAudio(let connection, let sequence, _): streamed(connection, sequence, findings)
        case .socketLost(let puck, _), .socketDropped(let puck): pucks[puck].isWelcome = false
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
        // Whether it is one is for `CopyChecker`.
        if error.code == .duplicate { return }
        guard let dialogue = dialogues[connection], !dialogue.isForged else { return }
        // A hello may be late on a bad line; that is the only refusal that a correct peer can earn.
        if !dialogue.saidWelcome, disturbances.disturbed(dialogue.puck, since: dialogue.openedAt) { return }
        findings.report(.conformance, puck, "\(who) refuses: \(error.code.name) \(error.detail)")
    }

    /// Who waits for an answer has said that the utterance is over, and says it again when the hub takes up the
    /// conversation: the first time may have been lost with the link.
    func stepped(_ puck: Int, _ phase: Phase, _ findings: Findings) {
        let side = pucks[puck]
        guard phase == .thinking, side.isWelcome, side.granted != nil, !side.hasEndedUplink else { return }
        findings.report(.conformance, puck, "thinks about \(side.granted!), and has not said that it is over")
    }

    // MARK: What a puck says

    private mutating func puckSent(_ puck: Int, _ connection: Int, _ control: PuckControl, _ findings: Findings) {
        guard var dialogue = dialogues[connection] else { return }
        let side = pucks[puck]
        func isWrong(_ what: String) { findings.report(.conformance, puck, what) }
        switch control {
        case .hello(let hello):
            if dialogue.saidHello { isWrong("says hello twice") }
            dialogue.saidHello = true
            dialogue.hello = hello
            if hello.resume?.epoch != side.epoch || hello.resume.map({ $0.sequence != side.nextHeard }) ?? false {
                isWrong("wants to resume at \(hello.resume?.sequence.value ?? 0), \(side.nextHeard.value) is next")
            }
        case .wakeCandidate(let wake):
            if dialogue.wakeAsked == wake.wakeID { isWrong("asks twice with wake id \(wake.wakeID)") }
            dialogue.wakeAsked = wake.wakeID
        case .uplinkEnd(let end):
            // A grant that came too late is answered with one, too.
            if end.conversationID == side.granted {
                if end.reason == .endpoint || end.reason == .timeout {
                    if side.hasEndedUplink { isWrong("ends the uplink of \(end.conversationID) twice") }
                    if Int(end.lastSequence.next.value) != side.sentPackets {
                        isWrong("names \(end.lastSequence.value) as its last of \(side.sentPackets) packets")
                    }
                }
                pucks[puck].hasEndedUplink = true
            }
        case .played(let played):
            let isAhead = played.sequence.distance(to: side.nextHeard) <= 0
            if !side.hasHeardStream || isAhead { isWrong("reports \(played.sequence.value), which it has not got") }
        case .status, .trusts, .ping, .pong, .unknown: break
        }
        if !dialogue.saidHello { isWrong("does not say hello first") }
        dialogues[connection] = dialogue
    }

    private mutating func puckSentAudio(
        _ puck: Int, _ connection: Int, _ sequence: SerialNumber, _ findings: Findings
    ) {
        guard let dialogue = dialogues[connection] else { return }
        let side = pucks[puck]
        if side.granted == nil || side.hasEndedUplink || !dialogue.heardWelcome {
            return findings.report(.conformance, puck, "sends audio packet \(sequence.value) without a grant")
        }
        if side.isRunnerUp, side.sentPackets == 0 {
            pucks[puck].sentPackets = Int(sequence.value)
        } else if sequence != SerialNumber.zero.advanced(by: side.sentPackets) {
            findings.report(.conformance, puck, "sends packet \(sequence.value) where \(side.sentPackets) is next")
        }
        pucks[puck].sentPackets += 1
    }

    private mutating func puckHeard(
        _ puck: Int, _ connection: Int, _ control: HubControl, _ sequence: SerialNumber, _ findings: Findings
    ) {
        if control.isStreamed {
            if heardStream(puck, sequence) { pucks[puck].lastHeard = nil }
            return
        }
        switch control {
        case .cancel(let wakeID, .lost): pucks[puck].lostWake = wakeID
        case .grant(let wakeID, let id):
            pucks[puck].granted = id
            pucks[puck].isRunnerUp = pucks[puck].lostWake == wakeID
            pucks[puck].sentPackets = 0
            pucks[puck].hasEndedUplink = false
        case .welcome(let welcome): welcomeHeard(puck, connection, welcome)
        default: break
        }
    }

    /// The puck refuses a forged one, and takes nothing from it.
    private mutating func welcomeHeard(_ puck: Int, _ connection: Int, _ welcome: Welcome) {
        guard let dialogue = dialogues[connection], !dialogue.heardWelcome, !dialogue.isForged else { return }
        dialogues[connection]!.heardWelcome = true
        pucks[puck].isWelcome = true
        if welcome.resume != .replayed {
            pucks[puck].epoch = welcome.epoch
            pucks[puck].nextHeard = welcome.from
            pucks[puck].hasHeardStream = false
        }
        pucks[puck].lastHeard = nil
        if let next = welcome.uplinkNext, let uplink = dialogue.hello?.uplink {
            pucks[puck].granted = uplink.conversationID
            pucks[puck].sentPackets = Int(next.value)
            pucks[puck].hasEndedUplink = false
        } else {
            pucks[puck].granted = nil
        }
    }

    /// - Returns: whether it was the next one.
    private mutating func heardStream(_ puck: Int, _ sequence: SerialNumber) -> Bool {
        guard sequence == pucks[puck].nextHeard else { return false }
        pucks[puck].nextHeard = sequence.next
        pucks[puck].hasHeardStream = true
        return true
    }

    // MARK: What the hub says

    private mutating func hubSent(
        _ connection: Int, _ control: HubControl, _ sequence: SerialNumber, _ findings: Findings
    ) {
        if control.isStreamed { streamed(connection, sequence, findings) }
        guard let dialogue = dialogues[connection] else { return }
        let puck = dialogue.puck
        func isWrong(_ what: String) { findings.report(.conformance, puck, "the hub " + what) }
        switch control {
        case .welcome(let welcome):
            if dialogue.saidWelcome { isWrong("says welcome twice") }
            dialogues[connection]!.saidWelcome = true
            dialogues[connection]!.nextSent = welcome.from
            if let next = welcome.uplinkNext {
                dialogues[connection]!.wasEverGranted = true
                let isFree = hubs[puck].heardPackets == 0 && pucks[puck].isRunnerUp
                if !isFree, Int(next.value) != hubs[puck].heardPackets {
                    isWrong("resumes with packet \(next.value), it has \(hubs[puck].heardPackets)")
                }
            }
        case .grant(_, let id):
            dialogues[connection]!.wasEverGranted = true
            hubs[puck] = HubSide(listenedTo: id)
        case .listenStop: hubs[puck].listenedTo = nil
        case .uplinkAck(let id, let next):
            // A grant that was taken back is acknowledged no more; numbers of the one that counts are known.
            if id == hubs[puck].listenedTo, Int(next.value) > hubs[puck].heardPackets {
                isWrong("acknowledges \(next.value) of \(hubs[puck].heardPackets) packets")
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
}

import PuckBase
import PuckWire
import RepositoryFiles
import Testing

@testable import HubCore

/// Random events in any order: mostly what a puck in good order would send next, and often enough what it would not.
private struct Fuzzer {
    var bench: HubBench
    var generator: SeededGenerator
    var connections: [ConnectionID] = []
    /// The turn that a connection was granted last, and its next uplink packet.
    var turns: [ConnectionID: (conversation: String, next: Int, hasEnded: Bool)] = [:]
    /// The last answer asked for, and the last number sent to a connection.
    var answer = (conversation: "c-none", playID: UInt32(0))
    var lastSent: [ConnectionID: Int] = [:]
    private var seen = 0
    static let names = ["attic", "bath", "cellar", "den", "entry"]

    init(seed: UInt64) {
        bench = HubBench(seed: seed)
        generator = SeededGenerator(seed: seed &* 977)
    }

    mutating func pick(_ n: Int) -> Int { Int.random(in: 0..<n, using: &generator) }

    mutating func someConnection() -> ConnectionID {
        // Sometimes one that never existed.
        connections.isEmpty || pick(50) == 0 ? ConnectionID(9_999) : connections[pick(connections.count)]
    }

    /// The connection of the latest turn, or any.
    mutating func speaker() -> ConnectionID {
        if pick(6) > 0, let latest = bench.all.grants.last { return latest.to }
        return someConnection()
    }

    mutating func play() {
        act()
        for effect in bench.all[seen...] {
            switch effect {
            case .send(let id, .grant(_, let conversation), _): turns[id] = (conversation, 0, false)
            case .send(let id, let control, let sequence):
                if control.isStreamed { lastSent[id] = Int(sequence.value) }
            case .sendAudio(let id, _, _, let sequence): lastSent[id] = Int(sequence.value)
            case .answer(let conversation, let playID): answer = (conversation, playID)
            case .fail, .close, .hear, .forget, .forgetAnswer, .preparePlay, .refusePlay, .log: break
            }
        }
        seen = bench.all.count
    }

    private mutating func act() {
        // A puck that stays is more of a test than one that goes: most disturbances are left out.
        let roll = pick(100)
        if roll < 5 || roll >= 95, connections.count >= 4, pick(4) > 0 { return }
        switch roll {
        case 0..<4:
            let name = Self.names[pick(Self.names.count)]
            let group = pick(3) == 0 ? "garden" : "home"
            switch pick(6) {
            case 0: connections.append(bench.open(name))
            case 1, 2:
                let epoch = bench.all.welcomes.last?.epoch ?? 0
                connections.append(
                    bench.reconnect(
                        name, group: group,
                        resume: Hello.Resume(epoch: epoch, sequence: SerialNumber(UInt16(pick(200)))),
                        uplink: Hello.Uplink(
                            conversationID: answer.conversation, first: .zero, next: SerialNumber(UInt16(pick(90))))))
            default: connections.append(bench.connect(name, group: group))
            }
            if connections.count > 12 { connections.removeFirst() }
        case 4..<5: bench.step(.connectionClosed(someConnection(), reason: "gone"))
        case 5..<18: bench.advance(.milliseconds(pick(300)))
        case 18..<19: bench.advance(.seconds(pick(16)))
        case 19..<30:
            bench.step(.received(someConnection(), HubBench.candidate(UInt32(pick(1_000)), snr: Double(pick(40)))))
        case 30..<55: speak()
        case 55..<64: endUplink()
        case 64..<76:
            let playID = pick(10) == 0 ? answer.playID &+ 1 : answer.playID
            bench.ready(pick(60), isComplete: pick(2) == 0, playID: playID)
        case 76..<78:
            switch pick(4) {
            case 0: bench.step(.answerFailed(playID: answer.playID, reason: "fuzz"))
            case 1: bench.step(.playCancelled(playID: answer.playID))
            default:
                let categories: [DownStart.Category] = [.music, .timer, .notification, .announcement]
                bench.step(
                    .playRequested(
                        request: 1, puckID: Self.names[pick(Self.names.count)], category: categories[pick(4)]))
            }
        case 78..<88:
            let id = speaker()
            bench.played(
                id, pick(40) == 0 ? pick(65_536) : lastSent[id, default: 0], heard: pick(400), playID: answer.playID,
                state: [.playing, .playing, .paused, .ended][pick(4)])
        case 88..<93: bench.step(.received(someConnection(), HubBench.status(muted: pick(3) == 0)))
        case 93..<95: bench.step(.received(someConnection(), .pong(Pong(t0: Double(pick(9)), t1: 0, t2: 0))))
        case 95..<96: bench.step(.receivedMalformed(someConnection(), WireError(.badType, "fuzz")))
        case 96..<97: bench.step(.receivedError(someConnection(), WireError(.internal, "fuzz")))
        case 97..<98: bench.step(.tokensRevoked([Self.names[pick(Self.names.count)]]))
        default: bench.step(.timePassed)
        }
    }

    private mutating func speak() {
        let id = speaker()
        if turns[id]?.hasEnded ?? true, pick(50) > 0 { return }
        let next = pick(80) == 0 ? pick(70_000) : turns[id]?.next ?? 0
        let count = 1 + pick(12)
        bench.speak(id, next..<next + count)
        turns[id]?.next = next + count
    }

    private mutating func endUplink() {
        let reasons: [UplinkEnd.Reason] = [.endpoint, .endpoint, .timeout, .cancelled, .muted, .gap, .silence]
        let id = speaker()
        let turn = turns[id] ?? ("c-none", 0, true)
        turns[id]?.hasEnded = true
        let packets = pick(20) == 0 ? turn.next + 1 : turn.next
        bench.end(id, turn.conversation, packets: packets, reasons[pick(reasons.count)])
    }
}

@Suite("Random events")
struct FuzzTests {
    private static let mostPucks = 8

    @Test("never trap, stay within bounds, and keep the promises", arguments: 1...40)
    func promises(seed: Int) {
        var fuzzer = Fuzzer(seed: UInt64(seed))
        for _ in 0..<1_500 {
            fuzzer.play()
            let hub = fuzzer.bench.hub
            #expect(hub.sessionCount <= 100 && hub.conversationsInProgress <= Self.mostPucks)
            for name in Fuzzer.names {
                guard let log = hub.replayLog(of: name) else { continue }
                #expect(log.bytes <= HubLimits.replayBytes && log.messages <= HubLimits.replayMessages)
            }
            #expect(fuzzer.bench.last.count <= 250, "one event, one bounded list of effects")
        }
        fuzzer.bench.step(.stopping)
        // Whoever was away is forgotten in the end, and with it everything that was kept.
        fuzzer.bench.advance(.seconds(31))
        let all = fuzzer.bench.all

        // Every conversation is granted once, ends once and is freed once.
        let granted = all.grants.map(\.conversationID)
        #expect(Set(granted).count == granted.count)
        for conversation in granted { #expect(all.count(.forget(conversationID: conversation)) == 1) }
        #expect(all.outcomes.count == granted.count)
        // What was opened was closed once, and nothing is sent to a connection that was.
        var gone: Set<ConnectionID> = []
        var kept: Set<UInt32> = []
        for effect in all {
            switch effect {
            case .send(let id, _, _), .sendAudio(let id, _, _, _): #expect(!gone.contains(id))
            case .fail(let id, _), .close(let id, _):
                let isFirst = gone.insert(id).inserted
                #expect(isFirst)
            case .answer(_, let playID): kept.insert(playID)
            case .preparePlay(_, let playID): kept.insert(playID)
            case .forgetAnswer(let playID):
                let wasKept = kept.remove(playID) != nil
                #expect(wasKept, "play \(playID) is forgotten once")
            case .hear, .forget, .refusePlay, .log: break
            }
        }
        #expect(fuzzer.bench.hub.sessionCount == 0 && fuzzer.bench.hub.nextDeadline == nil)
    }

    @Test("at most one conversation a group at any time", arguments: 100...110)
    func oneAtATime(seed: Int) {
        var fuzzer = Fuzzer(seed: UInt64(seed))
        for _ in 0..<1_000 { fuzzer.play() }
        var active: [String: String] = [:]
        var groupOf: [String: String] = [:]
        for entry in fuzzer.bench.all.logs {
            if entry.isNamed("arbitration.decided"), let id = entry.value("conversation"), id != "none" {
                let group = entry.value("group") ?? ""
                #expect(active[group] == nil)
                active[group] = id
                groupOf[id] = group
            } else if entry.isNamed("conversation.end"), let id = entry.value("conversation") {
                active[groupOf[id] ?? ""] = nil
            }
        }
    }

    @Test("the same seed gives the same effects")
    func repeatable() {
        var a = Fuzzer(seed: 7)
        var b = Fuzzer(seed: 7)
        for _ in 0..<2_000 {
            a.play()
            b.play()
        }
        #expect(a.bench.all == b.bench.all)
    }

    @Test("reach every outcome, so that the promises above are about something")
    func reach() {
        var outcomes: Set<String> = []
        var sawAudio = false
        for seed in 1...20 {
            var fuzzer = Fuzzer(seed: UInt64(seed))
            for _ in 0..<1_500 { fuzzer.play() }
            outcomes.formUnion(fuzzer.bench.all.outcomes)
            sawAudio = sawAudio || !fuzzer.bench.all.audio.isEmpty
        }
        #expect(outcomes == ["done", "cancelled", "failed", "degraded"])
        #expect(sawAudio)
    }

    @Test("every transition of a conversation that random events cause is drawn in docs/STATE-MACHINES.md")
    func pictures() throws {
        var taken: Set<String> = []
        for seed in 1...5 {
            var fuzzer = Fuzzer(seed: UInt64(seed))
            var states: [String: String] = [:]
            for _ in 0..<1_500 {
                fuzzer.play()
                var now: [String: String] = [:]
                for conversation in fuzzer.bench.hub.conversations {
                    now[conversation.id] = Self.name(conversation.state)
                }
                for (id, state) in states where state != now[id] {
                    taken.insert("\(state) --> \(now[id] ?? "ended")")
                }
                states = now
            }
        }
        let missing = try StateDiagram("A conversation on the hub").notDrawn(taken)
        #expect(missing.isEmpty && taken.count > 4, "\(missing)")
    }

    private static func name(_ state: Conversation.State) -> String {
        switch state {
        case .waitingForAudio: "waitingForAudio"
        case .receiving: "receiving"
        case .stopping: "stopping"
        case .answering: "answering"
        case .speaking: "speaking"
        case .ended: "ended"
        }
    }
}

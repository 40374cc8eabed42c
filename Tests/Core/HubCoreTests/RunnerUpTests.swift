import HubCore
import PuckBase
import PuckWire
import Testing

/// A winner that fails early: FAILURES.md L4–L6.
@Suite("Runner-up")
struct RunnerUpTests {
    /// Three pucks heard it: kitchen best, then hall, then attic; kitchen is granted.
    private static func decided() -> (HubBench, [ConnectionID], String) {
        var bench = HubBench()
        let ids = ["kitchen", "hall", "attic"].map { bench.connect($0) }
        for (id, snr) in zip(ids, [30.0, 20, 10]) { bench.step(.received(id, HubBench.candidate(1, snr: snr))) }
        let conversation = bench.last.grants[0].conversationID
        bench.all = []
        return (bench, ids, conversation)
    }

    @Test("no packet within 500 ms: the first is cancelled, the runner-up granted, with a new id, to the millisecond")
    func silent() {
        var (bench, ids, conversation) = Self.decided()
        bench.advance(.milliseconds(499))
        #expect(bench.all.grants.isEmpty)
        bench.advance(.milliseconds(1))
        #expect(bench.all.grants.map(\.to) == [ids[1]])
        #expect(bench.all.grants[0].conversationID != conversation)
        #expect(bench.all.cancels.map(\.to) == [ids[0]] && bench.all.cancels.map(\.reason) == [.degraded])
        #expect(bench.all.count(.forget(conversationID: conversation)) == 1)
        #expect(bench.all.log("arbitration.decided")?.value("rule") == "runner_up")
        #expect(bench.hub.decision(about: nil)?.inPlaceOf?.conversationID == conversation)
        // The runner-up's beginning fell out while it stood by.
        bench.speak(ids[1], 17..<60)
        bench.step(
            .received(
                ids[1],
                .uplinkEnd(
                    UplinkEnd(
                        conversationID: bench.all.grants[0].conversationID, lastSequence: SerialNumber(59),
                        reason: .endpoint))))
        #expect(bench.all.failures.isEmpty)
        #expect(bench.last.contains { if case .answer = $0 { true } else { false } })
    }

    @Test("a winner that drops before a second of audio has 300 ms to come back, then the runner-up is asked")
    func drops() {
        for isBack in [false, true] {
            var (bench, ids, conversation) = Self.decided()
            bench.speak(ids[0], 0..<30)
            bench.step(.connectionClosed(ids[0], reason: "gone"))
            bench.advance(.milliseconds(299))
            #expect(bench.all.grants.isEmpty)
            if isBack {
                _ = bench.reconnect(
                    "kitchen",
                    uplink: Hello.Uplink(conversationID: conversation, first: SerialNumber(25), next: SerialNumber(44)))
                #expect(bench.last.welcomes[0].uplinkNext == SerialNumber(30))
            }
            bench.advance(.milliseconds(1))
            #expect(bench.all.grants.map(\.to) == (isBack ? [] : [ids[1]]))
        }
    }

    @Test("a winner that stands still after a few packets is replaced after 500 ms; alone it is waited for")
    func stall() {
        var (bench, ids, _) = Self.decided()
        for packet in 0..<20 {
            bench.speak(ids[0], packet..<(packet + 1))
            bench.advance(.milliseconds(20))
        }
        bench.advance(.milliseconds(479))
        #expect(bench.all.grants.isEmpty)
        bench.advance(.milliseconds(1))
        #expect(bench.all.grants.map(\.to) == [ids[1]])
        #expect(bench.all.cancels.map(\.reason) == [.degraded])
        // It goes on after all: what it says then belongs to nothing.
        bench.speak(ids[0], 20..<40)
        #expect(bench.all.failures.isEmpty)

        var alone = HubBench()
        let (kitchen, _) = alone.granted()
        alone.speak(kitchen, 0..<20)
        alone.advance(.seconds(4))
        #expect(alone.hub.conversationsInProgress == 1)
    }

    @Test("nobody is asked so late that the runner-up no longer stands by")
    func standby() {
        var (bench, ids, _) = Self.decided()
        for packet in 0..<15 {
            bench.speak(ids[0], packet..<(packet + 1))
            bench.advance(.milliseconds(100))
        }
        bench.advance(.seconds(3))
        #expect(bench.all.grants.isEmpty && bench.hub.conversationsInProgress == 1)
    }

    @Test("a winner that has sent a second is not replaced")
    func proven() {
        var (bench, ids, _) = Self.decided()
        bench.speak(ids[0], 0..<50)
        bench.step(.connectionClosed(ids[0], reason: "gone"))
        bench.advance(.seconds(3))
        #expect(bench.all.grants.isEmpty)
        #expect(bench.all.outcomes == ["degraded"])
    }

    @Test("the runner-up fails too: idle, and a short earcon on the pucks that still answer")
    func bothFail() {
        var (bench, ids, _) = Self.decided()
        bench.advance(.milliseconds(500))
        bench.all = []
        bench.advance(.milliseconds(500))
        #expect(bench.all.grants.isEmpty && bench.hub.conversationsInProgress == 0)
        let earcons = bench.all.sent.filter { $0.control == .earcon(name: "failed") }.map(\.to)
        #expect(earcons == [ids[2]], "those that failed may wake up long after")
    }

    @Test("when nobody stands by any more, the pucks that still answer say so at once")
    func nobodyStandsBy() {
        var (bench, ids, _) = Self.decided()
        let study = bench.connect("study")
        bench.step(.received(ids[1], HubBench.status(muted: true)))
        bench.step(.connectionClosed(ids[2], reason: "gone"))
        bench.all = []
        bench.advance(.milliseconds(500))
        #expect(bench.all.grants.isEmpty && bench.hub.conversationsInProgress == 0)
        #expect(bench.all.sent.filter { $0.control == .earcon(name: "failed") }.map(\.to) == [ids[1], study])
    }

    @Test("a puck that only it heard, and that fails, disturbs nobody")
    func lone() {
        var bench = HubBench()
        let kitchen = bench.connect("kitchen")
        _ = bench.connect("hall")
        bench.step(.received(kitchen, HubBench.candidate(1, snr: 20)))
        bench.advance(.milliseconds(700))
        #expect(bench.all.outcomes == ["degraded"])
        #expect(!bench.all.sent.contains { $0.control == .earcon(name: "failed") })
    }

    @Test("a runner-up that left, was muted, or speaks elsewhere is passed over")
    func unavailable() {
        for isMuted in [false, true] {
            var (bench, ids, _) = Self.decided()
            bench.step(
                isMuted ? .received(ids[1], HubBench.status(muted: true)) : .connectionClosed(ids[1], reason: "x"))
            bench.advance(.milliseconds(500))
            #expect(bench.all.grants.map(\.to) == [ids[2]])
        }
    }

    @Test("what a person ends is not given to somebody else")
    func cancelled() {
        for reason in [UplinkEnd.Reason.cancelled, .muted, .silence] {
            var (bench, ids, conversation) = Self.decided()
            bench.speak(ids[0], 0..<5)
            bench.end(ids[0], conversation, packets: 5, reason)
            bench.advance(.seconds(3))
            #expect(bench.all.grants.isEmpty)
        }
    }
}

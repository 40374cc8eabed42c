import HubCore
import PuckBase
import PuckWire
import Testing

private func permutations(_ n: Int) -> [[Int]] {
    if n == 0 { return [[]] }
    return permutations(n - 1).flatMap { rest in
        (0...rest.count).map { i in
            var order = rest
            order.insert(n - 1, at: i)
            return order
        }
    }
}

@Suite("Arbitration")
struct ArbitrationTests {
    @Test("a phrase that the hello did not name is no candidate")
    func foreignPhrase() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.step(.received(id, HubBench.candidate(1, snr: 20, phrase: "sesame")))
        #expect(bench.last.failures == [.unexpected])
        #expect(bench.last.grants.isEmpty)
    }

    @Test("every order of arrival gives one grant, the same winner by SNR, and a cancel for each other")
    func orders() {
        let names = ["attic", "bath", "cellar", "den"]
        let snr = [12.0, 25.0, 18.0, 24.9]
        for order in permutations(names.count) {
            var bench = HubBench()
            let ids = names.map { bench.connect($0) }
            bench.all = []
            for i in order {
                bench.step(.received(ids[i], HubBench.candidate(UInt32(i), snr: snr[i])))
                bench.advance(.milliseconds(20))
            }
            bench.advance(.milliseconds(100))
            #expect(bench.all.grants.map(\.to) == [ids[1]], "\(order)")
            #expect(Set(bench.all.cancels.map(\.to)) == [ids[0], ids[2], ids[3]])
            #expect(bench.all.cancels.allSatisfy { $0.reason == .lost })
            let decided = bench.all.log("arbitration.decided")
            #expect(decided?.value("winner") == "bath")
            #expect(decided?.value("candidates") == "bath:25.0,den:24.9,cellar:18.0,attic:12.0")
            #expect(decided?.value("rule") == "highest_snr")
            #expect(decided?.value("waited_ms") == "60.0", "decided with the last one heard, not later")
        }
    }

    @Test("equal SNR goes to the earlier arrival, equal arrival to the lower puck id")
    func ties() {
        for (gap, winner, rule) in [(1, "den", "earlier_arrival"), (0, "attic", "lowest_puck_id")] {
            var bench = HubBench()
            let a = bench.connect("attic")
            let d = bench.connect("den")
            bench.step(.received(d, HubBench.candidate(1, snr: 20)))
            bench.advance(.milliseconds(gap))
            bench.step(.received(a, HubBench.candidate(1, snr: 20)))
            #expect(bench.last.log("arbitration.decided")?.value("winner") == winner)
            #expect(bench.last.log("arbitration.decided")?.value("rule") == rule)
        }
    }

    @Test("an SNR that is no number loses against any other")
    func notANumber() {
        var bench = HubBench()
        let a = bench.connect("attic")
        let b = bench.connect("bath")
        bench.step(.received(a, HubBench.candidate(1, snr: .nan)))
        bench.step(.received(b, HubBench.candidate(1, snr: -40)))
        #expect(bench.last.grants.map(\.to) == [b])
    }

    @Test("a lone puck is granted at once")
    func lone() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        _ = bench.connect("shed", group: "garden")
        _ = bench.connect("clock", phrases: ["alarm"])
        bench.step(.received(id, HubBench.candidate(4, snr: 10)))
        #expect(bench.last.grants.map(\.to) == [id])
        #expect(bench.last.log("arbitration.decided")?.value("waited_ms") == "0.0")
        #expect(bench.last.log("arbitration.decided")?.value("rule") == "only_candidate")
    }

    @Test("muted and deaf pucks are not waited for")
    func unable() {
        for status in [HubBench.status(muted: true), HubBench.status(captureOK: false)] {
            var bench = HubBench()
            let a = bench.connect("attic")
            let b = bench.connect("bath")
            bench.step(.received(b, status))
            bench.step(.received(a, HubBench.candidate(1, snr: 10)))
            #expect(bench.last.grants.count == 1)
        }
    }

    @Test("a silent neighbour is waited for until the window ends, and no longer than configured")
    func window() {
        for (asked, length) in [(100, 100), (80, 80), (10, 80), (500, 120)] {
            var policy = HubPolicy()
            policy.arbitrationWindow = .milliseconds(asked)
            var bench = HubBench(policy: policy)
            let a = bench.connect("attic")
            _ = bench.connect("bath")
            bench.all = []
            bench.step(.received(a, HubBench.candidate(1, snr: 10)))
            bench.advance(.milliseconds(length - 1))
            #expect(bench.all.grants.isEmpty)
            bench.advance(.milliseconds(1))
            #expect(bench.all.grants.count == 1)
        }
    }

    @Test("a neighbour that leaves or falls silent while the window is open is no longer waited for")
    func neighbourLeaves() {
        for leave in [true, false] {
            var bench = HubBench()
            let a = bench.connect("attic")
            let b = bench.connect("bath")
            bench.step(.received(a, HubBench.candidate(1, snr: 10)))
            #expect(bench.last.grants.isEmpty)
            bench.step(leave ? .connectionClosed(b, reason: "gone") : .received(b, HubBench.status(muted: true)))
            #expect(bench.last.grants.map(\.to) == [a])
        }
    }

    @Test("a candidate whose connection closes is out; a window without candidates ends without a decision")
    func candidateLeaves() {
        var bench = HubBench()
        let a = bench.connect("attic")
        let b = bench.connect("bath")
        _ = bench.connect("cellar")
        bench.all = []
        bench.step(.received(a, HubBench.candidate(1, snr: 30)))
        bench.step(.received(b, HubBench.candidate(1, snr: 10)))
        bench.step(.connectionClosed(a, reason: "gone"))
        bench.advance(.milliseconds(100))
        #expect(bench.all.grants.map(\.to) == [b])
        #expect(bench.all.cancels.isEmpty)

        var empty = HubBench()
        let only = empty.connect("attic")
        _ = empty.connect("bath")
        empty.step(.received(only, HubBench.candidate(1, snr: 30)))
        empty.step(.connectionClosed(only, reason: "gone"))
        empty.advance(.milliseconds(200))
        #expect(empty.all.log("arbitration.decided") == nil)
    }

    @Test("a straggler within a second is late, after it busy while the conversation lasts")
    func stragglers() {
        var bench = HubBench()
        let a = bench.connect("attic")
        let b = bench.connect("bath")
        bench.step(.received(a, HubBench.candidate(1, snr: 10)))
        bench.advance(.milliseconds(100))
        bench.advance(.milliseconds(10))
        bench.step(.received(b, HubBench.candidate(7, snr: 40)))
        #expect(bench.last.cancels.map(\.reason) == [.late])
        bench.speak(a, 0..<1)
        bench.advance(.milliseconds(990))
        bench.step(.received(b, HubBench.candidate(8, snr: 40)))
        #expect(bench.last.cancels.map(\.reason) == [.busy])
        #expect(bench.last.cancels.map(\.wakeID) == [8])
    }

    @Test("two groups and two phrases are separate wakes, but a group has one conversation")
    func keys() {
        var bench = HubBench()
        let a = bench.connect("attic", phrases: ["puck", "hub"])
        let b = bench.connect("bath", phrases: ["puck", "hub"])
        let g = bench.connect("shed", group: "garden")
        bench.all = []
        bench.step(.received(a, HubBench.candidate(1, snr: 10, phrase: "puck")))
        bench.step(.received(b, HubBench.candidate(1, snr: 30, phrase: "hub")))
        bench.step(.received(g, HubBench.candidate(1, snr: 5)))
        #expect(bench.all.grants.map(\.to) == [g])
        bench.advance(.milliseconds(100))
        #expect(bench.all.grants.map(\.to) == [g, a], "the window that opened first decides first")
        #expect(bench.all.cancels.map(\.reason) == [.busy])
        #expect(bench.hub.decisions.count == 3)
        #expect(bench.hub.decisions[2].rule == .groupBusy && bench.hub.decisions[2].winner == nil)
    }

    @Test("a puck's second candidate replaces its first, which gets its own verdict")
    func replaced() {
        var bench = HubBench()
        let a = bench.connect("attic")
        _ = bench.connect("bath")
        bench.all = []
        bench.step(.received(a, HubBench.candidate(1, snr: 10)))
        bench.step(.received(a, HubBench.candidate(2, snr: 12)))
        bench.advance(.milliseconds(100))
        #expect(bench.all.cancels.map(\.wakeID) == [1])
        #expect(bench.all.grants.count == 1)
    }

    @Test("the last thousand decisions are kept")
    func records() {
        var bench = HubBench()
        let a = bench.connect("attic")
        for i in 0..<1_010 {
            bench.step(.received(a, HubBench.candidate(UInt32(i), snr: 10)))
            let conversation = bench.last.grants[0].conversationID
            bench.end(a, conversation, packets: 0, .silence)
            bench.advance(.milliseconds(1_001))
        }
        #expect(bench.hub.decisions.count == 1_000)
        #expect(bench.hub.decisions[0].candidates[0].wake.wakeID == 10)
    }
}

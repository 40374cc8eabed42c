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

    @Test(
        "every order of arrival gives one grant, the same winner, and a cancel for each other",
        arguments: [
            ArbitrationPolicy.onset, .energy, .snr,
        ])
    func orders(policy: ArbitrationPolicy) {
        let names = ["attic", "bath", "cellar", "den"]
        let snr = [12.0, 25.0, 18.0, 24.0]
        let levels = [-40.0, -20.0, -30.0, -21.0]
        for order in permutations(names.count) {
            var settings = HubPolicy()
            settings.arbitrationPolicy = policy
            var bench = HubBench(policy: settings)
            let ids = names.map { bench.connect($0) }
            for id in ids { bench.synchronize(id) }
            let onset = bench.milliseconds
            bench.all = []
            for i in order {
                bench.step(
                    .received(
                        ids[i],
                        HubBench.candidate(UInt32(i), snr: snr[i], onset: onset + Double(i) * 3, level: levels[i])))
                bench.advance(.milliseconds(20))
            }
            bench.advance(.milliseconds(100))
            #expect(bench.all.grants.map(\.to) == [ids[1]], "\(order)")
            #expect(Set(bench.all.cancels.map(\.to)) == [ids[0], ids[2], ids[3]])
            #expect(bench.all.cancels.allSatisfy { $0.reason == .lost })
            let decided = bench.all.log("arbitration.decided")
            #expect(decided?.value("winner") == "bath")
            #expect(decided?.value("candidates") == "bath:25.0,den:24.0,cellar:18.0,attic:12.0")
            #expect(decided?.value("rule") == (policy == .energy ? "loudest" : "highest_snr"))
            #expect(decided?.value("waited_ms") == "60.0", "decided with the last one heard, not later")
        }
    }

    @Test("by onset, the earlier one wins beyond the tie band and both clocks' errors; the puck's own clock counts")
    func onsets() {
        for (gap, roundTrip, winner, rule) in [
            (19.0, 0.0, "den", "highest_snr"), (21, 0, "attic", "earliest_onset"), (29, 10, "den", "highest_snr"),
            (31, 10, "attic", "earliest_onset"),
        ] {
            var policy = HubPolicy()
            policy.arbitrationPolicy = .onset
            var bench = HubBench(policy: policy)
            let attic = bench.connect("attic")
            let den = bench.connect("den")
            bench.synchronize(attic, offset: 5_000, roundTrip: roundTrip)
            bench.synchronize(den, offset: -70_000, roundTrip: roundTrip)
            let onset = bench.milliseconds - 50
            // The one that heard it later arrives first.
            bench.step(.received(den, HubBench.candidate(1, snr: 30, onset: onset + gap - 70_000)))
            bench.advance(.milliseconds(60))
            bench.step(.received(attic, HubBench.candidate(1, snr: 10, onset: onset + 5_000)))
            #expect(bench.last.log("arbitration.decided")?.value("winner") == winner, "\(gap) \(roundTrip)")
            #expect(bench.last.log("arbitration.decided")?.value("rule") == rule)
            let first = bench.hub.decisions[0].candidates.first { $0.puckID == "attic" }
            #expect(first.map { abs($0.onset.milliseconds - onset) < 0.01 && $0.onset.isCorrected } == true)
        }
    }

    @Test("a clock that is unknown, or that cannot be true, is scored by arrival, and the record says so")
    func unknownClock() {
        for onset in [0.0, 1e9, .nan] {
            var bench = HubBench()
            let attic = bench.connect("attic")
            if onset != 0 { bench.synchronize(attic) }
            bench.step(.received(attic, HubBench.candidate(1, snr: 10, onset: onset)))
            let candidate = bench.hub.decisions[0].candidates[0]
            #expect(!candidate.onset.isCorrected && candidate.onset.milliseconds == bench.milliseconds)
        }
    }

    @Test("the same onset, SNR and confidence: the preferred puck, then the last winner, then the lowest id")
    func ties() {
        for (preferred, first, winner, rule) in [
            (["den"], nil, "den", "preferred"), ([], "den", "den", "won_last"), ([], nil, "attic", "lowest_puck_id"),
            (["cellar", "den"], "attic", "den", "preferred"),
        ] as [([String], String?, String, String)] {
            var policy = HubPolicy()
            policy.preferred = preferred
            var bench = HubBench(policy: policy)
            let ids = ["attic": bench.connect("attic"), "den": bench.connect("den")]
            if let first {
                bench.step(.received(ids[first]!, HubBench.candidate(1, snr: 20)))
                bench.advance(.milliseconds(100))
                bench.end(ids[first]!, bench.all.grants.last!.conversationID, packets: 0, .silence)
                bench.advance(.seconds(2))
            }
            bench.step(.received(ids["den"]!, HubBench.candidate(2, snr: 20.2)))
            bench.step(.received(ids["attic"]!, HubBench.candidate(2, snr: 19.8)))
            #expect(bench.last.log("arbitration.decided")?.value("winner") == winner)
            #expect(bench.last.log("arbitration.decided")?.value("rule") == rule)
        }
    }

    @Test("what the other policies would have done is in the record")
    func otherPolicies() {
        var bench = HubBench()
        let attic = bench.connect("attic")
        let den = bench.connect("den")
        bench.synchronize(attic)
        bench.synchronize(den)
        let onset = bench.milliseconds - 100
        bench.step(.received(den, HubBench.candidate(1, snr: 30, onset: onset + 60, level: -40)))
        bench.advance(.milliseconds(60))
        bench.step(.received(attic, HubBench.candidate(1, snr: 10, onset: onset, level: -20)))
        #expect(bench.hub.decisions[0].winners == ["attic", "attic", "attic", "den", "den"])
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

    @Test("nobody waits for a puck that has proved to be out of earshot, and for one that woke together once always")
    func earshot() {
        var bench = HubBench()
        let near = bench.connect("near")
        let far = bench.connect("far")
        func wake(_ bench: inout HubBench, _ id: ConnectionID, _ number: UInt32) -> String? {
            for puck in [near, far] { bench.step(.received(puck, HubBench.status())) }
            bench.step(.received(id, HubBench.candidate(number, snr: 20)))
            if bench.last.grants.isEmpty { bench.advance(.milliseconds(100)) }
            let decided = bench.all.logs.last { $0.isNamed("arbitration.decided") }
            bench.end(id, bench.all.grants.last!.conversationID, packets: 0, .silence)
            bench.advance(.seconds(2))
            return decided?.value("waited_ms")
        }
        for number in 1...5 as ClosedRange<UInt32> { #expect(wake(&bench, near, number) == "100.0") }
        #expect(wake(&bench, near, 6) == "0.0")
        #expect(wake(&bench, far, 7) == "0.0", "nor the other way round")
        // A straggler shows that they do hear the same people.
        bench.step(.received(near, HubBench.candidate(8, snr: 20)))
        bench.advance(.milliseconds(50))
        bench.step(.received(far, HubBench.candidate(8, snr: 20)))
        #expect(bench.last.cancels.map(\.reason) == [.late])
        bench.end(near, bench.all.grants.last!.conversationID, packets: 0, .silence)
        bench.advance(.seconds(2))
        #expect(wake(&bench, near, 9) == "100.0")
    }

    @Test("a puck that plays is not waited for: it hears mostly itself")
    func playing() {
        var bench = HubBench()
        let near = bench.connect("near")
        _ = bench.connect("radio")
        bench.step(.playRequested(request: 1, puckID: "radio", category: .music))
        bench.step(.received(near, HubBench.candidate(1, snr: 20)))
        #expect(bench.last.grants.map(\.to) == [near])
    }

    @Test("gains are learned from wakes that were heard together, and a correction by a person shifts them")
    func gains() {
        var policy = HubPolicy()
        policy.arbitrationPolicy = .energy
        var bench = HubBench(policy: policy)
        let hot = bench.connect("hot")
        let cold = bench.connect("cold")
        var number: UInt32 = 0
        func wake(_ bench: inout HubBench, _ levels: (Double, Double)) -> String {
            number += 1
            bench.step(.received(hot, HubBench.candidate(number, snr: 20, level: levels.0)))
            bench.step(.received(cold, HubBench.candidate(number, snr: 20, level: levels.1)))
            let grant = bench.last.grants[0]
            bench.end(grant.to, grant.conversationID, packets: 0, .silence)
            bench.advance(.seconds(2))
            return bench.hub.decisions[bench.hub.decisions.count - 1].winner!.puckID
        }
        #expect(wake(&bench, (-20, -23)) == "hot")
        // One microphone is 6 dB hotter than the other; people stand by the one as often as by the other.
        for _ in 0..<40 {
            _ = wake(&bench, (-20, -32))
            _ = wake(&bench, (-26, -26))
        }
        #expect(abs(bench.hub.earshot.gain(of: "hot") - bench.hub.earshot.gain(of: "cold") - 6) < 2)
        #expect(wake(&bench, (-20, -23)) == "cold")
        let last = bench.hub.decision(about: nil)!
        let before = bench.hub.earshot.gain(of: "hot")
        let taken = bench.hub.correct(last.conversationID!, to: "hot")
        let refused = bench.hub.correct(last.conversationID!, to: "nobody") || bench.hub.correct("c-none", to: "hot")
        #expect(taken && !refused)
        #expect(bench.hub.earshot.gain(of: "hot") < before)
        #expect(bench.hub.decision(about: last.conversationID)?.correctedTo == "hot")
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

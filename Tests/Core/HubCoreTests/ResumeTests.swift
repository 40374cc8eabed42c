import HubCore
import PuckBase
import PuckWire
import Testing

/// A puck drops and comes back: what the hub goes on with, and what it does not (FAILURES.md L8–L12, L22, S13).
@Suite("Resume")
struct ResumeTests {
    static func drop(_ bench: inout HubBench, _ id: ConnectionID) {
        bench.step(.connectionClosed(id, reason: "reset"))
    }

    /// A puck in the middle of its answer: `sent` messages are out, the last of them 100 packets of play 1.
    static func speaking(_ packets: Int = 300, isComplete: Bool = true) -> (HubBench, ConnectionID, String) {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        bench.speak(id, 0..<5)
        bench.end(id, conversation, packets: 5)
        bench.ready(packets, isComplete: isComplete)
        return (bench, id, conversation)
    }

    private static func epoch(_ bench: HubBench) -> UInt32 { bench.all.welcomes.last!.epoch }

    static func resume(_ bench: HubBench, _ sequence: Int) -> Hello.Resume {
        Hello.Resume(epoch: epoch(bench), sequence: SerialNumber(UInt16(truncatingIfNeeded: sequence)))
    }

    @Test("an utterance goes on from the packet that the hub lacks, in the same conversation")
    func uplink() {
        var bench = HubBench()
        let (first, conversation) = bench.granted()
        bench.speak(first, 0..<20)
        Self.drop(&bench, first)
        bench.advance(.milliseconds(900))
        let second = bench.reconnect(
            "kitchen", resume: Self.resume(bench, 0),
            uplink: Hello.Uplink(conversationID: conversation, first: SerialNumber(15), next: SerialNumber(60)))
        #expect(bench.last.welcomes.first?.uplinkNext == SerialNumber(20))
        bench.speak(second, 20..<60)
        bench.end(second, conversation, packets: 60)
        #expect(bench.all.failures.isEmpty)
        #expect(bench.last.log("uplink.end")?.value("packets") == "60")
        #expect(bench.last.count(.answer(conversationID: conversation, playID: 1)) == 1)
        #expect(bench.hub.counters.uplinksResumed == 1 && bench.hub.counters.degraded == 0)
    }

    @Test("an utterance whose next packet the puck no longer holds, or that it does not name, ends degraded")
    func uplinkLost() {
        for uplink in [
            Hello.Uplink(conversationID: "c-other", first: .zero, next: SerialNumber(30)),
            Hello.Uplink(conversationID: "", first: SerialNumber(21), next: SerialNumber(70)),
            Hello.Uplink(conversationID: "", first: .zero, next: SerialNumber(19)),
            nil,
        ] {
            var bench = HubBench()
            let (first, conversation) = bench.granted()
            bench.speak(first, 0..<20)
            Self.drop(&bench, first)
            var named = uplink
            if named?.conversationID == "" { named?.conversationID = conversation }
            let second = bench.reconnect("kitchen", uplink: named)
            #expect(bench.last.welcomes.first?.uplinkNext == nil)
            #expect(bench.last.outcomes == ["degraded"] && bench.last.log("session.degraded") != nil)
            #expect(bench.hub.counters.degraded == 1)
            // Who still speaks asks again at once, and gets a conversation of its own.
            bench.step(.received(second, HubBench.candidate(2, snr: 20)))
            #expect(bench.last.grants.map(\.conversationID).first.map { $0 != conversation } == true)
        }
    }

    @Test(
        "that an utterance is over is said by the welcome alone: no phase, no arb_cancel, and the next wake is not late"
    )
    func uplinkLostSilently() {
        var bench = HubBench()
        let (first, conversation) = bench.granted()
        bench.speak(first, 0..<20)
        let resume = Self.resume(bench, 0)
        Self.drop(&bench, first)
        bench.advance(.milliseconds(100))
        let second = bench.reconnect(
            "kitchen", resume: resume,
            uplink: Hello.Uplink(conversationID: conversation, first: SerialNumber(21), next: SerialNumber(70)))
        #expect(bench.last.welcomes.map(\.uplinkNext) == [nil])
        #expect(bench.last.log("session.degraded") != nil)
        let said = bench.last
        bench.step(.received(second, HubBench.candidate(2, snr: 20)))
        #expect(bench.last.grants.count == 1 && bench.last.cancels.isEmpty)
        for effects in [said, bench.last] { #expect(effects.phases.isEmpty && effects.cancels.isEmpty) }
    }

    @Test("an utterance waits two seconds for its puck, no longer")
    func uplinkTooLate() {
        var bench = HubBench()
        let (first, conversation) = bench.granted()
        bench.speak(first, 0..<20)
        Self.drop(&bench, first)
        bench.advance(.milliseconds(1_999))
        #expect(bench.all.outcomes.isEmpty)
        bench.advance(.milliseconds(1))
        #expect(bench.all.outcomes == ["degraded"])
        _ = bench.reconnect(
            "kitchen", uplink: Hello.Uplink(conversationID: conversation, first: .zero, next: SerialNumber(50)))
        #expect(bench.last.welcomes.first?.uplinkNext == nil)
    }

    @Test("a whole utterance is answered though the puck was away when the answer was made")
    func answeredWhileAway() {
        var bench = HubBench()
        let (first, conversation) = bench.granted()
        bench.speak(first, 0..<5)
        bench.end(first, conversation, packets: 5)
        let resume = Self.resume(bench, 0)
        Self.drop(&bench, first)
        bench.ready(300, isComplete: true)
        #expect(bench.last.stream.isEmpty)
        bench.advance(.seconds(10))
        _ = bench.reconnect("kitchen", resume: resume)
        #expect(bench.last.welcomes.first?.resume == .replayed)
        #expect(bench.last.stream.prefix(4) == ["0:phase-thinking", "1:start-1@0", "2:1/0", "3:1/1"])
        #expect(bench.last.audio.map(\.packet) == Array(0..<100), "two seconds, no more")
    }

    @Test(
        "the replay is every message from the first that is missing, in order, under its old number, before anything new"
    )
    func replay() {
        for missing in [2, 3, 50, 101, 102] {
            var (bench, first, _) = Self.speaking()
            let before = bench.all.stream
            let resume = Self.resume(bench, missing)
            Self.drop(&bench, first)
            let second = bench.reconnect("kitchen", resume: resume)
            let welcome = bench.last.welcomes.first
            #expect(welcome?.resume == .replayed && welcome?.from == SerialNumber(UInt16(missing)))
            #expect(welcome?.epoch == Self.epoch(bench))
            #expect(bench.last.stream == Array(before[missing...]))
            bench.played(second, 101, heard: 60)
            #expect(bench.last.stream.first == "102:1/100")
        }
    }

    @Test("a puck that falls silent without a word is away, and finds its answer again: it is not given up before")
    func halfOpen() {
        for heard in [0, 20, 99, 100] {
            var (bench, _, _) = Self.speaking(100)
            let resume = Self.resume(bench, 90)
            bench.played(ConnectionID(1), 89, heard: heard)
            bench.advance(HubLimits.silentFor)
            #expect(bench.last.closed == [ConnectionID(1)] && bench.all.outcomes.isEmpty, "heard \(heard)")
            _ = bench.reconnect("kitchen", resume: resume)
            #expect(bench.last.welcomes.first?.resume == .replayed && bench.all.outcomes.isEmpty, "heard \(heard)")
        }
    }

    @Test("what was acknowledged, never sent, of another epoch or too old is not replayed: a clean start instead")
    func fresh() {
        // Seconds from the last packet to the drop, and to the hello.
        for (name, sequence, silent, away) in [
            ("acknowledged", 10, 0, 0), ("never sent", 200, 0, 0), ("other epoch", 50, 0, 0), ("nothing", -1, 0, 0),
            ("too old", 50, 9, 21), ("just not too old", 50, 9, 20),
        ] {
            var (bench, first, conversation) = Self.speaking()
            bench.played(first, 30, heard: 20)
            var resume: Hello.Resume? = Self.resume(bench, sequence)
            if name == "other epoch" { resume?.epoch ^= 1 }
            if name == "nothing" { resume = nil }
            let old = Self.epoch(bench)
            bench.advance(.seconds(silent))
            Self.drop(&bench, first)
            bench.advance(.seconds(away))
            let second = bench.reconnect("kitchen", resume: resume)
            let welcome = bench.last.welcomes.first
            if name == "just not too old" {
                #expect(welcome?.resume == .replayed && bench.last.stream.first == "50:1/48")
                continue
            }
            #expect(welcome?.resume == (resume == nil ? Welcome.ResumeOutcome.none : .fresh), "\(name)")
            #expect(welcome?.epoch != old)
            #expect(bench.last.stream.prefix(2) == ["0:start-1@400", "1:1/20"], "\(name)")
            bench.played(second, 100, heard: 120)
            bench.played(second, 200, heard: 220)
            bench.advance(.seconds(1))
            bench.played(second, 281, heard: 300, state: .ended)
            #expect(bench.all.outcomes == ["done"], "\(name)")
            #expect(bench.hub.connection(of: conversation) == nil)
        }
    }

    @Test("a puck that is away for thirty seconds is forgotten, its answer ends degraded, and nothing of it is kept")
    func forgotten() {
        var (bench, first, _) = Self.speaking()
        Self.drop(&bench, first)
        bench.advance(.milliseconds(29_999))
        #expect(bench.all.outcomes.isEmpty && bench.hub.replayLog(of: "kitchen") != nil)
        bench.advance(.milliseconds(1))
        #expect(bench.all.outcomes == ["degraded"] && bench.hub.replayLog(of: "kitchen") == nil)
        #expect(bench.all.count(.forgetAnswer(playID: 1)) == 1)
        #expect(bench.hub.nextDeadline == nil || bench.hub.sessionCount == 0)
    }

    @Test("the log keeps what is not acknowledged, for thirty seconds and half a mebibyte at most")
    func bounds() throws {
        var (bench, id, _) = Self.speaking(10)
        #expect(bench.hub.replayLog(of: "kitchen")?.messages == 13)
        for second in 1...40 {
            bench.advance(.seconds(1))
            bench.step(.received(id, HubBench.status()))
            let log = bench.hub.replayLog(of: "kitchen")!
            // The play was given up meanwhile, and the puck told so.
            #expect(second < 30 ? log.messages >= 13 : (1..<13).contains(log.messages), "\(second) s: \(log)")
            #expect(try bench.now - #require(log.oldest) < HubLimits.replayKept, "\(second) s")
        }

        var policy = HubPolicy()
        policy.downlinkAhead = .seconds(2)
        var big = HubBench(policy: policy)
        let (puck, conversation) = big.granted()
        big.speak(puck, 0..<5)
        big.end(puck, conversation, packets: 5)
        big.step(.answerReady(playID: 1, sizes: [UInt16](repeating: 60_000, count: 100), isComplete: true))
        #expect(big.hub.replayLog(of: "kitchen")!.bytes <= HubLimits.replayBytes)
        #expect(big.hub.replayLog(of: "kitchen")!.messages == 9, "eight packets and the stop")
    }

    @Test("what is paused and what waits survives the drop and is played to its end")
    func queue() {
        var bench = HubBench()
        let first = bench.connect("kitchen")
        bench.step(.playRequested(request: 7, puckID: "kitchen", category: .music))
        #expect(bench.last.contains(.preparePlay(request: 7, playID: 1)))
        bench.ready(200, isComplete: true, playID: 1)
        bench.step(.playRequested(request: 8, puckID: "kitchen", category: .timer))
        bench.ready(20, isComplete: true, playID: 2)
        bench.step(.playRequested(request: 9, puckID: "kitchen", category: .notification))
        bench.ready(10, isComplete: true, playID: 3)
        let sent = bench.all.stream
        #expect(sent.contains("101:pause-1") && sent.last == "123:stop-2-done")
        let resume = Self.resume(bench, 110)
        Self.drop(&bench, first)
        bench.advance(.seconds(5))
        let second = bench.reconnect("kitchen", resume: resume)
        #expect(bench.last.stream == Array(sent[110...]))
        bench.played(second, 123, heard: 20, playID: 2, state: .ended)
        #expect(bench.last.stream.first == "124:start-3@0", "the notification outranks the music")
        bench.played(second, 135, heard: 10, playID: 3, state: .ended)
        #expect(bench.last.stream.first == "136:resume-1")
        bench.played(second, 136, heard: 100, playID: 1)
        #expect(bench.last.audio.map(\.packet) == Array(100..<200))
        bench.played(second, 237, heard: 200, playID: 1, state: .ended)
        #expect(
            bench.all.logs.filter { $0.isNamed("play.end") }.compactMap { $0.value("outcome") } == [
                "done", "done", "done",
            ])
    }

    @Test("a new speaker of the group makes the answer of a puck that is away stale: it stays silent when it returns")
    func superseded() {
        var (bench, first, _) = Self.speaking()
        let other = bench.connect("hall")
        let resume = Self.resume(bench, 50)
        Self.drop(&bench, first)
        bench.advance(.seconds(1))
        bench.step(.received(other, HubBench.candidate(1, snr: 10)))
        let floor = bench.last.grants.first?.conversationID
        #expect(floor != nil && bench.all.outcomes == ["degraded"])
        _ = bench.reconnect("kitchen", resume: resume)
        let welcome = bench.last.welcomes.first
        #expect(welcome?.resume == .fresh && welcome?.floor == floor)
        #expect(bench.last.stream.isEmpty)
    }

    @Test("a report that was made before a play started anew does not end it")
    func staleReport() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.step(.playRequested(request: 1, puckID: "kitchen", category: .music))
        bench.ready(50, isComplete: true, playID: 1)
        bench.step(.playRequested(request: 2, puckID: "kitchen", category: .notification))
        bench.ready(50, isComplete: true, playID: 2)
        // The paused lane is taken: the notification goes back into the queue.
        bench.step(.playRequested(request: 3, puckID: "kitchen", category: .timer))
        bench.ready(5, isComplete: true, playID: 3)
        let stop = bench.all.stream.firstIndex { $0.hasSuffix("stop-2-cancelled") }!
        bench.step(.playCancelled(playID: 3))
        #expect(bench.last.stream.contains { $0.hasSuffix(":start-2@0") })
        bench.played(id, stop, heard: 10, playID: 2, state: .ended)
        #expect(bench.last.log("play.end") == nil)
        bench.played(id, bench.all.stream.count - 1, heard: 50, playID: 2, state: .ended)
        #expect(bench.last.log("play.end")?.value("outcome") == "done")
    }

    @Test("a puck that refused something is not sent the same again: nothing of it is kept")
    func refusedByThePuck() {
        var (bench, first, _) = Self.speaking()
        let resume = Self.resume(bench, 50)
        bench.step(.receivedError(first, WireError(.unexpected, "downlink message 52 where 50 was next")))
        #expect(bench.last.closed == [first])
        #expect(bench.last.outcomes == ["degraded"] && bench.last.count(.forgetAnswer(playID: 1)) == 1)
        _ = bench.reconnect("kitchen", resume: resume)
        #expect(bench.last.welcomes.first?.resume == .fresh)
        #expect(bench.last.stream.isEmpty)
    }
}

/// Somebody speaks while something plays.
@Suite("Barge-in")
struct BargeInTests {
    @Test("another puck's wake stops an answer that sounds, and its speaker is heard")
    func answer() {
        var bench = HubBench()
        let kitchen = bench.connect("kitchen")
        let hall = bench.connect("hall")
        bench.step(.received(kitchen, HubBench.candidate(1, snr: 20)))
        bench.step(.received(hall, HubBench.candidate(1, snr: 10)))
        let first = bench.last.grants[0].conversationID
        bench.speak(kitchen, 0..<5)
        bench.step(.received(hall, HubBench.candidate(2, snr: 10)))
        bench.end(kitchen, first, packets: 5)
        bench.ready(300, isComplete: true)
        bench.advance(.seconds(1))
        bench.all = []
        bench.step(.received(hall, HubBench.candidate(3, snr: 10)))
        #expect(bench.last.grants.map(\.to) == [hall])
        #expect(bench.last.stream.contains { $0.hasSuffix("stop-1-cancelled") })
        #expect(bench.last.outcomes == ["cancelled"])
        let handicaps = bench.hub.decisions[bench.hub.decisions.count - 1].candidates.map(\.handicapDecibels)
        #expect(handicaps == [0])
    }

    @Test("music pauses on every puck of the group while somebody is listened to and answered, and goes on afterwards")
    func music() {
        var bench = HubBench()
        let kitchen = bench.connect("kitchen")
        let hall = bench.connect("hall")
        bench.step(.playRequested(request: 1, puckID: "hall", category: .music))
        bench.ready(500, isComplete: true, playID: 1)
        bench.played(hall, 50, heard: 40)
        bench.step(.received(kitchen, HubBench.candidate(1, snr: 20)))
        let conversation = bench.last.grants[0].conversationID
        #expect(bench.last.stream.contains { $0.hasSuffix("pause-1") })
        // What is asked for meanwhile waits too.
        bench.step(.playRequested(request: 2, puckID: "kitchen", category: .notification))
        bench.ready(10, isComplete: true, playID: 3)
        bench.speak(kitchen, 0..<5)
        bench.end(kitchen, conversation, packets: 5)
        bench.ready(10, isComplete: true, playID: 2)
        #expect(bench.last.stream.contains { $0.hasSuffix("start-2@0") })
        let seen = bench.last.stream.count
        bench.all = []
        // thinking, the answer's start, ten packets and its stop.
        bench.played(kitchen, seen, heard: 10, playID: 2, state: .ended)
        #expect(bench.last.stream.contains { $0.hasSuffix("resume-1") })
        #expect(bench.last.stream.contains { $0.hasSuffix("start-3@0") })
    }

    @Test("a puck that heard over its own loudspeaker is given back what that cost it")
    func handicap() {
        var bench = HubBench()
        let kitchen = bench.connect("kitchen")
        let hall = bench.connect("hall")
        bench.step(.playRequested(request: 1, puckID: "kitchen", category: .music))
        bench.ready(500, isComplete: true, playID: 1)
        bench.step(.received(hall, HubBench.candidate(1, snr: 20)))
        #expect(bench.last.grants.map(\.to) == [hall], "a puck that plays is not waited for")
        bench.end(hall, bench.last.grants[0].conversationID, packets: 0, .silence)
        bench.advance(.seconds(2))
        _ = bench.connect("attic")
        bench.step(.received(hall, HubBench.candidate(2, snr: 20)))
        bench.step(.received(kitchen, HubBench.candidate(2, snr: 16)))
        bench.advance(.milliseconds(100))
        #expect(bench.all.grants.last?.to == kitchen)
    }

    @Test("a puck that arrives while somebody speaks to another one plays nothing before that is over")
    func newcomer() {
        var bench = HubBench()
        let (kitchen, conversation) = bench.granted()
        let hall = bench.connect("hall")
        #expect(bench.last.welcomes[0].floor == conversation)
        bench.step(.playRequested(request: 0, puckID: "hall", category: .announcement))
        bench.ready(5, isComplete: true, playID: 2)
        #expect(bench.all.sent.allSatisfy { if case .downStart = $0.control { false } else { true } })
        bench.end(kitchen, conversation, packets: 0, .silence)
        #expect(bench.last.stream.contains { $0.hasSuffix(":start-2@0") })
        #expect(bench.last.sent.last?.to == hall)
    }
}

import HubCore
import PuckBase
import PuckWire
import Testing

@Suite("Conversation")
struct ConversationTests {
    @Test("the whole turn: grant, audio, thinking, answer, idle")
    func turn() {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        bench.advance(.milliseconds(30))
        bench.all = []
        bench.speak(id, 0..<25)
        #expect(bench.all.log("conversation.first_audio")?.value("grant_to_first_ms") == "30.0")
        #expect(bench.all.count(.hear(conversationID: conversation)) == 25)
        #expect(bench.all.acks == [10, 20])
        bench.end(id, conversation, packets: 25)
        #expect(bench.last.acks == [25])
        #expect(bench.last.phases == [.thinking])
        #expect(bench.last.count(.answer(conversationID: conversation, playID: 1)) == 1)
        #expect(bench.last.log("uplink.end")?.value("bytes") == "1500")
        bench.advance(.milliseconds(40))
        bench.ready(20, isComplete: true)
        #expect(bench.last.log("answer.start")?.value("end_to_answer_ms") == "40.0")
        #expect(bench.last.audio.map(\.packet) == Array(0..<20))
        // thinking 0, down_start 1, audio 2…21, down_stop 22
        #expect(bench.last.audio.map(\.sequence.value) == Array(2..<22))
        #expect(bench.last.sent.last?.control == .downStop(playID: 1, reason: .done))
        bench.played(id, 21, heard: 19)
        #expect(bench.last.isEmpty)
        bench.played(id, 22, heard: 20, state: .ended)
        #expect(bench.last.phases == [.idle])
        #expect(bench.last.count(.forgetAnswer(playID: 1)) == 1, "nothing of it is left to be replayed")
        #expect(bench.last.outcomes == ["done"])
        #expect(bench.all.count(.forget(conversationID: conversation)) == 1)
        #expect(bench.hub.conversationsInProgress == 0)
    }

    @Test("no packet within 500 ms of the grant ends it degraded, and audio that comes too late is dropped in silence")
    func firstAudio() {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        bench.advance(.milliseconds(499))
        #expect(bench.hub.conversationsInProgress == 1)
        bench.advance(.milliseconds(1))
        #expect(bench.last.outcomes == ["degraded"])
        #expect(bench.last.phases == [.degraded])
        #expect(bench.last.cancels.map(\.reason) == [.degraded])
        bench.all = []
        bench.speak(id, 0..<30)
        bench.end(id, conversation, packets: 30)
        #expect(bench.all.failures.isEmpty && bench.all.acks.isEmpty)
        // The next wake begins anew; audio without a grant is an error again.
        bench.advance(.seconds(1))
        _ = bench.connect("neighbour")
        bench.step(.received(id, HubBench.candidate(2, snr: 3)))
        bench.speak(id, 30..<31)
        #expect(bench.last.failures == [.unexpected])
    }

    @Test(
        "a gap, a duplicate and a wrong start are UNEXPECTED and leave the conversation degraded",
        arguments: [[0, 2], [0, 0], [1], [0, 1, 2, 1], [65_535]])
    func order(sequence: [Int]) {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        bench.all = []
        for i in sequence { bench.speak(id, i..<i + 1) }
        #expect(bench.all.failures == [.unexpected])
        #expect(bench.all.outcomes == ["degraded"])
        #expect(bench.all.count(.forget(conversationID: conversation)) == 1)
        #expect(bench.hub.conversationsInProgress == 0)
    }

    @Test("packets of a size that no codec has are BAD_LEN, another codec is UNEXPECTED")
    func sizes() {
        let cases: [(MessageType, Int, WireError.Code)] = [
            (.uplinkOpus, 0, .badLength), (.uplinkOpus, 1_276, .badLength), (.uplinkPCM, 638, .badLength),
            (.downlinkOpus, 60, .unexpected),
        ]
        for (type, bytes, code) in cases {
            var bench = HubBench()
            let (id, _) = bench.granted()
            bench.step(.receivedAudio(id, type, .zero, byteCount: bytes))
            #expect(bench.last.failures == [code])
        }
        var bench = HubBench()
        let (id, _) = bench.granted()
        bench.speak(id, 0..<1)
        bench.step(.receivedAudio(id, .uplinkPCM, SerialNumber(1), byteCount: 640))
        #expect(bench.last.failures == [.unexpected])
    }

    @Test("an utterance over the limit is stopped, what follows is not kept, and the answer is still made")
    func limit() {
        var policy = HubPolicy()
        policy.utteranceLimit = .seconds(2)
        var bench = HubBench(policy: policy)
        let (id, conversation) = bench.granted()
        bench.all = []
        bench.speak(id, 0..<130)
        #expect(bench.all.count(.hear(conversationID: conversation)) == 100)
        let stops = bench.all.sent.filter { $0.control == .listenStop(conversationID: conversation, reason: "limit") }
        #expect(stops.count == 1)
        bench.end(id, conversation, packets: 130, .timeout)
        #expect(bench.last.phases == [.thinking])
    }

    @Test("after a conversation ended here all that a puck can have said is dropped, and more is UNEXPECTED")
    func draining() {
        var bench = HubBench()
        let (id, _) = bench.granted()
        bench.advance(.milliseconds(500))
        #expect(bench.all.outcomes == ["degraded"])
        // 15 s, the longest utterance, and its preroll: on a line that stalls nothing of the end has reached it.
        bench.speak(id, 0..<800)
        #expect(bench.all.failures.isEmpty)
        bench.speak(id, 800..<801)
        #expect(bench.all.failures == [.unexpected])
    }

    @Test("a puck that ignores listen_stop: by silence it ends degraded, by more audio it is UNEXPECTED")
    func ignoresStop() {
        var policy = HubPolicy()
        policy.utteranceLimit = .seconds(2)
        var silent = HubBench(policy: policy)
        let (a, _) = silent.granted()
        silent.speak(a, 0..<1)
        silent.advance(.seconds(4))
        #expect(silent.all.outcomes == ["degraded"])
        var loud = HubBench(policy: policy)
        let (b, _) = loud.granted()
        loud.speak(b, 0..<901)
        #expect(loud.all.failures == [.unexpected])
    }

    @Test("a degraded conversation is logged with its reason, and counted by cause")
    func degradations() {
        var policy = HubPolicy()
        policy.utteranceLimit = .seconds(2)
        var silent = HubBench(policy: policy)
        _ = silent.granted()
        silent.advance(.milliseconds(500))
        #expect(silent.all.log("session.degraded")?.value("reason") == "first_audio")
        #expect(silent.hub.counters.silentWinners == 1 && silent.hub.counters.degraded == 1)
        var gap = HubBench(policy: policy)
        let (a, conversation) = gap.granted()
        gap.speak(a, 0..<5)
        gap.end(a, conversation, packets: 5, .gap)
        #expect(gap.all.log("session.degraded")?.value("reason") == "gap")
        #expect(gap.hub.counters.gaps == 1 && gap.hub.counters.degraded == 1)
        var unended = HubBench(policy: policy)
        let (b, _) = unended.granted()
        unended.speak(b, 0..<1)
        unended.advance(.seconds(4))
        #expect(unended.all.log("session.degraded")?.value("reason") == "up_end")
        #expect(unended.hub.counters.unended == 1 && unended.hub.counters.degraded == 1)
        #expect(silent.hub.counters.linksLost + gap.hub.counters.linksLost + unended.hub.counters.linksLost == 0)
    }

    @Test("how an uplink ends decides what follows")
    func reasons() {
        let cases: [(UplinkEnd.Reason, [HubControl.ConversationPhase], [String])] = [
            (.endpoint, [.thinking], []), (.timeout, [.thinking], []), (.cancelled, [.idle], ["cancelled"]),
            (.muted, [.idle], ["cancelled"]), (.silence, [.idle], ["cancelled"]), (.gap, [.degraded], ["degraded"]),
        ]
        for (reason, phases, outcomes) in cases {
            var bench = HubBench()
            let (id, conversation) = bench.granted()
            bench.speak(id, 0..<5)
            bench.end(id, conversation, packets: 5, reason)
            #expect(bench.last.phases == phases, "\(reason)")
            #expect(bench.last.outcomes == outcomes, "\(reason)")
            #expect(bench.last.failures.isEmpty)
        }
    }

    @Test("up_end that names another last packet is UNEXPECTED; one without any audio is a cancelled turn")
    func lastPacket() {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        bench.speak(id, 0..<5)
        bench.end(id, conversation, packets: 6)
        #expect(bench.last.failures == [.unexpected])
        var empty = HubBench()
        let (other, none) = empty.granted()
        empty.end(other, none, packets: 0)
        #expect(empty.last.outcomes == ["cancelled"])
    }

    @Test("up_end without any audio names 65,535; another number is of packets that are missing", arguments: [0, 7])
    func lastPacketOfNone(number: Int) {
        for (packets, failures) in [(number + 1, [WireError.Code.unexpected]), (0, [])] {
            var bench = HubBench()
            let (id, conversation) = bench.granted()
            bench.end(id, conversation, packets: packets)
            #expect(bench.last.failures == failures)
        }
    }

    @Test("up_end for a conversation of another puck changes nothing")
    func foreignEnd() {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        let other = bench.connect("shed", group: "garden")
        bench.speak(id, 0..<5)
        bench.end(other, conversation, packets: 5)
        #expect(bench.last.outcomes.isEmpty && bench.last.failures.isEmpty)
        #expect(bench.hub.conversationsInProgress == 1)
    }

    @Test("audio without a grant and audio after up_end are UNEXPECTED")
    func audioOutside() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.speak(id, 0..<1)
        #expect(bench.last.failures == [.unexpected])
        var after = HubBench()
        let (other, conversation) = after.granted()
        after.speak(other, 0..<5)
        after.end(other, conversation, packets: 5)
        after.speak(other, 5..<6)
        #expect(after.last.failures == [.unexpected])
        #expect(after.last.outcomes == ["degraded"])
    }

    @Test("an answer that does not come within 15 s, or fails, ends it failed with phase error")
    func noAnswer() {
        for fails in [true, false] {
            var bench = HubBench()
            let (id, conversation) = bench.granted()
            bench.speak(id, 0..<5)
            bench.end(id, conversation, packets: 5)
            if fails {
                bench.step(.answerFailed(playID: 1, reason: "no voice"))
            } else {
                for _ in 0..<2 {
                    bench.advance(.milliseconds(7_500))
                    bench.step(.received(id, HubBench.status()))
                }
            }
            #expect(bench.all.outcomes == ["failed"])
            #expect(bench.all.phases == [.thinking, .error])
            #expect(bench.hub.conversationsInProgress == 0)
        }
    }

    @Test("no answer to give is a turn that is done")
    func emptyAnswer() {
        var bench = HubBench()
        let (id, conversation) = bench.granted()
        bench.speak(id, 0..<5)
        bench.end(id, conversation, packets: 5)
        bench.ready(0, isComplete: true)
        #expect(bench.last.phases == [.idle])
        #expect(bench.last.outcomes == ["done"])
    }

    @Test("a puck that stays away ends its conversation degraded in every state, and frees the group in time")
    func lost() {
        for stage in 0..<4 {
            var bench = HubBench()
            let (id, conversation) = bench.granted()
            let neighbour = bench.connect("neighbour")
            if stage > 0 { bench.speak(id, 0..<5) }
            if stage > 1 { bench.end(id, conversation, packets: 5) }
            if stage > 2 {
                bench.ready(300, isComplete: true)
            }
            bench.step(.connectionClosed(id, reason: "reset"))
            #expect(bench.last.outcomes.isEmpty && bench.last.sent.isEmpty && bench.last.audio.isEmpty)
            bench.advance(.seconds(2))
            // While somebody speaks the floor is theirs for two seconds; an answer to nobody keeps nobody from asking.
            #expect(bench.all.outcomes == (stage < 2 ? ["degraded"] : []))
            bench.step(.received(neighbour, HubBench.candidate(1, snr: 5)))
            #expect(bench.last.grants.count == 1)
            #expect(bench.all.outcomes == ["degraded"])
            #expect(bench.hub.counters.degraded == 1)
        }
    }

    @Test("answers that come for a conversation that is over change nothing")
    func staleAnswer() {
        var bench = HubBench()
        let (id, _) = bench.granted()
        bench.ready(5, isComplete: true)
        #expect(bench.last.isEmpty, "nothing was asked for yet")
        bench.step(.connectionClosed(id, reason: "gone"))
        bench.ready(5, isComplete: true)
        bench.step(.answerFailed(playID: 1, reason: "late"))
        #expect(bench.last.isEmpty)
    }

    @Test("\"stop\" while the hub thinks or speaks ends the turn and its answer")
    func stopped() {
        for isSpeaking in [false, true] {
            var bench = HubBench()
            let (id, conversation) = bench.granted()
            bench.speak(id, 0..<5)
            bench.end(id, conversation, packets: 5)
            if isSpeaking {
                bench.ready(300, isComplete: true)
            }
            bench.end(id, conversation, packets: 5, .cancelled)
            let stop = HubControl.downStop(playID: 1, reason: .cancelled)
            #expect(bench.last.sent.map(\.control).contains(stop) == isSpeaking)
            #expect(bench.last.phases == [.idle])
            #expect(bench.last.outcomes == ["cancelled"])
        }
    }
}

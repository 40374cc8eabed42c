import HubCore
import PuckBase
import PuckWire
import Testing

@Suite("Downlink")
struct DownlinkTests {
    private static func answering(_ policy: HubPolicy = HubPolicy()) -> (HubBench, ConnectionID, String) {
        var bench = HubBench(policy: policy)
        let (id, conversation) = bench.granted()
        bench.speak(id, 0..<5)
        bench.end(id, conversation, packets: 5)
        return (bench, id, conversation)
    }

    @Test("never more than two seconds ahead of what was played, in order, nothing twice", arguments: 0..<20)
    func pacing(seed: Int) {
        var policy = HubPolicy()
        policy.downlinkAhead = .milliseconds([2_000, 200, 5_000, 1][seed % 4])
        let bound = [100, 10, 100, 10][seed % 4]
        var (bench, id, _) = Self.answering(policy)
        var generator = SeededGenerator(seed: UInt64(seed))
        let total = 1_000
        var available = 0
        var heard = 0
        bench.all = []
        while bench.hub.conversationsInProgress > 0 {
            bench.advance(.milliseconds(20))
            let sent = bench.all.audio.count
            if available < total, Bool.random(using: &generator) || sent == heard {
                let more = min(total - available, Int.random(in: 1...60, using: &generator))
                available += more
                bench.ready(more, isComplete: available == total)
            } else {
                let before = heard
                heard = Int.random(in: heard...sent, using: &generator)
                // Nobody plays faster than the clock.
                bench.advance(.milliseconds(20 * (heard - before)))
                let isOver = heard == total
                bench.played(
                    id, bench.all.stream.count, heard: heard, state: isOver ? .ended : .playing)
            }
            #expect(bench.all.audio.count - heard <= bound)
        }
        #expect(bench.all.failures.isEmpty)
        #expect(bench.all.audio.map(\.packet) == Array(0..<total))
        #expect(bench.all.outcomes == ["done"])
        let numbers = bench.all.sent.filter { $0.control.isStreamed }.map(\.sequence.value)
        #expect(Set(numbers).count == numbers.count)
    }

    @Test("played with a number that was never sent is UNEXPECTED, one that was overtaken is nothing new")
    func neverSent() {
        var (bench, id, _) = Self.answering()
        bench.ready(300, isComplete: true)
        bench.played(id, 50, heard: 49)
        #expect(bench.last.audio.count == 49)
        bench.played(id, 10, heard: 9)
        #expect(bench.last.isEmpty)
        bench.played(id, 9_999)
        #expect(bench.last.failures == [.unexpected])

        for sequence in [0, 1, 65_534, 32_768] {
            var fresh = HubBench()
            let idle = fresh.connect("kitchen")
            fresh.played(idle, sequence)
            #expect(fresh.last.failures == [.unexpected], "nothing was sent at all")
        }
        var (speaking, puck, _) = Self.answering()
        speaking.ready(3, isComplete: true)
        speaking.played(puck, 65_535)
        #expect(speaking.last.isEmpty, "the number before the first: nothing has come yet")
        #expect(speaking.hub.replayLog(of: "kitchen")?.messages == 6)
    }

    @Test("sequence numbers wrap in a long answer and pacing goes on")
    func wraps() {
        var (bench, id, _) = Self.answering()
        let total = 70_000
        bench.ready(total, isComplete: true)
        var sent = bench.last.audio.count
        var newest = bench.last.audio.last
        while let packet = newest {
            bench.played(id, Int(packet.sequence.value), heard: packet.packet + 1)
            sent += bench.last.audio.count
            newest = bench.last.audio.last
            bench.advance(.milliseconds(20 * max(5, bench.last.audio.count)))
        }
        #expect(sent == total)
        #expect(bench.all.failures.isEmpty)
    }

    @Test("a puck that reports nothing as played but says other things is given up after its audio and eleven seconds")
    func stuck() {
        var (bench, id, _) = Self.answering()
        bench.all = []
        bench.ready(50, isComplete: true)
        for wait in [6_000, 5_900] {
            bench.advance(.milliseconds(wait))
            bench.step(.received(id, HubBench.status()))
            #expect(bench.all.outcomes.isEmpty)
        }
        bench.advance(.milliseconds(100))
        #expect(bench.all.outcomes == ["failed"])
        #expect(bench.all.phases == [.error])
    }

    @Test("an answer that stalls half-way is stopped as failed")
    func stalls() {
        var (bench, id, _) = Self.answering()
        bench.all = []
        bench.ready(50, isComplete: false)
        bench.played(id, 51, heard: 50)
        for _ in 0..<3 {
            bench.advance(.seconds(5))
            bench.step(.received(id, HubBench.status()))
        }
        #expect(bench.all.sent.map(\.control).contains(.downStop(playID: 1, reason: .failed)))
        #expect(bench.all.outcomes == ["failed"])
    }

    /// 64 KiB are the socket's queue; what found it full was sent again by each reconnect, for ever.
    @Test(
        "the stream never fills the socket's queue, neither with large packets nor with a replay, and nothing is lost")
    func streamWindow() {
        var (bench, first, _) = Self.answering()
        let epoch = bench.all.welcomes.last!.epoch
        bench.step(.answerReady(playID: 1, sizes: [UInt16](repeating: 1_200, count: 100), isComplete: true))
        let burst = bench.all.audio.count
        #expect(burst * 1_209 <= HubLimits.streamWindow && burst > 30)
        bench.step(.connectionClosed(first, reason: "reset"))
        let second = bench.reconnect("kitchen", resume: Hello.Resume(epoch: epoch, sequence: .zero))
        #expect(bench.last.welcomes.first?.resume == .replayed)
        #expect(bench.last.audio.map(\.packet) == Array(0..<burst))
        // A number that waits was not sent yet.
        var early = bench
        early.played(second, 100)
        #expect(early.last.failures == [.unexpected])
        var heard = burst
        while heard < 100 {
            let next = Int(bench.all.sent.last { $0.control.isStreamed }?.sequence.value ?? 0)
            bench.played(second, max(next, Int(bench.all.audio.last!.sequence.value)))
            #expect(bench.last.audio.map(\.packet) == Array(heard..<heard + bench.last.audio.count))
            #expect(bench.last.audio.count * 1_209 <= HubLimits.streamWindow)
            guard !bench.last.audio.isEmpty else { break }
            heard += bench.last.audio.count
        }
        #expect(heard == 100)
        #expect(bench.last.stream.last == "102:stop-1-done")
    }

    /// The report was on its way when the play was stopped, and when it started again: it neither ends nor hurries it.
    @Test("a report about an earlier start of a play says nothing about the new one, active or paused")
    func overtakenReport() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        for (request, category) in [DownStart.Category.music, .announcement, .timer].enumerated() {
            bench.step(.playRequested(request: UInt32(request), puckID: "kitchen", category: category))
            bench.ready(300, isComplete: true, playID: UInt32(request + 1))
        }
        // The announcement made way for the timer while music was paused, and begins again as the timer fails.
        bench.step(.answerFailed(playID: 3, reason: "test"))
        #expect(bench.last.stream.contains { $0.hasSuffix("start-2@0") })
        bench.all = []
        bench.played(id, 150, heard: 80, playID: 2, state: .ended)
        #expect(bench.last.audio.isEmpty && bench.last.log("play.end") == nil)
        // The same while it is paused for a timer.
        bench.step(.playCancelled(playID: 1))
        bench.step(.playRequested(request: 9, puckID: "kitchen", category: .timer))
        #expect(bench.last.stream.contains { $0.hasSuffix("pause-2") })
        bench.played(id, 160, heard: 80, playID: 2, state: .ended)
        #expect(bench.last.log("play.end") == nil)
        bench.step(.playCancelled(playID: 4))
        #expect(bench.last.stream.contains { $0.hasSuffix("resume-2") })
    }

    @Test("a position that runs ahead of the clock ends the link; one that a fast card reports does not")
    func pace() {
        for isHonest in [true, false] {
            var (bench, id, _) = Self.answering()
            bench.ready(30_000, isComplete: true)
            var seconds = 0
            while bench.all.failures.isEmpty, seconds < 60 {
                bench.advance(.milliseconds(200))
                seconds += 1
                // A card that is 5 % too fast; or as fast as packets come.
                let heard = isHonest ? min(bench.all.audio.count, seconds * 21 / 2) : bench.all.audio.count
                bench.played(id, bench.all.stream.count - 1, heard: heard)
            }
            let audio = bench.all.audio.count
            if isHonest {
                #expect(bench.all.failures.isEmpty)
            } else {
                #expect(bench.all.failures == [.rateLimit])
                #expect(audio < 600, "of 30,000 packets that it would have drawn")
            }
        }
    }
}

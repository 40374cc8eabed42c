import HubCore
import PuckBase
import PuckWire
import Testing

/// What a puck has to read of the stream: never more than its rate (PROTOCOL.md §8), whatever people ask of the hub.
@Suite("Downlink pace")
struct StreamPaceTests {
    /// One short play of its own.
    private static func play(_ bench: inout HubBench, _ puck: String, _ category: DownStart.Category = .music) {
        bench.step(.playRequested(request: 0, puckID: puck, category: category))
        let playID = bench.last.compactMap { if case .preparePlay(_, let id) = $0 { id } else { nil } }[0]
        bench.ready(3, isComplete: true, playID: playID)
    }

    private static func controls(_ effects: [HubEffect]) -> Int { effects.sent.count { $0.control.isStreamed } }

    @Test(
        "150 plays of music that replace each other while their puck is away: it gets the last one, and hears all of it"
    )
    func away() {
        var bench = HubBench()
        let first = bench.connect("kitchen")
        let epoch = bench.all.welcomes[0].epoch
        bench.step(.connectionClosed(first, reason: "reset"))
        for _ in 0..<150 { Self.play(&bench, "kitchen") }
        let second = bench.reconnect("kitchen", resume: .init(epoch: epoch, sequence: .zero))
        #expect(bench.last.welcomes[0].resume == .replayed)
        #expect(bench.last.stream == ["0:start-150@0", "1:150/0", "2:150/1", "3:150/2", "4:stop-150-done"])
        bench.played(second, 4, heard: 3, playID: 150, state: .ended)
        #expect(bench.all.failures.isEmpty)
        let kept = bench.hub.replayLog(of: "kitchen")
        #expect(kept?.messages == 0 && kept?.bytes == 0)
        // Nothing of those that were taken back is kept.
        let forgotten = bench.all.compactMap { if case .forgetAnswer(let id) = $0 { id } else { nil } }
        #expect(Set(forgotten).count == 150)
    }

    @Test("what a puck has been sent is not taken back: it is told of the end")
    func sentAlready() {
        var bench = HubBench()
        let first = bench.connect("kitchen")
        let epoch = bench.all.welcomes[0].epoch
        bench.all = []
        Self.play(&bench, "kitchen")
        bench.step(.connectionClosed(first, reason: "reset"))
        Self.play(&bench, "kitchen")
        Self.play(&bench, "kitchen")
        // It has received the beginning of the first, and no more.
        _ = bench.reconnect("kitchen", resume: .init(epoch: epoch, sequence: SerialNumber(2)))
        #expect(
            bench.last.stream == [
                "2:1/1", "3:1/2", "4:stop-1-done", "5:stop-1-cancelled", "6:start-3@0", "7:3/0", "8:3/1", "9:3/2",
                "10:stop-3-done",
            ])
    }

    @Test("a play that is taken back for one of a higher rank comes after it, whole")
    func preempted() {
        var bench = HubBench()
        let first = bench.connect("kitchen")
        let epoch = bench.all.welcomes[0].epoch
        bench.step(.connectionClosed(first, reason: "reset"))
        Self.play(&bench, "kitchen", .music)
        Self.play(&bench, "kitchen", .notification)
        Self.play(&bench, "kitchen", .timer)
        let second = bench.reconnect("kitchen", resume: .init(epoch: epoch, sequence: .zero))
        #expect(
            bench.last.stream == [
                "0:start-1@0", "1:1/0", "2:1/1", "3:1/2", "4:stop-1-done", "5:pause-1", "6:start-3@0", "7:3/0",
                "8:3/1", "9:3/2", "10:stop-3-done",
            ])
        bench.played(second, 10, heard: 3, playID: 3, state: .ended)
        #expect(bench.last.stream == ["11:start-2@0", "12:2/0", "13:2/1", "14:2/2", "15:stop-2-done"])
    }

    @Test(
        "a puck that acknowledges at once gets at most 86 control messages in any second, in order, and the last play")
    func pace() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.all = []
        var times: [Instant] = []
        var acknowledged = 0
        for round in 0..<1_000 {
            if round < 800 { Self.play(&bench, "kitchen") }
            // The puck acknowledges what it got, as one does that is told of a play's end.
            for _ in 0..<2 {
                let stream = bench.all.stream.count
                guard stream > acknowledged else { break }
                acknowledged = stream
                bench.played(id, stream - 1)
            }
            bench.advance(.milliseconds(5))
            times += Array(repeating: bench.now, count: Self.controls(bench.all) - times.count)
        }
        #expect(bench.all.failures.isEmpty)
        #expect(times.count > 200, "\(times.count)")
        for (i, time) in times.enumerated() {
            #expect(times[i...].prefix { $0 - time < .seconds(1) }.count <= 86 + 2)
        }
        let numbers = bench.all.compactMap { effect -> Int? in
            switch effect {
            case .sendAudio(_, _, _, let sequence): Int(sequence.value)
            case .send(_, let control, let sequence) where control.isStreamed: Int(sequence.value)
            default: nil
            }
        }
        #expect(numbers == Array(0..<numbers.count))
        #expect(bench.all.stream.last?.contains("stop-800-done") == true, "\(bench.all.stream.suffix(3))")
    }
}

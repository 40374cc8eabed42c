import HubCore
import PuckBase
import PuckWire
import Testing

/// What a puck says of its plays when its stream cannot be replayed (FAILURES.md L12).
@Suite("Plays in the hello")
struct HelloPlaysTests {
    @Test(
        "where the stream cannot go on, the hello says what was heard, and the rest begins there, not at the last report"
    )
    func heardInHello() {
        var (bench, first, _) = ResumeTests.speaking()
        bench.played(first, 30, heard: 20)
        let resume = ResumeTests.resume(bench, 10)
        ResumeTests.drop(&bench, first)
        let heard = Hello.Play(playID: 1, positionMilliseconds: 1_519, hasEnded: false)
        var other = bench
        _ = bench.reconnect("kitchen", resume: resume, plays: [heard])
        #expect(bench.last.welcomes.first?.resume == .fresh)
        #expect(bench.last.stream.prefix(2) == ["0:start-1@1500", "1:1/75"])
        // The puck never learned of that stream, and comes again with the first one's epoch.
        let later = Hello.Play(playID: 1, positionMilliseconds: 1_900, hasEnded: false)
        _ = bench.reconnect("kitchen", resume: resume, plays: [later])
        #expect(bench.last.stream.first == "0:start-1@1900")
        // Somebody else's epoch: the numbers of its plays say nothing here.
        let foreign = Hello.Resume(epoch: resume.epoch ^ 1, sequence: resume.sequence)
        _ = other.reconnect("kitchen", resume: foreign, plays: [heard])
        #expect(other.last.stream.first == "0:start-1@400")
    }

    @Test("a play that ended on its puck while the stream was lost does not begin again; what waits comes next")
    func endedInHello() {
        for (position, outcome) in [(6_000, "done"), (1_000, "cancelled")] {
            var (bench, first, _) = ResumeTests.speaking()
            bench.played(first, 90, heard: 80)
            bench.played(first, 180, heard: 170)
            bench.advance(.seconds(1))  // nobody plays much faster than the clock
            bench.played(first, 270, heard: 260)
            bench.step(.playRequested(request: 0, puckID: "kitchen", category: .notification))
            bench.ready(3, isComplete: true, playID: 2)
            // It has received more than it acknowledged, but asks for what is gone.
            let resume = ResumeTests.resume(bench, 200)
            ResumeTests.drop(&bench, first)
            let ended = Hello.Play(playID: 1, positionMilliseconds: position, hasEnded: true)
            _ = bench.reconnect("kitchen", resume: resume, plays: [ended])
            #expect(bench.last.stream.contains { $0.hasSuffix("start-2@0") })
            #expect(!bench.last.stream.contains { $0.contains("start-1") })
            #expect(bench.all.outcomes == [outcome])
        }
    }
}

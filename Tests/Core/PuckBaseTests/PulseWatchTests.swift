import PuckBase
import Testing

@Suite("Whether threads go on") struct PulseWatchTests {
    private typealias Reading = PulseWatch.Reading

    private var watch = PulseWatch(count: 2, limit: .seconds(10), now: .zero)
    private var findings: [PulseWatch.Finding] = []

    private mutating func look(_ first: Int, _ second: Int, resting: Bool = false, at seconds: Int) -> Bool {
        findings = []
        return watch.look(
            [Reading(beats: first, isResting: false), Reading(beats: second, isResting: resting)],
            now: .zero + .seconds(seconds), into: &findings)
    }

    @Test("all is well only when every thread has beaten since it was well the last time")
    mutating func everyThread() {
        #expect(look(1, 1, at: 5))
        #expect(!look(2, 1, at: 10))
        // The first one has since; the second does now.
        #expect(look(2, 2, at: 15))
        #expect(!look(2, 2, at: 19))
        #expect(findings == [])
    }

    @Test("a thread that rests is well")
    mutating func resting() {
        for i in 1...10 { #expect(look(i, 0, resting: true, at: 5 * i)) }
        #expect(findings == [])
    }

    @Test("a thread that stands still is named once, and once when it goes on")
    mutating func stuck() {
        #expect(look(1, 1, at: 5))
        #expect(!look(2, 1, at: 10))
        #expect(findings == [])
        #expect(!look(3, 1, at: 15))
        #expect(findings == [.stuck(1, .seconds(10))])
        #expect(!look(4, 1, at: 20))
        #expect(findings == [])
        #expect(look(5, 2, at: 25))
        #expect(findings == [.recovered(1, .seconds(20))])
    }

    @Test("a thread that never began is found too")
    mutating func neverBegan() {
        #expect(!look(1, 0, at: 5))
        #expect(!look(2, 0, at: 10))
        #expect(findings == [.stuck(1, .seconds(10))])
    }
}

import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("What people are told of a puck")
struct FactsTests {
    @Test("The best of the last eight round trips bounds the clock's error, which grows with its age")
    func roundTrips() {
        var bench = Bench()
        #expect(bench.puck.linkState == .waiting)
        bench.connect()
        #expect(bench.puck.linkState == .up && bench.puck.lastRoundTrip == nil)
        for milliseconds in [8.0, 2, 9, 7, 6, 5, 4, 3, 10] {
            bench.puck.roundTrips.add(milliseconds, at: .zero)
        }
        #expect(bench.puck.lastRoundTrip == 10 && bench.puck.leastRoundTrip == 2)
        #expect(bench.puck.clockErrorMilliseconds(now: .zero) == 1)
        #expect(bench.puck.clockErrorMilliseconds(now: .zero + .seconds(10)) == 2)
        bench.puck.roundTrips.add(11, at: .zero)
        #expect(bench.puck.leastRoundTrip == 3, "the 2 is the ninth-last")
    }

    @Test("Everybody who keeps the microphone closed is named")
    func causes() {
        var bench = Bench()
        bench.connect()
        #expect(bench.puck.muteCauses == "")
        bench.on(.muteSwitched(true))
        #expect(bench.puck.muteCauses == "switch")
        bench.on(.muteRequested(true))
        #expect(bench.puck.muteCauses == "person,switch")
    }
}

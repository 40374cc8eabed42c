import Testing

@testable import PuckBase

@Suite struct NearestTests {
    @Test("a mistyped word finds the one that was meant")
    func mistypedWordFinds() {
        let known = ["period_ms", "buffer_ms", "rate", "device"]
        #expect(nearest(to: "perod_ms", in: known) == "period_ms")
        #expect(nearest(to: "reta", in: known) == nil)
        #expect(nearest(to: "raet", in: known) == "rate")
        #expect(nearest(to: "devcie", in: known) == "device")
    }

    @Test("nothing near is nothing")
    func nothingNearNothing() {
        #expect(nearest(to: "volume", in: ["rate", "device"]) == nil)
        #expect(nearest(to: "", in: ["rate"]) == nil)
        #expect(nearest(to: "x", in: []) == nil)
    }

    @Test("the distance counts insertions removals changes and swaps")
    func distanceCountsInsertions() {
        func distance(_ a: String, _ b: String) -> Int { editDistance(Array(a.utf8), Array(b.utf8)) }
        #expect(distance("abc", "abc") == 0)
        #expect(distance("abc", "abcd") == 1)
        #expect(distance("abc", "ac") == 1)
        #expect(distance("abc", "axc") == 1)
        #expect(distance("abc", "bac") == 1)
        #expect(distance("", "abc") == 3)
    }
}

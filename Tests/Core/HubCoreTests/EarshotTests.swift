import PuckBase
import PuckWire
import Testing

@testable import HubCore

/// What is learned, what people correct, and that both outlive the hub.
@Suite("Earshot")
struct EarshotTests {
    /// Both heard it, `kitchen` louder by so much; decided by `energy`.
    private static func decided(_ bench: inout HubBench, louder decibels: Double) -> ArbitrationDecision {
        let number = UInt32(bench.hub.decisionCount + 1)
        for name in ["kitchen", "hall"] where bench.ids[name] == nil { bench.ids[name] = bench.connect(name) }
        bench.step(.received(bench.ids["kitchen"]!, HubBench.candidate(number, snr: 20, level: -20)))
        bench.step(.received(bench.ids["hall"]!, HubBench.candidate(number, snr: 20, level: -20 - decibels)))
        let grant = bench.last.grants[0]
        bench.end(grant.to, grant.conversationID, packets: 0, .silence)
        bench.advance(.seconds(2))
        return bench.hub.decision(about: nil)!
    }

    private static func bench(_ earshot: Earshot = Earshot()) -> HubBench {
        var policy = HubPolicy()
        policy.arbitrationPolicy = .energy
        return HubBench(policy: policy, earshot: earshot)
    }

    @Test("a correction decides the next wake like it, and what is learned afterwards does not wash it away")
    func correction() {
        var bench = Self.bench()
        let first = Self.decided(&bench, louder: 1.5)
        #expect(first.winner?.puckID == "kitchen")
        #expect(bench.hub.winnerNow(first) == "kitchen")
        let isTaken = bench.hub.correct(first.conversationID!, to: "hall")
        #expect(isTaken)
        #expect(bench.hub.winnerNow(first) == "hall", "the explanation can say so at once")
        for _ in 0..<30 { #expect(Self.decided(&bench, louder: 1.5).winner?.puckID == "hall") }
    }

    @Test("the same correction said twice counts once, and another one takes it back")
    func corrections() {
        var bench = Self.bench()
        let id = Self.decided(&bench, louder: 1).conversationID!
        for _ in 0..<3 { _ = bench.hub.correct(id, to: "hall") }
        #expect(bench.hub.earshot.correction(of: "hall") == -1)
        #expect(bench.hub.earshot.correction(of: "kitchen") == 1)
        let isTaken = bench.hub.correct(id, to: "kitchen")
        #expect(isTaken)
        #expect(bench.hub.earshot.correction(of: "hall") == 0)
        #expect(bench.hub.earshot.correction(of: "kitchen") == 0)
    }

    @Test("what was learned outlives the hub: gains, corrections, and who hears whom")
    func restart() throws {
        var bench = Self.bench()
        let first = Self.decided(&bench, louder: 1.5)
        _ = bench.hub.correct(first.conversationID!, to: "hall")
        let text = bench.hub.earshot.text
        var again = Self.bench(try Earshot(text: text))
        #expect(again.hub.earshot.text == text)
        #expect(Self.decided(&again, louder: 1.5).winner?.puckID == "hall")
    }

    @Test("a phrase may have blanks; one that would break its line is learned anew")
    func phrases() throws {
        for (phrase, isKept) in [("hey big puck", true), ("", true), (" puck", true), ("hey\npuck", false)] {
            var bench = Self.bench()
            for name in ["a", "b"] { bench.ids[name] = bench.connect(name, phrases: [phrase]) }
            for id in bench.ids.values.sorted() {
                bench.step(.received(id, HubBench.candidate(1, snr: 20, phrase: phrase)))
            }
            let text = bench.hub.earshot.text
            #expect(text.contains("pair a b 1 0 \(phrase)\n") == isKept)
            #expect(try Earshot(text: text).text == text)
        }
    }

    @Test(
        "text that no hub wrote is refused at its line",
        arguments: [
            "gain kitchen 1", "gain kitchen x 0", "gain kitchen 1 2 3", "pair a b 1", "pair a b 1 2",
            "pair a b -1 0 puck",
            "pair a b 9999999999 0 puck", "gain", "loss kitchen 1 2", "gain kitchen 99999999999999999999 0",
        ])
    func refused(line: String) {
        #expect(throws: EarshotTextError(line: 2)) { try Earshot(text: "# header\n" + line + "\n") }
    }

    @Test("a button teaches nothing: whoever is near it may still hear the next voice, and no gain moves")
    func pressed() {
        var bench = Self.bench()
        for name in ["kitchen", "hall"] { bench.ids[name] = bench.connect(name) }
        for number in 1...8 as ClosedRange<UInt32> {
            bench.step(
                .received(bench.ids["kitchen"]!, HubBench.candidate(number, snr: 90, level: 0, confidence: 1)))
            bench.advance(.milliseconds(100))
            let grant = bench.all.grants.last!
            bench.end(grant.to, grant.conversationID, packets: 0, .silence)
            bench.advance(.seconds(2))
        }
        #expect(bench.hub.earshot.mayHear("hall", what: "kitchen", phrase: "puck"))
        #expect(bench.hub.earshot.gain(of: "kitchen") == 0)
    }

    @Test("of conversations that end without an answer nothing is kept")
    func owners() {
        var bench = Self.bench()
        for _ in 0..<20 { _ = Self.decided(&bench, louder: 3) }
        #expect(bench.hub.owners.isEmpty)
    }

    @Test("who came too late is told with the decision")
    func late() {
        var bench = Self.bench()
        for name in ["kitchen", "hall"] { bench.ids[name] = bench.connect(name) }
        bench.step(.received(bench.ids["kitchen"]!, HubBench.candidate(1, snr: 20)))
        bench.advance(.milliseconds(120))
        bench.step(.received(bench.ids["hall"]!, HubBench.candidate(1, snr: 30)))
        let late = bench.hub.decision(about: nil)!.late
        #expect(late.map { $0.puckID } == ["hall"] && late[0].after == .milliseconds(20))
    }

    @Test("gains that a file exaggerates are bounded")
    func bounded() throws {
        let earshot = try Earshot(text: "gain kitchen 999999 999999\n")
        #expect(earshot.gain(of: "kitchen") == 12)
        #expect(earshot.gain(of: "nobody") == 0)
    }
}

import HubCore
import PuckBase
import PuckWire
import Testing

/// The default policy: level and onset in one score.
@Suite("Arbitration by who is nearest")
struct NearestTests {
    private struct Heard {
        var puck: String
        var level: Double
        var onset: Double
        var snr = 20.0
        var arrival = 0
        var envelope: [Int8] = []
    }

    /// Silence for 60 ms, then 80 ms at `level` that go up and down by `roughness` from step to step.
    private func envelope(_ level: Int8, roughness: Int8 = 2) -> [Int8] {
        [Int8](repeating: -60, count: 12) + (0..<16).map { $0 % 2 == 0 ? level + roughness : level - roughness }
    }

    /// Brings the candidates in order of arrival to a hub whose clocks are known to half of `roundTrip`.
    private func decide(
        _ heard: [Heard], roundTrip: Double = 0, unknown: Set<String> = [], policy: HubPolicy = HubPolicy()
    ) -> ArbitrationDecision {
        var bench = HubBench(policy: policy)
        var ids: [String: ConnectionID] = [:]
        for puck in heard.map(\.puck).sorted() {
            ids[puck] = bench.connect(puck)
            if !unknown.contains(puck) { bench.synchronize(ids[puck]!, roundTrip: roundTrip) }
        }
        let mouth = bench.milliseconds - 200
        let start = bench.now
        for one in heard.sorted(by: { $0.arrival < $1.arrival }) {
            bench.advance(start + .milliseconds(one.arrival) - bench.now)
            bench.step(
                .received(
                    ids[one.puck]!,
                    HubBench.candidate(
                        1, snr: one.snr, onset: mouth + one.onset, level: one.level, envelope: one.envelope)))
        }
        bench.advance(.milliseconds(100))
        #expect(bench.all.grants.count == 1)
        return bench.hub.decisions[0]
    }

    @Test("two milliseconds later are worth one decibel less")
    func exchange() {
        for (louder, later, winner) in [(5.0, 6.0, "den"), (5, 14, "attic"), (0, 10, "attic"), (12, 20, "den")] {
            let decision = decide([
                Heard(puck: "attic", level: -30, onset: 0), Heard(puck: "den", level: -30 + louder, onset: later),
            ])
            #expect(decision.winner?.puckID == winner, "\(louder) dB louder, \(later) ms later")
            #expect(decision.rule == .nearest)
            let margin = decision.candidates[0].score - decision.candidates[1].score
            #expect(abs(margin - abs(louder - later / 2)) < 0.01)
        }
    }

    @Test("with envelopes it counts who is loud when the first one hears, and who hears the voice's pulses")
    func envelopes() {
        let (smooth, rough) = (envelope(-30), envelope(-30, roughness: 5))
        var decision = decide([
            Heard(puck: "attic", level: -30, onset: 0, envelope: smooth),
            Heard(puck: "den", level: -30, onset: 0, envelope: rough),
        ])
        #expect(decision.winner?.puckID == "den" && decision.rule == .nearest)
        #expect(decision.candidates[0].cues!.roughnessDecibels > decision.candidates[1].cues!.roughnessDecibels + 2)
        // Louder, but not yet when the first one heard it.
        decision = decide([
            Heard(puck: "attic", level: -30, onset: 0, envelope: smooth),
            Heard(puck: "den", level: -20, onset: 25, envelope: envelope(-20)),
        ])
        #expect(decision.winner?.puckID == "attic")
        #expect(decision.candidates[1].cues!.earlyDecibels < -50)
        decision = decide([
            Heard(puck: "attic", level: -30, onset: 0, envelope: smooth),
            Heard(puck: "den", level: -24, onset: 0, envelope: envelope(-24)),
        ])
        #expect(decision.winner?.puckID == "den")
        #expect(abs(decision.candidates[0].score - decision.candidates[1].score - 6) < 0.1)
    }

    @Test("one puck without a useful envelope, or with an unknown clock, and all are compared without")
    func withoutEnvelope() {
        let (smooth, rough) = (envelope(-30), envelope(-32, roughness: 5))
        for other in [[], Array(rough.prefix(19)), rough] {
            for unknown in [[], ["den"]] as [Set<String>] {
                let decision = decide(
                    [
                        Heard(puck: "attic", level: -30, onset: 0, envelope: smooth),
                        Heard(puck: "den", level: -32, onset: 0, envelope: other),
                    ], unknown: unknown)
                let isComplete = other.count == 28 && unknown.isEmpty
                #expect(decision.winner?.puckID == (isComplete ? "den" : "attic"))
                #expect(decision.candidates.allSatisfy { ($0.cues != nil) == isComplete })
            }
        }
    }

    @Test("the worse the clocks are known, the less an onset counts")
    func errors() {
        for (roundTrip, winner) in [(0.0, "attic"), (10, "attic"), (100, "den")] {
            let decision = decide(
                [Heard(puck: "attic", level: -30, onset: 0), Heard(puck: "den", level: -25, onset: 15)],
                roundTrip: roundTrip)
            #expect(decision.winner?.puckID == winner, "\(roundTrip)")
        }
    }

    @Test("when one clock is unknown, all are compared by arrival")
    func unknownClock() {
        let heard = [
            Heard(puck: "attic", level: -30, onset: 30, arrival: 0),
            Heard(puck: "den", level: -30, onset: 0, arrival: 40),
        ]
        #expect(decide(heard).winner?.puckID == "den")
        for unknown in [["attic"], ["den"], ["attic", "den"]] as [Set<String>] {
            let decision = decide(heard, unknown: unknown)
            #expect(decision.winner?.puckID == "attic")
            #expect(Set(decision.candidates.filter { !$0.onset.isCorrected }.map(\.puckID)) == unknown)
        }
    }

    @Test("within one decibel the preferred puck wins; otherwise it does not")
    func preferred() {
        var policy = HubPolicy()
        policy.preferred = ["den"]
        for (level, winner, rule) in [
            (-30.8, "den", ArbitrationDecision.Rule.preferred), (-31.2, "attic", .nearest),
        ] {
            let decision = decide(
                [Heard(puck: "attic", level: -30, onset: 0), Heard(puck: "den", level: level, onset: 0)],
                policy: policy)
            #expect(decision.winner?.puckID == winner && decision.rule == rule)
        }
    }

    @Test("a pressed button outranks every voice, however early and loud", arguments: ArbitrationPolicy.allCases)
    func button(policy: ArbitrationPolicy) {
        var settings = HubPolicy()
        settings.arbitrationPolicy = policy
        var bench = HubBench(policy: settings)
        let (attic, den) = (bench.connect("attic"), bench.connect("den"))
        for id in [attic, den] { bench.synchronize(id) }
        let onset = bench.milliseconds
        if policy != .first {
            bench.step(
                .received(attic, HubBench.candidate(1, snr: 60, onset: onset - 800, level: -3, confidence: 0.9)))
        }
        bench.step(.received(den, HubBench.candidate(1, snr: 90, onset: onset, level: -10, confidence: 1)))
        bench.advance(.milliseconds(100))
        #expect(bench.all.grants.map(\.to) == [den])
        if policy != .first { #expect(bench.hub.decisions[0].rule == .button) }
    }

    @Test("any set of candidates has one winner, in whatever order they arrive", arguments: UInt64(1)...40)
    func anyOrder(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var heard = ["attic", "bath", "cellar", "den", "east"].map {
            Heard(
                puck: $0, level: (-30 + 5 * generator.nextSigned()).rounded(), onset: 20 * generator.nextSigned(),
                snr: (20 + 3 * generator.nextSigned()).rounded())
        }
        if seed % 4 == 0 { heard[1].level = .nan }
        if seed % 2 == 0 {
            for i in heard.indices {
                let steps = 20 + Int(generator.next() % 13)
                heard[i].envelope = (0..<steps).map { Int8($0 < 12 ? -60 : -30 + generator.nextSigned() * 10) }
            }
        }
        let first = decide(heard, roundTrip: Double(seed % 5))
        for _ in 0..<8 {
            heard.shuffle(using: &generator)
            for i in heard.indices { heard[i].arrival = 7 * i }
            let again = decide(heard, roundTrip: Double(seed % 5))
            #expect(again.candidates.map(\.puckID) == first.candidates.map(\.puckID))
        }
    }
}

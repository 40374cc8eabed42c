import Testing

@testable import WakeWord

@Suite("Wake words: what makes a wake of outputs")
struct WakeJudgeTests {
    private func verdicts(_ judge: inout WakeJudge, _ outputs: [UInt8]) -> [WakeJudge.Verdict] {
        outputs.map { judge.take($0) }
    }

    @Test("The mean of a full window must exceed the cutoff, and not only reach it")
    func mean() {
        // 0.5 · 256 · 4 = 512.
        var judge = WakeJudge(cutoff: 0.5, window: 4, samplesInOutput: 480)
        #expect(verdicts(&judge, [255, 255, 255]) == [.nothing, .nothing, .nothing], "the window is not full")
        #expect(judge.score == 0)
        #expect(judge.take(255) == .heard)
        judge = WakeJudge(cutoff: 0.5, window: 4, samplesInOutput: 480)
        #expect(verdicts(&judge, [128, 128, 128, 128]).allSatisfy { $0 == .nothing })
        #expect(judge.score == 0.5)
        #expect(judge.take(129) == .heard)
    }

    @Test("A word is heard once: again when the mean has been below the cutoff, and the refractory time is over")
    func once() {
        var judge = WakeJudge(cutoff: 0.5, window: 1, samplesInOutput: 480, refractoryMilliseconds: 300)
        #expect(judge.take(200) == .heard)
        #expect(verdicts(&judge, [200, 200, 0, 200]).allSatisfy { $0 == .nothing }, "30 ms an output")
        #expect(verdicts(&judge, [UInt8](repeating: 0, count: 10)).allSatisfy { $0 == .nothing })
        #expect(judge.take(200) == .heard)
    }

    @Test("Half of the cutoff and more that comes to nothing within two seconds is a near miss, with how far it came")
    func miss() {
        var judge = WakeJudge(cutoff: 0.8, window: 2, samplesInOutput: 480)
        #expect(verdicts(&judge, [0, 100, 180, 220]).allSatisfy { $0 == .nothing })
        var rest = verdicts(&judge, [UInt8](repeating: 0, count: 66))
        let at = rest.firstIndex(of: .missed)
        #expect(at == 64, "67 outputs are two seconds, from the third on")
        rest.removeAll { $0 == .nothing }
        #expect(rest == [.missed])
        judge = WakeJudge(cutoff: 0.8, window: 2, samplesInOutput: 480)
        _ = verdicts(&judge, [0, 100, 180, 220])
        #expect(judge.best == 200.0 / 256)
        #expect(judge.take(255) == .heard, "which is no near miss any more")
        #expect(!verdicts(&judge, [UInt8](repeating: 0, count: 100)).contains(.missed))
    }

    @Test(
        "The judge and the mean of the reference's floating-point numbers agree",
        arguments: [0.85, 0.9, 0.95, 0.97, 0.5])
    func reference(_ cutoff: Double) {
        var judge = WakeJudge(cutoff: cutoff, window: 5, samplesInOutput: 480, refractoryMilliseconds: 0)
        var state: UInt32 = 7
        var last: [UInt8] = []
        var wasAbove = false
        for _ in 0..<20_000 {
            state = state &* 1_664_525 &+ 1_013_904_223
            let output = UInt8(truncatingIfNeeded: 255 - (state >> 24) / 6)
            last = (last + [output]).suffix(5)
            let mean = last.reduce(0.0) { $0 + Double($1) / 256 } / 5
            let isAbove = last.count == 5 && mean > cutoff
            #expect((judge.take(output) == .heard) == (isAbove && !wasAbove))
            wasAbove = isAbove
        }
    }
}

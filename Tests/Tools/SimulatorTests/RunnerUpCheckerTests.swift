import PuckBase
import PuckWire
import Testing

@testable import HubCore
@testable import Simulator

/// What the checkers of decisions and runners-up must not let pass (FAILURES.md L2–L6).
@Suite("Checkers of who answers")
struct RunnerUpCheckerTests {
    private enum Happening {
        case saw(Observation)
        /// The hub's step is over.
        case stepped
    }

    /// Three pucks of a group; connection n is puck n's.
    private func findings(_ happenings: [(Double, Happening)]) -> Violation? {
        let findings = Findings(names: ["a", "b", "c"])
        var checker = RunnerUpChecker(groups: ["home", "home", "home"])
        for (second, happening) in greeted + happenings {
            let now = Instant.zero + .seconds(exactly: 100 + second)
            findings.now = now
            switch happening {
            case .saw(let observation): checker.watch(observation, Moment(now: now, local: now), findings)
            case .stepped: checker.steppedHub(now, findings, Disturbances(pucks: 3))
            }
        }
        return findings.first
    }

    private var greeted: [(Double, Happening)] {
        (0..<3).flatMap { puck -> [(Double, Happening)] in
            let hello = Hello(puckID: "p", room: "", group: "home", software: "", phrases: ["puck"])
            return [(0, .saw(.connectionOpened(puck, puck))), (0, .saw(.hubHeard(puck, .hello(hello)))), (0, .stepped)]
        }
    }

    private func wake(_ puck: Int) -> Happening {
        .saw(
            .hubHeard(
                puck,
                .wakeCandidate(
                    WakeCandidate(
                        wakeID: 1, phrase: "puck", onsetMilliseconds: 0, snrDecibels: 20, levelDecibels: -20,
                        noiseDecibels: -40, confidence: 0.9))))
    }
    private func grant(_ puck: Int, _ id: String) -> Happening {
        .saw(.hubSent(puck, .grant(wakeID: 1, conversationID: id), .zero))
    }
    private func cancel(_ puck: Int, _ reason: HubControl.CancelReason) -> Happening {
        .saw(.hubSent(puck, .cancel(wakeID: 1, reason: reason), .zero))
    }
    private func earcon(_ puck: Int) -> Happening { .saw(.hubSent(puck, .earcon(name: "failed"), .zero)) }
    private func over(_ id: String) -> Happening { .saw(.forgotten(id)) }
    private func audio(_ id: String, _ count: Int) -> [(Double, Happening)] {
        (0..<count).map { (1.2, .saw(.kept(id, Sound(recording: 1, index: Int32($0))))) } + [(1.2, .stepped)]
    }

    /// At second 1 puck 0 wins, then 1, then 2.
    private var decided: [(Double, Happening)] {
        [
            (1, wake(0)), (1, wake(1)), (1, wake(2)), (1, grant(0, "x")), (1, cancel(1, .lost)), (1, cancel(2, .lost)),
            (1, .stepped),
        ]
    }

    private func asked(_ puck: Int, _ second: Double, told: Bool = true) -> [(Double, Happening)] {
        (told ? [(second, cancel(0, .degraded))] : []) + [
            (second, over("x")), (second, grant(puck, "y")), (second, .stepped),
        ]
    }

    @Test("a silent winner loses its turn after 500 ms, to the millisecond, and the best of the others has it")
    func silence() {
        #expect(findings(decided + asked(1, 1.5)) == nil)
        #expect(findings(decided + asked(1, 1.5, told: false))?.checker == .runnersUp)
        #expect(findings(decided + asked(1, 1.498))?.checker == .runnersUp)
        #expect(findings(decided + asked(1, 1.502))?.checker == .runnersUp)
        #expect(findings(decided + asked(2, 1.5))?.checker == .runnersUp)
        #expect(
            findings(decided + [(1.5, cancel(0, .degraded)), (1.5, over("x")), (1.5, .stepped)])?.checker == .runnersUp)
        #expect(findings(decided + [(1.502, .stepped)])?.checker == .runnersUp)
        #expect(findings(decided + audio("x", 1) + [(1.6, .stepped)]) == nil)
        #expect(findings(decided + audio("x", 1) + asked(1, 1.5))?.checker == .runnersUp)
        #expect(findings(decided + audio("x", 1) + asked(1, 1.7)) == nil)
        #expect(findings(decided + audio("x", 1) + [(1.702, .stepped)])?.checker == .runnersUp)
    }

    @Test("a winner that drops has 300 ms, one that has sent a second has 2 s and no runner-up")
    func drop() {
        let gone: [(Double, Happening)] = [(1.3, .saw(.connectionClosed(0))), (1.3, .stepped)]
        #expect(findings(decided + audio("x", 10) + gone + asked(1, 1.6, told: false)) == nil)
        #expect(findings(decided + audio("x", 10) + gone + asked(1, 1.55, told: false))?.checker == .runnersUp)
        #expect(findings(decided + audio("x", 10) + gone + [(1.7, .stepped)])?.checker == .runnersUp)
        #expect(findings(decided + audio("x", 50) + [(1.9, .stepped)]) == nil)
        #expect(findings(decided + audio("x", 50) + gone + [(1.7, .stepped)]) == nil)
        #expect(findings(decided + audio("x", 50) + gone + asked(1, 1.6, told: false))?.checker == .runnersUp)
    }

    @Test("a runner-up that left is passed over; when both fail the others say so, and only they")
    func bothFail() {
        let second: [(Double, Happening)] = [(2, cancel(1, .degraded)), (2, over("y"))]
        let both = decided + asked(1, 1.5) + second
        #expect(findings(both + [(2, earcon(2)), (2, .stepped)]) == nil)
        #expect(findings(both + [(2, .stepped)])?.checker == .runnersUp)
        #expect(findings(both + [(2, earcon(0)), (2, earcon(2)), (2, .stepped)])?.checker == .runnersUp)
        #expect(findings(both + [(2, grant(2, "z")), (2, .stepped)])?.checker == .runnersUp)
        let left: [(Double, Happening)] = [(1.2, .saw(.connectionClosed(1))), (1.2, .stepped)]
        #expect(findings(decided + left + asked(2, 1.5)) == nil)
        #expect(findings(decided + left + asked(1, 1.5))?.checker == .runnersUp)
    }

    @Test("what failed is not answered")
    func answered() {
        let late: [(Double, Happening)] = [(1.6, .saw(.answerWanted("x", playID: 1, answer: 1)))]
        #expect(findings(decided + asked(1, 1.5) + late)?.checker == .runnersUp)
    }

    @Test("a decision that depends on who came first, that comes too late, or that passes over a button, is found")
    func decisions() {
        func candidate(_ name: String, snr: Double = 20, level: Double, confidence: Double = 0.9) -> Candidate {
            Candidate(
                connection: ConnectionID(1), puckID: name,
                wake: WakeCandidate(
                    wakeID: 1, phrase: "puck", onsetMilliseconds: 0, snrDecibels: snr, levelDecibels: level,
                    noiseDecibels: -40, confidence: confidence), arrived: .zero,
                onset: .init(milliseconds: 0, errorMilliseconds: 1, isCorrected: true))
        }
        func found(_ candidates: [Candidate], waited: Interval = .zero) -> Checker? {
            let findings = Findings(names: ["a"])
            var checker = DecisionChecker(groups: ["home"])
            let decision = ArbitrationDecision(
                decidedAt: .zero + .seconds(1), waited: waited, phrase: "puck", group: "home", policy: .nearest,
                candidates: candidates, rule: .nearest, conversationID: "x", winners: [])
            let now = Instant.zero + .seconds(1)
            checker.watch(.decided(decision), Moment(now: now, local: now), findings)
            return findings.first?.checker
        }
        let near = candidate("near", level: -10)
        let far = candidate("far", level: -30)
        #expect(found([near, far]) == nil)
        #expect(found([far, near]) == .order)
        #expect(found([near, far], waited: .milliseconds(100)) == nil)
        #expect(found([near, far], waited: .milliseconds(101)) == .order)
        let pressed = candidate("pressed", snr: 90, level: -60, confidence: 1)
        #expect(found([pressed, near]) == nil)
        #expect(found([near, pressed]) == .order)
    }
}

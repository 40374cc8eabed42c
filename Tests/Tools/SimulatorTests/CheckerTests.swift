import PuckBase
import PuckCore
import PuckWire
import Testing

@testable import Simulator

/// A checker that cannot object proves nothing: each is shown what it must not let pass, and what it must.
@Suite("Checkers")
struct CheckerTests {
    /// What a checker finds in a list of observations, each with the second at which it is made.
    private func findings(_ seen: [(Double, Observation)]) -> Violation? {
        let observer = Observer(Scenario(Plan(seed: 1, pucks: 2, seconds: 200)), trace: nil)
        for (second, observation) in seen {
            let time = Instant.zero + .seconds(exactly: second)
            observer.note(observation, now: time, local: time)
        }
        return observer.violation
    }

    private func sent(_ connection: Int, _ control: HubControl) -> Observation { .hubSent(connection, control, .zero) }
    private func welcome(_ from: UInt16 = 0) -> HubControl {
        .welcome(
            Welcome(
                session: 1, epoch: 1, resume: .none, from: SerialNumber(from), pingMilliseconds: 5000,
                replayMilliseconds: 0))
    }
    private func candidate(_ wakeID: UInt32) -> PuckControl {
        .wakeCandidate(
            WakeCandidate(
                wakeID: wakeID, phrase: "puck", onsetMilliseconds: 0, snrDecibels: 20, levelDecibels: -30,
                noiseDecibels: -50, confidence: 1))
    }
    /// Two pucks of one group, greeted.
    private var connected: [(Double, Observation)] {
        [
            (0, .connectionOpened(1, 0)), (0, .connectionOpened(2, 0)), (0, sent(1, welcome())),
            (0, sent(2, welcome())),
        ]
    }

    @Test("1: a second grant in a group, and a conversation that ends in silence")
    func grants() {
        let asked: [(Double, Observation)] =
            connected + [(1, .hubHeard(1, candidate(7))), (1, .hubHeard(2, candidate(8)))]
        let first = asked + [(1, sent(1, .grant(wakeID: 7, conversationID: "a")))]
        #expect(findings(first) == nil)
        #expect(findings(first + [(2, sent(2, .grant(wakeID: 8, conversationID: "b")))])?.checker == .grants)
        // The news may wait for a puck that is behind, but not for ever.
        #expect(findings(first + [(2, .forgotten("a"))]) == nil)
        #expect(findings(first + [(2, .forgotten("a")), (40, .probed(0, 1))])?.checker == .grants)
        let told = first + [(2, sent(1, .phase(conversationID: "a", phase: .idle))), (2, .forgotten("a"))]
        #expect(findings(told) == nil)
        #expect(findings(told + [(2.1, sent(2, .grant(wakeID: 8, conversationID: "b")))]) == nil)
    }

    @Test("2: two verdicts, and one for nobody")
    func verdicts() {
        let asked = connected + [(1, .hubHeard(1, candidate(7)))]
        let lost = asked + [(1.1, sent(1, .cancel(wakeID: 7, reason: .lost)))]
        #expect(findings(lost) == nil)
        #expect(findings(lost + [(1.2, sent(1, .cancel(wakeID: 7, reason: .busy)))])?.checker == .verdicts)
        #expect(findings(connected + [(1, sent(1, .cancel(wakeID: 9, reason: .lost)))])?.checker == .verdicts)
        let granted = asked + [(1.1, sent(1, .grant(wakeID: 7, conversationID: "a")))]
        #expect(findings(granted + [(1.6, sent(1, .cancel(wakeID: 7, reason: .degraded)))]) == nil)
    }

    @Test("3: a packet left out, heard twice, never made, of another answer, and an end too early")
    func playback() {
        let end = UplinkEnd(conversationID: "a", lastSequence: .zero, reason: .endpoint)
        let start: [(Double, Observation)] = [
            (0, .kept("a", Sound(recording: 1, index: 0))), (0, .encoded(0, Sound(recording: 1, index: 0))),
            (0, .puckSent(0, 9, .uplinkEnd(end))),
            (0, .answerWanted("a", playID: 4, answer: 3)), (1, .produced(answer: 3, count: 5, isComplete: true)),
            (2, .playStarted(0, DownStart(playID: 4, conversationID: "a"))),
        ]
        func played(_ indices: [Int32], answer: Int32 = 3) -> [(Double, Observation)] {
            indices.map { (3, .played(0, AnswerPacket(answer: answer, index: $0, bytes: 60))) }
        }
        #expect(findings(start + played([0, 1, 2, 3, 4])) == nil)
        #expect(findings(start + played([0, 2]))?.checker == .playback)
        #expect(findings(start + played([0, 0]))?.checker == .playback)
        #expect(findings(start + played([0, 1, 2, 3, 4, 5]))?.checker == .playback)
        #expect(findings(start + played([0], answer: 2))?.checker == .playback)
        let stop: [(Double, Observation)] = [
            (3, .puckHeard(0, 1, .downStop(playID: 4, reason: .done), .zero)), (4, .playDrained(0)),
        ]
        #expect(findings(start + played([0, 1, 2, 3, 4]) + stop) == nil)
        #expect(findings(start + played([0, 1, 2]) + stop)?.checker == .playback)
        let again = DownStart(playID: 4, conversationID: "a", resumedAtMilliseconds: 60)
        #expect(findings(start + played([0, 1, 2]) + [(5, .playStarted(0, again))] + played([3, 4])) == nil)
        #expect(findings(start + played([0, 1]) + [(5, .playStarted(0, again))])?.checker == .playback)
    }

    @Test("4: an utterance with a hole, without its beginning, and one that is answered before it is whole")
    func uplink() {
        func kept(_ indices: [Int32]) -> [(Double, Observation)] {
            indices.map { (1, .kept("a", Sound(recording: 2, index: $0))) }
        }
        #expect(findings(kept([0, 1, 2])) == nil)
        #expect(findings(kept([0, 2]))?.checker == .uplink)
        #expect(findings(kept([1]))?.checker == .uplink)
        #expect(findings(kept([0]) + [(1, .kept("a", Sound(recording: 3, index: 1)))])?.checker == .uplink)
        let end: [(Double, Observation)] = [(2, .answerWanted("a", playID: 1, answer: 0))]
        #expect(findings(kept([0]) + end)?.checker == .uplink)
    }

    @Test("5: a packet that should have fallen out of the window, and words after a full queue")
    func bounds() {
        func packet(_ sequence: UInt16, newest: UInt16) -> Observation {
            .puckSentAudio(
                0, 9, SerialNumber(sequence), Sound(recording: 1, index: 0), newest: SerialNumber(newest))
        }
        #expect(findings([(0, packet(65_530, newest: 44))]) == nil)
        #expect(findings([(0, packet(65_530, newest: 45))])?.checker == .bounds)
        #expect(findings([(0, packet(3, newest: 3))])?.checker == .bounds)
        #expect(findings([(0, .puckQueueFull(0, 9)), (0, .puckSent(0, 9, .ping(Ping(t0: 0))))])?.checker == .bounds)
    }

    @Test("6: a pause that is not on the schedule, and a row that begins again too soon")
    func backoff() {
        func attempts(_ pauses: [Double], up: Double? = nil) -> [(Double, Observation)] {
            var now = 0.0
            var seen: [(Double, Observation)] = [(now, .puckStarted(0)), (now, .socketWanted(0))]
            for pause in pauses {
                seen.append((now, .socketLost(0, "refused")))
                now += pause
                seen.append((now, .socketWanted(0)))
            }
            guard let up else { return seen }
            seen.append((now, .puckHeard(0, 1, welcome(), .zero)))
            seen.append((now + up, .socketLost(0, "reset")))
            seen.append((now + up + 1, .socketWanted(0)))
            return seen
        }
        #expect(findings(attempts([1.09, 1.81, 4.3, 8, 17.5, 27.1, 32.9, 30])) == nil)
        #expect(findings(attempts([1.2]))?.checker == .backoff)
        #expect(findings(attempts([1, 2, 4, 8, 16, 34]))?.checker == .backoff)
        #expect(findings(attempts([1, 1]))?.checker == .backoff)
        #expect(findings(attempts([1, 2, 4], up: 10.5)) == nil)
        #expect(findings(attempts([1, 2, 4], up: 9))?.checker == .backoff)
        #expect(findings([(0, .puckStarted(0)), (0, .socketWanted(0)), (1, .socketWanted(0))])?.checker == .backoff)
    }

    @Test("7: offline too early, twice, never, and back without having been away")
    func offline() {
        let lost: [(Double, Observation)] = [
            (0, .puckStarted(0)), (1, .puckHeard(0, 1, welcome(), .zero)), (100, .socketLost(0, "reset")),
        ]
        #expect(findings(lost + [(130.2, .earcon(0, .offline))]) == nil)
        #expect(findings(lost + [(129.9, .earcon(0, .offline))])?.checker == .offline)
        #expect(findings(lost + [(130.2, .earcon(0, .offline)), (131, .earcon(0, .offline))])?.checker == .offline)
        #expect(findings(lost + [(110, .earcon(0, .online))])?.checker == .offline)
        #expect(findings(lost + [(110, .lights(0, .offline))])?.checker == .offline)

        let observer = Observer(Scenario(Plan(seed: 1, pucks: 2, seconds: 200)), trace: nil)
        for (second, observation) in lost {
            let time = Instant.zero + .seconds(exactly: second)
            observer.note(observation, now: time, local: time)
        }
        func step(_ second: Double) {
            let time = Instant.zero + .seconds(exactly: second)
            observer.stepped(puck: 0, phase: .idle, deadline: time + .seconds(1), local: time, now: time)
        }
        step(130.9)
        #expect(observer.violation == nil)
        step(131.1)
        #expect(observer.violation?.checker == .offline)
    }

    @Test("8: no deadline, one that does not move on, and a phase that lasts")
    func deadlines() {
        func steps(_ steps: [(at: Double, phase: Phase, deadline: Double?)]) -> Checker? {
            let observer = Observer(Scenario(Plan(seed: 1, pucks: 2, seconds: 200)), trace: nil)
            for step in steps {
                let time = Instant.zero + .seconds(exactly: step.at)
                observer.stepped(
                    puck: 0, phase: step.phase, deadline: step.deadline.map { Instant.zero + .seconds(exactly: $0) },
                    local: time, now: time)
            }
            return observer.violation?.checker
        }
        #expect(steps([(0, .idle, 5), (1, .candidate, 3), (3, .idle, 5)]) == nil)
        #expect(steps([(0, .idle, nil)]) == .deadlines)
        #expect(steps([(5, .idle, 5)]) == .deadlines)
        #expect(steps([(1, .candidate, 3), (3.5, .candidate, 5)]) == .deadlines)
        #expect(steps([(1, .thinking, 3), (20, .thinking, 30), (32, .thinking, 40)]) == .deadlines)
    }

    @Test("10: audio without a grant, numbers that jump, a refusal among friends, more than 2 s ahead")
    func conformance() {
        let greeted: [(Double, Observation)] = [
            (0, .connectionOpened(1, 0)),
            (0, .puckSent(0, 1, .hello(Hello(puckID: "a", room: "a", group: "g", software: "", phrases: ["puck"])))),
            (0, sent(1, welcome(65_535))), (0, .puckHeard(0, 1, welcome(65_535), .zero)),
        ]
        func packet(_ sequence: UInt16) -> Observation {
            .puckSentAudio(0, 1, SerialNumber(sequence), Sound(recording: 1, index: 0), newest: SerialNumber(20))
        }
        let granted = greeted + [(1, .puckHeard(0, 1, .grant(wakeID: 1, conversationID: "a"), .zero))]
        #expect(findings(greeted + [(1, packet(0))])?.checker == .conformance)
        #expect(findings(granted + [(1, packet(0)), (1, packet(1))]) == nil)
        #expect(findings(granted + [(1, packet(1))])?.checker == .conformance)
        #expect(findings(greeted + [(1, .puckRefused(0, 1, WireError(.unexpected, "")))])?.checker == .conformance)

        func stream(_ count: Int, from: UInt16) -> [(Double, Observation)] {
            (0..<count).map {
                let sequence = SerialNumber(from).advanced(by: $0)
                return (2, .hubSentAudio(1, sequence, AnswerPacket(answer: 0, index: Int32($0), bytes: 60)))
            }
        }
        #expect(findings(greeted + stream(100, from: 65_535)) == nil)
        #expect(findings(greeted + stream(1, from: 0))?.checker == .conformance)
        let wanted: [(Double, Observation)] = [(1, .answerWanted("a", playID: 4, answer: 0))]
        #expect(findings(greeted + wanted + stream(100, from: 65_535)) == nil)
        #expect(findings(greeted + wanted + stream(101, from: 65_535))?.checker == .bounds)
        let ahead = Played(sequence: .zero, playID: 1, positionMilliseconds: 0, bufferedMilliseconds: 0)
        #expect(findings(greeted + [(3, .puckSent(0, 1, .played(ahead)))])?.checker == .conformance)
    }

    // MARK: A television, and two pucks with one card

    private func logged(_ record: LogRecord) -> Observation { .puckLogged(0, record) }

    /// A turn that a voice began, 15 s long.
    private func turn(_ second: Double, _ confidence: Float, isPerson: Bool = false, ranOut: Bool = true) -> [(
        Double, Observation
    )] {
        [
            (second, .wakeFound(0, confidence: confidence, isPerson: isPerson)),
            (second, logged(LogRecord(.info, "wake.candidate", []))),
            (
                second + 15,
                logged(LogRecord(.info, "uplink.end", [.init("reason", ranOut ? "timeout" : "endpoint")]))
            ),
        ]
    }

    @Test(
        "11: a television that is believed a sixth time, a voice above it that is not, and doubt that nobody heard of")
    func doubt() {
        let five = (0..<5).flatMap { turn(30 * Double($0), 0.8) }
        #expect(findings(five) == nil)
        #expect(findings(five + turn(150, 0.8))?.checker == .doubt)
        #expect(findings(five + turn(150, 0.9, isPerson: true)) == nil)
        #expect(findings(five + turn(134 + 301, 0.8)) == nil, "five minutes later")
        let apart = (0..<8).flatMap { turn(140 * Double($0), 0.8) }
        #expect(findings(apart) == nil)
        let people = (0..<8).flatMap { turn(30 * Double($0), 0.8, isPerson: true, ranOut: $0 % 2 == 0) }
        #expect(findings(people) == nil)

        let ignored = logged(LogRecord(.info, "wake.ignored", [.init("reason", "doubt")]))
        func doubted(_ confidence: Float) -> [(Double, Observation)] {
            [(151, .wakeFound(0, confidence: confidence, isPerson: true)), (151, ignored)]
        }
        #expect(findings(five + doubted(0.7))?.checker == .doubt)
        let told = five + [(150, logged(LogRecord(.warning, "wake.doubt", [.init("step", 4)])))]
        #expect(findings(told + doubted(0.7)) == nil)
        #expect(findings(told + doubted(0.9))?.checker == .doubt)
    }

    @Test(
        "12: a duplicate without a copy, a copy that nobody is told of, one that hurries, and one that keeps the place")
    func copies() {
        let fault = Fault(
            ordinal: 0, kind: .copiedCard, at: .zero, duration: .seconds(60), puck: 0, choice: 0, secondChoice: 0,
            aim: .blind, offset: .zero)
        let error = WireError(.duplicate, "another one")
        let found: Observation = .hubLogged(LogRecord(.warning, "puck.duplicate", []))
        #expect(findings([(1, .puckHeardError(0, 1, error))])?.checker == .copies)
        #expect(findings([(1, found)])?.checker == .copies)
        let struck: [(Double, Observation)] = [(1, .faultStruck(fault))]
        let refused = struck + [(3, found), (3, .puckHeardError(0, 2, error))]
        let over: [(Double, Observation)] = [(61, .copyEnded(0, hasPlace: false))]
        #expect(findings(struck + over)?.checker == .copies)
        #expect(findings(struck + [(3, found)] + over)?.checker == .copies)
        #expect(findings(refused + over) == nil)
        #expect(findings(refused + [(8, .candidateWanted(0))])?.checker == .copies)
        #expect(findings(refused + over + [(400, .healed)])?.checker == .copies)
        #expect(findings(refused + over + [(70, .puckHeard(0, 3, welcome(), .zero)), (400, .healed)]) == nil)
        let fight = (0..<3).map { (2 + Double($0), Observation.puckHeard(0, $0, welcome(), .zero)) }
        #expect(findings(struck + fight)?.checker == .copies)
    }
}

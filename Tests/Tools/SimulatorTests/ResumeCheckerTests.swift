import PuckBase
import PuckCore
import PuckWire
import Testing

@testable import Simulator

/// What the checkers of drops, replays and plays must not let pass (PROTOCOL.md §11).
@Suite("Checkers of coming back")
struct ResumeCheckerTests {
    private func findings(_ seen: [(Double, Observation)]) -> Violation? {
        let observer = Observer(Scenario(Plan(seed: 1, pucks: 1, seconds: 200)), trace: nil)
        for (second, observation) in seen {
            let time = Instant.zero + .seconds(exactly: second)
            observer.note(observation, now: time, local: time)
        }
        return observer.violation
    }

    private func welcome(
        _ resume: Welcome.ResumeOutcome, epoch: UInt32 = 7, from: UInt16 = 0, uplinkNext: UInt16? = nil
    ) -> HubControl {
        .welcome(
            Welcome(
                session: 1, epoch: epoch, resume: resume, from: SerialNumber(from),
                uplinkNext: uplinkNext.map { SerialNumber($0) }, pingMilliseconds: 5000, replayMilliseconds: 30_000))
    }

    private func hello(_ resume: UInt16? = nil, uplink: ClosedRange<UInt16>? = nil) -> PuckControl {
        .hello(
            Hello(
                puckID: "a", room: "a", group: "floor-0", software: "", phrases: ["puck"],
                resume: resume.map { Hello.Resume(epoch: 7, sequence: SerialNumber($0)) },
                uplink: uplink.map {
                    Hello.Uplink(
                        conversationID: "c", first: SerialNumber($0.lowerBound), next: SerialNumber($0.upperBound))
                }))
    }

    /// Greeted, granted, five packets heard, and the connection gone at second 2.
    private var dropped: [(Double, Observation)] {
        let packets = (0..<5).map {
            (1.0, Observation.hubHeardAudio(1, SerialNumber(UInt16($0)), Sound(recording: 1, index: Int32($0))))
        }
        return [
            (0, .connectionOpened(1, 0)), (0, .hubHeard(1, hello())), (0, .hubSent(1, welcome(.none), .zero)),
            (1, .hubSent(1, .phase(conversationID: "x", phase: .thinking), .zero)),
            (1, .hubHeard(1, .ping(Ping(t0: 0)))),
            (
                1,
                .hubHeard(
                    1,
                    .wakeCandidate(
                        WakeCandidate(
                            wakeID: 1, phrase: "puck", onsetMilliseconds: 0, snrDecibels: 20, levelDecibels: -20,
                            noiseDecibels: -40, confidence: 1)))
            ),
            (1, .hubSent(1, .grant(wakeID: 1, conversationID: "c"), .zero)),
        ] + packets + [(2, .connectionClosed(1))]
    }

    @Test("a stream that is there is replayed, from the place that was asked for, and never after 30 s")
    func stream() {
        func back(_ second: Double, _ resume: UInt16, _ answer: HubControl) -> [(Double, Observation)] {
            [
                (second, .connectionOpened(2, 0)),
                (second, .hubHeard(2, hello(resume, uplink: 0...9))), (second, .hubSent(2, answer, .zero)),
            ]
        }
        let replayed = welcome(.replayed, from: 1, uplinkNext: 5)
        #expect(findings(dropped + back(3, 1, replayed)) == nil)
        #expect(findings(dropped + back(3, 1, welcome(.fresh, epoch: 8, uplinkNext: 5)))?.checker == .resume)
        #expect(findings(dropped + back(3, 0, replayed))?.checker == .conformance)
        #expect(findings(dropped + back(3, 1, welcome(.replayed, epoch: 9, from: 1)))?.checker == .conformance)
        #expect(findings(dropped + back(3, 1, welcome(.fresh, uplinkNext: 5)))?.checker == .conformance)
        #expect(findings(dropped + back(33, 1, replayed))?.checker == .conformance)
    }

    @Test("an utterance whose next packet is held is resumed with that packet, and not given up before 2 s")
    func utterance() {
        func back(_ uplink: ClosedRange<UInt16>, next: UInt16?) -> [(Double, Observation)] {
            [
                (2.5, .connectionOpened(2, 0)), (2.5, .hubHeard(2, hello(1, uplink: uplink))),
                (2.5, .hubSent(2, welcome(.replayed, from: 1, uplinkNext: next), .zero)),
            ]
        }
        #expect(findings(dropped + back(5...20, next: 5)) == nil)
        #expect(findings(dropped + back(0...5, next: 5)) == nil)
        #expect(findings(dropped + back(0...20, next: nil))?.checker == .resume)
        #expect(findings(dropped + back(6...20, next: nil)) == nil)
        #expect(findings(dropped + back(0...20, next: 6)) != nil)
        #expect(findings(dropped + back(6...20, next: 5))?.checker == .conformance)
        #expect(findings(dropped + [(3.5, .forgotten("c"))])?.checker == .resume)
        #expect(findings(dropped + [(4.1, .forgotten("c"))]) == nil)
    }

    @Test("a play ends once and for a reason, and is not forgotten")
    func plays() {
        func ended(_ outcome: String) -> Observation {
            .hubLogged(
                LogRecord(.info, "play.end", [.init("play_id", "4"), .init("outcome", outcome)]))
        }
        let accepted: [(Double, Observation)] = [
            (0, .connectionOpened(1, 0)), (0, .hubSent(1, welcome(.none), .zero)),
            (1, .playPrepared(puck: 0, playID: 4, .timer, answer: 0)),
        ]
        #expect(findings(accepted + [(2, .playCancelled(playID: 4)), (2, ended("cancelled"))]) == nil)
        #expect(findings(accepted + [(2, ended("cancelled"))])?.checker == .playback)
        #expect(findings(accepted + [(2, .answerFailed(answer: 0)), (2, ended("failed"))]) == nil)
        #expect(findings(accepted + [(2, ended("failed"))])?.checker == .playback)
        #expect(findings(accepted + [(2, ended("done"))])?.checker == .playback)
        #expect(findings(accepted + [(2, .answerForgotten(playID: 4))])?.checker == .playback)
        #expect(findings(accepted + [(2, .probed(0, 1))])?.checker == .convergence)
    }

    @Test("the hub's log of a stream keeps its three bounds, and a puck that is away is forgotten after 30 s")
    func bounds() {
        func look(_ messages: Int, _ bytes: Int, age: Double, awayFor: Double? = nil) -> Checker? {
            let observer = Observer(Scenario(Plan(seed: 1, pucks: 1, seconds: 200)), trace: nil)
            for (second, observation) in awayFor == nil ? [] : dropped.filter({ $0.0 != 1 }) {
                let time = Instant.zero + .seconds(exactly: second)
                observer.note(observation, now: time, local: time)
            }
            let now = Instant.zero + .seconds(exactly: 2 + (awayFor ?? 60))
            observer.looked(
                puck: 0, (messages, bytes, now - .seconds(exactly: age)), local: now, now: now)
            return observer.violation?.checker
        }
        #expect(look(4_096, 524_288, age: 29.9) == nil)
        #expect(look(4_097, 0, age: 0) == .bounds)
        #expect(look(1, 524_289, age: 0) == .bounds)
        #expect(look(1, 10, age: 30) == .bounds)
        #expect(look(0, 0, age: 0, awayFor: 29.9) == nil)
        #expect(look(0, 0, age: 0, awayFor: 30.1) == .bounds)
    }
}

import PuckAudio
import PuckBase
import PuckWire
import RepositoryFiles
import Testing

@testable import PuckCore

@Suite("The machine as a whole")
struct PuckFuzzTests {
    @Test("a hundred thousand random events never trap, and every waiting state has a deadline")
    func fuzz() {
        var generator = SeededGenerator(seed: 99)
        var bench = Bench()
        bench.on(.started)
        for _ in 0..<100_000 {
            bench.on(randomEvent(&generator, bench.puck))
            bench.now = bench.now + .milliseconds(Int(generator.next() % 400))
            if let next = bench.puck.nextDeadline, next <= bench.now { bench.on(.timePassed) }
            #expect(bench.puck.window.count <= UplinkWindow.capacity)
            for play in [bench.puck.active, bench.puck.paused] {
                #expect(play.map { $0.queued - $0.heard <= Puck.laneCapacity + 320 } ?? true)
            }
            if bench.puck.isPairing { #expect(bench.puck.deadlines[.pairing] != nil) }
            if bench.puck.link != .up || bench.puck.phase != .idle {
                #expect(
                    bench.puck.nextDeadline != nil, "waiting without a deadline: \(bench.puck.link) \(bench.puck.phase)"
                )
            }
        }
    }

    @Test("every transition of link and turn that random events cause is drawn in docs/STATE-MACHINES.md")
    func pictures() throws {
        var links: Set<String> = []
        var turns: Set<String> = []
        for seed in 1...2 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var bench = Bench()
            bench.on(.started)
            for _ in 0..<20_000 {
                let link = bench.puck.link
                let turn = Self.name(bench.puck.turn)
                bench.on(randomEvent(&generator, bench.puck))
                note(link, bench.puck.link, &links)
                note(turn, Self.name(bench.puck.turn), &turns)
                bench.now = bench.now + .milliseconds(Int(generator.next() % 400))
                // One deadline at a time, so that each transition is seen.
                while let next = bench.puck.nextDeadline, next <= bench.now {
                    let link = bench.puck.link
                    let turn = Self.name(bench.puck.turn)
                    bench.on(.timePassed)
                    note(link, bench.puck.link, &links)
                    note(turn, Self.name(bench.puck.turn), &turns)
                }
            }
        }
        let link = try StateDiagram("The link of a puck").notDrawn(links)
        let turn = try StateDiagram("A turn on the puck").notDrawn(turns)
        #expect(link.isEmpty && links.count > 4, "\(link)")
        #expect(turn.isEmpty && turns.count > 4, "\(turn)")
    }

    private func note<State: Equatable>(_ before: State, _ after: State, _ arrows: inout Set<String>) {
        if before != after { arrows.insert("\(before) --> \(after)") }
    }

    private static func name(_ turn: Puck.Turn) -> String {
        switch turn {
        case .idle: "idle"
        case .candidate: "candidate"
        case .standby: "standby"
        case .listening: "listening"
        case .thinking: "thinking"
        case .interrupted: "interrupted"
        }
    }

    private func randomEvent(_ g: inout SeededGenerator, _ puck: Puck) -> PuckEvent {
        let small = UInt16(g.next() % 4)
        let sequence = puck.downlink.expected.advanced(by: g.next() % 10 == 0 ? Int(small) - 1 : 0)
        let isReplay = g.next() % 2 == 0 && puck.downlink.epoch != nil
        let welcome = Welcome(
            session: 1, epoch: isReplay ? puck.downlink.epoch! : UInt32(small), resume: isReplay ? .replayed : .fresh,
            from: isReplay ? puck.downlink.expected : SerialNumber(UInt16(truncatingIfNeeded: g.next())),
            uplinkNext: g.next() % 2 == 0 ? SerialNumber(small) : nil, floor: g.next() % 8 == 0 ? "c9" : nil,
            pingMilliseconds: 5000, replayMilliseconds: 30_000)
        let finding = WakeFinding(onset: 0, levelDecibels: -30, noiseDecibels: -60, confidence: 1)
        switch g.next() % 28 {
        case 0, 1: return .socketOpened
        case 2: return .socketClosed(reason: "x")
        case 3, 4: return .controlReceived(.welcome(welcome), sequence: .zero)
        case 5: return .controlReceived(.grant(wakeID: puck.lastWakeID, conversationID: "c\(small)"), sequence: .zero)
        case 6: return .controlReceived(.cancel(wakeID: puck.lastWakeID, reason: .lost), sequence: .zero)
        case 7:
            return .controlReceived(.uplinkAck(conversationID: "c\(small)", next: SerialNumber(small)), sequence: .zero)
        case 8, 9:
            return .controlReceived(
                .downStart(DownStart(playID: UInt32(small), conversationID: "c\(small)")), sequence: sequence)
        case 10: return .controlReceived(.downStop(playID: UInt32(small), reason: .done), sequence: sequence)
        case 11: return .audioReceived(type: .downlinkOpus, sequence: sequence, byteCount: 10, sentAt: UInt32(small))
        case 12: return .malformedReceived(WireError(.badType, "x"))
        case 13: return .wakeHeard(finding, onset: .zero)
        case 14, 15: return .packetEncoded(levelDecibels: small == 0 ? -20 : -70)
        case 16: return g.next() % 8 == 0 ? .stopRequested : .talkRequested(position: 0)
        case 17: return small < 2 ? .muteRequested(small == 0) : .muteSwitched(small == 2)
        case 18: return .playbackAdvanced(samples: Int64(g.next() % 10_000))
        case 19: return .playbackDrained
        case 20: return .playbackStarved
        case 21: return .controlReceived(.downPause(playID: UInt32(small)), sequence: sequence)
        case 22: return .controlReceived(.downResume(playID: UInt32(small)), sequence: sequence)
        case 23: return .networkChanged
        case 24: return g.next() % 2 == 0 ? .longPressed : .longPressEnded
        case 25: return [.veryLongPressed, .pairingRequested, .pairingEnded(.joined), .stopRequested][Int(small)]
        case 26: return small == 0 ? .captureLost : .captureRestored
        default: return .timePassed
        }
    }
}

import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

/// A puck under virtual time: what it did is kept, and looked at.
struct Bench {
    var puck: Puck
    var now = Instant(nanoseconds: 1_000_000_000)
    var effects: [PuckEffect] = []

    init(seed: UInt64 = 1) {
        puck = Puck(
            identity: .init(puckID: "kitchen", room: "kitchen", group: "house", phrase: "puck", software: "test"),
            parameters: .init(), random: SeededGenerator(seed: seed))
    }

    /// Steps one event and gives back what it caused.
    @discardableResult
    mutating func on(_ event: PuckEvent) -> [PuckEffect] {
        effects.removeAll(keepingCapacity: true)
        puck.step(event, now: now, into: &effects)
        return effects
    }

    /// Lets time pass deadline by deadline; gives back everything that happened.
    mutating func wait(_ interval: Interval) -> [PuckEffect] {
        let end = now + interval
        var all: [PuckEffect] = []
        while let next = puck.nextDeadline, next <= end {
            now = max(now, next)
            all += on(.timePassed)
        }
        now = end
        return all
    }

    mutating func control(_ control: HubControl, _ sequence: UInt16 = 0) -> [PuckEffect] {
        on(.controlReceived(control, sequence: SerialNumber(sequence)))
    }

    mutating func connect(from: UInt16 = 0) {
        on(.started)
        on(.socketOpened)
        _ = control(
            .welcome(
                Welcome(
                    session: 1, epoch: 7, resume: .none, from: SerialNumber(from), pingMilliseconds: 5000,
                    replayMilliseconds: 0)))
    }

    mutating func wake() -> [PuckEffect] {
        on(
            .wakeHeard(
                WakeFinding(onset: 16_000, levelDecibels: -30, noiseDecibels: -60, confidence: 0.9), onset: now))
    }

    mutating func listen() {
        connect()
        _ = wake()
        _ = control(.grant(wakeID: 1, conversationID: "c1"))
    }
}

extension [PuckEffect] {
    var sent: [PuckControl] { compactMap { if case .send(let control) = $0 { control } else { nil } } }
    var packets: [UInt16] { compactMap { if case .sendPacket(let s) = $0 { s.value } else { nil } } }
    var lights: [Lights] { compactMap { if case .showLights(let l) = $0 { l } else { nil } } }
    var opens: Int { filter { $0 == .openSocket }.count }
    func logged(_ event: StaticStringKey) -> Bool {
        contains { if case .log(let record) = $0 { record.event == event } else { false } }
    }
}

@Suite("The link")
struct LinkTests {
    @Test("greets first, and is up after the welcome")
    func greeting() {
        var bench = Bench()
        #expect(bench.on(.started).opens == 1)
        let hello = bench.on(.socketOpened).sent
        #expect(hello.count == 1)
        if case .hello(let m)? = hello.first { #expect(m.puckID == "kitchen") } else { Issue.record("no hello") }
        #expect(!bench.puck.isConnected)
        bench.connect()
        #expect(bench.puck.isConnected)
    }

    @Test("pauses 1, 2, 4, 8, 16, 30, 30 s between attempts, within 10 %")
    func backoff() {
        var bench = Bench()
        bench.on(.started)
        for nominal in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            bench.on(.socketClosed(reason: "refused"))
            #expect(bench.wait(.milliseconds(nominal * 9 / 10 - 1)).opens == 0)
            #expect(bench.wait(.milliseconds(nominal / 5 + 2)).opens == 1)
        }
    }

    @Test("starts the pauses again only after 10 s of a stable link")
    func stable() {
        var bench = Bench()
        bench.connect()
        bench.on(.socketClosed(reason: "reset"))
        _ = bench.wait(.milliseconds(1101))
        bench.connect()
        bench.on(.socketClosed(reason: "reset"))
        #expect(bench.wait(.milliseconds(1700)).opens == 0, "the second pause is 2 s")
        _ = bench.wait(.milliseconds(600))
        bench.connect()
        for _ in 0..<3 {
            _ = bench.wait(.seconds(4))
            _ = bench.control(.ping(Ping(t0: 0)))
        }
        bench.on(.socketClosed(reason: "reset"))
        #expect(bench.wait(.milliseconds(1101)).opens == 1, "the first pause again")
    }

    @Test("pings every 5 s and drops a hub that is silent for 10 s")
    func keepAlive() {
        var bench = Bench()
        bench.connect()
        let effects = bench.wait(.milliseconds(9_999))
        #expect(effects.sent.filter { if case .ping = $0 { true } else { false } }.count == 1)
        #expect(!effects.contains(.closeSocket))
        #expect(bench.wait(.milliseconds(2)).contains(.closeSocket))
        #expect(!bench.puck.isConnected)
    }

    @Test("gives up a connection that never opens, and a hub that never says welcome")
    func timeouts() {
        var bench = Bench()
        bench.on(.started)
        #expect(bench.wait(.seconds(10)).contains(.closeSocket))
        _ = bench.wait(.seconds(2))
        bench.on(.socketOpened)
        #expect(bench.wait(.seconds(5)).contains(.closeSocket))
    }

    @Test("answers a ping with its own clock")
    func pong() {
        var bench = Bench()
        bench.connect()
        let t = Double(bench.now.nanoseconds) / 1e6
        #expect(bench.control(.ping(Ping(t0: 12.5))).sent == [.pong(Pong(t0: 12.5, t1: t, t2: t))])
    }

    @Test("a first message that is not welcome, and a second welcome, are protocol errors")
    func unexpected() {
        var bench = Bench()
        bench.on(.started)
        bench.on(.socketOpened)
        #expect(bench.control(.ping(Ping(t0: 1))).contains(.closeSocket))
        var second = Bench()
        second.connect()
        let welcome = Welcome(
            session: 1, epoch: 7, resume: .none, from: .zero, pingMilliseconds: 5000, replayMilliseconds: 0)
        #expect(second.control(.welcome(welcome)).contains(.closeSocket))
    }

    @Test("after 30 s without a hub the lights change once, and once when it is back")
    func offline() {
        var bench = Bench()
        #expect(bench.on(.started).lights == [.starting])
        bench.on(.socketClosed(reason: "refused"))
        #expect(bench.wait(.milliseconds(29_999)).lights.isEmpty)
        let effects = bench.wait(.seconds(90))
        #expect(effects.lights == [.offline])
        #expect(effects.filter { $0 == .playEarcon(.offline) }.count == 1)
        bench.on(.socketOpened)
        bench.effects.removeAll()
        bench.puck.step(
            .controlReceived(
                .welcome(
                    Welcome(
                        session: 1, epoch: 1, resume: .none, from: .zero, pingMilliseconds: 5000,
                        replayMilliseconds: 0)), sequence: .zero), now: bench.now, into: &bench.effects)
        #expect(bench.effects.lights == [.idle])
        #expect(bench.effects.contains(.playEarcon(.online)))
    }
}

@Suite("A turn")
struct TurnTests {
    @Test("encodes from the candidate on, sends nothing before the grant, then everything in order")
    func grant() {
        var bench = Bench()
        bench.connect()
        let wake = bench.wake()
        #expect(wake.contains(.startEncoding(onset: 16_000, preroll: true)))
        #expect(wake.lights == [.candidate])
        for _ in 0..<5 {
            let effects = bench.on(.packetEncoded(levelDecibels: -30))
            #expect(effects.packets.isEmpty)
        }
        let grant = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        #expect(grant.packets == [0, 1, 2, 3, 4])
        #expect(grant.contains(.playEarcon(.listening)))
        #expect(grant.lights == [.listening])
        #expect(bench.on(.packetEncoded(levelDecibels: -30)).packets == [5])
    }

    @Test("a cancelled candidate stays silent: no earcon, nothing sent")
    func cancel() {
        var bench = Bench()
        bench.connect()
        _ = bench.wake()
        bench.on(.packetEncoded(levelDecibels: -30))
        let effects = bench.control(.cancel(wakeID: 1, reason: .lost))
        #expect(effects.contains(.stopEncoding))
        #expect(effects.packets.isEmpty)
        #expect(!effects.contains { if case .playEarcon = $0 { true } else { false } })
        #expect(effects.lights == [.idle])
    }

    @Test("without a verdict within 2 s the puck gives up, and hands a late grant back")
    func noVerdict() {
        var bench = Bench()
        bench.connect()
        _ = bench.wake()
        #expect(bench.wait(.seconds(2)).contains(.stopEncoding))
        let late = bench.control(.grant(wakeID: 1, conversationID: "c9")).sent
        #expect(late == [.uplinkEnd(UplinkEnd(conversationID: "c9", lastSequence: .zero, reason: .cancelled))])
    }

    @Test("ends 700 ms after the speaker, says so, and thinks")
    func endpoint() {
        var bench = Bench()
        bench.listen()
        for _ in 0..<20 { bench.on(.packetEncoded(levelDecibels: -30)) }
        var last: [PuckEffect] = []
        for _ in 0..<35 { last = bench.on(.packetEncoded(levelDecibels: -60)) }
        #expect(last.packets == [54])
        #expect(
            last.sent == [
                .uplinkEnd(UplinkEnd(conversationID: "c1", lastSequence: SerialNumber(54), reason: .endpoint))
            ])
        #expect(last.contains(.stopEncoding) && last.lights == [.thinking])
        #expect(bench.wait(.seconds(30)).lights.contains(.idle), "no answer: it does not think for ever")
    }

    @Test("holds at most one second of unacknowledged packets")
    func bound() {
        var window = UplinkWindow()
        for _ in 0..<500 {
            window.append()
            _ = window.takeUnsent()
            #expect(window.count <= 50)
        }
        #expect(window.dropped == 450)
        #expect(window.first == SerialNumber(450))
        let good = window.acknowledge(next: SerialNumber(480))
        let ahead = window.acknowledge(next: SerialNumber(501))
        #expect(good && !ahead)
        #expect(window.count == 20)
    }

    @Test("packets that fall out before they were sent make a hole, which ends the utterance")
    func hole() {
        var bench = Bench()
        bench.connect()
        _ = bench.wake()
        for _ in 0..<60 { bench.on(.packetEncoded(levelDecibels: -30)) }
        _ = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        let effects = bench.on(.packetEncoded(levelDecibels: -30))
        #expect(effects.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .gap } else { false } })
    }

    @Test("a lost link ends the turn and is said aloud")
    func lostLink() {
        var bench = Bench()
        bench.listen()
        let effects = bench.on(.socketClosed(reason: "reset"))
        #expect(effects.contains(.stopEncoding))
        #expect(effects.contains(.playEarcon(.failed)))
        #expect(bench.puck.phase == .idle)
    }

    @Test("muted: nothing wakes, a running utterance ends, and the light says so")
    func mute() {
        var bench = Bench()
        bench.listen()
        bench.on(.packetEncoded(levelDecibels: -30))
        let effects = bench.on(.muteRequested(true))
        #expect(effects.contains(.setMuted(true)) && effects.contains(.stopEncoding))
        #expect(effects.lights == [.muted])
        #expect(effects.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .muted } else { false } })
        #expect(bench.wake().sent.isEmpty)
        #expect(bench.on(.muteRequested(false)).lights == [.idle])
    }

    @Test("the button wakes an idle puck without preroll, and stops a listening one")
    func button() {
        var bench = Bench()
        bench.connect()
        #expect(bench.on(.talkRequested(position: 500)).contains(.startEncoding(onset: 500, preroll: false)))
        _ = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        let second = bench.on(.talkRequested(position: 900))
        #expect(second.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .cancelled } else { false } })
        #expect(bench.puck.phase == .idle)
    }

    @Test("a broken microphone shows as a fault and is reported to the hub")
    func captureLost() {
        var bench = Bench()
        bench.connect()
        let lost = bench.on(.captureLost)
        #expect(lost.lights == [.error])
        #expect(lost.sent.contains { if case .status(let s) = $0 { !s.captureOK } else { false } })
        #expect(bench.on(.captureRestored).lights == [.idle])
    }
}

@Suite("Playback")
struct PlaybackTests {
    static func start(_ bench: inout Bench, at sequence: UInt16 = 0) -> [PuckEffect] {
        bench.control(.downStart(DownStart(playID: 5, conversationID: "c1")), sequence)
    }

    static func audio(_ bench: inout Bench, _ sequence: UInt16) -> [PuckEffect] {
        bench.on(.audioReceived(type: .downlinkOpus, sequence: SerialNumber(sequence), byteCount: 60))
    }

    @Test("plays packets in order across the wrap of the sequence number, then reports the stop as played")
    func order() {
        var bench = Bench()
        bench.connect(from: 65_534)
        #expect(Self.start(&bench, at: 65_534).contains(.startPlayback(codec: .opus)))
        #expect(Self.audio(&bench, 65_535).contains(.playPacket(SerialNumber(65_535), byteCount: 60)))
        #expect(Self.audio(&bench, 0).contains(.playPacket(.zero, byteCount: 60)))
        #expect(bench.control(.downStop(playID: 5, reason: .done), 1).contains(.finishPlayback))
        bench.on(.playbackAdvanced(samples: 320))
        let report = bench.wait(.milliseconds(200)).sent
        #expect(
            report.first
                == .played(
                    Played(
                        sequence: SerialNumber(65_535), playID: 5, positionMilliseconds: 20, bufferedMilliseconds: 20)))
        let drained = bench.on(.playbackDrained)
        #expect(
            drained.sent == [
                .played(Played(sequence: SerialNumber(1), playID: 5, positionMilliseconds: 40, bufferedMilliseconds: 0))
            ])
        #expect(bench.puck.phase == .idle)
    }

    @Test("drops duplicates, and treats a hole in the stream as an error of the hub")
    func duplicatesAndHoles() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        _ = Self.audio(&bench, 1)
        #expect(Self.audio(&bench, 1).isEmpty)
        #expect(Self.audio(&bench, 3).contains(.closeSocket))
    }

    @Test("a hub that sends more than it may is cut off rather than obeyed")
    func flood() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        var closed = false
        for sequence in 1...300 as ClosedRange<UInt16> where !closed {
            closed = Self.audio(&bench, sequence).contains(.closeSocket)
        }
        #expect(closed)
    }

    @Test("stop on the puck silences it at once, and audio still on its way is swallowed and reported")
    func stop() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        _ = Self.audio(&bench, 1)
        #expect(bench.on(.stopRequested).contains(.stopPlayback))
        #expect(!Self.audio(&bench, 2).contains { if case .playPacket = $0 { true } else { false } })
        let report = bench.wait(.milliseconds(200)).sent
        #expect(report.contains { if case .played(let m) = $0 { m.sequence == SerialNumber(2) } else { false } })
    }

    @Test("a play for which nothing comes any more ends by itself")
    func stalled() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        _ = bench.on(.controlReceived(.ping(Ping(t0: 0)), sequence: .zero))
        var effects = bench.wait(.seconds(6))
        _ = bench.on(.controlReceived(.ping(Ping(t0: 0)), sequence: .zero))
        effects += bench.wait(.seconds(6))
        #expect(effects.contains(.stopPlayback))
        #expect(bench.puck.phase == .idle)
    }

    @Test("a wake during playback is ignored until echo cancellation exists; the button stops the answer")
    func duringPlayback() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        #expect(bench.wake().sent.isEmpty)
        #expect(bench.on(.talkRequested(position: 0)).contains(.stopPlayback))
    }
}

@Suite("Lights")
struct LightsTests {
    @Test("a fault beats privacy, privacy beats activity, activity beats the link")
    func priority() {
        func view(_ phase: Phase, _ link: LinkView, muted: Bool = false, fault: Bool = false) -> Lights {
            lights(for: StatusView(phase: phase, link: link, muted: muted, fault: fault))
        }
        #expect(view(.listening, .up, muted: true, fault: true) == .error)
        #expect(view(.idle, .offline, muted: true) == .muted)
        #expect(view(.speaking, .up, muted: true) == .speaking)
        #expect(view(.thinking, .offline) == .thinking)
        #expect(view(.idle, .offline) == .offline)
        #expect(view(.idle, .reconnecting) == .idle)
        #expect(view(.idle, .starting) == .starting)
    }
}

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
            #expect(bench.puck.downlink.waiting <= Downlink.capacity)
            if bench.puck.link != .up || bench.puck.phase != .idle {
                #expect(
                    bench.puck.nextDeadline != nil, "waiting without a deadline: \(bench.puck.link) \(bench.puck.phase)"
                )
            }
        }
    }

    private func randomEvent(_ g: inout SeededGenerator, _ puck: Puck) -> PuckEvent {
        let small = UInt16(g.next() % 4)
        let sequence = puck.downlink.expected.advanced(by: g.next() % 10 == 0 ? Int(small) - 1 : 0)
        let welcome = Welcome(
            session: 1, epoch: UInt32(small), resume: .none, from: SerialNumber(UInt16(truncatingIfNeeded: g.next())),
            pingMilliseconds: 5000, replayMilliseconds: 0)
        let finding = WakeFinding(onset: 0, levelDecibels: -30, noiseDecibels: -60, confidence: 1)
        switch g.next() % 22 {
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
        case 11: return .audioReceived(type: .downlinkOpus, sequence: sequence, byteCount: 10)
        case 12: return .malformedReceived(WireError(.badType, "x"))
        case 13: return .wakeHeard(finding, onset: .zero)
        case 14, 15: return .packetEncoded(levelDecibels: small == 0 ? -20 : -70)
        case 16: return g.next() % 8 == 0 ? .stopRequested : .talkRequested(position: 0)
        case 17: return .muteRequested(small == 0)
        case 18: return .playbackAdvanced(samples: Int64(g.next() % 10_000))
        case 19: return .playbackDrained
        case 20: return small == 0 ? .captureLost : .captureRestored
        default: return .timePassed
        }
    }
}

import HubCore
import PuckBase
import PuckWire
import Testing

@Suite("Session")
struct SessionTests {
    @Test("hello is answered with welcome and a first ping, and logged")
    func hello() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        let sent = bench.last.sent
        #expect(sent.count == 2)
        guard case .welcome(let welcome) = sent[0].control, case .ping = sent[1].control else {
            Issue.record("welcome and ping expected, got \(sent)")
            return
        }
        #expect(welcome.session == id.number && welcome.resume == .none && welcome.from == .zero)
        #expect(bench.last.log("session.open")?.value("puck") == "kitchen")
    }

    @Test("anything but hello first is UNEXPECTED and ends the connection, whatever it is")
    func firstMessage() {
        let others: [HubEvent] = [
            .received(ConnectionID(1), HubBench.candidate(1, snr: 3)),
            .received(ConnectionID(1), HubBench.status()),
            .received(ConnectionID(1), .ping(Ping(t0: 1))),
            .received(ConnectionID(1), .pong(Pong(t0: 1, t1: 1, t2: 1))),
            .received(ConnectionID(1), .unknown("dance")),
            .received(
                ConnectionID(1),
                .uplinkEnd(UplinkEnd(conversationID: "c", lastSequence: .zero, reason: .endpoint))),
            .received(
                ConnectionID(1),
                .played(Played(sequence: .zero, playID: 0, positionMilliseconds: 0, bufferedMilliseconds: 0))),
            .receivedAudio(ConnectionID(1), .uplinkOpus, .zero, byteCount: 10),
        ]
        for other in others {
            var bench = HubBench()
            _ = bench.open("kitchen")
            bench.step(other)
            #expect(bench.last.failures == [.unexpected], "\(other)")
            #expect(bench.last.log("session.close") != nil)
            #expect(bench.hub.sessionCount == 0)
        }
    }

    @Test("a malformed message is told with its own code, before hello and after")
    func malformed() {
        for code in [WireError.Code.badLength, .badType, .badControl, .version] {
            var bench = HubBench()
            let early = bench.open("hall")
            bench.step(.receivedMalformed(early, WireError(code, "x")))
            #expect(bench.last.failures == [code])
            let live = bench.connect("kitchen")
            bench.step(.receivedMalformed(live, WireError(code, "x")))
            #expect(bench.last.failures == [code])
            #expect(bench.last.log("session.error")?.value("code") == code.name)
        }
    }

    @Test("a second hello is UNEXPECTED")
    func helloTwice() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.step(.received(id, .hello(HubBench.hello("kitchen"))))
        #expect(bench.last.failures == [.unexpected])
        #expect(bench.hub.sessionCount == 0)
    }

    @Test("a token of another device is AUTH, with both names in the sentence")
    func otherName() {
        var bench = HubBench()
        let id = bench.open("kitchen")
        bench.step(.received(id, .hello(HubBench.hello("hall"))))
        #expect(bench.last.failures == [.auth])
        let detail = bench.last.log("session.error")?.value("detail") ?? ""
        #expect(detail.contains("\"kitchen\"") && detail.contains("token add hall"))
    }

    @Test("a puck that cannot play Opus is told so")
    func codec() {
        var bench = HubBench()
        let id = bench.open("kitchen")
        var hello = HubBench.hello("kitchen")
        hello.codecs = ["pcm16"]
        bench.step(.received(id, .hello(hello)))
        #expect(bench.last.failures == [.badControl])
    }

    @Test("no hello within five seconds ends the connection")
    func helloDeadline() {
        var bench = HubBench()
        _ = bench.open("kitchen")
        bench.advance(.milliseconds(4_999))
        #expect(bench.hub.sessionCount == 1)
        bench.advance(.milliseconds(1))
        #expect(bench.last.failures == [.unexpected])
        #expect(bench.hub.sessionCount == 0)
    }

    @Test("a new connection of the same puck closes the old one and leaves no conversation behind")
    func replaced() {
        var bench = HubBench()
        let (old, _) = bench.granted()
        let new = bench.connect("kitchen")
        #expect(bench.last.closed == [old])
        #expect(bench.last.outcomes == ["degraded"])
        #expect(bench.hub.sessionCount == 1 && bench.hub.conversationsInProgress == 0)
        // What the transport still tells about the old one changes nothing.
        #expect(bench.step(.connectionClosed(old, reason: "closed")).isEmpty)
        #expect(bench.step(.received(old, HubBench.status())).isEmpty)
        bench.advance(.seconds(2))
        bench.step(.received(new, HubBench.candidate(2, snr: 9)))
        #expect(bench.last.grants.count == 1)
    }

    @Test("a probe is answered and closed, and leaves the puck's session and its conversation alone")
    func probe() {
        var bench = HubBench()
        let (old, _) = bench.granted()
        let probe = bench.open("kitchen")
        var hello = HubBench.hello("kitchen")
        hello.isProbe = true
        bench.step(.received(probe, .hello(hello)))
        #expect(bench.last.sent.map { $0.to } == [probe])
        #expect(bench.last.closed == [probe])
        #expect(bench.hub.sessionCount == 1 && bench.hub.conversationsInProgress == 1)
        #expect(bench.hub.connection(of: bench.hub.decisions[0].conversationID ?? "") == old)
    }

    @Test("a ping every five seconds, closed after ten seconds of nothing")
    func keepAlive() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.all = []
        bench.advance(.milliseconds(9_999))
        #expect(bench.all.sent.count == 1, "the ping at 5 s")
        #expect(bench.hub.sessionCount == 1)
        bench.advance(.milliseconds(1))
        #expect(bench.all.closed == [id])
        #expect(bench.hub.sessionCount == 0)
    }

    @Test("whatever arrives keeps a session alive")
    func alive() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        for _ in 0..<10 {
            bench.advance(.seconds(9))
            bench.step(.received(id, HubBench.status()))
        }
        #expect(bench.hub.sessionCount == 1)
    }

    @Test("a ping is answered with the same t0 and the hub's own clock")
    func pong() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.step(.received(id, .ping(Ping(t0: 12.5))))
        #expect(bench.last.sent.map(\.control) == [.pong(Pong(t0: 12.5, t1: 1_000_000, t2: 1_000_000))])
    }

    @Test("more than 200 control messages in a second are RATE_LIMIT, 200 in each of ten seconds are not")
    func rate() {
        var bench = HubBench()
        let id = bench.open("kitchen")
        bench.step(.received(id, .hello(HubBench.hello("kitchen"))))
        for second in 0..<10 {
            for _ in (second == 0 ? 1 : 0)..<200 { bench.step(.received(id, HubBench.status())) }
            bench.advance(.seconds(1))
        }
        #expect(bench.all.failures.isEmpty)
        for _ in 0..<201 { bench.step(.received(id, HubBench.status())) }
        #expect(bench.all.failures == [.rateLimit])
    }

    @Test("a revoked token ends its session with AUTH and leaves the others")
    func revoked() {
        var bench = HubBench()
        _ = bench.connect("kitchen")
        _ = bench.connect("hall")
        bench.step(.tokensRevoked(["hall", "nobody"]))
        #expect(bench.last.failures == [.auth])
        #expect(bench.hub.sessionCount == 1)
    }

    @Test("a conversation that ends with its puck's token, or with the hub, says so")
    func reasons() throws {
        for (event, reason) in [
            (HubEvent.tokensRevoked(["kitchen"]), "this puck's token was revoked on the hub"),
            (.stopping, "the hub is stopping"),
        ] {
            var bench = HubBench()
            let id = bench.connect("kitchen")
            bench.step(.received(id, HubBench.candidate(1, snr: 3)))
            bench.step(event)
            let line = try #require(bench.last.log("session.degraded"))
            #expect(line.value("reason") == reason)
        }
    }

    @Test("stopping closes every connection")
    func stopping() {
        var bench = HubBench()
        let a = bench.connect("kitchen")
        let b = bench.open("hall")
        bench.step(.stopping)
        #expect(bench.last.closed == [a, b])
        #expect(bench.hub.sessionCount == 0 && bench.hub.nextDeadline == nil)
    }

    @Test("the puck's own error message is logged and ends the session")
    func peerError() {
        var bench = HubBench()
        let id = bench.connect("kitchen")
        bench.step(.receivedError(id, WireError(.badType, "what is this")))
        #expect(bench.last.closed == [id])
        #expect(bench.last.log("session.peer_error")?.value("detail") == "what is this")
    }
}

@Suite("Clock estimate")
struct ClockTests {
    private static func exchange(_ clock: inout ClockEstimate, sent: Int, back: Int, offset: Double) -> Bool {
        let t0 = Instant(nanoseconds: Int64(sent) * 1_000_000)
        let ping = clock.ping(now: t0)
        let arrival = ping.t0 + 1 + offset  // 1 ms on the way there
        return clock.received(
            Pong(t0: ping.t0, t1: arrival, t2: arrival), now: Instant(nanoseconds: Int64(back) * 1_000_000))
    }

    @Test("keeps the offset of the smallest round trip among the last eight, within half of it")
    func smallest() throws {
        var clock = ClockEstimate()
        let quick = Self.exchange(&clock, sent: 0, back: 2, offset: 500)
        #expect(quick)
        let slow = Self.exchange(&clock, sent: 100, back: 150, offset: 500)
        #expect(slow)
        let best = try #require(clock.best)
        #expect(best.roundTripMilliseconds == 2 && best.offsetMilliseconds == 500)
        // Seven more push the quick one out.
        for i in 2..<9 { _ = Self.exchange(&clock, sent: i * 100, back: i * 100 + 50, offset: 500) }
        let later = try #require(clock.best)
        #expect(later.roundTripMilliseconds == 50)
        #expect(abs(later.offsetMilliseconds - 500) <= later.errorMilliseconds(at: later.takenAt))
    }

    @Test("its error is half the round trip at first, and grows by 0.1 ms a second")
    func drift() throws {
        var clock = ClockEstimate()
        _ = Self.exchange(&clock, sent: 0, back: 2, offset: 500)
        let best = try #require(clock.best)
        #expect(best.errorMilliseconds(at: best.takenAt) == 1)
        #expect(abs(best.errorMilliseconds(at: best.takenAt + .seconds(40)) - 5) < 1e-9)
        #expect(best.errorMilliseconds(at: .zero) == 1, "no clock is surer before than at the exchange")
    }

    @Test("leaves out answers to no ping and impossible timestamps")
    func impossible() {
        var clock = ClockEstimate()
        let unasked = clock.received(Pong(t0: 0, t1: 0, t2: 0), now: .zero)
        #expect(!unasked)
        _ = clock.ping(now: .zero)
        let backwards = clock.received(Pong(t0: 0, t1: 9, t2: 1), now: Instant(nanoseconds: 1_000_000))
        #expect(!backwards)
        _ = clock.ping(now: .zero)
        let negative = clock.received(Pong(t0: 0, t1: 0, t2: 9), now: Instant(nanoseconds: 1_000_000))
        #expect(!negative)
        _ = clock.ping(now: .zero)
        let infinite = clock.received(Pong(t0: 0, t1: -.infinity, t2: 0), now: Instant(nanoseconds: 1_000_000))
        #expect(!infinite)
        #expect(clock.best == nil)
    }
}

extension SessionTests {
    @Test("of the connections of one token that have not said hello, only the newest stays")
    func oneUnfinished() {
        var bench = HubBench()
        let live = bench.connect("kitchen")
        let other = bench.open("hall")
        let first = bench.open("kitchen")
        #expect(bench.last.isEmpty, "a session that has said hello stays until the newcomer says it")
        for _ in 0..<100 { _ = bench.open("kitchen") }
        #expect(bench.hub.sessionCount == 3)
        let closed = bench.all.compactMap { effect -> ConnectionID? in
            if case .close(let id, _) = effect { id } else { nil }
        }
        #expect(closed.first == first && closed.count == 100 && !closed.contains(live) && !closed.contains(other))
        // The last one is a puck like any other.
        bench.step(.received(ConnectionID(other.number + 101), .hello(HubBench.hello("kitchen"))))
        #expect(bench.hub.sessionCount == 2)
    }
}

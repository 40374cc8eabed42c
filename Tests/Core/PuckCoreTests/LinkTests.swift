import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

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

    @Test("the jitter of the pauses is drawn from the puck's id: the same at each start, another in another puck")
    func jitter() {
        func pauses(_ name: String) -> [Interval] {
            var bench = Bench(random: SeededGenerator(name: name))
            bench.on(.started)
            return (0..<7).map { _ in
                bench.on(.socketClosed(reason: "refused"))
                let since = bench.now
                while bench.on(.timePassed).opens == 0 { bench.now = bench.puck.nextDeadline ?? bench.now }
                return bench.now - since
            }
        }
        #expect(pauses("kitchen") == pauses("kitchen"))
        #expect(zip(pauses("kitchen"), pauses("hall")).allSatisfy { $0 != $1 })
    }

    @Test("a network that is new during an attempt cuts the next pause short, once, and not after a success")
    func networkDuringAttempt() {
        var bench = Bench()
        bench.on(.started)
        for _ in 0..<6 {
            bench.on(.socketClosed(reason: "refused"))
            _ = bench.wait(.seconds(33))
        }
        bench.on(.networkChanged)
        bench.on(.socketClosed(reason: "refused"))
        #expect(bench.wait(.seconds(1)).opens == 1)
        bench.on(.socketClosed(reason: "refused"))
        #expect(bench.wait(.seconds(26)).opens == 0, "30 s again")
        _ = bench.wait(.seconds(7))
        bench.on(.networkChanged)
        bench.connect()
        bench.on(.socketClosed(reason: "reset"))
        #expect(bench.wait(.seconds(26)).opens == 0, "the link that is lost was made on the new network")
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

    @Test("pings as often as the hub wishes, and never more seldom than every 5 s", arguments: [1_000, 60_000])
    func pingInterval(wished: Int) {
        var bench = Bench()
        bench.on(.started)
        bench.on(.socketOpened)
        _ = bench.control(
            .welcome(
                Welcome(
                    session: 1, epoch: 7, resume: .none, from: .zero, pingMilliseconds: wished, replayMilliseconds: 0)))
        let pings = bench.wait(.milliseconds(5_100)).sent.filter { if case .ping = $0 { true } else { false } }
        #expect(pings.count == (wished == 1_000 ? 5 : 1))
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

    @Test("a hub that floods it with controls is cut off")
    func flood() {
        var bench = Bench()
        bench.connect()
        var answered = 0
        while bench.puck.isConnected, answered < 1000 {
            if !bench.control(.ping(Ping(t0: 1))).sent.isEmpty { answered += 1 }
        }
        #expect(answered == 199, "200 a second, the welcome among them")
    }

    @Test("a replay of as many stream controls as the hub's log may hold is no flood; what a hub says beside it counts")
    func longReplay() {
        var bench = Bench()
        bench.connect()
        for number in 0..<4_096 {
            _ = bench.control(.downStop(playID: 7, reason: .cancelled), UInt16(number))
        }
        #expect(bench.puck.isConnected)
        for _ in 0..<199 { _ = bench.control(.ping(Ping(t0: 1))) }
        #expect(bench.puck.isConnected)
        #expect(bench.control(.downStop(playID: 7, reason: .cancelled), 4_096).contains(.closeSocket))
    }

    @Test("an operation of the stream that is not known is ignored, and its number counts")
    func unknownInTheStream() {
        var bench = Bench()
        bench.connect()
        #expect(bench.control(.unknown("sing", isStreamed: true), 0).logged("link.unknown_operation"))
        #expect(bench.control(.earcon(name: "done"), 1).contains(.playEarcon(.done)))
        #expect(bench.puck.isConnected)
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

    @Test("an error from the hub ends the link, whether or not the hub closes it")
    func hubError() {
        var bench = Bench()
        bench.connect()
        let effects = bench.on(.errorReceived(WireError(.unexpected, "audio without a grant")))
        #expect(effects.logged("hub.error") && effects.contains(.closeSocket))
        #expect(effects.sent.isEmpty && bench.wait(.seconds(2)).opens == 1)
    }

    @Test("refused since another puck with its id is connected, it waits 30, 60, 120, 240, 300, 300 s, ±10 %")
    func duplicate() {
        var bench = Bench()
        bench.on(.started)
        for nominal in [30, 60, 120, 240, 300, 300] {
            bench.on(.socketOpened)
            bench.on(.errorReceived(WireError(.duplicate, "another puck")))
            let refused = bench.now
            while bench.wait(.milliseconds(100)).opens == 0 {}
            let waited = (bench.now - refused).wholeMilliseconds
            #expect((Int64(nominal * 900)...Int64(nominal * 1100 + 100)).contains(Int64(waited)))
        }
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

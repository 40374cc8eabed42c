import PuckBase
import PuckCore
import Testing

/// A ladder on a clock of its own, in a network that answers or does not.
private struct LadderBench {
    var ladder: NetworkLadder
    var now = Instant.zero
    var answers = true
    var probes = 0
    var climbed: [(rung: NetworkLadder.Rung, at: Int, next: NetworkLadder.Place)] = []
    var logged: [String] = []

    init(
        _ rungs: [NetworkLadder.Rung] = NetworkLadder.Rung.allCases, resumedAt: NetworkLadder.Place? = nil
    ) {
        ladder = NetworkLadder(NetworkLadder.Parameters(rungs: rungs), resumedAt: resumedAt, now: .zero)
    }

    mutating func on(_ event: NetworkLadder.Event) {
        var effects: [NetworkLadder.Effect] = []
        ladder.step(event, now: now, into: &effects)
        for effect in effects {
            switch effect {
            case .beginProbe: probes += 1
            case .endProbe: on(.probed(answered: answers))
            case .climb(let rung, let next): climbed.append((rung, Int(now.nanoseconds / 1_000_000_000), next))
            case .log(let record): logged.append("\(record.event.text)")
            }
        }
    }

    mutating func pass(seconds: Int) {
        let end = now + .seconds(seconds)
        while let due = ladder.nextDeadline, due <= end {
            now = max(now, due)
            on(.timePassed)
        }
        now = end
    }
}

@Suite("A network that is dead without saying so") struct NetworkLadderTests {
    @Test("with the hub there the gateway is asked once, and then never again")
    func idle() {
        var bench = LadderBench()
        bench.on(.hubReached)
        bench.pass(seconds: 3600)
        #expect(bench.probes == 1 && bench.ladder.nextDeadline == nil)
        bench.on(.hubLost)
        bench.on(.hubReached)
        bench.pass(seconds: 3600)
        #expect(bench.probes == 1)
    }

    @Test("a hub that is away while the gateway answers is no reason to touch the network")
    func hubAlone() {
        var bench = LadderBench()
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.on(.hubLost)
        bench.pass(seconds: 3600)
        #expect(bench.climbed.isEmpty && bench.logged.isEmpty && bench.probes > 100)
    }

    @Test("a gateway that has never answered says nothing by not answering")
    func silentGateway() {
        var bench = LadderBench()
        bench.answers = false
        bench.pass(seconds: 3600)
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.on(.hubLost)
        bench.pass(seconds: 3600)
        #expect(bench.climbed.isEmpty && !bench.ladder.isStuck)
    }

    @Test("when both are silent the remedies follow each other, and begin anew with twice the patience")
    func climbs() {
        var bench = LadderBench([.reconnect, .interface])
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.answers = false
        bench.on(.hubLost)
        bench.pass(seconds: 600)
        // Lost at 10; probes end at 22, 34, 46. Then 30 s, and three more probes: 78, 90, 102. Then 60 s, twice.
        #expect(bench.climbed.map(\.rung) == [.reconnect, .interface, .reconnect, .interface, .reconnect, .interface])
        #expect(bench.climbed.map(\.at) == [46, 102, 188, 274, 420, 566])
        #expect(bench.climbed.map(\.next.next) == [1, 0, 1, 0, 1, 0])
        #expect(bench.logged.filter { $0 == "network.wedged" }.count == 1 && bench.ladder.isStuck)
    }

    @Test("an answer, or the hub, ends it, and the next time the gentlest is first again", arguments: [true, false])
    func recovers(byHub: Bool) {
        var bench = LadderBench()
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.answers = false
        bench.on(.hubLost)
        bench.pass(seconds: 100)
        #expect(bench.climbed.map(\.rung) == [.reconnect, .interface])
        bench.answers = true
        if byHub { bench.on(.hubReached) } else { bench.pass(seconds: 60) }
        #expect(bench.logged.last == "network.recovered" && !bench.ladder.isStuck)
        if byHub { bench.on(.hubLost) }
        bench.answers = false
        bench.pass(seconds: 60)
        #expect(bench.climbed.last?.rung == .reconnect)
    }

    @Test("two unanswered probes and an answered one are no reason")
    func aProbeLost() {
        var bench = LadderBench()
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.on(.hubLost)
        for _ in 0..<50 {
            bench.answers = false
            bench.pass(seconds: 24)
            bench.answers = true
            bench.pass(seconds: 12)
        }
        #expect(bench.climbed.isEmpty)
    }

    @Test("after a restart that was a remedy, the one after it is next")
    func resumes() {
        var bench = LadderBench(resumedAt: .init(next: 3, rounds: 0))
        bench.answers = false
        bench.pass(seconds: 60)
        #expect(bench.climbed.map(\.rung) == [.reboot])
    }

    @Test("a remedy that restarts the daemon has its patience after each restart, and twice as much each time")
    func restarts() {
        var place: NetworkLadder.Place? = .init(next: 0, rounds: 0)
        var pauses: [Int] = []
        for _ in 0..<4 {
            var bench = LadderBench([.service], resumedAt: place)
            bench.answers = false
            bench.pass(seconds: 1000)
            pauses.append(bench.climbed.first?.at ?? 0)
            place = bench.climbed.first?.next
        }
        // Patience, and three probes.
        #expect(pauses == [56, 86, 146, 266])
    }

    @Test("a place of another configuration is as good as none")
    func otherRungs() {
        for place in [NetworkLadder.Place(next: 2, rounds: 0), .init(next: -1, rounds: 0), .init(next: 0, rounds: -1)] {
            var bench = LadderBench([.reconnect, .interface], resumedAt: place)
            bench.answers = false
            bench.pass(seconds: 60)
            #expect(bench.climbed.map(\.rung) == [.reconnect])
        }
    }

    @Test("patience begins when a remedy's commands have ended")
    func slowRemedy() {
        var bench = LadderBench([.reconnect, .interface])
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.answers = false
        bench.on(.hubLost)
        bench.pass(seconds: 40)
        #expect(bench.climbed.map(\.at) == [46])
        bench.now = bench.now + .seconds(20)
        bench.on(.climbed)
        bench.pass(seconds: 60)
        #expect(bench.climbed.map(\.at) == [46, 126])
    }

    @Test("without remedies the dead network is reported all the same")
    func onlyReports() {
        var bench = LadderBench([])
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.answers = false
        bench.on(.hubLost)
        bench.pass(seconds: 3600)
        #expect(bench.logged == ["network.wedged"])
    }

    @Test("patience ends at an hour")
    func longestPatience() {
        var bench = LadderBench([.reconnect])
        bench.on(.hubReached)
        bench.pass(seconds: 10)
        bench.answers = false
        bench.on(.hubLost)
        bench.pass(seconds: 200_000)
        let times = bench.climbed.map(\.at)
        let pauses = zip(times.dropFirst(), times).map { $0 - $1 }
        #expect(pauses.max() == 3626 && pauses.last == 3626, "\(pauses)")
    }
}

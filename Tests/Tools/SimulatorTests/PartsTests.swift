import PuckBase
import PuckWire
import Testing

@testable import Simulator

@Suite("Parts of the simulator")
struct PartsTests {
    @Test("the queue gives back by time, and what is due together in the order in which it came")
    func queueOrder() {
        var queue = EventQueue()
        var random = RandomStream(seed: 1, .house)
        for i in 0..<500 { queue.schedule(.act, at: Instant(nanoseconds: Int64(random.int(0...50))), subject: i) }
        var last = (at: Instant(nanoseconds: -1), subject: -1)
        var count = 0
        while let event = queue.popFirst() {
            #expect(event.at > last.at || event.at == last.at && Int(event.subject) > last.subject)
            last = (event.at, Int(event.subject))
            count += 1
        }
        #expect(count == 500)
    }

    @Test(
        "a clock's way there and back ends at the instant asked for, never before it",
        arguments: [-1000.0, -3, 0, 77, 1000])
    func clock(ppm: Double) {
        let clock = LocalClock(start: .zero, local: Instant(nanoseconds: 3_000_000_000_123), driftPPM: ppm)
        var random = RandomStream(seed: 2, .house)
        for _ in 0..<2000 {
            let house = Instant.zero + random.seconds(0, 7200)
            let local = clock.local(house)
            let back = clock.house(local)
            #expect(clock.local(back) >= local)
            #expect((back - house).nanoseconds.magnitude <= 2)
            #expect(clock.local(Instant(nanoseconds: back.nanoseconds - 2)) < local)
        }
    }

    @Test("a clock stands while its machine sleeps, and goes on from there")
    func standing() {
        var clock = LocalClock(start: .zero, local: .zero, driftPPM: 0)
        clock.stand(at: Instant.zero + .seconds(5))
        #expect(clock.local(Instant.zero + .seconds(9)) == Instant.zero + .seconds(5))
        clock.goOn(at: Instant.zero + .seconds(9))
        #expect(clock.local(Instant.zero + .seconds(10)) == Instant.zero + .seconds(6))
        #expect(clock.house(Instant.zero + .seconds(6)) == Instant.zero + .seconds(10))
    }

    @Test("chance keeps its promises: means, limits, and streams that do not know of each other")
    func chance() {
        var random = RandomStream(seed: 3, .faults)
        var sum = 0.0
        var logs = 0
        for _ in 0..<20_000 {
            sum += random.exponential(mean: 3)
            let value = random.logBetween(0.01, 100)
            #expect(value >= 0.00999 && value <= 100.01)
            if value < 1 { logs += 1 }
        }
        #expect(abs(sum / 20_000 - 3) < 0.1)
        #expect(abs(logs - 10_000) < 400)
        var a = RandomStream(seed: 3, .faults, 1)
        var b = RandomStream(seed: 3, .faults, 2)
        #expect((0..<4).map { _ in a.bits() } != (0..<4).map { _ in b.bits() })
    }

    @Test("a line grows, wraps and keeps its order")
    func line() {
        var line = Line<Int>()
        var next = 0
        var expected = 0
        for round in 1...40 {
            for _ in 0..<round {
                line.append(next)
                next += 1
            }
            for _ in 0..<round / 2 {
                #expect(line.popFirst() == expected)
                expected += 1
            }
        }
        #expect(line.count == next - expected)
        #expect(line[0] == expected)
        line.removeLast()
        #expect(line[line.count - 1] == next - 2)
    }

    @Test("shrinking finds the two faults and the one puck that a failure needs")
    func shrinking() throws {
        var plan = Plan(seed: 9, pucks: 5, seconds: 1800)
        let scenario = Scenario(plan)
        let needed = Set([scenario.faults[2].ordinal, scenario.faults[scenario.faults.count / 2].ordinal])
        let victim = scenario.faults[2].puck
        var shrinker = try #require(
            Shrinker(plan) { plan in
                let struck = Set(Scenario(plan).faults.map { $0.ordinal })
                return struck.isSuperset(of: needed) && !plan.absentPucks.contains(victim) ? .uplink : nil
            })
        shrinker.run()
        plan = shrinker.plan
        #expect(plan.keptFaults == needed)
        #expect(plan.keptActs == [])
        #expect(plan.seconds < 1800)
        #expect(!plan.absentPucks.contains(victim))
        #expect(Shrinker(plan, trial: { _ in nil }) == nil)
    }
}

import Foundation
import RepositoryFiles
import Testing

@testable import Simulator

@Suite("A simulated house")
struct HouseTests {
    @Test("goes through three minutes of faults without a violation", arguments: 1...40)
    func shortRuns(seed: Int) {
        let outcome = House(Plan(seed: UInt64(seed), pucks: 4, seconds: 180)).run()
        #expect(outcome.violation == nil, "pucksim replay --trace --seed \(seed) --pucks 4 --seconds 180")
    }

    @Test("is the same house for the same seed, event for event, and another for another")
    func deterministic() {
        var first: [String] = []
        var second: [String] = []
        let plan = Plan(seed: 11, pucks: 3, seconds: 240)
        let one = House(plan, trace: { first.append($0) }).run()
        let two = House(plan, trace: { second.append($0) }).run()
        #expect(first == second)
        #expect(one.hash == two.hash)
        #expect(one.counts == two.counts)
        #expect(House(plan).run().hash == one.hash, "a trace changes nothing")
        #expect(House(Plan(seed: 12, pucks: 3, seconds: 240)).run().hash != one.hash)
    }

    @Test("tests something: people are heard, answered and struck by faults")
    func workload() {
        var counts = Counts()
        var faults = 0
        for seed: UInt64 in 100..<104 {
            let outcome = House(Plan(seed: seed, pucks: 5, seconds: 600)).run()
            #expect(outcome.violation == nil)
            counts += outcome.counts
            faults += outcome.faults
        }
        #expect(counts.grants > 20)
        #expect(counts.heardPackets > 2000)
        #expect(counts.completePlays > 20)
        #expect(counts.playedPackets > 2000)
        #expect(faults > 40)
    }

    @Test("has the same faults in a shorter run as at the beginning of a longer one, with the same numbers")
    func prefix() {
        let long = Scenario(Plan(seed: 5, pucks: 5, seconds: 1800))
        let short = Scenario(Plan(seed: 5, pucks: 5, seconds: 900))
        #expect(!short.faults.isEmpty)
        for (a, b) in zip(short.faults, long.faults) {
            #expect(a.ordinal == b.ordinal)
            #expect(a.kind == b.kind)
            #expect(a.at == b.at)
            #expect(a.puck == b.puck)
        }
        #expect(zip(short.acts, long.acts).allSatisfy { $0.at == $1.at && $0.ordinal == $1.ordinal })
    }

    @Test("switches kinds of faults off entirely, others in other seeds")
    func swarm() {
        var everSeen: Set<FaultKind> = []
        for seed: UInt64 in 1...30 {
            let kinds = Set(Scenario(Plan(seed: seed)).faults.map { $0.kind })
            #expect(kinds.count < FaultKind.allCases.count)
            everSeen.formUnion(kinds)
        }
        #expect(everSeen.count == FaultKind.allCases.count)
    }

    @Test("has televisions, which take few of a puck's turns")
    func television() {
        var counts = Counts()
        for seed: UInt64 in 200..<212 {
            let outcome = House(Plan(seed: seed, pucks: 3, seconds: 1800)).run()
            #expect(outcome.violation == nil)
            counts += outcome.counts
        }
        let hours = Double(counts.televisionSeconds) / 3600
        #expect(hours > 2 && counts.falseTurns > 5, "\(counts)")
        // Five before it is disbelieved, then one in five minutes; all pucks together.
        #expect(Double(counts.falseTurns) / hours < 30, "\(counts.falseTurns) in \(hours) h")
    }

    @Test("has cards that were copied, each of which is found")
    func copiedCards() {
        var struck = 0
        for seed: UInt64 in 300..<312 {
            let house = House(Plan(seed: seed, pucks: 3, seconds: 1800)) { line in
                if line.contains(FaultKind.copiedCard.rawValue) { struck += 1 }
            }
            #expect(house.run().violation == nil)
        }
        #expect(struck > 2)
    }

    @Test("has disks that fail while tokens are replaced, and nobody loses one")
    func failingDisks() {
        var counts = Counts()
        for seed: UInt64 in 400..<408 {
            let outcome = House(Plan(seed: seed, pucks: 3, seconds: 1800)).run()
            #expect(outcome.violation == nil)
            counts += outcome.counts
        }
        #expect(counts.replacedTokens > 20 && counts.failedWrites > 2, "\(counts)")
    }

    @Test("is described: docs/SIMULATION.md names every fault and every checker")
    func described() throws {
        let text = try RepositoryFiles.text("docs/SIMULATION.md")
        for fault in FaultKind.allCases { #expect(text.contains("`\(fault.rawValue)`"), "\(fault.rawValue)") }
        for checker in Checker.allCases { #expect(text.contains("`\(checker.rawValue)`"), "\(checker.rawValue)") }
    }
}

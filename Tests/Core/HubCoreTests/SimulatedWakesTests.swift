import HubCore
import PuckBase
import PuckWire
import Testing

/// The right puck answers often enough; `make bench-arbitration` measures how often.
@Suite("Arbitration in simulated houses")
struct SimulatedWakesTests {
    private struct Wake {
        var truth: Int
        var ratio: Double
        /// As in `simulatedWakes`.
        var heard: [(numbers: [Double], envelope: [Int8])] = []
    }

    private func wakes() -> [Wake] {
        var wakes: [Wake] = []
        for line in simulatedWakes.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words[0] == "wake" {
                wakes.append(Wake(truth: Int(words[1])!, ratio: Double(words[2])!))
            } else {
                let numbers = words[1..<10].map { Double($0)! }
                wakes[wakes.count - 1].heard.append((numbers, envelope(words[10])))
            }
        }
        return wakes
    }

    /// Two hexadecimal digits for each level: decibels below full scale.
    private func envelope(_ text: Substring) -> [Int8] {
        let digits = Array(text)
        return stride(from: 0, to: digits.count, by: 2).map { -Int8(String(digits[$0...$0 + 1]), radix: 16)! }
    }

    /// Who is granted, as puck number.
    private func winner(_ wake: Wake, _ policy: ArbitrationPolicy) -> Int? {
        var settings = HubPolicy()
        settings.arbitrationPolicy = policy
        var bench = HubBench(policy: settings)
        var ids: [Int: ConnectionID] = [:]
        for (heard, _) in wake.heard {
            let puck = Int(heard[0])
            ids[puck] = bench.connect("puck-\(puck)")
            bench.synchronize(ids[puck]!, offset: heard[1], roundTrip: heard[2])
        }
        bench.advance(.seconds(1))
        bench.all = []
        let mouth = bench.now
        let arrivals = wake.heard.map { (at: $0.numbers[4] + $0.numbers[5], heard: $0) }.sorted { $0.at < $1.at }
        for (at, (heard, envelope)) in arrivals {
            bench.advance(mouth + Interval(nanoseconds: Int64(at * 1e6)) - bench.now)
            bench.step(
                .received(
                    ids[Int(heard[0])]!,
                    HubBench.candidate(
                        1, snr: heard[6] - heard[7], onset: Double(mouth.nanoseconds) / 1e6 + heard[3],
                        level: heard[6], confidence: heard[8], noise: heard[7], envelope: envelope)))
        }
        bench.advance(.milliseconds(100))
        #expect(bench.all.grants.count == 1)
        return ids.first { $0.value == bench.all.grants.first?.to }?.key
    }

    @Test("the nearest puck answers in most of 40 wakes, and nearly always where it is clearly the nearest")
    func shares() {
        var right: [ArbitrationPolicy: Int] = [:]
        var clear = 0
        var clearlyRight = 0
        for wake in wakes() {
            for policy in ArbitrationPolicy.allCases where winner(wake, policy) == wake.truth {
                right[policy, default: 0] += 1
            }
            if wake.ratio >= 1.5 {
                clear += 1
                clearlyRight += winner(wake, .nearest) == wake.truth ? 1 : 0
            }
        }
        #expect(wakes().count == 40 && clear == 28)
        #expect(right[.nearest]! >= 34, "\(right)")
        #expect(clearlyRight >= 27, "\(clearlyRight)")
        for policy in [ArbitrationPolicy.onset, .energy, .snr, .first] { #expect(right[.nearest]! > right[policy]!) }
    }
}

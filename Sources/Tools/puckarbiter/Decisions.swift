import Foundation
import HubCore

/// Runs all cases through the hub with each policy, and through what others do.
enum Decisions {
    static let networks = ["wifi", "hard"]

    /// What others do with the same candidates: docs/ARBITRATION.md says where from.
    private enum Other: String, CaseIterable {
        case homeAssistant = "home-assistant"
        case willow
        case loqa

        /// Until when others may still win, from the first arrival; who comes later wins again.
        var window: Double {
            switch self {
            case .homeAssistant: 0
            case .willow: 400
            case .loqa: 300
            }
        }
        /// So long after a decision the same phrase is not heard again.
        var deaf: Double { self == .homeAssistant ? 2_000 : 0 }

        func outcome(_ wake: CaseHouse.Wake, network: Int) -> Trial.Outcome {
            let heard = wake.heard.sorted { ($0.arrival(network), $0.puck) < ($1.arrival(network), $1.puck) }
            let inTime = heard.filter { $0.arrival(network) <= heard[0].arrival(network) + window }
            let late = heard.filter { $0.arrival(network) > heard[0].arrival(network) + max(window, deaf) }
            var best = inTime[0]
            for one in inTime where one.levelDecibels > best.levelDecibels { best = one }
            return Trial.Outcome(winners: [best.puck] + late.prefix(1).map { $0.puck }, waitedMilliseconds: window)
        }
    }

    /// Prints a line for each policy, network and wake that counts: names, whether the first winner was the right one,
    /// the distance ratio, the number of winners, milliseconds waited.
    static func run(_ file: String) {
        for house in CaseHouse.read(file) {
            for network in networks.indices {
                for policy in ArbitrationPolicy.allCases {
                    var trial = Trial(house, policy: policy, network: network)
                    for wake in house.wakes {
                        let outcome = trial.run(wake)
                        report(policy.rawValue, network, house, wake, outcome)
                    }
                }
                for wake in house.wakes where !wake.heard.isEmpty {
                    for other in Other.allCases {
                        report(other.rawValue, network, house, wake, other.outcome(wake, network: network))
                    }
                    // The best that anybody could do: the right one, if it is among the candidates.
                    let couldBe = wake.heard.contains { $0.puck == wake.truth }
                    report("possible", network, house, wake, Trial.Outcome(winners: couldBe ? [wake.truth] : [-1]))
                }
            }
            // Nobody else is there: nobody is waited for.
            for wake in house.wakes where wake.heard.contains(where: { $0.puck == wake.truth }) {
                var alone = wake
                alone.heard.removeAll { $0.puck != wake.truth }
                var trial = Trial(house, policy: .nearest, network: 0, pucks: [wake.truth])
                report("lone", 0, house, alone, trial.run(alone))
            }
        }
    }

    private static func report(
        _ policy: String, _ network: Int, _ house: CaseHouse, _ wake: CaseHouse.Wake, _ outcome: Trial.Outcome
    ) {
        if !wake.counts || wake.heard.isEmpty { return }
        let right = outcome.winners.first == wake.truth ? 1 : 0
        print(
            policy, networks[network], house.number, wake.number, right, wake.ratio, outcome.winners.count,
            outcome.waitedMilliseconds)
    }
}

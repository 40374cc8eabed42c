import HubCore
import PuckBase
import PuckWire

/// 2, before the grant: a decision depends on who heard the phrase and how well, in whatever order they came; a pressed
/// button outranks every voice; nobody waits for longer than the window, and nobody alone waits at all.
struct DecisionChecker {
    private static let window = Interval.milliseconds(100)
    /// All orders of so many; of more, each one first once.
    private static let mostPermuted = 4

    private let groups: [String]
    private var puckOf: [Int: Int] = [:]
    /// Greeted connections of each puck's group, and since when there is one only.
    private var live: [Int: Int] = [:]
    private var aloneSince: [String: Instant] = [:]
    private var thawedAt = Instant.zero

    init(groups: [String]) { self.groups = groups }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .hubThawed: thawedAt = moment.local
        case .hubEnded: (live, aloneSince) = ([:], [:])
        case .connectionOpened(let connection, let puck): puckOf[connection] = puck
        case .hubHeard(let connection, .hello):
            if let puck = puckOf[connection] { live[connection] = puck }
            count(connection, moment.local)
        case .connectionClosed(let connection):
            live[connection] = nil
            count(connection, moment.local)
        case .decided(let decision): decided(decision, findings)
        default: break
        }
    }

    private mutating func count(_ connection: Int, _ now: Instant) {
        guard let puck = puckOf[connection] else { return }
        let count = live.values.count { groups[$0] == groups[puck] }
        if count != 1 {
            aloneSince[groups[puck]] = nil
        } else if aloneSince[groups[puck]] == nil {
            aloneSince[groups[puck]] = now
        }
    }

    private func decided(_ decision: ArbitrationDecision, _ findings: Findings) {
        // Nobody was chosen there.
        if decision.rule == .runnerUp { return }
        let opened = decision.decidedAt - decision.waited
        if decision.waited > Self.window, thawedAt < opened {
            findings.report(.order, nil, "decided \(decision.waited.wholeMilliseconds) ms after the first candidate")
        }
        if let alone = aloneSince[decision.group], alone <= opened, decision.waited != .zero {
            findings.report(.order, nil, "somebody alone waited \(decision.waited.wholeMilliseconds) ms")
        }
        judgeButton(decision, findings)
        if decision.policy == .first { return }
        let names = decision.candidates.map { $0.puckID }
        for order in Self.orders(decision.candidates) {
            let again = ArbitrationDecision.order(order, by: decision.policy).map { $0.puckID }
            if again != names {
                findings.report(.order, nil, "\(names) if they come like that, \(again) otherwise")
            }
        }
    }

    private func judgeButton(_ decision: ArbitrationDecision, _ findings: Findings) {
        func isPressed(_ candidate: Candidate) -> Bool {
            candidate.wake.snrDecibels >= 90 && candidate.wake.confidence >= 1
        }
        guard decision.policy != .first, let winner = decision.winner, !isPressed(winner) else { return }
        if let pressed = decision.candidates.first(where: isPressed) {
            findings.report(.order, nil, "\(winner.puckID) outranks the button of \(pressed.puckID)")
        }
    }

    private static func orders(_ candidates: [Candidate]) -> [[Candidate]] {
        if candidates.count < 2 { return [] }
        if candidates.count > mostPermuted {
            return candidates.indices.map { Array(candidates[$0...] + candidates[..<$0]).reversed() }
        }
        var orders: [[Candidate]] = [[]]
        for candidate in candidates {
            orders = orders.flatMap { order in
                (0...order.count).map { place in
                    var longer = order
                    longer.insert(candidate, at: place)
                    return longer
                }
            }
        }
        return orders
    }
}

import PuckBase
import PuckCore
import PuckWire

/// 7. A puck that lost its hub says so after 30 s, at most 31, by its own clock, never earlier, once an outage; and
/// once when it is back. Its lights agree.
struct OfflineChecker {
    private static let earliest = Interval.seconds(30)
    private static let latest = Interval.seconds(31)

    private struct State {
        /// The outage in progress.
        var lostAt: Instant?
        var isShown = false
        /// The welcome has come, "online" has not been said yet: at the latest in the same step.
        var owesOnline = false
        var isUp = false
        var thawedAt = Instant.zero
    }

    private var states: [State]

    init(pucks: Int) { states = (0..<pucks).map { _ in State() } }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .puckStarted(let puck): states[puck] = State(lostAt: moment.local)
        case .puckEnded(let puck): states[puck] = State()
        case .puckThawed(let puck): states[puck].thawedAt = moment.local
        case .socketLost(let puck, _), .socketDropped(let puck):
            if states[puck].isUp {
                states[puck].isUp = false
                states[puck].lostAt = moment.local
            }
        case .puckHeard(let puck, _, .welcome, _): back(&states[puck])
        case .earcon(let puck, .offline): shown(puck, moment.local, findings)
        case .earcon(let puck, .online):
            if !states[puck].owesOnline { findings.report(.offline, puck, "says that it is back, and was not away") }
            states[puck].owesOnline = false
        case .lights(let puck, let lights):
            let isShown = states[puck].isShown
            if lights == .offline, !isShown { findings.report(.offline, puck, "its lights say offline, and it is not") }
            if lights == .idle || lights == .starting, isShown {
                findings.report(.offline, puck, "its lights say \(lights.rawValue), and it is offline")
            }
        default: break
        }
    }

    private func back(_ state: inout State) {
        if state.isUp { return }
        state.isUp = true
        state.lostAt = nil
        state.owesOnline = state.isShown
        state.isShown = false
    }

    private mutating func shown(_ puck: Int, _ now: Instant, _ findings: Findings) {
        let state = states[puck]
        guard let lostAt = state.lostAt else {
            return findings.report(.offline, puck, "says that it is offline, and has a hub")
        }
        if state.isShown { findings.report(.offline, puck, "says that it is offline a second time in one outage") }
        if now - lostAt < Self.earliest {
            findings.report(
                .offline, puck, "says that it is offline after \((now - lostAt).wholeMilliseconds) ms, too early")
        }
        states[puck].isShown = true
    }

    mutating func stepped(_ puck: Int, _ local: Instant, _ findings: Findings) {
        let state = states[puck]
        if state.owesOnline { findings.report(.offline, puck, "is back and does not say so") }
        guard let lostAt = state.lostAt, !state.isShown else { return }
        if local - max(lostAt, state.thawedAt - Self.earliest) > Self.latest {
            findings.report(
                .offline, puck, "does not say that it is offline, \((local - lostAt).wholeMilliseconds) ms on")
        }
    }
}

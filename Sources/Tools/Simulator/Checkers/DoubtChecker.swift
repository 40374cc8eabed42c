import PuckBase

/// 11. A puck in a room with a television becomes slower to believe, and says so; a person who speaks above it is believed.
///
/// - After five turns that ran to their limit within 2 min of each other, nothing under 26 dB begins a turn, until 5 min
///   after the last of them.
/// - The second of such turns, and each further one until doubt is at its highest, is followed by a word in the log;
///   nothing is ignored for doubt without one.
/// - What is 26 dB above the room is never ignored for doubt.
/// - In any ten minutes a television has at most eleven turns that run to their limit (six that raise the doubt or follow a
///   step that has passed, five that follow nothing), and one for each voice turn that ended otherwise.
struct DoubtChecker {
    private static let following = Interval.seconds(120)
    private static let decay = Interval.seconds(300)
    private static let highest = 4
    private static let alwaysBelieved: Float = 0.9
    private static let window = Interval.seconds(600)
    private static let mostInWindow = 11

    private enum Voice { case person, television, button }

    private struct State {
        /// What the detector found at that moment.
        var finding: (confidence: Float, isPerson: Bool, at: Instant)?
        var pressedAt: Instant?
        /// Whose turn it is, or was last.
        var voice = Voice.button
        /// How many turns that ran out followed each other, and when the last one ended.
        var row = 0
        var ranOutAt: Instant?
        /// The step that was said last.
        var said = 0
        var owesWord = false
        /// Ends of turns within the window.
        var falseEnds: [Instant] = []
        var otherEnds: [Instant] = []
    }

    private var states: [State]
    /// Of televisions, that ran to their limit.
    private(set) var falseTurns = 0

    init(pucks: Int) { states = (0..<pucks).map { _ in State() } }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .puckStarted(let puck): states[puck] = State()
        case .wakeFound(let puck, let confidence, let isPerson):
            states[puck].finding = (confidence, isPerson, moment.now)
        case .personActed(let act): if case .press = act.kind { states[act.puck].pressedAt = moment.now }
        case .probed(let puck, _): states[puck].pressedAt = moment.now
        case .puckLogged(let puck, let record):
            if record.event.isNamed("wake.candidate") {
                began(puck, moment, findings)
            } else if record.event.isNamed("wake.ignored") {
                if record.value("reason") == "doubt" { ignored(puck, moment, findings) }
            } else if record.event.isNamed("uplink.end") {
                ended(puck, ranOut: record.value("reason") == "timeout", moment.local, findings)
            } else if record.event.isNamed("wake.doubt") {
                states[puck].said = record.value("step").flatMap { Int($0) } ?? 0
                states[puck].owesWord = false
            }
        default: break
        }
    }

    private mutating func began(_ puck: Int, _ moment: Moment, _ findings: Findings) {
        let state = states[puck]
        if state.pressedAt == moment.now {
            states[puck].voice = .button
        } else if let finding = state.finding, finding.at == moment.now {
            states[puck].voice = finding.isPerson ? .person : .television
            guard finding.confidence < Self.alwaysBelieved, state.row > Self.highest, let ranOutAt = state.ranOutAt,
                moment.local - ranOutAt < Self.decay
            else { return }
            findings.report(
                .doubt, puck,
                "believes a wake word of \(fixed(Double(finding.confidence), 2)) after \(state.row) turns "
                    + "that ran to their limit, \((moment.local - ranOutAt).wholeMilliseconds) ms after the last")
        }
        // Else somebody who still spoke is asked for the rest: the turn stays whose it was.
    }

    private func ignored(_ puck: Int, _ moment: Moment, _ findings: Findings) {
        let state = states[puck]
        if state.said == 0 { findings.report(.doubt, puck, "doubts a wake word and has not said so") }
        if let finding = state.finding, finding.at == moment.now, finding.confidence >= Self.alwaysBelieved {
            findings.report(.doubt, puck, "doubts a voice that is 26 dB above the room")
        }
    }

    private mutating func ended(_ puck: Int, ranOut: Bool, _ now: Instant, _ findings: Findings) {
        var state = states[puck]
        defer { states[puck] = state }
        if state.voice == .button { return }
        guard ranOut else {
            state.ranOutAt = nil
            state.row = 0
            state.otherEnds.append(now)
            return
        }
        let follows = state.ranOutAt.map { now - $0 <= Self.following } ?? false
        state.row = follows ? state.row + 1 : 1
        state.ranOutAt = now
        state.owesWord = follows && state.said < Self.highest
        if state.voice == .person { return state.otherEnds.append(now) }
        falseTurns += 1
        state.falseEnds.append(now)
        state.falseEnds.removeAll { now - $0 > Self.window }
        state.otherEnds.removeAll { now - $0 > Self.window }
        if state.falseEnds.count > Self.mostInWindow + state.otherEnds.count {
            findings.report(.doubt, puck, "\(state.falseEnds.count) turns of a television in ten minutes")
        }
    }

    func stepped(_ puck: Int, _ findings: Findings) {
        if states[puck].owesWord {
            findings.report(
                .doubt, puck, "\(states[puck].row) turns ran to their limit, and it does not say that it doubts")
        }
    }
}

import PuckBase
import PuckWire

/// 12. Two pucks of one id and token: one has the place, the other is told why it has not and leaves it alone, the hub says
/// so. Where nobody copied a card, nobody is called a duplicate.
struct CopyChecker {
    /// The shortest pause after a refusal: 30 s, a tenth less.
    private static let pause = Interval.milliseconds(27_000)
    private static let minute = Interval.seconds(60)
    /// The copy's, and the victim's when it comes back at once; never one after the other.
    private static let mostWelcomes = 2

    /// The hub logs a conflict once in ten minutes, at a refusal; these are 5 min apart, a tenth more, at most.
    private static let logEvery = Interval.seconds(600 + 330)

    private(set) var victim: Int?
    private var isOn = false
    private var isTold = false
    /// For each puck, when the hub logged it.
    private var loggedAt: [Int: Instant] = [:]
    /// Since then it waits: the victim, or the copy.
    private var refusedAt: Instant?
    private var copyRefusedAt: Instant?
    /// Of the two.
    private var welcomes: [Instant] = []

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .faultStruck(let fault) where fault.kind == .copiedCard:
            victim = fault.puck
            isOn = true
            isTold = false
            refusedAt = nil
            copyRefusedAt = nil
            welcomes = []
        case .copyEnded(let puck, let hasPlace):
            isOn = false
            if !isTold { findings.report(.copies, puck, "nor its copy is told that another puck has its id and token") }
            if loggedAt[puck].map({ moment.now - $0 > Self.logEvery }) ?? true {
                findings.report(.copies, puck, "the hub does not log that two have its id and token")
            }
            if hasPlace { victim = nil }
        case .hubEnded: loggedAt = [:]
        case .puckHeardError(let puck, _, let error) where error.code == .duplicate:
            if puck != victim { findings.report(.copies, puck, "is called a duplicate, and nobody copied its card") }
            isTold = true
            refusedAt = moment.local
        case .networkChanged(let puck), .puckStarted(let puck): if puck == victim { refusedAt = nil }
        case .socketWanted(let puck), .candidateWanted(let puck):
            if puck == victim { cameBack(&refusedAt, "comes back", moment, findings) }
        case .puckHeard(let puck, _, .welcome, _):
            guard puck == victim else { return }
            welcomed(moment, findings)
            if !isOn { victim = nil }
        case .hubLogged(let record):
            guard record.event.isNamed("puck.duplicate") else { return }
            guard let victim else {
                return findings.report(.copies, nil, "the hub finds a duplicate, and nobody copied a card")
            }
            loggedAt[victim] = moment.now
        case .healed:
            if let victim { findings.report(.copies, victim, "does not get its place back after the copy has gone") }
        default: break
        }
    }

    /// What the copy sees.
    mutating func watchCopy(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .puckHeard(_, _, .welcome, _): welcomed(moment, findings)
        case .puckHeardError(_, _, let error) where error.code == .duplicate:
            isTold = true
            copyRefusedAt = moment.local
        case .socketWanted, .candidateWanted:
            cameBack(&copyRefusedAt, "is copied, and the copy comes back", moment, findings)
        default: break
        }
    }

    private func cameBack(_ refusedAt: inout Instant?, _ what: String, _ moment: Moment, _ findings: Findings) {
        guard let since = refusedAt.take(), moment.local - since < Self.pause else { return }
        findings.report(.copies, victim, "\(what) \((moment.local - since).wholeMilliseconds) ms after it was refused")
    }

    private mutating func welcomed(_ moment: Moment, _ findings: Findings) {
        guard isOn else { return }
        welcomes.removeAll { moment.now - $0 > Self.minute }
        welcomes.append(moment.now)
        if welcomes.count > Self.mostWelcomes {
            findings.report(.copies, victim, "the place changes hands \(welcomes.count) times in a minute")
        }
    }
}

import PuckBase
import PuckWire

/// 3, the hub's side: a play that was accepted is done, cancelled or failed, once, and for a reason; none is forgotten.
struct PlaysChecker {
    private struct Play {
        var puck: Int
        var category: DownStart.Category
        var answer: Int
        var acceptedAt: Instant
        /// Of its last `down_start`.
        var startedAs: SerialNumber?
        var outcome: String?
        // What can end it.
        var isCancelled = false
        var isEndedByPuck = false
        var hasFailed = false
    }

    /// As `HubLimits.queuedPlays`, with what is active and paused.
    private static let mostPlays = 10

    private var plays: [UInt32: Play] = [:]
    private var puckOf: [Int: Int] = [:]
    /// When the hub last had reason to forget a puck: an error, or its own word.
    private var forgotten: [Instant?]
    /// The newest connection of each puck, and since when it has none.
    private var connections: [Int: Int] = [:]
    private var awaySince: [Int: Instant] = [:]
    /// By the hub's clock.
    private static let remembered = Interval.seconds(30)

    init(pucks: Int) {
        forgotten = [Instant?](repeating: nil, count: pucks)
    }

    mutating func watch(
        _ observation: Observation, _ moment: Moment, _ findings: Findings, _ disturbances: Disturbances
    ) {
        switch observation {
        case .hubEnded: plays = [:]
        case .connectionOpened(let connection, let puck): puckOf[connection] = puck
        case .hubHeard(let connection, .hello(let hello)):
            guard let puck = puckOf[connection] else { return }
            // The report of its end may have been lost with the link.
            for play in hello.plays where play.hasEnded && plays[play.playID]?.startedAs != nil {
                plays[play.playID]!.isEndedByPuck = true
            }
            connections[puck] = connection
            awaySince[puck] = nil
        case .connectionClosed(let connection):
            guard let puck = puckOf[connection], connections[puck] == connection else { return }
            awaySince[puck] = moment.local
        case .hubRefused(let connection, _), .hubHeardError(let connection, _):
            if let puck = puckOf[connection] { forgotten[puck] = moment.now }
        case .playPrepared(let puck, let playID, let category, let answer):
            plays[playID] = Play(puck: puck, category: category, answer: answer, acceptedAt: moment.now)
        case .playCancelled(let playID): plays[playID]?.isCancelled = true
        case .answerFailed(let answer):
            for (playID, play) in plays where play.answer == answer { plays[playID]!.hasFailed = true }
        case .hubSent(let connection, .downStart(let start), let sequence):
            plays[start.playID]?.startedAs = sequence
            supersede(start, puckOf[connection])
        case .hubHeard(_, .played(let played)):
            guard case .ended = played.state, let startedAs = plays[played.playID]?.startedAs else { return }
            // A report that is older than the start is about an earlier one.
            if !played.sequence.isBefore(startedAs) { plays[played.playID]!.isEndedByPuck = true }
        case .hubLogged(let record): logged(record, moment, findings, disturbances)
        case .answerForgotten(let playID):
            guard let play = plays.removeValue(forKey: playID), play.outcome == nil else { return }
            // Only a puck of which nothing is kept loses its plays without a word.
            let isLongAway = awaySince[play.puck].map { moment.local - $0 >= Self.remembered } ?? false
            if !disturbances.disturbed(play.puck, since: play.acceptedAt), forgotten[play.puck] != moment.now,
                !isLongAway
            {
                findings.report(.playback, play.puck, "play \(playID) is forgotten without an end")
            }
        case .probed:
            for (playID, play) in plays {
                findings.report(.convergence, play.puck, "play \(playID) is neither done, cancelled nor failed")
            }
        default: break
        }
    }

    /// Music and filler give way to their like, filler to anything that is more.
    private mutating func supersede(_ start: DownStart, _ puck: Int?) {
        for (playID, play) in plays where play.puck == puck && playID != start.playID {
            let isLike = play.category == start.category && (play.category == .music || play.category == .filler)
            if isLike || play.category == .filler { plays[playID]!.isCancelled = true }
        }
    }

    private mutating func logged(
        _ record: LogRecord, _ moment: Moment, _ findings: Findings, _ disturbances: Disturbances
    ) {
        guard record.event.isNamed("play.end"), let playID = record.value("play_id").flatMap({ UInt32($0) }),
            let play = plays[playID], let outcome = record.value("outcome")
        else { return }
        if let before = play.outcome {
            findings.report(.playback, play.puck, "play \(playID) ends twice, \(before) and \(outcome)")
        }
        plays[playID]!.outcome = outcome
        switch outcome {
        case "cancelled":
            // Replaced while its puck was away, or behind: nothing was sent of what took its place.
            let isReplaced =
                (play.category == .music || play.category == .filler)
                && plays.contains { $0.key > playID && $0.value.puck == play.puck || play.category == .filler }
            if !play.isCancelled, !play.isEndedByPuck, !isReplaced {
                findings.report(.playback, play.puck, "play \(playID) is cancelled, and nobody wanted that")
            }
        case "failed":
            let waiting = plays.values.count { $0.puck == play.puck && $0.outcome == nil }
            if !play.hasFailed, waiting + 1 < Self.mostPlays,
                !disturbances.disturbed(play.puck, since: play.acceptedAt)
            {
                findings.report(.playback, play.puck, "play \(playID) fails, and nothing was wrong")
            }
        default: break
        }
    }
}

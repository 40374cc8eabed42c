import PuckBase
import PuckWire

/// 1. Never more than one puck of a group holds a grant, as the hub gives them: a grant ends with its conversation.
/// And no conversation ends in silence: its puck is told, or gone.
struct GrantChecker {
    private struct Conversation {
        var puck: Int
        var connection: Int
        var isPuckTold = false
    }

    private struct Debt {
        var puck: Int
        var connection: Int
        var since: Instant
    }

    /// A puck that acknowledges nothing is closed after 10 s of silence, by a hub that may stand still for 20.
    private static let patience = Interval.seconds(35)

    private let groups: [String]
    private var holders: [String: String] = [:]
    private var conversations: [String: Conversation] = [:]
    private var pucks: [Int: Int] = [:]
    private var owed: [String: Debt] = [:]

    init(groups: [String]) { self.groups = groups }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .connectionOpened(let connection, let puck): pucks[connection] = puck
        case .connectionClosed(let connection):
            pucks[connection] = nil
            for (id, debt) in owed where debt.connection == connection { owed[id] = nil }
        case .probed: collect(moment.now, findings)
        case .hubSent(let connection, .grant(_, let id), _):
            guard let puck = pucks[connection] else { return }
            collect(moment.now, findings)
            granted(id, puck, connection, findings)
        case .hubSent(_, .phase(let id, let phase), _):
            switch phase {
            case .idle, .error, .degraded:
                conversations[id]?.isPuckTold = true
                owed[id] = nil
            case .listening, .thinking, .speaking: break
            }
        case .forgotten(let id):
            guard let conversation = conversations.removeValue(forKey: id) else {
                return findings.report(.grants, nil, "\(id) ends twice, or was never granted")
            }
            // The news may have to wait for a puck that is behind with the stream.
            if !conversation.isPuckTold, pucks[conversation.connection] != nil {
                owed[id] = Debt(puck: conversation.puck, connection: conversation.connection, since: moment.now)
            }
            let group = groups[conversation.puck]
            if holders[group] == id { holders[group] = nil }
        case .hubEnded:
            holders = [:]
            conversations = [:]
            owed = [:]
            pucks = [:]
        default: break
        }
    }

    private func collect(_ now: Instant, _ findings: Findings) {
        for (id, debt) in owed where now - debt.since > Self.patience {
            findings.report(.grants, debt.puck, "\(id) has ended, and its puck is not told")
        }
    }

    private mutating func granted(_ id: String, _ puck: Int, _ connection: Int, _ findings: Findings) {
        let group = groups[puck]
        if let other = holders[group], let holder = conversations[other] {
            findings.report(
                .grants, puck, "granted \(id) while puck number \(holder.puck) of \(group) still holds \(other)")
        }
        if conversations[id] != nil { findings.report(.grants, puck, "\(id) is granted twice") }
        holders[group] = id
        conversations[id] = Conversation(puck: puck, connection: connection)
    }
}

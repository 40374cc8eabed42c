import PuckBase
import PuckWire

/// 5. Bounds: a puck never sends what it should have dropped (uplink window, 50 packets), whoever's queue overflowed says
/// nothing more on that connection, the hub's log of each stream keeps its three bounds.
struct BoundsChecker {
    static let uplinkPackets = 50

    private var overflowed: Set<Int> = []

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .puckSentAudio(let puck, let connection, let sequence, _, let newest):
            let age = sequence.distance(to: newest)
            if age < 1 || age > Self.uplinkPackets {
                findings.report(
                    .bounds, puck, "sends packet \(sequence.value) when \(newest.value) is next to be encoded")
            }
            check(connection, puck, findings)
        case .puckSent(let puck, let connection, _): check(connection, puck, findings)
        case .puckQueueFull(_, let connection): overflowed.insert(connection)
        default: break
        }
    }

    static let logAge = Interval.seconds(30)
    static let logBytes = 512 * 1024
    static let logMessages = 4_096

    func looked(
        _ puck: Int, messages: Int, bytes: Int, oldest: Instant?, _ now: Instant, _ findings: Findings
    ) {
        let age = oldest.map { now - $0 } ?? .zero
        if messages > Self.logMessages || bytes > Self.logBytes || age >= Self.logAge {
            findings.report(
                .bounds, puck,
                "its log has \(messages) messages, \(bytes) bytes, the oldest of \(age.wholeMilliseconds) ms")
        }
    }

    private func check(_ connection: Int, _ puck: Int, _ findings: Findings) {
        if !overflowed.isEmpty, overflowed.contains(connection) {
            findings.report(.bounds, puck, "goes on sending after its queue was full")
        }
    }
}

import PuckBase
import PuckWire

/// Which 20 ms of which recording an uplink packet holds. The recordings of a run are numbered through.
struct Sound: Equatable {
    var recording: Int32
    var index: Int32
}

/// Which packet of which answer a downlink packet holds. The answers of a run are numbered through.
struct AnswerPacket: Equatable {
    var answer: Int32
    var index: Int32
    var bytes: Int32
}

/// What travels: values, not bytes (`--encode` writes and reads them at the sender).
enum Message {
    /// The upgrade was accepted: the puck's socket is open.
    case upgraded
    case toPuck(HubControl, SerialNumber)
    /// - sentAt: the hub's clock, as the header tells it.
    case answer(AnswerPacket, SerialNumber, sentAt: UInt32)
    case toHub(PuckControl)
    case sound(Sound, SerialNumber)
    case error(WireError)
    /// The sender closed, in order, or its kernel did.
    case end
}

enum MessageSize {
    /// An Opus packet of the uplink with its header.
    static let sound = 9 + 61

    // Close enough for queues: written out, the longest of each is this long.
    static func of(_ control: HubControl) -> Int {
        switch control {
        case .welcome: 150
        case .downStart: 210
        case .grant, .cancel, .uplinkAck, .listenStop, .set, .token, .trust, .ping, .pong, .phase, .downStop,
            .downPause,
            .downResume,
            .earcon, .unknown:
            90
        }
    }

    static func of(_ control: PuckControl) -> Int {
        switch control {
        case .hello, .wakeCandidate, .status, .trusts: 200
        case .uplinkEnd, .played, .ping, .pong, .unknown: 90
        }
    }
}

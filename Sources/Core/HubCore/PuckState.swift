import PuckBase
import PuckWire

/// What the hub keeps of a puck from one connection to the next: the downlink stream with its replay log, what plays,
/// and whether its audio belongs anywhere.
///
///     connected ─ the connection ends ─▶ away ─ hello ─▶ connected
///     away ─ `HubLimits.replayKept` ─▶ forgotten: the next hello finds a new stream
struct PuckState: Sendable {
    /// Whether audio from this puck belongs anywhere.
    ///
    ///     closed ─ grant, or an utterance is resumed ─▶ open ─ the puck's up_end ─▶ closed
    ///     open ─ the hub ends the conversation ─▶ draining ─ next wake candidate, next connection ─▶ closed
    ///
    /// Audio on a closed uplink is a protocol error. A draining one drops it: the puck could not know yet.
    enum Uplink: Equatable, Sendable {
        case closed
        case open
        /// So many more packets are dropped before it counts as an error.
        case draining(packets: Int)
    }

    let puckID: String
    let group: String
    var stream: DownlinkStream
    /// The last streams of this puck's plays, the present one included: a puck may not have learned of the newest.
    private var epochs: [UInt32] = []
    private static let rememberedEpochs = 8
    var playout = Playout()
    var uplink = Uplink.closed
    /// When a puck that is away is forgotten; nil while it is connected.
    var forgetAt: Instant?
    /// Plays whose audio the interpreter keeps, for the playout or for the log. In order of their beginning.
    private(set) var keptPlays: [UInt32] = []

    init(puckID: String, group: String, stream: DownlinkStream) {
        self.puckID = puckID
        self.group = group
        self.stream = stream
        epochs = [stream.epoch]
    }

    /// A new stream: the old one cannot go on.
    mutating func begin(_ stream: DownlinkStream) {
        self.stream = stream
        if epochs.count == Self.rememberedEpochs { epochs.removeFirst() }
        epochs.append(stream.epoch)
    }

    /// Whether a stream of this epoch carried the plays that the hub has now; another hub's play ids say nothing here.
    func knows(epoch: UInt32) -> Bool { epochs.contains(epoch) }

    var connection: ConnectionID? { stream.connection }

    /// The earliest of what is waited for here.
    var deadline: Instant? {
        earliest(earliest(forgetAt, playout.deadline), earliest(stream.expiry, stream.paceDeadline))
    }

    /// Says something outside the stream; a puck that is away does not learn it.
    func tell(_ control: HubControl, into effects: inout [HubEffect]) {
        if let connection { effects.append(.send(connection, control, .zero)) }
    }

    mutating func offer(_ play: Play, ahead: Int, now: Instant, into effects: inout [HubEffect]) {
        keptPlays.append(play.id)
        playout.offer(play, stream: &stream, ahead: ahead, now: now, into: &effects)
    }

    /// Lets go of the audio that neither the playout nor the log needs any more.
    mutating func releaseAudio(into effects: inout [HubEffect]) {
        // As a rule there is nothing to let go of, and this is asked after every message.
        guard !keptPlays.allSatisfy({ isNeeded($0) }) else { return }
        for id in keptPlays where !isNeeded(id) { effects.append(.forgetAnswer(playID: id)) }
        keptPlays = keptPlays.filter { isNeeded($0) }
    }

    private func isNeeded(_ playID: UInt32) -> Bool { playout.contains(playID) || stream.needs(playID) }
}

extension [String: PuckState] {
    /// The state of a puck that the hub knows: it is kept from its first hello until `forgetPuck`, and every connection,
    /// conversation and resident belongs to such a puck.
    subscript(known puckID: String) -> PuckState {
        get {
            guard let state = self[puckID] else { preconditionFailure("a puck without a state") }
            return state
        }
        _modify {
            guard let index = index(forKey: puckID) else { preconditionFailure("a puck without a state") }
            yield &values[index]
        }
    }
}

import PuckBase
import PuckWire

/// Something to be played on one puck: an answer, a timer, music. Packets are 20 ms, counted from 0.
struct Play: Sendable {
    let id: UInt32
    let conversationID: String
    let category: DownStart.Category
    /// Bytes of each packet that exists so far.
    private(set) var sizes: [UInt16] = []
    private(set) var isComplete = false
    /// The next packet to send.
    var sent: Int = 0
    /// Packets that the loudspeaker has played.
    var played = 0
    var isStopSent = false
    /// Messages of the stream before its last `down_start`: a report of less is about an earlier start.
    var startNumber = 0
    /// When the loudspeaker got it last, and what had been played by then.
    var soundsSince = Instant.zero
    var playedBefore = 0

    init(id: UInt32, conversationID: String, category: DownStart.Category) {
        self.id = id
        self.conversationID = conversationID
        self.category = category
    }

    /// An answer only grows, and ends once.
    mutating func grow(_ more: [UInt16], isComplete: Bool) {
        guard !self.isComplete else { return }
        sizes += more
        self.isComplete = isComplete
    }

    /// The puck has heard so much of it.
    mutating func note(heard milliseconds: Int) {
        played = max(played, min(sent, milliseconds / WireLimits.packetMilliseconds))
    }

    mutating func noteGreeting(_ told: Hello.Play) {
        if told.playID == id { note(heard: told.positionMilliseconds) }
    }

    var isHeard: Bool { isComplete && played == sizes.count }
    /// Audio that is out and not played yet.
    var ahead: Int { sent - played }

    /// More packets than any loudspeaker can have played by now.
    func mostPlayed(by now: Instant) -> Int64 {
        let elapsed = (now - soundsSince).wholeMilliseconds * 5 / 4 + HubLimits.playedHeadStart.wholeMilliseconds
        return Int64(playedBefore) + elapsed / Int64(WireLimits.packetMilliseconds)
    }
}

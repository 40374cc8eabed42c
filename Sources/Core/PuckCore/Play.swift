import PuckWire

/// One play, as far as this puck has it.
struct Play: Equatable, Sendable {
    let playID: UInt32
    let conversationID: String
    let codec: DownStart.Codec
    /// Samples of the whole that came before this start.
    let base: Int64
    /// Samples received since its start, and those of them that were heard.
    var queued: Int64 = 0
    var heard: Int64 = 0
    /// `down_stop` has come: nothing follows.
    var isFinishing = false
    /// All that came has been heard, and more should.
    var isDry = false
    /// The hub has forgotten it: it is played out and not reported.
    var isOrphan = false
    /// The link stayed away too long, and nobody wanted its end: the hub may start it again.
    var isGivenUp = false

    init(_ start: DownStart) {
        playID = start.playID
        conversationID = start.conversationID
        codec = start.codec
        base = Int64(start.resumedAtMilliseconds) * 16
    }

    /// Heard of the whole.
    var position: Int64 { base + heard }
}

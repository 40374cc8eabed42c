import PuckBase

/// Makes a puck slower to believe a wake word, in a room with a television: turns that follow each other and run to
/// their limit are nobody's. A person ends an utterance; a programme goes on.
///
/// Each such turn after the first raises the confidence that a wake word needs by one step, 4 dB for the level detector;
/// each `decay` without one lowers it by one. Four steps at most: a voice 26 dB above the room is always believed.
/// Turns that began with the button are neither counted nor doubted.
struct WakeDoubt: Equatable, Sendable {
    static let highest = 4
    /// The next turn's end must come within: the longest utterance (15 s), an answer, and a pause of half a minute.
    static let following = Interval.seconds(120)
    static let decay = Interval.seconds(300)
    private static let needed: [Float] = [0, 0.6, 0.7, 0.8, 0.9]

    private(set) var step = 0
    private var lastTimeout: Instant?

    /// What a finding needs to be believed, 0…1.
    var leastConfidence: Float {
        return Self.needed[step]
    }

    /// A turn that began with a wake word is over.
    /// - Parameter ranOut: it was ended by its limit, and not by a pause.
    /// - Returns: whether `step` changed.
    mutating func turnEnded(ranOut: Bool, now: Instant) -> Bool {
        guard ranOut else {
            lastTimeout = nil
            return false
        }
        let follows = step > 0 || lastTimeout.map { now - $0 <= Self.following } ?? false
        lastTimeout = now
        guard follows, step < Self.highest else { return false }
        step += 1
        return true
    }

    /// `decay` has passed without a turn that ran out.
    mutating func decayed() { step = max(0, step - 1) }
}

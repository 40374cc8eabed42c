/// Whether there is something to listen to: sound that rises out of the room, and two seconds after it. What takes more
/// work than a level, such as a wake word model, sleeps while it is closed (docs/WAKE.md has what that costs in words that
/// are not heard).
///
/// Fed with one level for each 10 ms; runs on the capture thread.
public struct SoundGate: BitwiseCopyable, Sendable {
    /// Longer than the pause in any wake word, and than a model remembers.
    static var holdMilliseconds: Int { @_noLocks @_noAllocation get { 2000 } }
    /// Frames above the threshold that open it: one is a click, or chance.
    static var framesNeeded: Int { @_noLocks @_noAllocation get { 2 } }

    private let thresholdDecibels: Float
    private var above = 0
    private var holdLeft = 0

    /// - Parameter thresholdDecibels: above the noise; 0 keeps it open.
    @_noLocks @_noAllocation
    public init(thresholdDecibels: Float) { self.thresholdDecibels = thresholdDecibels }

    public var isOpen: Bool { @_noLocks @_noAllocation get { holdLeft > 0 || thresholdDecibels <= 0 } }

    @_noLocks @_noAllocation
    public mutating func observe(levelDecibels level: Float, noiseDecibels noise: Float) {
        above = level > noise + thresholdDecibels ? min(above &+ 1, Self.framesNeeded) : max(above &- 1, 0)
        holdLeft = above == Self.framesNeeded ? Self.holdMilliseconds : max(0, holdLeft &- 10)
    }

    @_noLocks @_noAllocation
    public mutating func close() { (above, holdLeft) = (0, 0) }
}

/// The level of the room when nobody speaks, by minimum statistics (after R. Martin, IEEE Trans. Speech and Audio
/// Processing 9(5), 2001, much simplified): speech has gaps, so the smallest smoothed level of the last 1.6 s is the
/// noise. Follows a fan that is switched on within 1.6 s and is not lifted by a sentence.
///
/// Fed with one level for each 10 ms; runs on the capture thread.
public struct NoiseFloor: Sendable {
    /// Eight windows of 200 ms.
    static var framesInWindow: Int { @_noLocks @_noAllocation get { 20 } }
    /// The minimum of a fluctuating level lies below its mean; measured on white noise smoothed as here.
    static var biasDecibels: Float { @_noLocks @_noAllocation get { 1.0 } }
    /// 2 dB above what 16 bits can hold. Exact zeros are no room, and are not to be observed (LevelWakeDetector).
    static var lowestDecibels: Float { @_noLocks @_noAllocation get { -88 } }

    private var minima: SIMD8<Float> = SIMD8(repeating: 0)
    private var window = 0
    private var filledWindows = 0
    private var frame = 0
    private var current: Float = 0
    private var smoothed: Float = 0
    private var started = false

    /// The estimate, in dB relative to full scale; −88 or more.
    public private(set) var decibels: Float = 0

    @_noLocks @_noAllocation
    public init() {}

    /// True once a first window of 200 ms has been heard; before that the estimate is not to be trusted.
    public var isSettled: Bool { @_noLocks @_noAllocation get { filledWindows > 0 } }

    @_noLocks @_noAllocation
    public mutating func observe(levelDecibels level: Float) {
        if !started {
            started = true
            smoothed = level
            current = level
        }
        // A time constant of 40 ms: long against one frame, short against a gap between words.
        smoothed += (level - smoothed) * 0.25
        current = min(current, smoothed)
        frame &+= 1
        if frame == Self.framesInWindow {
            minima[window] = current
            window = (window &+ 1) & 7
            filledWindows = min(filledWindows &+ 1, 8)
            frame = 0
            current = smoothed
        }
        var lowest = current
        var i = 0
        while i < filledWindows {
            lowest = min(lowest, minima[(window &- 1 &- i) & 7])
            i &+= 1
        }
        decibels = max(Self.lowestDecibels, lowest + Self.biasDecibels)
    }
}

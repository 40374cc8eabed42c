/// Turns a capture device's start and stop times into an exact number of lost frames.
///
/// A *segment* lies between a start of the device and the next. Two kinds of device are told apart:
///
/// - The kernel stamps the stop: at that time the device had captured everything read plus everything unread. What is
///   missing after the restart is the unread part, and what the device would have captured from the stop to the start.
/// - A plugin in user space does not stamp stops: then the segment's start is the only anchor, and what is missing is
///   the time between the two starts less what was read. Over a long segment the crystal's drift goes into the result
///   (50 ppm: 3 ms a minute); hardware has the better anchor, and the plugins' clocks are the system's.
///
/// Fractions of a frame are carried on, so that rounding does not add up over many restarts.
struct SegmentClock: BitwiseCopyable {
    let rate: Int64
    /// Nanoseconds of the monotonic clock; 0: never started.
    private(set) var startedAt: Int64
    private(set) var delivered: Int64
    /// What the last rounding left over, in 10⁻⁹ frames, −5·10⁸…5·10⁸.
    private var remainder: Int64

    @_noLocks @_noAllocation
    init(rate: Int64) {
        self.rate = rate
        startedAt = 0
        delivered = 0
        remainder = 0
    }

    @_noLocks @_noAllocation
    mutating func start(at nanoseconds: Int64) {
        startedAt = nanoseconds
        delivered = 0
    }

    @_noLocks @_noAllocation
    mutating func deliver(_ frames: Int) { delivered &+= Int64(truncatingIfNeeded: frames) }

    /// The device runs again.
    /// - Parameters:
    ///   - stoppedAt: the trigger time that the stopped device reports; its start time when it does not stamp stops.
    ///   - unread: frames that it held when it stopped.
    ///   - time: when it was started again.
    /// - Returns: frames lost between the last one delivered and the first one to come; never negative.
    @_noLocks @_noAllocation
    mutating func restart(stoppedAt: Int64, unread: Int64, at time: Int64) -> Int64 {
        let isStamped = stoppedAt > 0 && stoppedAt != startedAt
        let anchor = isStamped ? stoppedAt : startedAt
        let known = isStamped ? unread : 0 &- delivered
        let elapsed = max(0, time &- anchor)
        // Seconds and the rest apart: days times 192 kHz in nanoseconds would not fit 64 bits.
        let scaled = elapsed % 1_000_000_000 &* rate &+ remainder &+ 500_000_000
        var whole = scaled / 1_000_000_000
        if scaled < 0 { whole &-= 1 }
        remainder = scaled &- 500_000_000 &- whole &* 1_000_000_000
        start(at: time)
        return max(0, known &+ elapsed / 1_000_000_000 &* rate &+ whole)
    }
}

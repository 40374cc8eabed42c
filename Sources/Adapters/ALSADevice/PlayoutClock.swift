/// Counts what was written to a loudspeaker against the clock: how many frames are still to be heard by the time that
/// has passed. It stands in where the device cannot say its delay, and tells a device that stands still from one whose
/// delay never reaches 0.
///
/// Where the two clocks differ, the estimate errs towards frames that are still to be heard, so that no end of a sound
/// is dropped: a device that had no room was full at that moment, whatever was counted.
struct PlayoutClock: BitwiseCopyable {
    let rate: Int64
    /// Frames that the device can hold.
    let capacity: Int64
    /// Frames with which the device starts by itself.
    let threshold: Int64
    /// Frames still to be heard at `countedAt`.
    private var queued: Int64 = 0
    /// Nanoseconds of the monotonic clock.
    private var countedAt: Int64 = 0
    private var isRunning = false
    private var wasFull = false
    /// The device has made room at least once since it was started: it moves.
    private(set) var hasMadeRoom = false

    @_noLocks @_noAllocation
    init(rate: Int, capacity: Int, threshold: Int) {
        self.rate = Int64(rate)
        self.capacity = Int64(capacity)
        self.threshold = Int64(threshold)
    }

    /// Frames that have not been heard at `now`, nanoseconds; 0…`capacity`.
    @_noLocks @_noAllocation
    func remaining(at now: Int64) -> Int64 {
        if !isRunning { return queued }
        // A buffer holds 2 s at most: what is older has been heard. This also keeps the product within 64 bits.
        let elapsed = max(0, min(now &- countedAt, 10_000_000_000))
        return max(0, queued &- elapsed &* rate / 1_000_000_000)
    }

    /// `frames` were taken by the device.
    @_noLocks @_noAllocation
    mutating func wrote(_ frames: Int, at now: Int64) {
        queued = min(capacity, remaining(at: now) &+ Int64(truncatingIfNeeded: frames))
        countedAt = now
        if queued >= threshold { isRunning = true }
        if wasFull { hasMadeRoom = true }
    }

    /// The device had no room for `period` frames.
    @_noLocks @_noAllocation
    mutating func wasFull(period: Int, at now: Int64) {
        queued = max(remaining(at: now), capacity &- Int64(truncatingIfNeeded: period))
        countedAt = now
        wasFull = true
    }

    /// The device was started with less than the threshold.
    @_noLocks @_noAllocation
    mutating func started(at now: Int64) {
        if isRunning { return }
        isRunning = true
        countedAt = now
    }

    /// The device holds nothing any more.
    @_noLocks @_noAllocation
    mutating func stopped() {
        queued = 0
        isRunning = false
        wasFull = false
        hasMadeRoom = false
    }
}

/// Whether the end of a sound has been heard, found out by asking again and again. Plain values: times are arguments.
///
/// The device's delay counts. Where it stands still, the clock decides what that means: much that the clock still
/// expects makes it a device that stands still, little a driver whose delay never reaches 0 (a sound server's latency, a
/// codec's FIFO). A device that stalls in the last moment is found by the next sound.
public struct PlayoutEnd: BitwiseCopyable {
    public enum Verdict: BitwiseCopyable, Equatable, Sendable {
        case playing
        /// All has been heard, as far as anybody can tell.
        case ended
        /// It plays nothing: 2 s without a frame.
        case stalled
    }

    /// A device that plays nothing for so long stands still, ns.
    static var stallNanoseconds: Int64 { @_noLocks @_noAllocation get { 2_000_000_000 } }
    /// A delay that has fallen until little was left, and stands still for so long, has ended, ns; longer where the
    /// delay itself is longer. Ten periods: drivers report in steps of one.
    static var restNanoseconds: Int64 { @_noLocks @_noAllocation get { 200_000_000 } }
    /// Whatever the delay says: so long after the clock's end there is no sound left, ns. Bluetooth and network
    /// loudspeakers hold back up to 2 s.
    static var mostNanoseconds: Int64 { @_noLocks @_noAllocation get { 5_000_000_000 } }

    private let rate: Int64
    /// Frames that count as little: 250 ms.
    private let tolerance: Int64
    /// From the clock's end to the sound's where the device says nothing, ns: a period, since nobody knows when the first
    /// frame was heard.
    private let marginNanoseconds: Int64
    private let hasMadeRoom: Bool
    /// The least delay so far, when it was seen, and what the clock expected then.
    private var least: Int64 = .max
    private var leastAt: Int64 = 0
    private var expectedAtLeast: Int64 = .max
    private var hasMoved = false
    /// When the clock first had nothing left; 0: it has.
    private var clockEndedAt: Int64 = 0

    /// - Parameters:
    ///   - period: the device's, frames.
    ///   - hasMadeRoom: while this sound was written, the device has played some of it.
    @_noLocks @_noAllocation
    init(rate: Int64, period: Int, hasMadeRoom: Bool) {
        self.rate = rate
        tolerance = rate / 4
        marginNanoseconds = Int64(truncatingIfNeeded: period) &* 1_000_000_000 / rate
        self.hasMadeRoom = hasMadeRoom
    }

    /// - Parameters:
    ///   - queued: frames still to be heard as the device says it; negative where it cannot.
    ///   - expected: what the clock says.
    ///   - now: nanoseconds of the monotonic clock.
    @_noLocks @_noAllocation
    mutating func look(queued: Int, expected: Int64, at now: Int64) -> Verdict {
        if queued == 0 { return .ended }
        if expected == 0 && clockEndedAt == 0 { clockEndedAt = now }
        let sinceEnd = clockEndedAt == 0 ? -1 : now &- clockEndedAt
        if queued < 0 { return sinceEnd >= marginNanoseconds ? .ended : .playing }
        if Int64(truncatingIfNeeded: queued) < least {
            hasMoved = least != .max
            least = Int64(truncatingIfNeeded: queued)
            leastAt = now
            expectedAtLeast = expected
        }
        if sinceEnd >= Self.mostNanoseconds { return .ended }
        let still = now &- leastAt
        if sinceEnd < 0 || expectedAtLeast > tolerance || !(hasMoved || hasMadeRoom) {
            return still >= Self.stallNanoseconds ? .stalled : .playing
        }
        // What it says may be its latency: that much is still under way.
        let underWay = min(least, 10 &* rate) &* 1_000_000_000 / rate
        return still >= max(hasMoved ? Self.restNanoseconds : Self.stallNanoseconds, underWay) ? .ended : .playing
    }
}

/// Finds the two ways in which a microphone fails although every call succeeds: it delivers nothing but bit-exact zeros,
/// or it runs at another rate than it agreed to. A plain value for the capture thread; time comes with the frames.
///
/// **Zeros.** A real converter's noise flips its lowest bit many times a second, so whole seconds of exact zeros come
/// from a broken wire, a wrong channel, a firmware that hangs, or a mute switch in the device; the last cannot be told
/// from the others. While the puck itself is muted nothing is found.
///
/// **Rate.** The frames delivered are compared with the device's own time stamps. A stamp is up to a period late (drivers
/// count whole periods or USB packets), but some are not: of each 0.2 s the one that is least late stands for all, which
/// leaves a quarter of a period of doubt. Over seven such blocks, 1.4 s, 2 % are 28 ms, so what is more than 2.4 % off
/// shows within 2 s, from the start of the stream or from the moment at which it went wrong. A deviation has to have grown
/// in either half: a driver that loses 40 ms once has a gap and not another rate. What is nearer to the tolerance shows
/// over as much as 30 s: 2.1 % within 6 s.
public struct CaptureWatch: BitwiseCopyable, Sendable {
    public enum Verdict: BitwiseCopyable, Equatable, Sendable {
        /// Nothing is known against the device.
        case fine
        /// It was found broken before, and has not shown the contrary yet.
        case unproven
        case zeros
        case wrongRate
    }

    /// What the device was closed for the last time: that it has to refute before it is `fine`.
    public enum Doubt: BitwiseCopyable, Equatable, Sendable { case none, zeros, rate }

    /// After a start the stamps of some drivers jump: nothing is compared before.
    static var settlingNanoseconds: Int64 { @_noLocks @_noAllocation get { 250_000_000 } }
    /// What the least late stamp stands for.
    static var blockNanoseconds: Int64 { @_noLocks @_noAllocation get { 200_000_000 } }
    /// The shortest longer comparison, in which 40 ms are no deviation: 2.4 s.
    static var shortestBlocks: Int { @_noLocks @_noAllocation get { 12 } }
    /// Blocks after which it begins anew: 30 s.
    static var longestBlocks: Int { @_noLocks @_noAllocation get { 150 } }

    private let rate: Int64
    /// Frames of zeros that are a fault; 0: never.
    private let zeroLimit: Int64
    /// Thousandths; 0: the rate is not looked at.
    private let tolerancePermille: Int64
    /// Of the difference of two blocks, ns.
    private let uncertainty: Int64
    /// Between two periods, ns: a leap is a gap, not a rate.
    private let leap: Int64
    private var doubt: Doubt
    private var zeroFrames: Int64 = 0
    private var lastStamp: Int64 = 0
    /// Of the present block, or, before the first one, of the stream.
    private var began: Int64 = 0
    /// How much later than the frames say the last stamp was, against the first one, ns.
    private var lateness: Int64 = 0
    private var leastLate = Int64.max
    /// Of the last eight blocks, by their number.
    private var blocks = InlineArray<8, Int64>(repeating: 0)
    /// Complete ones since the start.
    private var count = 0
    /// What longer comparisons are with, and its number.
    private var first: Int64 = 0
    private var firstCount = 0

    /// - Parameters:
    ///   - rate: of the device, Hz, as agreed.
    ///   - periodFrames: of the device.
    ///   - zeroMilliseconds: of zeros that are a fault; 0: never.
    ///   - tolerancePercent: of the rate, 0…20; 0: the rate is not looked at.
    ///   - doubt: what the device was closed for the last time.
    public init(rate: Int, periodFrames: Int, zeroMilliseconds: Int, tolerancePercent: Double, doubt: Doubt) {
        self.rate = Int64(rate)
        zeroLimit = Int64(zeroMilliseconds) * Int64(rate) / 1000
        tolerancePermille = Int64(tolerancePercent * 10)
        let period = Int64(periodFrames) * 1_000_000_000 / Int64(rate)
        uncertainty = period / 4
        leap = max(200_000_000, 4 * period)
        self.doubt = doubt
    }

    /// Looks at one period.
    /// - Parameters:
    ///   - frames: that the device delivered.
    ///   - isZero: every sample of it was exactly 0, before any gain.
    ///   - isMuted: the puck is muted: zeros are not counted.
    ///   - capturedAt: monotonic ns of its last frame; 0 from a device without time stamps, whose rate nobody knows.
    @_noLocks @_noAllocation
    public mutating func take(frames: Int, isZero: Bool, isMuted: Bool, capturedAt: Int64) -> Verdict {
        let frames = Int64(truncatingIfNeeded: frames)
        if !isZero, case .zeros = doubt { doubt = .none }
        zeroFrames = isZero && !isMuted ? zeroFrames &+ frames : 0
        if zeroLimit > 0, zeroFrames >= zeroLimit { return .zeros }
        if tolerancePermille > 0, capturedAt > 0, isRateWrong(frames, capturedAt) { return .wrongRate }
        if case .none = doubt { return .fine }
        return .unproven
    }

    /// The stream was stopped and started again: a new comparison begins.
    @_noLocks @_noAllocation
    public mutating func restart() {
        lastStamp = 0
        began = 0
        lateness = 0
        leastLate = Int64.max
        count = 0
    }

    @_noLocks @_noAllocation
    private mutating func isRateWrong(_ frames: Int64, _ stamp: Int64) -> Bool {
        let step = stamp &- lastStamp &- nanoseconds(of: frames)
        if lastStamp != 0, step > leap || step < 0 &- leap { restart() }
        let isFirst = lastStamp == 0
        lastStamp = stamp
        if isFirst {
            began = stamp &+ Self.settlingNanoseconds
            return false
        }
        if stamp < began { return false }
        lateness &+= step
        leastLate = min(leastLate, lateness)
        if stamp &- began < Self.blockNanoseconds { return false }
        began = stamp
        return endBlock()
    }

    /// - Returns: whether the rate is wrong.
    @_noLocks @_noAllocation
    private mutating func endBlock() -> Bool {
        let now = leastLate
        leastLate = Int64.max
        if count == 0 {
            first = now
            firstCount = 1
        }
        blocks[count & 7] = now
        count &+= 1
        if count >= 4, grew(over: 3, uncertainty &* 2) { return true }
        if count >= 8, grew(over: 7, uncertainty) { return true }
        let since = count &- firstCount
        if since >= Self.shortestBlocks, Self.size(now &- first) > allowed(over: since) &+ uncertainty { return true }
        if case .rate = doubt, count >= 10 { doubt = .none }
        if since >= Self.longestBlocks {
            first = now
            firstCount = count
        }
        return false
    }

    /// Whether the lateness has changed by more than the tolerance over the last blocks, in either half of them.
    @_noLocks @_noAllocation
    private func grew(over span: Int, _ uncertainty: Int64) -> Bool {
        let newest = blocks[(count &- 1) & 7], middle = blocks[(count &- 1 &- span / 2) & 7]
        let change = newest &- blocks[(count &- 1 &- span) & 7], late = newest &- middle
        let least = Self.size(change) / 5
        return Self.size(change) > allowed(over: span) &+ uncertainty
            && (late < 0) == (change < 0) && Self.size(late) > least && Self.size(change &- late) > least
            && (change &- late < 0) == (change < 0)
    }

    @_noLocks @_noAllocation
    private func allowed(over blocks: Int) -> Int64 {
        Int64(truncatingIfNeeded: blocks) &* Self.blockNanoseconds / 1000 &* tolerancePermille
    }

    @_noLocks @_noAllocation
    private static func size(_ value: Int64) -> Int64 { value < 0 ? 0 &- value : value }

    @_noLocks @_noAllocation
    private func nanoseconds(of frames: Int64) -> Int64 { frames &* 1_000_000_000 / rate }
}

/// Finds the two ways in which a microphone fails although every call succeeds: it delivers nothing but bit-exact zeros,
/// or it runs at another rate than it agreed to. A plain value for the capture thread; time comes with the frames.
///
/// **Zeros.** A real converter's noise flips its lowest bit many times a second, so whole seconds of exact zeros come
/// from a broken wire, a wrong channel, a firmware that hangs, or a mute switch in the device; the last cannot be told
/// from the others. While the puck itself is muted nothing is found.
///
/// **Rate.** The frames delivered are compared with the device's own time stamps. A stamp is uncertain by up to a period
/// at either end of the comparison (drivers count whole periods or USB packets), so a deviation `d` beyond a tolerance
/// `t` shows after `U / (d − t)`, with `U` two periods and 5 ms. At periods of 20 ms and a tolerance of 2 %: 44.1 kHz
/// instead of 48 kHz (8 %) within the first second of comparison, 5 % in 1.5 s, 3 % in 4.5 s, and 2.15 % in 30 s, which
/// is as long as one comparison lasts. Exactly 2 % within 2 s is beyond what the stamps say.
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
    static var settlingNanoseconds: Int64 { @_noLocks @_noAllocation get { 500_000_000 } }
    /// The shortest and the longest comparison.
    static var shortestNanoseconds: Int64 { @_noLocks @_noAllocation get { 1_000_000_000 } }
    static var longestNanoseconds: Int64 { @_noLocks @_noAllocation get { 30_000_000_000 } }

    private let rate: Int64
    /// Frames of zeros that are a fault; 0: never.
    private let zeroLimit: Int64
    /// Thousandths; 0: the rate is not looked at.
    private let tolerancePermille: Int64
    private let uncertainty: Int64
    /// Between two periods, ns: a leap is a gap, not a rate.
    private let leap: Int64
    private var doubt: Doubt
    private var zeroFrames: Int64 = 0
    private var framesSinceStart: Int64 = 0
    /// 0: no comparison is under way.
    private var comparedSince: Int64 = 0
    private var comparedFrames: Int64 = 0
    private var lastStamp: Int64 = 0

    /// - Parameters:
    ///   - rate: of the device, Hz, as agreed.
    ///   - periodFrames: of the device.
    ///   - zeroMilliseconds: of zeros that are a fault; 0: never.
    ///   - tolerancePercent: of the rate, 0…20; 0: the rate is not looked at.
    public init(rate: Int, periodFrames: Int, zeroMilliseconds: Int, tolerancePercent: Double, doubt: Doubt) {
        self.rate = Int64(rate)
        zeroLimit = Int64(zeroMilliseconds) * Int64(rate) / 1000
        tolerancePermille = Int64(tolerancePercent * 10)
        let period = Int64(periodFrames) * 1_000_000_000 / Int64(rate)
        uncertainty = 2 * period + 5_000_000
        leap = max(200_000_000, 4 * period)
        self.doubt = doubt
    }

    /// Looks at one period.
    /// - Parameters:
    ///   - isZero: every sample of it was exactly 0, before any gain.
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
        framesSinceStart = 0
        comparedSince = 0
        lastStamp = 0
    }

    @_noLocks @_noAllocation
    private mutating func isRateWrong(_ frames: Int64, _ stamp: Int64) -> Bool {
        let step = stamp &- lastStamp &- nanoseconds(of: frames)
        if lastStamp != 0, step > leap || step < 0 &- leap { restart() }
        lastStamp = stamp
        framesSinceStart &+= frames
        if comparedSince == 0 {
            if nanoseconds(of: framesSinceStart) >= Self.settlingNanoseconds {
                comparedSince = stamp
                comparedFrames = 0
            }
            return false
        }
        comparedFrames &+= frames
        let elapsed = stamp &- comparedSince
        if elapsed < Self.shortestNanoseconds { return false }
        let difference = nanoseconds(of: comparedFrames) &- elapsed
        let deviation = difference < 0 ? 0 &- difference : difference
        let allowed = elapsed / 1000 &* tolerancePermille
        if deviation &- uncertainty > allowed { return true }
        if case .rate = doubt, allowed > uncertainty { doubt = .none }
        if elapsed > Self.longestNanoseconds { comparedSince = 0 }
        return false
    }

    @_noLocks @_noAllocation
    private func nanoseconds(of frames: Int64) -> Int64 { frames &* 1_000_000_000 / rate }
}

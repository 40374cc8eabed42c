/// Compares a device's channels with each other, and with the same device's at the opening before. It finds a channel
/// that is heard and is silent while another carries sound, and a device whose channels come in another order each time
/// it is opened, as some boards with several converters do.
///
/// All channels of a period are measured at once, every 0.2 s; four of these are a survey. What identifies a channel is
/// its level against the others' mean, and its constant offset. Microphones that are alike cannot be told apart by that:
/// an exchange of two of these is not noticed, and does no harm. What moves and is noticed: offsets, loopback channels,
/// empty channels. Plain values; runs on the capture thread.
public struct ChannelSurvey: BitwiseCopyable, Sendable {
    static var most: Int { @_noLocks @_noAllocation get { 8 } }
    static var periodsInSurvey: Int { @_noLocks @_noAllocation get { 4 } }
    static var everyMilliseconds: Int { @_noLocks @_noAllocation get { 200 } }
    /// Quieter than the loudest by so much, in so many surveys in a row, is silent: a wall is 30 dB, a hand less.
    static var silentDecibels: Float { @_noLocks @_noAllocation get { 35 } }
    static var silentSurveys: Int { @_noLocks @_noAllocation get { 3 } }
    /// What no channel may differ by from itself, and what some channel must differ by, for an order to be another one.
    static var alikeDecibels: Float { @_noLocks @_noAllocation get { 6 } }
    static var differentDecibels: Float { @_noLocks @_noAllocation get { 14 } }
    /// Offsets below do not count.
    static var leastOffsetDecibels: Float { @_noLocks @_noAllocation get { -60 } }

    /// What tells one channel from another.
    public struct Signature: BitwiseCopyable, Sendable {
        var count = 0
        var levels = InlineArray<8, Float>(repeating: -90)
        /// dB above `leastOffsetDecibels`, with the offset's sign.
        var offsets = InlineArray<8, Float>(repeating: 0)

        @_noLocks @_noAllocation
        public init() {}
    }

    private let channels: Int
    /// −1: the mean of all.
    private let heard: Int
    private let framesBetween: Int
    private var framesLeft: Int
    private var sums = InlineArray<8, Int64>(repeating: 0)
    private var energies = InlineArray<8, Int64>(repeating: 0)
    private var frames = 0
    private var periods = 0
    private var silent = 0
    private var isCompared = false
    private let previous: Signature

    /// The last whole survey, or the one of the opening before.
    public private(set) var signature: Signature
    public private(set) var flaws = MicrophoneFlaws.none
    /// The loudest channel, while the one that is heard is silent.
    public private(set) var loudest = 0
    /// By how many places the channels have moved up since the opening before.
    public private(set) var movedBy = 0

    /// - Parameters:
    ///   - rate: of the device, Hz.
    ///   - channels: of the device, 1…8.
    ///   - heard: the channel that is heard, −1 for the mean of all.
    ///   - previous: the signature at the end of the last opening.
    @_noLocks @_noAllocation
    public init(rate: Int, channels: Int, heard: Int, previous: Signature) {
        self.channels = min(channels, Self.most)
        self.heard = min(heard, self.channels &- 1)
        self.previous = previous
        signature = previous
        framesBetween = Self.everyMilliseconds &* rate / 1000
        framesLeft = framesBetween
    }

    /// Whether this period's channels are to be measured.
    @_noLocks @_noAllocation
    public mutating func isDue(frames: Int) -> Bool {
        if channels < 2 { return false }
        framesLeft &-= frames
        if framesLeft > 0 { return false }
        framesLeft = framesBetween
        return true
    }

    /// One channel of a period that is due, in 16 bits.
    @_noLocks @_noAllocation
    public mutating func add(channel: Int, frames: Int, sum: Int64, sumOfSquares: Int64) {
        if channel >= channels || frames == 0 { return }
        sums[channel] &+= sum
        // Without its mean.
        energies[channel] &+= max(0, sumOfSquares &- sum &* sum / Int64(truncatingIfNeeded: frames))
        if channel == 0 { self.frames &+= frames }
    }

    /// All channels of the period were added.
    @_noLocks @_noAllocation
    public mutating func endPeriod() {
        periods &+= 1
        if periods == Self.periodsInSurvey { endSurvey() }
    }

    @_noLocks @_noAllocation
    private mutating func endSurvey() {
        var found = Signature()
        found.count = channels
        var best = 0
        var c = 0
        while c < channels {
            found.levels[c] = Level.decibels(energy: energies[c], count: frames)
            let mean = Float(sums[c]) / Float(frames) / 32_768
            let size = Level.decibels(amplitude: mean) - Self.leastOffsetDecibels
            found.offsets[c] = size <= 0 ? 0 : mean < 0 ? -size : size
            if found.levels[c] > found.levels[best] { best = c }
            (sums[c], energies[c]) = (0, 0)
            c &+= 1
        }
        (frames, periods) = (0, 0)
        // All channels of zeros say nothing about any.
        if found.levels[best] <= Level.floorDecibels { return }
        noteSilence(found, best)
        if !isCompared {
            isCompared = true
            movedBy = Self.move(from: previous, to: found)
            flaws.set(.movedChannels, movedBy != 0)
        }
        signature = found
    }

    @_noLocks @_noAllocation
    private mutating func noteSilence(_ found: Signature, _ best: Int) {
        if heard < 0 { return }
        let isSilent =
            found.levels[heard] < found.levels[best] - Self.silentDecibels
            || (found.levels[heard] <= Level.floorDecibels && found.levels[best] > -80)
        silent = isSilent ? silent &+ 1 : 0
        if silent >= Self.silentSurveys {
            flaws.set(.silentChannel, true)
            loudest = best
        } else if silent == 0 {
            flaws.set(.silentChannel, false)
        }
    }

    /// By how many places the channels have moved up; 0 when they have not, or when nothing says so clearly.
    @_noLocks @_noAllocation
    static func move(from old: Signature, to new: Signature) -> Int {
        if old.count != new.count || old.count < 2 { return 0 }
        if distance(old, new, movedBy: 0) < differentDecibels { return 0 }
        var best = 0
        var least = alikeDecibels
        var k = 1
        while k < old.count {
            let distance = distance(old, new, movedBy: k)
            if distance < least { (best, least) = (k, distance) }
            k &+= 1
        }
        return best
    }

    /// The most by which a channel differs from itself, once what all have in common is taken out (the room).
    @_noLocks @_noAllocation
    private static func distance(_ old: Signature, _ new: Signature, movedBy k: Int) -> Float {
        let n = old.count
        var common: Float = 0
        var living = 0
        var most: Float = 0
        var c = 0
        while c < n {
            let (before, after) = (old.levels[c], new.levels[(c &+ k) % n])
            let isDead = before <= Level.floorDecibels, isDeadNow = after <= Level.floorDecibels
            if isDead != isDeadNow { most = max(most, differentDecibels) }
            if !isDead && !isDeadNow {
                common += after - before
                living &+= 1
            }
            most = max(most, (new.offsets[(c &+ k) % n] - old.offsets[c]).magnitude)
            c &+= 1
        }
        if living == 0 { return most }
        common /= Float(living)
        c = 0
        while c < n {
            let (before, after) = (old.levels[c], new.levels[(c &+ k) % n])
            if before > Level.floorDecibels, after > Level.floorDecibels {
                most = max(most, (after - before - common).magnitude)
            }
            c &+= 1
        }
        return most
    }
}

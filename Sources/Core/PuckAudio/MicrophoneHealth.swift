/// What is wrong with a microphone that works. No `OptionSet`: its generic methods are nothing for a real-time thread.
public struct MicrophoneFlaws: BitwiseCopyable, Equatable, Sendable {
    public private(set) var rawValue: UInt8

    @_noLocks @_noAllocation
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    @_noLocks @_noAllocation
    public func contains(_ other: Self) -> Bool { rawValue & other.rawValue == other.rawValue }

    @_noLocks @_noAllocation
    mutating func set(_ other: Self, _ isSet: Bool) {
        rawValue = isSet ? rawValue | other.rawValue : rawValue & ~other.rawValue
    }

    public static var none: Self { @_noLocks @_noAllocation get { Self(rawValue: 0) } }
    /// A constant offset of −40 dBFS or more. It is taken out, and costs nothing but headroom.
    public static var offset: Self { @_noLocks @_noAllocation get { Self(rawValue: 1) } }
    /// Speech comes, below the least level that counts as speech.
    public static var quiet: Self { @_noLocks @_noAllocation get { Self(rawValue: 2) } }
    /// The converter is driven beyond its range.
    public static var clipping: Self { @_noLocks @_noAllocation get { Self(rawValue: 4) } }
    /// The gain in software drives the samples beyond their range, the converter does not.
    public static var overdriven: Self { @_noLocks @_noAllocation get { Self(rawValue: 8) } }
    /// The channel that is heard is silent, another one carries sound.
    public static var silentChannel: Self { @_noLocks @_noAllocation get { Self(rawValue: 16) } }
    /// The channels came in another order than at the last opening.
    public static var movedChannels: Self { @_noLocks @_noAllocation get { Self(rawValue: 32) } }
}

/// Judges an open microphone by its periods, with hysteresis, so that each flaw is one line of a log and not many.
/// Plain values; runs on the capture thread, time comes with the frames.
public struct MicrophoneHealth: BitwiseCopyable, Sendable {
    /// −40.2 dBFS, of a sample at the top of 32 bits: what a microphone without a flaw stays below.
    static var offsetLimit: Int32 { @_noLocks @_noAllocation get { 21_000_000 } }
    /// An offset must last for so long: the filter settles in 50 ms, a supply in half a second.
    static var offsetMilliseconds: Int { @_noLocks @_noAllocation get { 1000 } }
    /// Samples at the limit that make a period a clipped one: fewer are a peak that just fits.
    static var samplesAtLimit: Int { @_noLocks @_noAllocation get { 4 } }
    /// Clipped periods within `clippingWindow` that are a flaw: one is a door, or a touch.
    static var clippedPeriods: Int { @_noLocks @_noAllocation get { 5 } }
    static var clippingWindowMilliseconds: Int { @_noLocks @_noAllocation get { 10_000 } }
    /// Without a further clipped period it is over.
    static var clippingEndsMilliseconds: Int { @_noLocks @_noAllocation get { 60_000 } }

    private let rate: Int
    private var offsetTime = 0
    private var converter = Clipping()
    private var gain = Clipping()
    public private(set) var flaws = MicrophoneFlaws.none

    private struct Clipping: BitwiseCopyable, Sendable {
        var isFound = false
        /// Of the window, and the time in it, or since the last one once it is found.
        var periods = 0
        var time = 0

        @_noLocks @_noAllocation
        mutating func take(milliseconds: Int, atLimit: Int) {
            let isClipped = atLimit >= MicrophoneHealth.samplesAtLimit
            time &+= milliseconds
            if isFound {
                if isClipped { time = 0 }
                if time >= MicrophoneHealth.clippingEndsMilliseconds { self = Clipping() }
                return
            }
            if isClipped { periods &+= 1 }
            if periods >= MicrophoneHealth.clippedPeriods {
                isFound = true
                time = 0
            } else if time >= MicrophoneHealth.clippingWindowMilliseconds {
                self = Clipping()
            }
        }
    }

    /// - Parameter rate: of the device, Hz.
    @_noLocks @_noAllocation
    public init(rate: Int) { self.rate = rate }

    /// Looks at one period.
    /// - Parameters:
    ///   - frames: of the period.
    ///   - offset: of a sample at the top of 32 bits.
    ///   - atLimit: samples of the converter that are as large as can be.
    ///   - overdriven: samples that are so after the gain.
    ///   - isQuiet: the wake detector's `hearsTooLittle`.
    ///   - channels: what `ChannelSurvey` has found.
    /// - Returns: whether `flaws` changed.
    @_noLocks @_noAllocation
    public mutating func take(
        frames: Int, offset: Int32, atLimit: Int, overdriven: Int, isQuiet: Bool, channels: MicrophoneFlaws
    ) -> Bool {
        let milliseconds = frames &* 1000 / rate
        var found = channels
        // Half of the limit, 6 dB less, once it is found.
        let limit = flaws.contains(.offset) ? Self.offsetLimit / 2 : Self.offsetLimit
        let isBeyond = offset > limit || offset < 0 &- limit
        offsetTime = isBeyond == flaws.contains(.offset) ? 0 : offsetTime &+ milliseconds
        let hasOffset = offsetTime >= Self.offsetMilliseconds ? isBeyond : flaws.contains(.offset)
        found.set(.offset, hasOffset)
        converter.take(milliseconds: milliseconds, atLimit: atLimit)
        gain.take(milliseconds: milliseconds, atLimit: atLimit >= Self.samplesAtLimit ? 0 : overdriven)
        found.set(.clipping, converter.isFound)
        found.set(.overdriven, gain.isFound)
        found.set(.quiet, isQuiet)
        if found.rawValue == flaws.rawValue { return false }
        flaws = found
        return true
    }
}

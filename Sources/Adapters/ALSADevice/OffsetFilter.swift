/// Takes a constant offset out of a microphone's samples, before any gain: a first-order high-pass filter,
/// y = x − m, m += y / 2^shift, in fixed point.
///
/// **Cut-off.** I2S microphones without a high-pass filter of their own (SPH0645LM4H and its like) deliver an offset of
/// up to a few percent of full scale. The cut-off lies between 15 and 30 Hz at every rate: below the lowest voice
/// (80 Hz, which loses 0.6 dB at most), and with a time constant of 5 to 11 ms, so that a step of the offset is over
/// within 80 ms, before the wake detector's default onset.
///
/// **No transient at the start.** The filter starts with the mean of the first period that is not zero. Runs of exact
/// zeros stay zeros and do not move it: a microphone that drops out for a moment comes back without a step.
///
/// **No limit cycle.** The state keeps `shift` bits more than a sample, and the remainder is carried on: a constant
/// input ends in an output of exactly 0.
struct OffsetFilter: BitwiseCopyable {
    private let shift: Int32
    /// Frames of exact zeros that are no sound: 1 ms.
    private let zeroRun: Int
    /// The offset times 2^shift, of a sample at the top of 32 bits.
    private var state: Int64 = 0
    private var isStarted = false
    private var endedInZeros = false

    /// - Parameter rate: of the device, 8,000…192,000 Hz.
    init(rate: Int) {
        // rate / (2π · 2^shift) ≤ 30 Hz
        var shift: Int32 = 5
        while rate > 188 << Int(shift) { shift += 1 }
        self.shift = shift
        zeroRun = max(1, rate / 1000)
    }

    /// The offset, of a sample at the top of 32 bits.
    var offset: Int32 {
        @_noLocks @_noAllocation get { Int32(truncatingIfNeeded: state &>> Int64(truncatingIfNeeded: shift)) }
    }

    /// The device was stopped and started again: the next sound starts it anew.
    @_noLocks @_noAllocation
    mutating func restart() { isStarted = false }

    /// As `monoSamples`, without the offset.
    @_noLocks @_noAllocation
    mutating func monoSamples(
        from source: UnsafeRawPointer, format: SampleFormat, channels: Int, frames: Int, choice: ChannelChoice,
        gain: Int32, into samples: UnsafeMutablePointer<Int16>
    ) {
        let input = MonoInput(source, format: format, channels: channels, choice: choice)
        var start = 0
        while start < frames, input.isZero(start) { start &+= 1 }
        if start < zeroRun, !endedInZeros, start < frames { start = 0 }
        var end = frames
        while end > start, input.isZero(end &- 1) { end &-= 1 }
        endedInZeros = start == frames || frames &- end >= zeroRun
        if !endedInZeros { end = frames }
        fill(samples, 0, start)
        fill(samples, end, frames)
        if start == end { return }
        if !isStarted {
            isStarted = true
            state = input.mean(start, end) &<< Int64(truncatingIfNeeded: shift)
        }
        if case .s16 = format, gain == unityGain, !input.isMix {
            var narrow = Int32(truncatingIfNeeded: state &>> 16)
            filterNarrow(input.frame(start), input.stride, end &- start, shift, &narrow, samples + start)
            state = Int64(narrow) &<< 16
        } else {
            filterWide(input, start, end, shift, gain, &state, samples)
        }
    }
}

/// A device's frames as one channel of samples at the top of 32 bits.
private struct MonoInput: BitwiseCopyable {
    let base: UnsafeRawPointer
    let format: SampleFormat
    let channels: Int
    let size: Int
    let isMix: Bool

    @_noLocks @_noAllocation
    init(_ source: UnsafeRawPointer, format: SampleFormat, channels: Int, choice: ChannelChoice) {
        let channel = min(Int(truncatingIfNeeded: choice.index), channels &- 1)
        isMix = channel < 0 && channels > 1
        size = format.sampleBytes
        base = source + max(0, channel) &* size
        self.format = format
        self.channels = channels
    }

    var stride: Int { @_noLocks @_noAllocation get { size &* channels } }

    @inline(__always) @_noLocks @_noAllocation
    func frame(_ i: Int) -> UnsafeRawPointer { base + i &* stride }

    @inline(__always) @_noLocks @_noAllocation
    func sample(_ i: Int) -> Int64 {
        let frame = frame(i)
        var sum = Int64(loadSample(frame, format))
        if !isMix { return sum }
        var k = 1
        while k < channels {
            sum &+= Int64(loadSample(frame + k &* size, format))
            k &+= 1
        }
        return sum / Int64(truncatingIfNeeded: channels)
    }

    @inline(__always) @_noLocks @_noAllocation
    func isZero(_ i: Int) -> Bool {
        var k = 0
        while k < (isMix ? channels : 1) {
            if loadSample(frame(i) + k &* size, format) != 0 { return false }
            k &+= 1
        }
        return true
    }

    @_noLocks @_noAllocation
    func mean(_ start: Int, _ end: Int) -> Int64 {
        var sum: Int64 = 0
        var i = start
        while i < end {
            sum &+= sample(i)
            i &+= 1
        }
        return sum / Int64(truncatingIfNeeded: end &- start)
    }
}

@_noLocks @_noAllocation
private func fill(_ samples: UnsafeMutablePointer<Int16>, _ start: Int, _ end: Int) {
    var i = start
    while i < end {
        samples[i] = 0
        i &+= 1
    }
}

/// The common case: 16 bits without gain, in 32 bits (15 of the sample, 10 of the longest shift).
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
private func filterNarrow(
    _ source: UnsafeRawPointer, _ stride: Int, _ count: Int, _ shift: Int32, _ state: inout Int32,
    _ samples: UnsafeMutablePointer<Int16>
) {
    var frame = source
    var m = state
    var i = 0
    while i < count {
        let y = Int32(Int16(littleEndian: frame.loadUnaligned(as: Int16.self))) &- (m &>> shift)
        m &+= y
        samples[i] = Int16(truncatingIfNeeded: max(-32_768, min(32_767, y)))
        frame += stride
        i &+= 1
    }
    state = m
}

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
private func filterWide(
    _ input: MonoInput, _ start: Int, _ end: Int, _ shift: Int32, _ gain: Int32, _ state: inout Int64,
    _ samples: UnsafeMutablePointer<Int16>
) {
    let wideShift = Int64(truncatingIfNeeded: shift)
    var m = state
    var i = start
    while i < end {
        let y = input.sample(i) &- (m &>> wideShift)
        m &+= y
        samples[i] = narrowed(gain == unityGain ? y : (y &* Int64(gain)) &>> 16)
        i &+= 1
    }
    state = m
}

/// Which of a device's channels is listened to.
public struct ChannelChoice: BitwiseCopyable, Equatable, Sendable {
    let index: Int32

    /// One channel, counted from 0; a number that the device does not have means its last.
    @_noLocks @_noAllocation
    public static func channel(_ index: Int) -> ChannelChoice {
        ChannelChoice(index: Int32(truncatingIfNeeded: max(0, min(index, 7))))
    }

    /// Counted from 0; −1 for the average of all.
    public var number: Int { @_noLocks @_noAllocation get { Int(index) } }

    /// The average of all channels.
    public static var mix: ChannelChoice { @_noLocks @_noAllocation get { ChannelChoice(index: -1) } }
}

/// 1.0 as a gain or volume: 16 bits behind the point.
public var unityGain: Int32 { @_noLocks @_noAllocation get { 65_536 } }

/// Interleaved device frames to mono. Samples are taken at the top of 32 bits, rounded to the nearest and saturated.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func monoSamples(
    from source: UnsafeRawPointer, format: SampleFormat, channels: Int, frames: Int, choice: ChannelChoice, gain: Int32,
    into samples: UnsafeMutablePointer<Int16>
) {
    let channel = min(Int(truncatingIfNeeded: choice.index), channels &- 1)
    let isMix = channel < 0 && channels > 1
    let size = format.sampleBytes
    let stride = size &* channels
    var frame = source + (isMix ? 0 : max(0, channel) &* size)
    var i = 0
    if case .s16 = format, gain == unityGain, !isMix {
        // The common case, a copy.
        while i < frames {
            samples[i] = Int16(littleEndian: frame.loadUnaligned(as: Int16.self))
            frame += stride
            i &+= 1
        }
        return
    }
    while i < frames {
        var value = Int64(loadSample(frame, format))
        if isMix {
            var sum = value
            var k = 1
            while k < channels {
                sum &+= Int64(loadSample(frame + k &* size, format))
                k &+= 1
            }
            value = sum / Int64(truncatingIfNeeded: channels)
        }
        samples[i] = narrowed(gain == unityGain ? value : (value &* Int64(gain)) &>> 16)
        frame += stride
        i &+= 1
    }
}

/// Whether every sample of the channel (of all, for the mix) is exactly 0. Ends at the first that is not.
@_noLocks @_noAllocation
func isZero(
    _ source: UnsafeRawPointer, format: SampleFormat, channels: Int, frames: Int, choice: ChannelChoice
) -> Bool {
    let channel = min(Int(truncatingIfNeeded: choice.index), channels &- 1)
    let size = format.sampleBytes
    let step = channel < 0 ? 1 : channels
    var i = max(0, channel)
    while i < frames &* channels {
        if loadSample(source + i &* size, format) != 0 { return false }
        i &+= step
    }
    return true
}

/// Mono samples to interleaved device frames, the same on each channel.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func deviceFrames(
    from samples: UnsafePointer<Int16>, count: Int, volume: Int32, format: SampleFormat, channels: Int,
    into frames: UnsafeMutableRawPointer
) {
    let size = format.sampleBytes
    var to = frames
    var i = 0
    while i < count {
        // A sample at the top of 32 bits, times a multiplier with 16 bits behind the point.
        let value = max(Int64(Int32.min), min(Int64(Int32.max), Int64(samples[i]) &* Int64(volume)))
        var k = 0
        while k < channels {
            storeSample(value, to, format)
            to += size
            k &+= 1
        }
        i &+= 1
    }
}

/// A sample moved up to the top of 32 bits.
@inline(__always) @_noLocks @_noAllocation
func loadSample(_ at: UnsafeRawPointer, _ format: SampleFormat) -> Int32 {
    switch format {
    case .s16:
        return Int32(Int16(littleEndian: at.loadUnaligned(as: Int16.self))) &<< 16
    case .s24:
        return Int32(littleEndian: at.loadUnaligned(as: Int32.self)) &<< 8
    case .s24Packed:
        let low = UInt32(at.load(as: UInt8.self)) &<< 8
        let middle = UInt32((at + 1).load(as: UInt8.self)) &<< 16
        let high = UInt32((at + 2).load(as: UInt8.self)) &<< 24
        return Int32(truncatingIfNeeded: low | middle | high)
    case .s32:
        return Int32(littleEndian: at.loadUnaligned(as: Int32.self))
    }
}

@inline(__always) @_noLocks @_noAllocation
private func storeSample(_ value: Int64, _ to: UnsafeMutableRawPointer, _ format: SampleFormat) {
    switch format {
    case .s16:
        to.storeBytes(of: narrowed(value).littleEndian, as: Int16.self)
    case .s24:
        to.storeBytes(of: Int32(truncatingIfNeeded: rounded24(value)).littleEndian, as: Int32.self)
    case .s24Packed:
        let bits = rounded24(value)
        to.storeBytes(of: UInt8(truncatingIfNeeded: bits), as: UInt8.self)
        (to + 1).storeBytes(of: UInt8(truncatingIfNeeded: bits &>> 8), as: UInt8.self)
        (to + 2).storeBytes(of: UInt8(truncatingIfNeeded: bits &>> 16), as: UInt8.self)
    case .s32:
        to.storeBytes(of: Int32(truncatingIfNeeded: value).littleEndian, as: Int32.self)
    }
}

/// 32 bits to 16: rounded to the nearest, halves up, and saturated.
@inline(__always) @_noLocks @_noAllocation
func narrowed(_ value: Int64) -> Int16 {
    Int16(truncatingIfNeeded: max(-32_768, min(32_767, (value &+ 32_768) &>> 16)))
}

@inline(__always) @_noLocks @_noAllocation
private func rounded24(_ value: Int64) -> Int64 { max(-8_388_608, min(8_388_607, (value &+ 128) &>> 8)) }

/// What one channel of a period was like, in its first 16 bits, before any gain or filter.
public struct ChannelMeasure: BitwiseCopyable, Equatable, Sendable {
    public var frames = 0
    public var sum: Int64 = 0
    public var sumOfSquares: Int64 = 0
    /// Samples that are as large as a sample can be.
    public var atLimit = 0

    @_noLocks @_noAllocation
    public init() {}

    @_noLocks @_noAllocation
    public mutating func add(_ other: ChannelMeasure) {
        frames &+= other.frames
        sum &+= other.sum
        sumOfSquares &+= other.sumOfSquares
        atLimit &+= other.atLimit
    }
}

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func measureChannel(
    _ source: UnsafeRawPointer, format: SampleFormat, channels: Int, frames: Int, channel: Int
) -> ChannelMeasure {
    let stride = format.sampleBytes &* channels
    var frame = source + min(max(0, channel), channels &- 1) &* format.sampleBytes
    var measure = ChannelMeasure()
    measure.frames = frames
    var i = 0
    while i < frames {
        let value = Int64(loadSample(frame, format) &>> 16)
        measure.sum &+= value
        measure.sumOfSquares &+= value &* value
        if value >= 32_767 || value <= -32_767 { measure.atLimit &+= 1 }
        frame += stride
        i &+= 1
    }
    return measure
}

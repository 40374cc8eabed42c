import Synchronization

/// Ties ring positions to the monotonic clock: `time(p) = origin + p · 62.5 µs` at 16 kHz.
///
/// The capture thread observes (position, time) once a period. A period is never read *early*, only late, so the
/// smallest origin is the truest; the estimate follows smaller ones at once and larger ones slowly, by at most 125 ppm
/// (more than any sound card's crystal drifts; typical is ±50 ppm), so that scheduling delays do not shift it.
public struct SampleClock: @unchecked Sendable {  // Sound: one atomic word.
    /// 16 kHz.
    public static var nanosecondsPerSample: Int64 { @_noLocks @_noAllocation get { 62_500 } }
    static var driftPartsPerMillion: Int64 { @_noLocks @_noAllocation get { 125 } }

    private let origin: UnsafeMutablePointer<Atomic<Int64>>

    public init() {
        origin = .allocate(capacity: 1)
        origin.initialize(to: Atomic(.max))
    }

    /// Frees the memory. No copy of this clock may be used afterwards.
    public func destroy() {
        origin.deinitialize(count: 1)
        origin.deallocate()
    }

    /// Capture thread: the sample before `position` had been captured at `nanoseconds` at the latest.
    @_noLocks @_noAllocation
    public func observe(position: Int64, at nanoseconds: Int64, samplesSinceLast: Int) {
        let measured = nanoseconds &- position &* Self.nanosecondsPerSample
        let known = origin.pointee.load(ordering: .relaxed)
        if measured <= known {
            origin.pointee.store(measured, ordering: .releasing)
            return
        }
        let elapsed = Int64(truncatingIfNeeded: samplesSinceLast) &* Self.nanosecondsPerSample
        let leak = elapsed &* Self.driftPartsPerMillion / 1_000_000
        origin.pointee.store(min(measured, known &+ leak), ordering: .releasing)
    }

    /// Forgets the estimate: after a reopened device the relation starts anew.
    @_noLocks @_noAllocation
    public func reset() { origin.pointee.store(.max, ordering: .releasing) }

    /// When the sample at `position` was captured, in nanoseconds of the monotonic clock; nil before the first period.
    public func time(of position: Int64) -> Int64? {
        let known = origin.pointee.load(ordering: .acquiring)
        return known == .max ? nil : known &+ position &* Self.nanosecondsPerSample
    }
}

import Synchronization

// A ring whose producer must not overwrite what has not been played. The playback path uses it: the loop thread writes
// only as much as there is `room`, the playback thread reads and says how far it got.

extension RingProducer {
    /// Samples that can be written without overwriting anything that the one consumer has not consumed.
    public var room: Int {
        @_noLocks @_noAllocation get { max(0, storage.capacity &- Int(truncatingIfNeeded: position &- consumed)) }
    }

    /// How far the consumer got.
    public var consumed: Int64 {
        @_noLocks @_noAllocation get { storage.consumer.pointee.consumed.load(ordering: .acquiring) }
    }

    /// Asks the consumer to say "wake" as soon as it has consumed up to `position`.
    /// - Returns: false when it already has.
    @_noLocks @_noAllocation
    public func requestWake(whenConsumed position: Int64) -> Bool {
        let line = storage.consumer
        line.pointee.wakeAtConsumed.store(position, ordering: .sequentiallyConsistent)
        if line.pointee.consumed.load(ordering: .sequentiallyConsistent) < position { return true }
        line.pointee.wakeAtConsumed.store(.max, ordering: .relaxed)
        return false
    }
}

extension RingReader {
    /// Says that everything before this reader's position is done with and may be overwritten.
    /// - Returns: true when the producer wants to be woken now; the caller then signals, once.
    @_noLocks @_noAllocation
    public func releaseConsumed() -> Bool {
        let line = storage.consumer
        line.pointee.consumed.store(position, ordering: .sequentiallyConsistent)
        if position < line.pointee.wakeAtConsumed.load(ordering: .sequentiallyConsistent) { return false }
        line.pointee.wakeAtConsumed.store(.max, ordering: .relaxed)
        return true
    }
}

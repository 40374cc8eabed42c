import PuckBase
import Synchronization

/// How a thread shows that it goes on; see `PulseWatch`. A plain pointer, so that beating retains nothing; whoever made
/// it destroys it after its thread.
public struct Pulse: @unchecked Sendable {  // Sound: every shared word is atomic.
    struct Words: ~Copyable {
        let beats = Atomic<Int>(0)
        let resting = Atomic<Bool>(false)
    }

    private let words: UnsafeMutablePointer<Words>

    public init() {
        words = .allocate(capacity: 1)
        words.initialize(to: Words())
    }

    /// Only once no thread uses it any more.
    public func destroy() {
        words.deinitialize(count: 1)
        words.deallocate()
    }

    /// Its thread: something was done. Ends a rest.
    @_noLocks @_noAllocation
    public func beat() {
        words.pointee.beats.wrappingAdd(1, ordering: .relaxed)
        words.pointee.resting.store(false, ordering: .relaxed)
    }

    /// Its thread: about to wait for work that need not come, until the next `beat`.
    @_noLocks @_noAllocation
    public func rest() { words.pointee.resting.store(true, ordering: .relaxed) }

    /// Any thread.
    public var reading: PulseWatch.Reading {
        PulseWatch.Reading(
            beats: words.pointee.beats.load(ordering: .relaxed),
            isResting: words.pointee.resting.load(ordering: .relaxed))
    }
}

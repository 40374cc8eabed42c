import AudioRing
import LinuxIO
import Synchronization

/// What the loop tells an audio thread, and what it can read from it at any time: single atomic words, never a lock.
/// Plain pointers, so that using them on the audio threads retains nothing; whoever made them destroys them after
/// its thread.
struct CaptureControls: @unchecked Sendable {  // Sound: every shared word is atomic.
    struct Words: ~Copyable {
        let stop = Atomic<Bool>(false)
        let muted = Atomic<Bool>(false)
        /// Monotonic nanoseconds of the last unmuting; written before `muted` is cleared.
        let unmutedAt = Atomic<Int64>(0)
        /// Centibels (a hundredth of a decibel), for meters.
        let level = Atomic<Int>(-9000)
        let noise = Atomic<Int>(-9000)
        /// Of the microphone, of a sample at the top of 32 bits.
        let offset = Atomic<Int>(0)
        /// `MicrophoneFlaws`; written after the two below.
        let flaws = Atomic<Int>(0)
        let loudestChannel = Atomic<Int>(0)
        let movedBy = Atomic<Int>(0)
        /// Periods delivered since the start: proof of life.
        let periods = Atomic<Int64>(0)
        let finished = Atomic<Bool>(false)
    }

    let words: UnsafeMutablePointer<Words>
    /// Beats with each period, and with each attempt to open: a microphone that is missing is a fault, not a thread that
    /// stands still.
    let pulse = Pulse()

    init() {
        words = .allocate(capacity: 1)
        words.initialize(to: Words())
    }

    /// Only once no thread uses them any more.
    func destroy() {
        words.deinitialize(count: 1)
        words.deallocate()
        pulse.destroy()
    }
}

struct PlaybackControls: @unchecked Sendable {  // Sound: every shared word is atomic.
    struct Words: ~Copyable {
        let stop = Atomic<Bool>(false)
        /// Everything that the thread should play before it may rest; `.max` while more is on its way.
        let endPosition = Atomic<Int64>(0)
        /// See `discard`.
        fileprivate let discardBefore = Atomic<Int64>(.min)
        /// Loudness as a factor of 65,536.
        let volume = Atomic<Int>(65_536)
        /// The last sample that has left the loudspeaker, plus one.
        let heard = Atomic<Int64>(0)
        let underruns = Atomic<Int64>(0)
        let finished = Atomic<Bool>(false)
    }

    let words: UnsafeMutablePointer<Words>
    /// Beats while something is played; rests while there is nothing to play.
    let pulse = Pulse()

    init() {
        words = .allocate(capacity: 1)
        words.initialize(to: Words())
    }

    /// Only once no thread uses them any more.
    func destroy() {
        words.deinitialize(count: 1)
        words.deallocate()
        pulse.destroy()
    }

    /// Loop: samples before `position` are to be skipped, and what the device holds dropped.
    func discard(before position: Int64) { words.pointee.discardBefore.store(position, ordering: .releasing) }

    /// Playback thread: the last `discard` that was not served yet; `.min` when there is none.
    var wantedDiscard: Int64 { @_noLocks @_noAllocation get { words.pointee.discardBefore.load(ordering: .acquiring) } }

    /// Playback thread: the discard of this position has been seen to; a later one, which may have come in the meantime,
    /// is not.
    @_noLocks @_noAllocation
    func servedDiscard(_ position: Int64) {
        _ = words.pointee.discardBefore.compareExchange(expected: position, desired: .min, ordering: .relaxed)
    }
}

/// Hands a value (why an open failed, what was negotiated) from an audio thread that has no running device to the loop,
/// which logs it. One place: what comes before the last was read is the same news.
final class HandOver<Value>: @unchecked Sendable {  // Sound: `value` is only touched by whoever `isFull` says owns it.
    private let isFull = Atomic<Bool>(false)
    private var value: Value?

    /// Audio thread, outside its real-time loop.
    func put(_ value: Value) {
        if isFull.load(ordering: .acquiring) { return }
        self.value = value
        isFull.store(true, ordering: .releasing)
    }

    /// Loop thread.
    func take() -> Value? {
        guard isFull.load(ordering: .acquiring) else { return nil }
        let taken = value
        value = nil
        isFull.store(false, ordering: .releasing)
        return taken
    }
}

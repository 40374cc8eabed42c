import AudioRing
import LinuxIO
import Synchronization

/// What the capture thread tells the ear, and what the ear counts: single atomic words. Plain pointers, as
/// `CaptureControls`; they outlive every ear.
struct EarControls: @unchecked Sendable {  // Sound: every shared word is atomic.
    struct Words: ~Copyable {
        /// Ring position at which the gate opened last; written before the ear is woken.
        let openedAt = Atomic<Int64>(0)
        /// Counts what ends a hearing: the microphone was muted, or opened anew.
        let interruptions = Atomic<Int>(0)
        let stop = Atomic<Bool>(false)
        /// Something sounds that can be stopped: the stop word is listened for.
        let sounds = Atomic<Bool>(false)
        /// Samples that were overwritten before the ear came to them.
        let missed = Atomic<Int64>(0)
        /// Samples that it has listened to.
        let heard = Atomic<Int64>(0)
    }

    let words: UnsafeMutablePointer<Words>
    /// Beats while it listens, rests while there is nothing to listen to.
    let pulse = Pulse()
    /// What the ear has to say: near misses, and that it fell behind.
    let mailbox = Mailbox(capacity: 16)

    init() {
        words = .allocate(capacity: 1)
        words.initialize(to: Words())
    }

    /// Only once no thread uses them any more.
    func destroy() {
        words.deinitialize(count: 1)
        words.deallocate()
        pulse.destroy()
        mailbox.destroy()
    }
}

/// The capture thread's end of the ear: wakes it while there is something to hear. Plain values only.
struct EarBell {
    let controls: EarControls
    let signaller: EventSignaller
    private var isOpen = false

    init(controls: EarControls, signaller: EventSignaller) {
        self.controls = controls
        self.signaller = signaller
    }

    /// After each period.
    /// - Parameter start: of the period, in the ring.
    @_noLocks @_noAllocation
    mutating func periodEnded(isOpen: Bool, start: Int64) {
        if isOpen {
            if !self.isOpen { controls.words.pointee.openedAt.store(start, ordering: .releasing) }
            signaller.signal()
        }
        self.isOpen = isOpen
    }

    /// What was heard before is not to be put together with what comes.
    @_noLocks @_noAllocation
    mutating func interrupt() {
        controls.words.pointee.interruptions.wrappingAdd(1, ordering: .releasing)
        isOpen = false
    }
}

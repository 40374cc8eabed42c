import Synchronization

/// One thing that a real-time thread has to tell the loop. A plain value without references, the same for all kinds,
/// so that a mailbox of them needs neither generics nor allocation.
public struct AudioEvent: BitwiseCopyable, Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// The wake detector fired. `position`: onset; the three levels are set.
        case wake
        /// The device overran (capture) or ran dry (playback). `count`: missing samples at 16 kHz.
        case xrun
        /// The machine was suspended under the device. `count` as for `xrun`.
        case suspended
        /// The device failed. `count`: the fault's kind, as the device's module numbers them.
        case deviceLost
        /// What is open delivers, and nothing that it was closed for the last time has been seen again.
        case deviceWorks
        /// The device is open and running. `count`: how often it has been opened.
        case deviceOpened
        /// What is known of the microphone's flaws has changed; it stands in the shared words.
        case microphoneJudged
        /// Everything up to `position` has been played.
        case played
        /// Playback was told to skip to ring position `count`, and has; everything before `position` had been heard.
        case skipped
        /// In the middle of a play the ring is empty and the device has little left.
        case dry
        /// The loudspeaker's device cannot say how much it has played; the clock is taken. `count`: the errno.
        case delayUnknown
        /// A wake word came close, and did not come. `count`: which; `confidence`: how close.
        case nearMiss
        /// The wake words' thread could not follow. `count`: samples that it has not heard.
        case earBehind
    }

    public var kind: Kind
    /// Absolute ring position.
    public var position: Int64
    public var count: Int64
    /// dB relative to full scale (signal), the same (noise), and 0…1.
    public var levelDecibels: Float
    public var noiseDecibels: Float
    public var confidence: Float

    @_noLocks @_noAllocation
    public init(
        _ kind: Kind, position: Int64, count: Int64 = 0, levelDecibels: Float = 0, noiseDecibels: Float = 0,
        confidence: Float = 0
    ) {
        self.kind = kind
        self.position = position
        self.count = count
        self.levelDecibels = levelDecibels
        self.noiseDecibels = noiseDecibels
        self.confidence = confidence
    }
}

/// A small single-producer single-consumer queue of `AudioEvent`s from a real-time thread to the loop. Never blocks; when it is full the new
/// value is refused and counted, since the older ones are the cause and the newer the consequence.
///
/// Sound to share: a slot is written before its index is published (release) and read after (acquire).
public struct Mailbox: @unchecked Sendable {
    struct Indices: ~Copyable {
        let written = Atomic<Int64>(0)
        let read = Atomic<Int64>(0)
        let refused = Atomic<Int64>(0)
    }

    private let capacity: Int
    private let slots: UnsafeMutablePointer<AudioEvent>
    private let indices: UnsafeMutablePointer<Indices>

    /// Lives until `destroy`; the daemon makes its mailboxes once and keeps them.
    public init(capacity: Int) {
        precondition(capacity > 0, "a mailbox needs room for one value")
        self.capacity = capacity
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: AudioEvent(.wake, position: 0), count: capacity)
        indices = .allocate(capacity: 1)
        indices.initialize(to: Indices())
    }

    /// Frees the memory. No copy of this mailbox may be used afterwards.
    public func destroy() {
        slots.deallocate()
        indices.deinitialize(count: 1)
        indices.deallocate()
    }

    /// Producer only. False when the mailbox is full.
    @_noLocks @_noAllocation
    public func post(_ event: AudioEvent) -> Bool {
        let written = indices.pointee.written.load(ordering: .relaxed)
        if written &- indices.pointee.read.load(ordering: .acquiring) >= Int64(truncatingIfNeeded: capacity) {
            indices.pointee.refused.wrappingAdd(1, ordering: .relaxed)
            return false
        }
        slots[slot(of: written)] = event
        indices.pointee.written.store(written &+ 1, ordering: .releasing)
        return true
    }

    /// Consumer only. Nil when there is nothing.
    @_noLocks @_noAllocation
    public func take() -> AudioEvent? {
        let read = indices.pointee.read.load(ordering: .relaxed)
        if read == indices.pointee.written.load(ordering: .acquiring) { return nil }
        let event = slots[slot(of: read)]
        indices.pointee.read.store(read &+ 1, ordering: .releasing)
        return event
    }

    @_noLocks @_noAllocation
    private func slot(of index: Int64) -> Int {
        Int(truncatingIfNeeded: index % Int64(truncatingIfNeeded: capacity))
    }

    /// Values that found the mailbox full.
    public var refused: Int64 { indices.pointee.refused.load(ordering: .relaxed) }
}

import Synchronization

/// A lock-free ring of 16-bit mono samples with one producer and any number of readers.
///
/// Positions are absolute: sample number since the ring was made, 64 bits, never wrapping in practice. The producer
/// never waits and overwrites the oldest samples; a reader that was overtaken ("lapped") learns it when it reads,
/// jumps, and is told how many samples it lost. At most 16,000 samples: one second at 16 kHz (FAILURES.md row L7).
///
/// How it stays correct without a lock (Boehm, "Can seqlocks get along with programming language memory models?",
/// 2012): the producer first *claims* the positions it is about to write, then writes, then *publishes* them. A reader
/// copies what is published and afterwards looks at the claim: if the producer may by then have begun to overwrite
/// what was copied, the copy is thrown away. Samples are relaxed atomics, so that this race is defined behaviour, and
/// ThreadSanitizer agrees.
///
/// The ring is a class so that its storage has one owner; the real-time side works with `RingProducer` and
/// `RingReader`, plain values over the storage that neither retain nor release. The owner keeps the ring alive until
/// its threads have ended.
public final class AudioRing: Sendable {
    /// One second at 16 kHz; no ring is larger.
    public static let maximumCapacity = 16_000

    let storage: RingStorage

    /// - Parameter capacity: samples, 1…16,000.
    public init(capacity: Int = AudioRing.maximumCapacity) {
        storage = RingStorage(capacity: capacity)
    }

    deinit { storage.destroy() }

    /// The writing end. Exactly one thread at a time may use it.
    public var producer: RingProducer { RingProducer(storage: storage) }

    /// A new reader whose next sample is at `position`.
    public func reader(at position: Int64 = 0) -> RingReader { RingReader(storage: storage, position: position) }
}

/// The memory behind a ring: raw pointers to atomics, freely copyable, so that no real-time function touches a
/// reference count. Sound to share between threads since every shared word in it is atomic; freed by `AudioRing`.
struct RingStorage: @unchecked Sendable {
    /// The indices that the producer writes and the readers poll, on their own cache line (64 bytes on every ARMv8 and
    /// x86-64 core we run on), away from the one the consumer writes.
    struct ProducerLine: ~Copyable {
        let claimed = Atomic<Int64>(0)
        let published = Atomic<Int64>(0)
        let padding: (Int64, Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0, 0)
    }

    struct ConsumerLine: ~Copyable {
        /// The position at whose publication somebody wants to be woken; `.max` when nobody does.
        let wakeAt = Atomic<Int64>(.max)
        /// How far the one consumer of a back-pressured ring has read.
        let consumed = Atomic<Int64>(0)
        /// The consumed position at which the producer of a back-pressured ring wants to be woken.
        let wakeAtConsumed = Atomic<Int64>(.max)
        let padding: (Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0)
    }

    let capacity: Int
    let samples: UnsafeMutablePointer<Atomic<Int16>>
    let producer: UnsafeMutablePointer<ProducerLine>
    let consumer: UnsafeMutablePointer<ConsumerLine>

    init(capacity: Int) {
        precondition((1...AudioRing.maximumCapacity).contains(capacity), "a ring holds 1 to 16,000 samples")
        self.capacity = capacity
        samples = .allocate(capacity: capacity)
        for i in 0..<capacity { (samples + i).initialize(to: Atomic(0)) }
        producer = .allocate(capacity: 1)
        producer.initialize(to: ProducerLine())
        consumer = .allocate(capacity: 1)
        consumer.initialize(to: ConsumerLine())
    }

    func destroy() {
        samples.deinitialize(count: capacity)
        samples.deallocate()
        producer.deinitialize(count: 1)
        producer.deallocate()
        consumer.deinitialize(count: 1)
        consumer.deallocate()
    }

    /// Where in the sample array `position` lives.
    @_noLocks @_noAllocation
    func slot(of position: Int64) -> Int {
        Int(truncatingIfNeeded: position % Int64(truncatingIfNeeded: capacity))
    }
}

/// The writing end of a ring, for one thread at a time.
public struct RingProducer: @unchecked Sendable {  // Sound: only atomics are shared.
    let storage: RingStorage

    /// The position that the next sample will get: how many samples were written or skipped so far.
    public var position: Int64 {
        @_noLocks @_noAllocation get { storage.producer.pointee.published.load(ordering: .relaxed) }
    }

    /// Appends samples, overwriting the oldest.
    /// - Returns: true when the position that somebody wants to be woken at was reached; the caller then signals, once.
    @_noLocks @_noAllocation
    public func write(_ samples: UnsafeBufferPointer<Int16>) -> Bool {
        var offset = 0
        var wake = false
        while offset < samples.count {
            // A block longer than the ring is written in pieces, so that a claim never covers more than the ring.
            let count = min(samples.count &- offset, storage.capacity)
            if append(samples, from: offset, count: count) { wake = true }
            offset &+= count
        }
        return wake
    }

    /// Accounts for `count` samples that were lost before they could be read from the device: they keep their
    /// positions and sound as silence.
    @_noLocks @_noAllocation
    public func skip(_ count: Int64) -> Bool {
        var left = count
        var wake = false
        while left > 0 {
            let piece = min(Int(truncatingIfNeeded: min(left, 1 << 30)), storage.capacity)
            if append(nil, from: 0, count: piece) { wake = true }
            left &-= Int64(truncatingIfNeeded: piece)
        }
        return wake
    }

    /// Writes `count ≤ capacity` samples, or silence, and publishes them.
    @_noLocks @_noAllocation @_optimize(speed) @inline(never)
    private func append(_ source: UnsafeBufferPointer<Int16>?, from offset: Int, count: Int) -> Bool {
        let line = storage.producer
        let start = line.pointee.published.load(ordering: .relaxed)
        let end = start &+ Int64(truncatingIfNeeded: count)
        line.pointee.claimed.store(end, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)  // the claim is seen before any sample that it covers
        var slot = storage.slot(of: start)
        var i = 0
        while i < count {
            let run = min(count &- i, storage.capacity &- slot)
            let target = storage.samples + slot
            var k = 0
            if let source, let base = source.baseAddress {
                let from = base + (offset &+ i)
                while k < run {
                    target[k].store(from[k], ordering: .relaxed)
                    k &+= 1
                }
            } else {
                while k < run {
                    target[k].store(0, ordering: .relaxed)
                    k &+= 1
                }
            }
            i &+= run
            slot = 0
        }
        // Sequentially consistent with `RingReader.requestWake`: either that call sees these samples, or this one
        // sees the request. Nobody sleeps past a published sample.
        line.pointee.published.store(end, ordering: .sequentiallyConsistent)
        let consumer = storage.consumer
        if end < consumer.pointee.wakeAt.load(ordering: .sequentiallyConsistent) { return false }
        consumer.pointee.wakeAt.store(.max, ordering: .relaxed)
        return true
    }
}

/// What a read brought.
public struct RingRead: Equatable, Sendable {
    /// Samples copied into the caller's buffer.
    public var count: Int
    /// Samples that were overwritten before this reader came to them; it has jumped past them.
    public var lost: Int64

    @_noLocks @_noAllocation
    public init(count: Int, lost: Int64) {
        self.count = count
        self.lost = lost
    }
}

/// A reading position in a ring. Each reader belongs to one thread at a time; readers do not know of each other.
public struct RingReader: @unchecked Sendable {  // Sound: only atomics are shared; `position` is the owner's own.
    let storage: RingStorage
    /// The position of the next sample to read.
    public private(set) var position: Int64

    @_noLocks @_noAllocation
    init(storage: RingStorage, position: Int64) {
        self.storage = storage
        self.position = position
    }

    /// One past the newest sample.
    public var end: Int64 {
        @_noLocks @_noAllocation get { storage.producer.pointee.published.load(ordering: .acquiring) }
    }

    /// Samples that can be read now, without regard to lapping.
    public var fill: Int64 { @_noLocks @_noAllocation get { max(0, end &- position) } }

    /// Moves the reader; may be in the past as long as the ring still holds it (preroll).
    @_noLocks @_noAllocation
    public mutating func seek(to position: Int64) { self.position = position }

    /// Copies up to `buffer.count` samples and moves on. When the producer has overtaken this reader, it first jumps to
    /// the oldest sample that is safe, and `lost` says how many were skipped. Never waits.
    @_noLocks @_noAllocation
    public mutating func read(into buffer: UnsafeMutableBufferPointer<Int16>) -> RingRead {
        var lost: Int64 = 0
        let capacity = Int64(truncatingIfNeeded: storage.capacity)
        while true {
            let end = storage.producer.pointee.published.load(ordering: .acquiring)
            if position < end &- capacity {
                lost &+= end &- capacity &- position
                position = end &- capacity
            }
            let count = Int(truncatingIfNeeded: max(0, min(Int64(truncatingIfNeeded: buffer.count), end &- position)))
            copy(count: count, into: buffer)
            atomicMemoryFence(ordering: .acquiring)  // the claim is read after the samples
            let oldest = storage.producer.pointee.claimed.load(ordering: .relaxed) &- capacity
            if position >= oldest {
                position &+= Int64(truncatingIfNeeded: count)
                return RingRead(count: count, lost: lost)
            }
            // The producer came round while we copied. Jump to what it cannot have touched yet and try again; each
            // turn moves forward, and the producer needs a whole block's time for the next one.
            lost &+= oldest &- position
            position = oldest
        }
    }

    @_noLocks @_noAllocation @_optimize(speed) @inline(never)
    private func copy(count: Int, into buffer: UnsafeMutableBufferPointer<Int16>) {
        guard count > 0, let base = buffer.baseAddress else { return }
        var slot = storage.slot(of: position)
        var i = 0
        while i < count {
            let run = min(count &- i, storage.capacity &- slot)
            let from = storage.samples + slot
            let to = base + i
            var k = 0
            while k < run {
                to[k] = from[k].load(ordering: .relaxed)
                k &+= 1
            }
            i &+= run
            slot = 0
        }
    }

    /// Asks the producer to say "wake" as soon as `position` is published.
    /// - Returns: false when it already is: there is nothing to wait for, and the request is withdrawn.
    ///
    /// A ring has one waker: only one reader at a time may ask.
    @_noLocks @_noAllocation
    public func requestWake(at position: Int64) -> Bool {
        storage.consumer.pointee.wakeAt.store(position, ordering: .sequentiallyConsistent)
        if storage.producer.pointee.published.load(ordering: .sequentiallyConsistent) < position { return true }
        storage.consumer.pointee.wakeAt.store(.max, ordering: .relaxed)
        return false
    }

    /// Withdraws the request.
    @_noLocks @_noAllocation
    public func cancelWake() { storage.consumer.pointee.wakeAt.store(.max, ordering: .relaxed) }
}

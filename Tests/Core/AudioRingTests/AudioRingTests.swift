import CLinux
import Synchronization
import Testing

@testable import AudioRing

private func write(_ values: [Int16], to producer: RingProducer) -> Bool {
    values.withUnsafeBufferPointer { producer.write($0) }
}

private func read(_ count: Int, from reader: inout RingReader) -> (samples: [Int16], result: RingRead) {
    var samples = [Int16](repeating: 0, count: count)
    let result = samples.withUnsafeMutableBufferPointer { reader.read(into: $0) }
    return (Array(samples.prefix(result.count)), result)
}

@Suite("Audio ring")
struct AudioRingTests {
    @Test("readers follow the producer independently")
    func independentReaders() {
        let ring = AudioRing(capacity: 8)
        var early = ring.reader()
        var late = ring.reader(at: 2)
        _ = write([1, 2, 3, 4], to: ring.producer)
        #expect(read(8, from: &early).samples == [1, 2, 3, 4])
        #expect(read(8, from: &late).samples == [3, 4])
        #expect(early.fill == 0 && early.position == 4)
    }

    @Test("a lapped reader jumps to the oldest sample and learns how many it lost")
    func lapped() {
        let ring = AudioRing(capacity: 8)
        var reader = ring.reader()
        _ = write(Array(0..<21), to: ring.producer)
        let (samples, result) = read(100, from: &reader)
        #expect(result == RingRead(count: 8, lost: 13))
        #expect(samples == Array(13..<21))
    }

    @Test("preroll is a reader that starts in the past")
    func preroll() {
        let ring = AudioRing(capacity: 16)
        _ = write(Array(0..<12), to: ring.producer)
        var reader = ring.reader(at: 12 - 5)
        #expect(read(5, from: &reader).samples == [7, 8, 9, 10, 11])
    }

    @Test("missing samples keep their positions and sound as silence")
    func skip() {
        let ring = AudioRing(capacity: 8)
        var reader = ring.reader()
        _ = write([1, 2], to: ring.producer)
        _ = ring.producer.skip(3)
        _ = write([6], to: ring.producer)
        #expect(read(8, from: &reader).samples == [1, 2, 0, 0, 0, 6])
        _ = ring.producer.skip(1_000_000)
        #expect(ring.producer.position == 1_000_006)
    }

    @Test("no ring is longer than a second", .tags(.bound))
    func bound() { #expect(AudioRing.maximumCapacity == 16_000) }

    @Test("a wake is asked for once and given once")
    func wakeRequest() {
        let ring = AudioRing(capacity: 8)
        let reader = ring.reader()
        let wakes = [write([1], to: ring.producer), reader.requestWake(at: 3)]
        #expect(wakes == [false, true])
        let after = [write([2], to: ring.producer), write([3], to: ring.producer), write([4], to: ring.producer)]
        #expect(after == [false, true, false])
        #expect(!reader.requestWake(at: 4), "already there: nothing to wait for")
    }

    @Test("back pressure: room shrinks with what is written and grows with what is consumed")
    func backPressure() {
        let ring = AudioRing(capacity: 8)
        var reader = ring.reader()
        _ = write([1, 2, 3, 4, 5, 6], to: ring.producer)
        #expect(ring.producer.room == 2)
        #expect(ring.producer.requestWake(whenConsumed: 4))
        _ = read(3, from: &reader)
        let first = reader.releaseConsumed()
        _ = read(3, from: &reader)
        let second = reader.releaseConsumed()
        #expect(!first && second)
        #expect(ring.producer.room == 8)
    }
}

extension Tag { @Tag static var bound: Self }

@Suite("Mailbox")
struct MailboxTests {
    @Test("events come out in order, and a full mailbox refuses the newest")
    func order() {
        let mailbox = Mailbox(capacity: 2)
        defer { mailbox.destroy() }
        let accepted = (1...3).map { mailbox.post(AudioEvent(.xrun, position: Int64($0))) }
        #expect(accepted == [true, true, false])
        #expect(mailbox.refused == 1)
        let positions = (0..<3).map { _ in mailbox.take()?.position }
        #expect(positions == [1, 2, nil])
    }
}

@Suite("Sample clock")
struct SampleClockTests {
    @Test("a late observation does not shift the clock, an early one does")
    func jitter() {
        let clock = SampleClock()
        defer { clock.destroy() }
        #expect(clock.time(of: 0) == nil)
        clock.observe(position: 320, at: 1_020_000_000, samplesSinceLast: 320)
        #expect(clock.time(of: 0) == 1_000_000_000)
        clock.observe(position: 640, at: 1_055_000_000, samplesSinceLast: 320)  // 15 ms late
        #expect(clock.time(of: 0)! - 1_000_000_000 == 2_500, "leaks 125 ppm of 20 ms, no more")
        clock.observe(position: 960, at: 1_059_000_000, samplesSinceLast: 320)  // 1 ms early: the truth
        #expect(clock.time(of: 960) == 1_059_000_000)
    }
}

/// State that the stress threads share. The ring outlives them: `pthread_join` comes before its release.
private final class Stress: @unchecked Sendable {
    static let samples: Int64 = 100_000_000
    let ring = AudioRing(capacity: 16_000)
    let done = Atomic<Bool>(false)
    let wrong = Atomic<Int>(0)
    let seen = Atomic<Int64>(0)
    let lost = Atomic<Int64>(0)

    /// What the sample at a position must be: any mix-up of positions changes it.
    static func sample(at position: Int64) -> Int16 {
        Int16(truncatingIfNeeded: position &* 0x9E37_79B9 >> 7)
    }

    func produce() {
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: 1024)
        defer { block.deallocate() }
        var position: Int64 = 0
        var length = 1
        while position < Self.samples {
            let count = Int(min(Int64(length), Self.samples - position))
            for i in 0..<count { block[i] = Self.sample(at: position + Int64(i)) }
            _ = ring.producer.write(UnsafeBufferPointer(rebasing: block[0..<count]))
            position += Int64(count)
            length = length % 1021 + 1
        }
        done.store(true, ordering: .releasing)
    }

    func consume(blockLength: Int) {
        var reader = ring.reader()
        let block = UnsafeMutableBufferPointer<Int16>.allocate(capacity: blockLength)
        defer { block.deallocate() }
        while true {
            let ended = done.load(ordering: .acquiring)
            let result = reader.read(into: block)
            lost.wrappingAdd(result.lost, ordering: .relaxed)
            seen.wrappingAdd(Int64(result.count), ordering: .relaxed)
            let start = reader.position - Int64(result.count)
            for i in 0..<result.count where block[i] != Self.sample(at: start + Int64(i)) {
                wrong.wrappingAdd(1, ordering: .relaxed)
            }
            if ended && result.count == 0 { return }
        }
    }
}

private func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let status = pthread_create(
        &thread, nil,
        { raw in
            Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
    precondition(status == 0, "pthread_create")
    return thread
}

@Suite("Audio ring under real threads", .serialized)
struct AudioRingStressTests {
    @Test("10⁸ samples past two readers: every sample is right or counted as lost")
    func stress() {
        let stress = Stress()
        let threads = [
            startThread { stress.produce() },
            startThread { stress.consume(blockLength: 320) },
            startThread { stress.consume(blockLength: 7_777) },
        ]
        for thread in threads { pthread_join(thread, nil) }
        #expect(stress.wrong.load(ordering: .relaxed) == 0)
        let seen = stress.seen.load(ordering: .relaxed)
        let lost = stress.lost.load(ordering: .relaxed)
        #expect(seen + lost == 2 * Stress.samples)
        #expect(seen > 0)
    }
}

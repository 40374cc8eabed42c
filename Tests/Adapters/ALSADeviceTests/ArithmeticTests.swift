import Testing

@testable import ALSADevice

@Suite("Lost frames out of timestamps")
struct SegmentClockTests {
    @Test("without stamped stops, the time between two starts less what was read is missing")
    func fromStarts() {
        var clock = SegmentClock(rate: 16_000)
        clock.start(at: 5_000_000_000)
        clock.deliver(1_000)
        let missing = clock.restart(stoppedAt: 5_000_000_000, unread: 77, at: 5_100_000_000)
        #expect(missing == 600)
        #expect(clock.startedAt == 5_100_000_000 && clock.delivered == 0)
    }

    @Test("with a stamped stop, what was unread is missing and what passed until the start")
    func fromStop() {
        var clock = SegmentClock(rate: 48_000)
        clock.start(at: 1)
        clock.deliver(480)
        // Hours later by the system's clock, whose seconds the crystal does not share: only the stop counts.
        let stop: Int64 = 3_600_000_000_000
        #expect(clock.restart(stoppedAt: stop, unread: 4_800, at: stop + 10_000_000) == 4_800 + 480)
    }

    @Test("rounding does not add up over a thousand restarts")
    func remainder() {
        var clock = SegmentClock(rate: 44_100)
        clock.start(at: 1_000)
        var position: Int64 = 0
        var time: Int64 = 1_000
        for i in 0..<1_000 {
            let before = time
            time += 7_000_000 + Int64(i) * 131
            clock.deliver(100)
            position += 100
            position += clock.restart(stoppedAt: before, unread: 0, at: time)
        }
        #expect(position == Int64((Double(time - 1_000) * 44_100 / 1e9).rounded()))
    }

    @Test("days at 192 kHz do not overflow")
    func days() {
        var clock = SegmentClock(rate: 192_000)
        clock.start(at: 1)
        let week: Int64 = 7 * 86_400 * 1_000_000_000
        let missing = clock.restart(stoppedAt: 1, unread: 0, at: 1 + week)
        #expect(missing == 7 * 86_400 * 192_000)
    }

    @Test("times that contradict each other never make a negative gap")
    func contradiction() {
        var clock = SegmentClock(rate: 16_000)
        clock.start(at: 1_000_000_000)
        clock.deliver(500)
        #expect(clock.restart(stoppedAt: 1_000_000_000, unread: 0, at: 900_000_000) == 0)
    }
}

@Suite("Sample conversion")
struct ConversionTests {
    private func mono(_ values: [Int32], gain: Int32 = unityGain) -> [Int16] {
        var samples = [Int16](repeating: 0, count: values.count)
        values.withUnsafeBytes {
            monoSamples(
                from: $0.baseAddress!, format: .s32, channels: 1, frames: values.count, choice: .channel(0), gain: gain,
                into: &samples)
        }
        return samples
    }

    @Test("32 bits are rounded to the nearest and saturate")
    func narrowing() {
        #expect(mono([0x7FFF, 0x8000, -0x8000, -0x8001, .max, .min]) == [0, 1, 0, -1, 32_767, -32_768])
    }

    @Test("a gain of one half rounds, of sixty-four saturates")
    func gain() {
        #expect(mono([3 << 16, -3 << 16], gain: unityGain / 2) == [2, -1])
        #expect(mono([600 << 16, -600 << 16], gain: 64 * unityGain) == [32_767, -32_768])
    }

    @Test("every 16-bit sample survives the way through every format", arguments: SampleFormat.allCases)
    func roundTrip(_ format: SampleFormat) {
        let samples = (-32_768...32_767).map { Int16($0) }
        var frames = [UInt8](repeating: 0, count: samples.count * format.sampleBytes * 2)
        var back = [Int16](repeating: 1, count: samples.count)
        frames.withUnsafeMutableBytes { bytes in
            deviceFrames(
                from: samples, count: samples.count, volume: unityGain, format: format, channels: 2,
                into: bytes.baseAddress!)
            monoSamples(
                from: UnsafeRawPointer(bytes.baseAddress!), format: format, channels: 2, frames: samples.count,
                choice: .mix, gain: unityGain, into: &back)
        }
        #expect(back == samples)
    }

    @Test("a channel that the device does not have means its last")
    func missingChannel() {
        let frame: [Int16] = [5, 7]
        var sample: Int16 = 0
        frame.withUnsafeBytes {
            monoSamples(
                from: $0.baseAddress!, format: .s16, channels: 2, frames: 1, choice: .channel(6), gain: unityGain,
                into: &sample)
        }
        #expect(sample == 7)
    }
}

@Suite("What is still to be heard, by the clock")
struct PlayoutClockTests {
    private static let millisecond: Int64 = 1_000_000

    @Test("nothing passes before the device starts: by itself with its threshold, or by hand")
    func start() {
        var clock = PlayoutClock(rate: 16_000, capacity: 1_280, threshold: 320)
        clock.wrote(160, at: 0)
        #expect(clock.remaining(at: 50 * Self.millisecond) == 160)
        clock.started(at: 50 * Self.millisecond)
        #expect(clock.remaining(at: 55 * Self.millisecond) == 80)
        clock.stopped()
        #expect(clock.remaining(at: 55 * Self.millisecond) == 0)
        clock.wrote(320, at: 60 * Self.millisecond)
        #expect(clock.remaining(at: 70 * Self.millisecond) == 160)
        #expect(clock.remaining(at: 500 * Self.millisecond) == 0 && clock.remaining(at: .max) == 0)
    }

    @Test("a device that had no room was full, however its own clock runs")
    func full() {
        var clock = PlayoutClock(rate: 16_000, capacity: 1_280, threshold: 320)
        for _ in 0..<10 { clock.wrote(160, at: 0) }
        #expect(clock.remaining(at: 0) == 1_280, "never more than it holds")
        clock.wasFull(period: 160, at: 40 * Self.millisecond)
        #expect(clock.remaining(at: 40 * Self.millisecond) == 1_120)
        clock.wasFull(period: 160, at: 41 * Self.millisecond)
        #expect(clock.remaining(at: 41 * Self.millisecond) == 1_120)
    }
}

@Suite("The end of a sound")
struct PlayoutEndTests {
    /// Looks every 5 ms at a device that plays 80 frames in that time, and whose delay is what `device` makes of the
    /// frames that are really left. Returns the verdict and the time, ms.
    private func outcome(
        _ frames: Int, hasMadeRoom: Bool = false, _ device: (_ left: Int, _ turn: Int) -> Int
    ) -> (PlayoutEnd.Verdict, Int) {
        var end = PlayoutEnd(rate: 16_000, period: 320, hasMadeRoom: hasMadeRoom)
        for turn in 0..<4_000 {
            let left = max(0, frames - 80 * turn)
            let verdict = end.look(
                queued: device(left, turn), expected: Int64(left),
                at: 7_000_000_000 + Int64(turn) * 5_000_000)
            if verdict != .playing { return (verdict, turn * 5) }
        }
        return (.playing, 20_000)
    }

    @Test("a device that counts to 0 has ended there")
    func honest() {
        #expect(outcome(1_600) { left, _ in left } == (.ended, 100))
        // A loudspeaker behind a network: its delay goes on falling after the clock's end.
        #expect(outcome(1_600) { _, turn in max(0, 9_600 - 80 * turn) } == (.ended, 600))
    }

    @Test("where the device says nothing, the clock and a period more count")
    func silent() { #expect(outcome(1_600) { _, _ in -1 } == (.ended, 120)) }

    @Test("a delay that stays above 0 when all is over has ended, 200 ms after it last fell")
    func floor() {
        #expect(outcome(1_600) { left, _ in max(480, left) } == (.ended, 270))
        #expect(outcome(1_600) { left, _ in left + 3_200 } == (.ended, 300))
        // A long latency, which is still under way.
        #expect(outcome(1_600) { left, _ in left + 8_000 } == (.ended, 600))
        // One that never moves, behind a device that has played all but the last 100 ms.
        #expect(outcome(1_600, hasMadeRoom: true) { _, _ in 1_600 } == (.ended, 2_000))
        // In steps of a period.
        #expect(outcome(1_600) { left, _ in (left + 319) / 320 * 320 + 160 }.0 == .ended)
    }

    @Test("a delay that never settles ends, too, 5 s after the clock's end")
    func restless() { #expect(outcome(1_600) { left, turn in left + 5_000 - turn } == (.ended, 5_100)) }

    @Test("a device that stands still with sound in it is stalled after 2 s")
    func stalled() {
        #expect(outcome(6_400) { left, _ in max(left, 4_800) } == (.stalled, 2_100))
        #expect(outcome(6_400) { _, _ in 6_400 } == (.stalled, 2_000))
        // A short sound, on a device that has never been seen to move.
        #expect(outcome(800) { _, _ in 800 } == (.stalled, 2_000))
    }

    @Test("a device that has not begun is waited for, as long as one that stands still")
    func starting() {
        #expect(outcome(320) { _, turn in turn < 300 ? 320 : max(0, 320 - 80 * (turn - 300)) } == (.ended, 1_520))
    }
}

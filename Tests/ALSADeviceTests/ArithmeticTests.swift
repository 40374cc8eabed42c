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

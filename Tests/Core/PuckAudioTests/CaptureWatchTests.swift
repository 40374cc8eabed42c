import PuckAudio
import Testing

@Suite("A microphone that fails without an error") struct CaptureWatchTests {
    /// 16 kHz in periods of 20 ms.
    private static let period = 320
    private var now: Int64 = 1_000_000_000

    private func watch(
        zeros: Int = 2000, tolerance: Double = 2, doubt: CaptureWatch.Doubt = .none
    ) -> CaptureWatch {
        CaptureWatch(
            rate: 16_000, periodFrames: Self.period, zeroMilliseconds: zeros, tolerancePercent: tolerance, doubt: doubt)
    }

    /// Periods until a verdict other than `fine`, or nil after `seconds`.
    private mutating func verdict(
        _ watch: inout CaptureWatch, seconds: Double, isZero: Bool = false, isMuted: Bool = false, speed: Double = 1,
        late: (Int) -> Int64 = { _ in 0 }
    ) -> (verdict: CaptureWatch.Verdict, after: Double)? {
        let began = now
        for i in 0..<Int(seconds * 50) {
            now += Int64(20_000_000 / speed)
            let verdict = watch.take(
                frames: Self.period, isZero: isZero, isMuted: isMuted, capturedAt: now + late(i))
            if verdict != .fine, verdict != .unproven { return (verdict, Double(now - began) / 1e9) }
        }
        return nil
    }

    @Test("two seconds of zeros are a fault, a sample in between is none")
    mutating func zeros() {
        var watch = watch()
        #expect(verdict(&watch, seconds: 1.9, isZero: true) == nil)
        #expect(verdict(&watch, seconds: 0.02) == nil)
        let found = verdict(&watch, seconds: 5, isZero: true)
        #expect(found?.verdict == .zeros && abs((found?.after ?? 0) - 2) < 0.03)
    }

    @Test("zeros of a muted puck count for nothing, nor do those before")
    mutating func muted() {
        var watch = watch()
        #expect(verdict(&watch, seconds: 1.9, isZero: true) == nil)
        #expect(verdict(&watch, seconds: 60, isZero: true, isMuted: true) == nil)
        #expect(verdict(&watch, seconds: 1.9, isZero: true) == nil)
    }

    @Test("a microphone that may deliver zeros may")
    mutating func gated() {
        var watch = watch(zeros: 0)
        #expect(verdict(&watch, seconds: 60, isZero: true) == nil)
    }

    @Test("after zeros, only a sound proves the contrary")
    mutating func doubtedZeros() {
        var watch = watch(doubt: .zeros)
        #expect(watch.take(frames: Self.period, isZero: true, isMuted: false, capturedAt: 0) == .unproven)
        #expect(watch.take(frames: Self.period, isZero: false, isMuted: false, capturedAt: 0) == .fine)
        #expect(watch.take(frames: Self.period, isZero: true, isMuted: false, capturedAt: 0) == .fine)
    }

    @Test(
        "a wrong rate is found, the further off the sooner",
        arguments: [
            (1.0884, 1.2), (0.9188, 1.2), (1.05, 1.2), (0.95, 1.2), (1.03, 2), (0.97, 2), (1.025, 2), (0.975, 2),
            (1.021, 6),
            (3.0, 1.2), (0.34, 1.6),
        ])
    mutating func rate(speed: Double, within: Double) {
        var watch = watch()
        let found = verdict(&watch, seconds: 60, speed: speed)
        #expect(found?.verdict == .wrongRate && (found?.after ?? 99) <= within, "\(String(describing: found))")
    }

    @Test("a rate that goes wrong later is found as soon", arguments: [1.08, 0.92, 1.03, 0.97, 1.025, 0.975])
    mutating func laterRate(speed: Double) {
        for before in stride(from: 5.0, to: 65, by: 1.7) {
            var watch = watch()
            #expect(verdict(&watch, seconds: before) == nil)
            let found = verdict(&watch, seconds: 60, speed: speed)
            #expect(
                found?.verdict == .wrongRate && (found?.after ?? 99) <= 2, "\(before): \(String(describing: found))")
        }
    }

    @Test("40 ms that a driver loses without a word are no wrong rate")
    mutating func lost() {
        for before in stride(from: 1.0, to: 8, by: 0.34) {
            var watch = watch()
            #expect(verdict(&watch, seconds: before) == nil)
            now += 40_000_000
            let found = verdict(&watch, seconds: 60)
            #expect(found == nil, "\(before): \(String(describing: found))")
        }
    }

    @Test("a crystal's drift, and stamps that are a period late at random, are no wrong rate")
    mutating func honest() {
        for speed in [1.0, 1.0002, 0.9998, 1.015, 0.985] {
            var watch = watch()
            let found = verdict(&watch, seconds: 300, speed: speed) { Int64($0 * 7919 % 20) * 1_000_000 }
            #expect(found == nil, "\(speed): \(String(describing: found))")
        }
    }

    @Test("a gap is not a rate")
    mutating func gap() {
        var watch = watch()
        for _ in 0..<20 {
            #expect(verdict(&watch, seconds: 3) == nil)
            now += 400_000_000
        }
    }

    @Test("after a wrong rate, a right one has to last before it is believed")
    mutating func doubtedRate() {
        var watch = watch(doubt: .rate)
        var periods = 0
        while watch.take(frames: Self.period, isZero: false, isMuted: false, capturedAt: now) != .fine {
            now += 20_000_000
            periods += 1
            if periods > 500 { break }
        }
        #expect((100...200).contains(periods), "\(periods)")
    }

    @Test("a device without time stamps is not judged")
    mutating func unstamped() {
        var watch = watch()
        for _ in 0..<1000 {
            #expect(watch.take(frames: Self.period, isZero: false, isMuted: false, capturedAt: 0) == .fine)
        }
    }
}

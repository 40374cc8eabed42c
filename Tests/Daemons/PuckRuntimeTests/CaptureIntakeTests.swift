import AudioRing
import PuckAudio
import Settings
import Synchronization
import Testing

@testable import PuckRuntime

/// A microphone without a device: periods of 10 ms at 16 kHz, by hand.
private final class Microphone {
    static let frames = 160
    let ring = AudioRing()
    let clock = SampleClock()
    let mailbox = Mailbox(capacity: 8)
    let controls = CaptureControls()
    var intake: CaptureIntake
    /// Nanoseconds at which the last period ended.
    var now: Int64 = 1_000_000_000

    init(rate: Int = 16_000) throws {
        var reader = SettingsReader(layers: [SettingsDocument(overrides: ["wake.detector=level"])], mainName: "test")
        intake = CaptureIntake(
            rate: rate, wake: WakeSettings(&reader), zerosAreSilence: false, producer: ring.producer, clock: clock,
            mailbox: mailbox, controls: controls)
    }

    deinit {
        controls.destroy()
        mailbox.destroy()
        clock.destroy()
    }

    /// - Parameter amplitude: of a square wave.
    func hear(_ amplitude: Int16, milliseconds: Int, isStamped: Bool = true) {
        for _ in 0..<milliseconds / 10 {
            now += 10_000_000
            let samples = (0..<Self.frames).map { $0 % 2 == 0 ? amplitude : -amplitude }
            _ = samples.withUnsafeBufferPointer {
                intake.take($0, frames: Self.frames, capturedAt: isStamped ? now : 0)
            }
        }
    }

    func mute() { controls.words.pointee.muted.store(true, ordering: .releasing) }

    func unmute(at time: Int64) {
        controls.words.pointee.unmutedAt.store(time, ordering: .relaxed)
        controls.words.pointee.muted.store(false, ordering: .releasing)
    }

    /// What the ring got of the last so many samples.
    func last(_ count: Int) -> [Int16] {
        var reader = ring.reader()
        reader.seek(to: reader.end - Int64(count))
        var samples = [Int16](repeating: -1, count: count)
        _ = samples.withUnsafeMutableBufferPointer { reader.read(into: $0) }
        return samples
    }
}

@Suite("Capture intake")
struct CaptureIntakeTests {
    @Test("muted, time goes on and not one sample gets through")
    func muted() throws {
        let microphone = try Microphone()
        microphone.hear(1000, milliseconds: 20)
        microphone.mute()
        microphone.hear(1000, milliseconds: 20)
        #expect(microphone.ring.producer.position == 640)
        #expect(microphone.last(640).prefix(320).allSatisfy { $0 != 0 })
        #expect(microphone.last(320) == [Int16](repeating: 0, count: 320))
    }

    @Test("the period in which the puck was unmuted is silent, the next one is heard")
    func unmuted() throws {
        let microphone = try Microphone()
        microphone.mute()
        microphone.hear(1000, milliseconds: 10)
        // One millisecond into the next period: nine tenths of it were said to an open microphone, one was not.
        microphone.unmute(at: microphone.now + 1_000_000)
        microphone.hear(1000, milliseconds: 10)
        #expect(microphone.last(160) == [Int16](repeating: 0, count: 160))
        microphone.hear(1000, milliseconds: 10)
        #expect(microphone.last(160).allSatisfy { $0 != 0 })
    }

    @Test("a period that began with the unmuting is heard")
    func unmutedAtTheEdge() throws {
        let microphone = try Microphone()
        microphone.mute()
        microphone.hear(1000, milliseconds: 10)
        microphone.unmute(at: microphone.now)
        microphone.hear(1000, milliseconds: 10)
        #expect(microphone.last(160).allSatisfy { $0 != 0 })
    }

    @Test("a device without timestamps gives up the period in progress, and no more")
    func unstamped() throws {
        let microphone = try Microphone()
        microphone.mute()
        microphone.hear(1000, milliseconds: 10, isStamped: false)
        microphone.unmute(at: microphone.now)
        microphone.hear(1000, milliseconds: 10, isStamped: false)
        #expect(microphone.last(160) == [Int16](repeating: 0, count: 160))
        microphone.hear(1000, milliseconds: 10, isStamped: false)
        #expect(microphone.last(160).allSatisfy { $0 != 0 })
    }

    @Test("half a word before muting and half a word after it do not make one")
    func detectorForgets() throws {
        /// Whether a word in two halves wakes, with what is done between them.
        func wakes(_ between: (Microphone) -> Void) throws -> Bool {
            let microphone = try Microphone()
            microphone.hear(10, milliseconds: 2000)
            microphone.hear(8000, milliseconds: 50)
            between(microphone)
            microphone.hear(8000, milliseconds: 50)
            return microphone.mailbox.take()?.kind == .wake
        }
        #expect(try wakes { _ in })
        #expect(
            try !wakes { microphone in
                microphone.mute()
                microphone.hear(8000, milliseconds: 10)
                microphone.unmute(at: microphone.now)
            })
    }

    @Test("what many overruns lost adds up to the sample")
    func remainder() throws {
        let microphone = try Microphone(rate: 44_100)
        for _ in 0..<441 { microphone.intake.account(missingFrames: 1) }
        #expect(microphone.ring.producer.position == 160)
    }
}

import AudioRing
import PuckAudio
import Synchronization

/// What becomes of the samples that a microphone delivered, and of those that it lost: ring, detector, mute. The part of
/// the capture thread's real-time loop that needs no device; plain values only.
struct CaptureIntake {
    let producer: RingProducer
    let clock: SampleClock
    let mailbox: Mailbox
    let controls: CaptureControls
    /// Of the device, Hz.
    let rate: Int64
    /// Whether findings are reported; the detector measures levels in any case.
    let detects: Bool
    /// Whether models listen.
    let listens: Bool
    /// Of sound after a start that is left out: supplies, filters and automatic gains settle within 300 ms. With the
    /// 200 ms that the noise floor needs, nothing wakes the puck for half a second.
    static var settlingMilliseconds: Int { @_noLocks @_noAllocation get { 300 } }

    private var detector: LevelWakeDetector
    /// Of those who listen to more than levels.
    private var bell: EarBell?
    /// What rounding left over of the missing samples, in samples · rate, so that many overruns do not add up.
    private var missingRemainder: Int64 = 0
    /// Muted, or still waiting for the first period that began after the unmuting.
    private var isSilent = false

    init(
        rate: Int, wake: WakeSettings, zerosAreSilence: Bool, producer: RingProducer, clock: SampleClock,
        mailbox: Mailbox,
        controls: CaptureControls, bell: EarBell? = nil
    ) {
        self.bell = bell
        self.bell?.interrupt()
        self.producer = producer
        self.clock = clock
        self.mailbox = mailbox
        self.controls = controls
        self.rate = Int64(rate)
        detects = wake.detector == .level
        listens = wake.detector == .model
        detector = LevelWakeDetector(
            wake.detectorParameters(zerosAreSilence: zerosAreSilence), settlingMilliseconds: Self.settlingMilliseconds)
    }

    /// Of the last 10 ms.
    var levelDecibels: Float { @_noLocks @_noAllocation get { detector.levelDecibels } }
    /// See `LevelWakeDetector`.
    var hearsTooLittle: Bool { @_noLocks @_noAllocation get { detector.hearsTooLittle } }

    /// Takes one period in.
    /// - Parameters:
    ///   - samples: mono, 16 kHz.
    ///   - frames: as many as the device delivered, at its own rate.
    ///   - capturedAt: monotonic nanoseconds of the last one; 0 from a device without timestamps.
    /// - Returns: whether the loop wants to be woken.
    @_noLocks @_noAllocation
    mutating func take(_ samples: UnsafeBufferPointer<Int16>, frames: Int, capturedAt: Int64) -> Bool {
        let words = controls.words
        let start = producer.position
        var mustWake: Bool
        if mustBeSilent(frames: frames, capturedAt: capturedAt) {
            // Time goes on, sound does not: not one sample leaves this function.
            mustWake = producer.skip(Int64(truncatingIfNeeded: samples.count))
            words.pointee.level.store(-9000, ordering: .relaxed)
            bell?.periodEnded(isOpen: false, start: start)
        } else {
            mustWake = producer.write(samples)
            if let finding = detector.process(samples, at: start), detects {
                let event = AudioEvent(
                    .wake, position: finding.onset, levelDecibels: finding.levelDecibels,
                    noiseDecibels: finding.noiseDecibels, confidence: finding.confidence)
                mustWake = mailbox.post(event) || mustWake
            }
            words.pointee.level.store(Int(detector.levelDecibels * 100), ordering: .relaxed)
            words.pointee.noise.store(Int(detector.noiseDecibels * 100), ordering: .relaxed)
            bell?.periodEnded(isOpen: listens && detector.gate.isOpen, start: start)
        }
        if capturedAt != 0 {
            clock.observe(position: producer.position, at: capturedAt, samplesSinceLast: samples.count)
        }
        return mustWake
    }

    /// Whether this period may not be heard: the puck is muted, or was when the period began. The detector starts anew
    /// afterwards, so that nothing of the muted time decides anything.
    @_noLocks @_noAllocation
    private mutating func mustBeSilent(frames: Int, capturedAt: Int64) -> Bool {
        let words = controls.words
        if words.pointee.muted.load(ordering: .acquiring) {
            isSilent = true
            return true
        }
        if !isSilent { return false }
        detector.restart()
        bell?.interrupt()
        if capturedAt == 0 {
            // A device without timestamps: the period in progress is given up, the next one counts.
            isSilent = false
            return true
        }
        let began = capturedAt &- Int64(truncatingIfNeeded: frames) &* 1_000_000_000 / rate
        isSilent = began < words.pointee.unmutedAt.load(ordering: .relaxed)
        return isSilent
    }

    /// Samples that the device lost keep their place in time: the ring moves on by exactly as many.
    /// - Parameter kind: `.xrun` or `.suspended`.
    @_noLocks @_noAllocation
    mutating func account(missingFrames: Int64, after kind: AudioEvent.Kind = .xrun) {
        let scaled = missingFrames &* 16_000 &+ missingRemainder
        let missing = scaled / rate
        missingRemainder = scaled &- missing &* rate
        let position = producer.position
        _ = producer.skip(missing)
        detector.settle(milliseconds: Self.settlingMilliseconds)
        _ = mailbox.post(AudioEvent(kind, position: position, count: missing))
    }
}

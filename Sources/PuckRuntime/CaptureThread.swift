import ALSADevice
import AudioRing
import LinuxIO
import PuckAudio
import PuckBase
import Resampler
import Synchronization

/// The microphone's thread: device → mono → 16 kHz → ring, and the level detector over it. Between opening a device and
/// losing it runs one loop that neither locks, allocates nor logs (the compiler checks it); what it has to say goes
/// through a mailbox.
///
/// A device that is lost or cannot be opened is tried again for ever, with the pauses of `reopenPauses`; the loop thread
/// is told, and the lights say it.
final class CaptureThread {
    /// Seconds before each further attempt to open; the last repeats.
    static let reopenPauses = [1, 1, 2, 5, 10]
    /// Below the kernel's own threads (50), above everything ordinary.
    static let priority = 40

    let ring = AudioRing()
    let clock = SampleClock()
    let mailbox = Mailbox(capacity: 32)
    let controls = CaptureControls()
    let errors = HandOver<DeviceError>()
    let format = HandOver<String>()
    private let stopEvent: EventDescriptor
    private var thread: LinuxIO.Thread?

    /// Starts at once. - Parameter wake: signalled when a reader of the ring or the mailbox should look.
    init(settings: PuckSettings, wake: EventSignaller) throws(SystemError) {
        stopEvent = try EventDescriptor()
        let worker = CaptureWorker(
            settings: settings, ring: ring, clock: clock, mailbox: mailbox, controls: controls, errors: errors,
            format: format, wake: wake, stopEvent: stopEvent)
        thread = try LinuxIO.Thread(name: "capture", scheduling: .realTime(priority: Self.priority)) {
            worker.run()
            worker.controls.words.pointee.finished.store(true, ordering: .releasing)
        }
    }

    deinit {
        stop()
        controls.destroy()
        mailbox.destroy()
        clock.destroy()
    }

    /// Asks the thread to end and waits for it; a device that does not return is left behind (see `limitShutdown`).
    func stop() {
        controls.words.pointee.stop.store(true, ordering: .releasing)
        stopEvent.signal()
        thread?.join()
    }
}

/// What the thread itself owns.
private final class CaptureWorker: @unchecked Sendable {  // Sound: used by the capture thread alone once it runs.
    let settings: PuckSettings
    let ring: AudioRing
    let clock: SampleClock
    let mailbox: Mailbox
    let controls: CaptureControls
    let errors: HandOver<DeviceError>
    let format: HandOver<String>
    let wake: EventSignaller
    let stopEvent: EventDescriptor
    private var failures = 0
    private var timesOpened: Int64 = 0

    init(
        settings: PuckSettings, ring: AudioRing, clock: SampleClock, mailbox: Mailbox, controls: CaptureControls,
        errors: HandOver<DeviceError>, format: HandOver<String>, wake: EventSignaller, stopEvent: EventDescriptor
    ) {
        self.settings = settings
        self.ring = ring
        self.clock = clock
        self.mailbox = mailbox
        self.controls = controls
        self.errors = errors
        self.format = format
        self.wake = wake
        self.stopEvent = stopEvent
    }

    func run() {
        while !controls.words.pointee.stop.load(ordering: .acquiring) {
            do throws(DeviceError) {
                try useDevice()
            } catch {
                errors.put(error)
                say(AudioEvent(.deviceLost, position: ring.producer.position, count: Int64(error.errno)))
            }
            if controls.words.pointee.stop.load(ordering: .acquiring) { return }
            let pause = CaptureThread.reopenPauses[min(failures, CaptureThread.reopenPauses.count - 1)]
            failures += 1
            stopEvent.wait(milliseconds: pause * 1000)
        }
    }

    private func say(_ event: AudioEvent) {
        _ = mailbox.post(event)
        wake.signal()
    }

    /// Opens the device and captures until it is lost or the thread is asked to end.
    private func useDevice() throws(DeviceError) {
        var device = try CaptureDevice.open(settings.capture.request)
        device.format.isRealTime = LinuxIO.Thread.isRealTime
        let resampler: Resampler
        do throws(Resampler.Unsupported) {
            resampler = try Resampler(from: device.format.rate, to: 16_000)
        } catch {
            preconditionFailure("rates of 8 to 192 kHz can be resampled: \(error.description)")
        }
        defer { resampler.destroy() }
        var loop = CaptureLoop(
            stream: device.stream, resampler: resampler, format: device.format, settings: settings,
            producer: ring.producer, clock: clock, mailbox: mailbox, controls: controls, wake: wake)
        defer { loop.destroy() }
        format.put(device.format.line)
        timesOpened += 1
        clock.reset()
        say(AudioEvent(.deviceOpened, position: ring.producer.position, count: timesOpened))
        let errno = loop.run()
        if loop.deliveredPeriods > 0 { failures = 0 }
        if errno != 0 {
            throw DeviceError.lost(settings.capture.device, .capture, errno: errno)
        }
    }
}

/// The real-time part: plain values only, everything allocated beforehand.
private struct CaptureLoop {
    /// Waits for a period that came to nothing, 500 ms each, after which a device that reports no error is called
    /// broken: 2 s, as for every microphone that delivers nothing.
    static var silentWaits: Int { @_noLocks @_noAllocation get { 4 } }

    let stream: CaptureStream
    let resampler: Resampler
    let producer: RingProducer
    let clock: SampleClock
    let mailbox: Mailbox
    let controls: CaptureControls
    let wake: EventSignaller
    let channel: ChannelChoice
    let gain: Int32
    let rate: Int64
    let device: UnsafeMutableBufferPointer<Int16>
    let converted: UnsafeMutableBufferPointer<Int16>
    let detects: Bool
    var detector: LevelWakeDetector
    var deliveredPeriods = 0
    private let detectorParameters: LevelWakeDetector.Parameters
    /// What rounding left over of the missing samples, in samples · rate, so that many overruns do not add up.
    private var missingRemainder: Int64 = 0
    /// Muted, or still waiting for the first period that began after the unmuting.
    private var isSilent = false

    init(
        stream: CaptureStream, resampler: Resampler, format: NegotiatedFormat, settings: PuckSettings,
        producer: RingProducer, clock: SampleClock, mailbox: Mailbox, controls: CaptureControls, wake: EventSignaller
    ) {
        self.stream = stream
        self.resampler = resampler
        self.producer = producer
        self.clock = clock
        self.mailbox = mailbox
        self.controls = controls
        self.wake = wake
        channel = settings.capture.channelChoice(of: format.channels)
        gain = settings.capture.gainFactor
        rate = Int64(format.rate)
        device = .allocate(capacity: format.periodFrames)
        device.initialize(repeating: 0)
        converted = .allocate(capacity: resampler.outputBound(for: format.periodFrames))
        converted.initialize(repeating: 0)
        detects = settings.wake.detector == .level
        detectorParameters = settings.wake.detectorParameters
        detector = LevelWakeDetector(detectorParameters)
    }

    func destroy() {
        device.deallocate()
        converted.deallocate()
    }

    /// Captures until the device is lost (its errno) or `stop` is set (0).
    @_noLocks @_noAllocation
    mutating func run() -> Int32 {
        var waits = 0
        while !controls.words.pointee.stop.load(ordering: .relaxed) {
            let outcome = stream.readPeriod()
            switch outcome.status {
            case .running:
                waits = 0
                deliver(frames: outcome.frames, capturedAt: outcome.capturedAt)
            case .timedOut:
                waits &+= 1
                if waits == Self.silentWaits { return 62 }  // ETIME
            case .lost: return outcome.errno
            case .xrun, .suspended:
                let recovery = stream.recover(from: outcome.status)
                if case .lost = recovery.status { return recovery.errno }
                account(missingFrames: recovery.missingFrames)
            }
        }
        return 0
    }

    @_noLocks @_noAllocation
    private mutating func deliver(frames: Int, capturedAt: Int64) {
        guard let deviceBase = device.baseAddress else { return }
        stream.copyMono(frames: frames, channel: channel, gain: gain, into: deviceBase)
        var samples = UnsafeBufferPointer(start: deviceBase, count: frames)
        if !resampler.isBypass {
            let count = resampler.process(samples, into: converted)
            samples = UnsafeBufferPointer(start: converted.baseAddress, count: count)
        }
        deliveredPeriods &+= 1
        let words = controls.words
        words.pointee.periods.wrappingAdd(1, ordering: .relaxed)
        let start = producer.position
        var mustWake: Bool
        if mustBeSilent(frames: frames, capturedAt: capturedAt) {
            // Time goes on, sound does not: not one sample leaves this function.
            mustWake = producer.skip(Int64(truncatingIfNeeded: samples.count))
            words.pointee.level.store(-9000, ordering: .relaxed)
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
        }
        if capturedAt != 0 {
            clock.observe(position: producer.position, at: capturedAt, samplesSinceLast: samples.count)
        }
        if mustWake { wake.signal() }
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
        let began = capturedAt &- Int64(truncatingIfNeeded: frames) &* 1_000_000_000 / rate
        // A device without timestamps: the period in progress is given up, the next one counts.
        isSilent = capturedAt != 0 && began < words.pointee.unmutedAt.load(ordering: .relaxed)
        detector = LevelWakeDetector(detectorParameters)
        return true
    }

    /// Samples that the device lost keep their place in time: the ring moves on by exactly as many.
    @_noLocks @_noAllocation
    private mutating func account(missingFrames: Int64) {
        let scaled = missingFrames &* 16_000 &+ missingRemainder
        let missing = scaled / rate
        missingRemainder = scaled &- missing &* rate
        let position = producer.position
        _ = producer.skip(missing)
        _ = mailbox.post(AudioEvent(.xrun, position: position, count: missing))
        wake.signal()
    }
}

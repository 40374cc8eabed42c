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
    /// A microphone of zeros stays open, so that its first sound is heard at once, and is reported and reopened when the
    /// zeros have lasted for so many times `[capture] zeros_ms`; the last repeats: after 2, 2, 10, 30, 60, 300, 300 … s.
    static let zeroPatience = [1, 1, 5, 15, 30, 150]
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

    /// Starts at once.
    /// - Parameters:
    ///   - wake: signalled when a reader of the ring or the mailbox should look.
    ///   - bell: by which the ear is woken.
    init(settings: PuckSettings, wake: EventSignaller, bell: EarBell? = nil) throws(SystemError) {
        stopEvent = try EventDescriptor()
        let worker = CaptureWorker(
            settings: settings, ring: ring, clock: clock, mailbox: mailbox, controls: controls, errors: errors,
            format: format, wake: wake, stopEvent: stopEvent, bell: bell)
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
        askToStop()
        thread?.join()
    }

    func askToStop() {
        controls.words.pointee.stop.store(true, ordering: .releasing)
        stopEvent.signal()
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
    private let bell: EarBell?
    private var failures = 0
    private var timesOpened: Int64 = 0
    /// What the device was closed for and has not refuted yet, and how often in a row.
    private var doubt = CaptureWatch.Doubt.none
    private var zeroReports = 0
    /// Of the device's channels, at the end of the last opening.
    private var channels = ChannelSurvey.Signature()

    init(
        settings: PuckSettings, ring: AudioRing, clock: SampleClock, mailbox: Mailbox, controls: CaptureControls,
        errors: HandOver<DeviceError>, format: HandOver<String>, wake: EventSignaller, stopEvent: EventDescriptor,
        bell: EarBell?
    ) {
        self.bell = bell
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
                doubt = error.code == .zeros ? .zeros : error.code == .wrongRate ? .rate : .none
                zeroReports = error.code == .zeros ? zeroReports + 1 : 0
                say(AudioEvent(.deviceLost, position: ring.producer.position, count: Int64(error.code.rawValue)))
            }
            if controls.words.pointee.stop.load(ordering: .acquiring) { return }
            let pause = doubt == .zeros ? 0 : min(failures, CaptureThread.reopenPauses.count - 1)
            failures += 1
            controls.pulse.rest()
            stopEvent.wait(milliseconds: CaptureThread.reopenPauses[pause] * 1000)
            controls.pulse.beat()
        }
    }

    private func makeWatch(_ format: NegotiatedFormat) -> CaptureWatch {
        let patience = CaptureThread.zeroPatience[min(zeroReports, CaptureThread.zeroPatience.count - 1)]
        return CaptureWatch(
            rate: format.rate, periodFrames: format.periodFrames,
            zeroMilliseconds: settings.capture.zeroMilliseconds * patience,
            tolerancePercent: settings.capture.rateTolerancePercent, doubt: doubt)
    }

    private func say(_ event: AudioEvent) {
        _ = mailbox.post(event)
        wake.signal()
    }

    /// Opens the device and captures until it is lost or the thread is asked to end.
    private func useDevice() throws(DeviceError) {
        var device = try CaptureDevice.open(settings.captureRequest)
        device.format.isRealTime = LinuxIO.Thread.isRealTime
        let resampler: Resampler
        do throws(Resampler.Unsupported) {
            resampler = try Resampler(from: device.format.rate, to: 16_000)
        } catch {
            preconditionFailure("rates of 8 to 192 kHz can be resampled: \(error.description)")
        }
        defer { resampler.destroy() }
        let intake = CaptureIntake(
            rate: device.format.rate, wake: settings.wake, zerosAreSilence: settings.capture.zeroMilliseconds == 0,
            producer: ring.producer, clock: clock, mailbox: mailbox, controls: controls, bell: bell)
        var loop = CaptureLoop(
            stream: device.stream, resampler: resampler, format: device.format, capture: settings.capture,
            intake: intake, watch: makeWatch(device.format), wake: wake, channels: channels)
        defer {
            channels = loop.inspection.survey.signature
            loop.destroy()
        }
        controls.words.pointee.flaws.store(0, ordering: .releasing)
        format.put(device.format.line)
        timesOpened += 1
        clock.reset()
        say(AudioEvent(.deviceOpened, position: ring.producer.position, count: timesOpened))
        let errno = loop.run()
        if loop.isProven {
            failures = 0
            zeroReports = 0
        }
        if errno != 0 {
            throw DeviceError.lost(device.format.device, .capture, errno: errno)
        }
    }
}

/// The real-time part: plain values only, everything allocated beforehand.
private struct CaptureLoop {
    /// Waits for a period that came to nothing, 500 ms each, after which a device that reports no error is called
    /// broken: 2 s, as for every microphone that delivers nothing.
    static var silentWaits: Int { @_noLocks @_noAllocation get { 4 } }
    /// Overruns and suspends in a row, without a period between them, after which the device is opened again: one that
    /// only ever fails would spin this thread, which nothing ordinary gets past.
    static var fruitlessRecoveries: Int { @_noLocks @_noAllocation get { 8 } }

    let stream: CaptureStream
    let resampler: Resampler
    let controls: CaptureControls
    let wake: EventSignaller
    let channel: ChannelChoice
    let gain: Int32
    let removesOffset: Bool
    let device: UnsafeMutableBufferPointer<Int16>
    let converted: UnsafeMutableBufferPointer<Int16>
    var intake: CaptureIntake
    var watch: CaptureWatch
    var inspection: CaptureInspection
    /// The device works, and the loop knows.
    var isProven = false

    init(
        stream: CaptureStream, resampler: Resampler, format: NegotiatedFormat, capture: CaptureSettings,
        intake: CaptureIntake, watch: CaptureWatch, wake: EventSignaller, channels: ChannelSurvey.Signature
    ) {
        self.stream = stream
        self.resampler = resampler
        self.intake = intake
        self.watch = watch
        self.wake = wake
        controls = intake.controls
        channel = capture.channelChoice(of: format.channels)
        gain = capture.gainFactor
        removesOffset = capture.removesOffset
        inspection = CaptureInspection(stream: stream, format: format, capture: capture, previous: channels)
        device = .allocate(capacity: format.periodFrames)
        device.initialize(repeating: 0)
        converted = .allocate(capacity: resampler.outputBound(for: format.periodFrames))
        converted.initialize(repeating: 0)
    }

    func destroy() {
        device.deallocate()
        converted.deallocate()
    }

    /// Captures until the device is lost (its errno) or `stop` is set (0).
    @_noLocks @_noAllocation
    mutating func run() -> Int32 {
        var waits = 0
        var recoveries = 0
        while !controls.words.pointee.stop.load(ordering: .relaxed) {
            let outcome = stream.readPeriod()
            switch outcome.status {
            case .running:
                waits = 0
                recoveries = 0
                let errno = judge(frames: outcome.frames, capturedAt: outcome.capturedAt)
                if errno != 0 { return errno }
                deliver(frames: outcome.frames, capturedAt: outcome.capturedAt)
            case .timedOut:
                waits &+= 1
                watch.restart()
                if waits == Self.silentWaits { return 62 }  // ETIME
            case .lost: return outcome.errno
            case .xrun, .suspended:
                recoveries &+= 1
                if recoveries == Self.fruitlessRecoveries { return 5 }  // EIO
                let recovery = stream.recover(from: outcome.status)
                if case .lost = recovery.status { return recovery.errno }
                watch.restart()
                var kind = AudioEvent.Kind.xrun
                if case .suspended = outcome.status { kind = .suspended }
                intake.account(missingFrames: recovery.missingFrames, after: kind)
                wake.signal()
            }
        }
        return 0
    }

    /// The errno of a fault that no call reports, else 0.
    @_noLocks @_noAllocation
    private mutating func judge(frames: Int, capturedAt: Int64) -> Int32 {
        let verdict = watch.take(
            frames: frames, isZero: stream.isSilent(frames: frames, channel: channel),
            isMuted: controls.words.pointee.muted.load(ordering: .relaxed), capturedAt: capturedAt)
        switch verdict {
        case .zeros: return 61  // ENODATA
        case .wrongRate: return 34  // ERANGE
        case .unproven: return 0
        case .fine:
            if isProven { return 0 }
            isProven = true
            _ = intake.mailbox.post(AudioEvent(.deviceWorks, position: intake.producer.position))
            wake.signal()
            return 0
        }
    }

    @_noLocks @_noAllocation
    private mutating func deliver(frames: Int, capturedAt: Int64) {
        guard let deviceBase = device.baseAddress else { return }
        if removesOffset {
            stream.copySound(frames: frames, channel: channel, gain: gain, into: deviceBase)
        } else {
            stream.copyMono(frames: frames, channel: channel, gain: gain, into: deviceBase)
        }
        var samples = UnsafeBufferPointer(start: deviceBase, count: frames)
        if !resampler.isBypass {
            let count = resampler.process(samples, into: converted)
            samples = UnsafeBufferPointer(start: converted.baseAddress, count: count)
        }
        controls.words.pointee.periods.wrappingAdd(1, ordering: .relaxed)
        controls.pulse.beat()
        var mustWake = intake.take(samples, frames: frames, capturedAt: capturedAt)
        let before = UnsafeBufferPointer(start: deviceBase, count: frames)
        mustWake = inspection.look(before, frames: frames, intake: intake) || mustWake
        if mustWake { wake.signal() }
    }
}

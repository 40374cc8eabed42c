import ALSADevice
import AudioRing
import LinuxIO
import PuckBase
import Resampler
import Synchronization

/// The loudspeaker's thread: ring → device rate → device. Sleeps while there is nothing to play, so that an idle puck
/// wakes nobody; while it plays, it waits in the device, or for the loop, 5 ms at a time. Its inner loop neither locks, allocates nor
/// logs (the compiler checks it).
final class PlaybackThread {
    static let priority = 39

    let ring = AudioRing()
    let mailbox = Mailbox(capacity: 16)
    let controls = PlaybackControls()
    let errors = HandOver<DeviceError>()
    let format = HandOver<String>()
    private let workEvent: EventDescriptor
    private var thread: LinuxIO.Thread?

    init(settings: PuckSettings, wake: EventSignaller) throws(SystemError) {
        workEvent = try EventDescriptor()
        let worker = PlaybackWorker(
            settings: settings, ring: ring, mailbox: mailbox, controls: controls, errors: errors, format: format,
            wake: wake, workEvent: workEvent)
        thread = try LinuxIO.Thread(name: "playback", scheduling: .realTime(priority: Self.priority)) {
            worker.run()
            worker.controls.words.pointee.finished.store(true, ordering: .releasing)
        }
    }

    /// There is something in the ring, or the controls have changed.
    func wakeUp() { workEvent.signal() }

    /// - Parameter percent: 0…100; 100 is bit-exact. In between the loudness follows the square of the percentage, which
    ///   the ear takes for even steps (−12 dB at 50 %).
    func setVolume(percent: Int) {
        let part = Double(min(100, max(0, percent))) / 100
        controls.words.pointee.volume.store(Int(part * part * 65_536), ordering: .releasing)
    }

    deinit {
        stop()
        controls.destroy()
        mailbox.destroy()
    }

    func stop() {
        askToStop()
        thread?.join()
    }

    func askToStop() {
        controls.words.pointee.stop.store(true, ordering: .releasing)
        workEvent.signal()
    }
}

private final class PlaybackWorker: @unchecked Sendable {  // Sound: used by the playback thread alone once it runs.
    let settings: PuckSettings
    let ring: AudioRing
    let mailbox: Mailbox
    let controls: PlaybackControls
    let errors: HandOver<DeviceError>
    let format: HandOver<String>
    let wake: EventSignaller
    let workEvent: EventDescriptor
    /// A loudspeaker that plays nothing is looked at so often: what has gone is to be known within 2 s.
    private static let lookMilliseconds = 1500
    private var reader: RingReader
    private var failures = 0
    private var timesOpened: Int64 = 0
    private var hasSaidDelay = false

    init(
        settings: PuckSettings, ring: AudioRing, mailbox: Mailbox, controls: PlaybackControls,
        errors: HandOver<DeviceError>, format: HandOver<String>, wake: EventSignaller, workEvent: EventDescriptor
    ) {
        self.settings = settings
        self.ring = ring
        self.mailbox = mailbox
        self.controls = controls
        self.errors = errors
        self.format = format
        self.wake = wake
        self.workEvent = workEvent
        reader = ring.reader()
    }

    func run() {
        while !controls.words.pointee.stop.load(ordering: .acquiring) {
            do throws(DeviceError) {
                try useDevice()
            } catch {
                errors.put(error)
                _ = mailbox.post(AudioEvent(.deviceLost, position: reader.position, count: Int64(error.code.rawValue)))
                wake.signal()
            }
            if controls.words.pointee.stop.load(ordering: .acquiring) { return }
            let pause = CaptureThread.reopenPauses[min(failures, CaptureThread.reopenPauses.count - 1)]
            failures += 1
            rest(milliseconds: pause * 1000)
        }
    }

    /// Waits for the next attempt to open. What is to be played meanwhile is thrown away, and hurries nothing.
    private func rest(milliseconds: Int) {
        let end = MonotonicClock.now() + .milliseconds(milliseconds)
        while !controls.words.pointee.stop.load(ordering: .acquiring) {
            skipWhatCannotBePlayed()
            let left = end - MonotonicClock.now()
            if left <= .zero { break }
            controls.pulse.rest()
            workEvent.wait(milliseconds: Int(left.wholeMilliseconds) + 1)
            workEvent.drain()
        }
        controls.pulse.beat()
    }

    /// Without a device the ring must not stay full, or the loop would wait for ever.
    private func skipWhatCannotBePlayed() {
        reader.seek(to: reader.end)
        if reader.releaseConsumed() { wake.signal() }
    }

    private func useDevice() throws(DeviceError) {
        var device = try PlaybackDevice.open(settings.playbackRequest)
        device.format.isRealTime = LinuxIO.Thread.isRealTime
        let resampler: Resampler
        do throws(Resampler.Unsupported) {
            resampler = try Resampler(from: 16_000, to: device.format.rate)
        } catch {
            preconditionFailure("rates of 8 to 192 kHz can be resampled: \(error.description)")
        }
        defer { resampler.destroy() }
        var loop = PlaybackLoop(
            stream: device.stream, resampler: resampler, format: device.format,
            leadInMilliseconds: settings.playback.leadInMilliseconds, reader: reader, mailbox: mailbox,
            controls: controls, wake: wake, work: workEvent.waiter)
        defer { loop.destroy() }
        format.put(device.format.line)
        timesOpened += 1
        _ = mailbox.post(AudioEvent(.deviceOpened, position: reader.position, count: timesOpened))
        wake.signal()
        failures = 0
        while !controls.words.pointee.stop.load(ordering: .acquiring) {
            workEvent.drain()
            var errno = loop.playAll()
            reader = loop.reader
            if device.stream.delayErrno != 0 && !hasSaidDelay {
                hasSaidDelay = mailbox.post(
                    AudioEvent(.delayUnknown, position: reader.position, count: Int64(device.stream.delayErrno)))
                wake.signal()
            }
            if errno == 0 {
                if controls.words.pointee.stop.load(ordering: .acquiring) { return }
                controls.pulse.rest()
                errno = device.rest(until: workEvent.descriptor, atMost: Self.lookMilliseconds)
                controls.pulse.beat()
            }
            if errno != 0 { throw DeviceError.lost(device.format.device, .playback, errno: errno) }
        }
    }
}

import ALSADevice
import AudioRing
import CLinux
import LinuxIO
import Resampler
import Synchronization

/// The playback thread's real-time part: plain values only, everything allocated beforehand.
struct PlaybackLoop {
    /// 20 ms at 16 kHz.
    static var block: Int { @_noLocks @_noAllocation get { 320 } }
    /// How finely it is followed what the loudspeaker has played: a quarter of a packet.
    private static var pollMilliseconds: Int { @_noLocks @_noAllocation get { 5 } }

    /// What a device is lost with that reports no error of its own.
    private enum Errno {
        static var time: Int32 { @_noLocks @_noAllocation get { ETIME } }
        static var io: Int32 { @_noLocks @_noAllocation get { EIO } }
    }

    let stream: PlaybackStream
    let resampler: Resampler
    var reader: RingReader
    let mailbox: Mailbox
    let controls: PlaybackControls
    let wake: EventSignaller
    /// The loop's word that the ring or the controls have changed.
    let work: EventWaiter
    let rate: Int64
    let periodFrames: Int
    let samples: UnsafeMutableBufferPointer<Int16>
    let converted: UnsafeMutableBufferPointer<Int16>
    /// Something was written since the last rest.
    private var isSounding = false
    /// Silence before the first sample after a rest, in device frames, and what is left of it now.
    let leadInFrames: Int
    private var leadInLeft = 0
    /// The loop knows that the ring is empty.
    private var saidDry = false
    private var bridged = BridgedSilence()

    init(
        stream: PlaybackStream, resampler: Resampler, format: NegotiatedFormat, leadInMilliseconds: Int,
        reader: RingReader,
        mailbox: Mailbox, controls: PlaybackControls, wake: EventSignaller, work: EventWaiter
    ) {
        self.stream = stream
        self.resampler = resampler
        self.reader = reader
        self.mailbox = mailbox
        self.controls = controls
        self.wake = wake
        self.work = work
        rate = Int64(format.rate)
        periodFrames = format.periodFrames
        leadInFrames = leadInMilliseconds * format.rate / 1000
        samples = .allocate(capacity: Self.block)
        samples.initialize(repeating: 0)
        converted = .allocate(capacity: resampler.outputBound(for: Self.block))
        converted.initialize(repeating: 0)
    }

    func destroy() {
        bridged.destroy()
        samples.deallocate()
        converted.deallocate()
    }

    /// Plays until everything that is expected has been heard. Returns the errno of a lost device, else 0.
    @_noLocks @_noAllocation
    mutating func playAll() -> Int32 {
        let words = controls.words
        while !words.pointee.stop.load(ordering: .relaxed) {
            controls.pulse.beat()
            let discard = controls.wantedDiscard
            if discard != .min {
                let errno = silence(upTo: discard)
                if errno != 0 { return errno }
                continue
            }
            if !isSounding && leadInFrames > 0 && reader.fill > 0 {
                leadInLeft = leadInFrames
                isSounding = true
            }
            if leadInLeft > 0 {
                let errno = writeSilence(min(leadInLeft, Self.block))
                if errno != 0 { return errno }
                leadInLeft &-= min(leadInLeft, Self.block)
                publishHeard()
                continue
            }
            let read = reader.read(into: samples)
            if read.count > 0 {
                saidDry = false
                let errno = write(read.count)
                if errno != 0 { return errno }
                if reader.releaseConsumed() { wake.signal() }
                publishHeard()
                continue
            }
            if reader.position >= words.pointee.endPosition.load(ordering: .acquiring) {
                return isSounding ? playOut() : 0
            }
            if !isSounding { return 0 }  // a play that has not begun: the loop wakes this thread with its first samples
            let errno = bridge()
            if errno != 0 { return errno }
        }
        return 0
    }

    /// Stop was asked for: drops what the device holds and skips what the ring holds.
    @_noLocks @_noAllocation
    private mutating func silence(upTo position: Int64) -> Int32 {
        controls.servedDiscard(position)
        let queued = isSounding ? queuedSamples() : 0
        let heard = max(0, reader.position &- queued)
        if position > reader.position { reader.seek(to: position) }
        isSounding = false
        leadInLeft = 0
        resampler.reset()
        let recovery = stream.discard()
        if reader.releaseConsumed() { wake.signal() }
        publish(heard: reader.position)
        _ = mailbox.post(AudioEvent(.skipped, position: heard, count: position))
        wake.signal()
        return recovery.errno
    }

    /// Converts and writes `count` samples.
    @_noLocks @_noAllocation
    private mutating func write(_ count: Int) -> Int32 {
        isSounding = true
        let input = UnsafeBufferPointer(start: samples.baseAddress, count: count)
        if resampler.isBypass { return write(input, isSilence: false) }
        let produced = resampler.process(input, into: converted)
        return write(UnsafeBufferPointer(start: converted.baseAddress, count: produced), isSilence: false)
    }

    @_noLocks @_noAllocation
    private mutating func write(_ frames: UnsafeBufferPointer<Int16>, isSilence: Bool) -> Int32 {
        guard let base = frames.baseAddress else { return 0 }
        let volume = Int32(truncatingIfNeeded: controls.words.pointee.volume.load(ordering: .relaxed))
        var written = 0
        var silentWaits = 0
        var recoveries = 0
        while written < frames.count {
            let outcome = stream.writePeriod(base + written, count: frames.count &- written, volume: volume)
            switch outcome.status {
            case .running:
                written &+= outcome.frames
                if isSilence { bridged.wroteSilence(outcome.frames) } else { bridged.wroteSound(outcome.frames) }
            case .lost: return outcome.errno
            case .timedOut:
                silentWaits &+= 1
                if silentWaits == 4 { return Errno.time }  // two seconds without taking a frame
            case .xrun, .suspended:
                controls.words.pointee.underruns.wrappingAdd(1, ordering: .relaxed)
                _ = mailbox.post(AudioEvent(.xrun, position: reader.position, count: 0))
                wake.signal()
                recoveries &+= 1
                if recoveries == 8 { return Errno.io }  // one that only ever fails would spin this thread
                let recovery = stream.recover(from: outcome.status)
                if case .lost = recovery.status { return recovery.errno }
            }
        }
        return 0
    }

    /// The ring is empty in the middle of a play. Gives the loop the time that the device still has, tells it when that
    /// is short, and keeps the device running with silence in the end.
    @_noLocks @_noAllocation
    private mutating func bridge() -> Int32 {
        let queued = stream.queuedFrames()
        if queued > (saidDry ? 1 : 2) &* periodFrames {
            waitForWork()
            return 0
        }
        publishHeard()
        if !saidDry {
            saidDry = true
            _ = mailbox.post(AudioEvent(.dry, position: reader.position))
            wake.signal()
            waitForWork()
            return 0
        }
        return writeSilence(Self.block)
    }

    /// Writes silence that is no part of any play, `frames` up to a block. Past the resampler: silence is silence at any
    /// rate, and its filter keeps the end of the sound for what follows.
    @_noLocks @_noAllocation
    private mutating func writeSilence(_ frames: Int) -> Int32 {
        guard let base = samples.baseAddress else { return 0 }
        var i = 0
        while i < frames {
            base[i] = 0
            i &+= 1
        }
        return write(UnsafeBufferPointer(start: base, count: frames), isSilence: true)
    }

    /// Writes what the resampler still holds of the sound, and lets it forget.
    @_noLocks @_noAllocation
    private mutating func pushOutFilter() -> Int32 {
        guard let base = samples.baseAddress, !resampler.isBypass else { return 0 }
        let count = min(resampler.inputLatency(), Self.block)
        var i = 0
        while i < count {
            base[i] = 0
            i &+= 1
        }
        let errno = write(count)
        resampler.reset()
        return errno
    }

    /// The last sample is written: waits until it has been heard, says so, rests.
    @_noLocks @_noAllocation
    private mutating func playOut() -> Int32 {
        var errno = pushOutFilter()
        if errno != 0 { return errno }
        stream.startNow()
        var end = stream.playoutEnd()
        while true {
            let verdict = stream.look(at: &end)
            if case .ended = verdict { break }
            if case .stalled = verdict { return Errno.time }
            controls.pulse.beat()
            if reader.fill > 0 || controls.words.pointee.stop.load(ordering: .relaxed) { return 0 }
            if controls.wantedDiscard != .min { return 0 }
            waitForWork()
            publishHeard()
        }
        isSounding = false
        errno = stream.discard().errno
        // A device that has gone has not played the end.
        if errno != 0 { return errno }
        publish(heard: reader.position)
        _ = mailbox.post(AudioEvent(.played, position: reader.position))
        wake.signal()
        return 0
    }

    /// The device plays what it holds, or the loop decodes what comes next: waits for a word of the loop, at most 5 ms.
    @_noLocks @_noAllocation
    private func waitForWork() { work.wait(milliseconds: Self.pollMilliseconds) }

    @_noLocks @_noAllocation
    private func publishHeard() {
        publish(heard: max(0, reader.position &- queuedSamples()))
    }

    /// Samples of the ring that the device holds and has not played.
    @_noLocks @_noAllocation
    private func queuedSamples() -> Int64 {
        let frames = stream.queuedFrames()
        return Int64(truncatingIfNeeded: frames &- bridged.count(inLast: frames)) &* 16_000 / rate
    }

    @_noLocks @_noAllocation
    private func publish(heard position: Int64) {
        controls.words.pointee.heard.store(position, ordering: .releasing)
    }
}

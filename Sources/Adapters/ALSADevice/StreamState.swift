import CALSA
import CLinux

/// What a stream's thread works with: everything is allocated when the device is opened.
struct StreamState {
    let pcm: OpaquePointer
    let status: OpaquePointer
    /// One period in the device's layout.
    let buffer: UnsafeMutableRawPointer
    let frameBytes: Int
    let periodFrames: Int
    let channels: Int
    let sampleFormat: SampleFormat
    let waitMilliseconds: Int32
    let descriptors: UnsafeMutablePointer<pollfd>
    let descriptorCount: UInt32
    var clock: SegmentClock
    /// Playback: what was written against the clock.
    var playout: PlayoutClock
    /// Playback: the errno with which the device refused to say its delay; 0: it says it.
    var delayErrno: Int32 = 0
    var offsetFilter: OffsetFilter
    var xruns: Int64
    var suspensions: Int64

    /// Interruptions and short transfers that one call puts up with before it returns what it has. A period in 1 ms
    /// pieces of a 100 ms period would need 100.
    static var maximumAttempts: Int { @_noLocks @_noAllocation get { 128 } }
    /// Attempts to resume, 10 ms apart: one second, by when every driver that ever answers has.
    static var maximumResumes: Int { @_noLocks @_noAllocation get { 100 } }

    static func make(_ open: OpenPCM, _ request: PCMRequest) throws(DeviceError) -> UnsafeMutablePointer<StreamState> {
        var status: OpaquePointer?
        guard snd_pcm_status_malloc(&status) == 0, let status else {
            snd_pcm_close(open.pcm)
            throw .settingUp(request.device, open.format.direction, "no memory for its status", result: -ENOMEM)
        }
        let bytes = open.format.frameBytes * open.format.periodFrames
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
        zeroFill(buffer, bytes)
        let descriptorCount = max(1, snd_pcm_poll_descriptors_count(open.pcm))
        let descriptors = UnsafeMutablePointer<pollfd>.allocate(capacity: Int(descriptorCount))
        descriptors.initialize(repeating: pollfd(), count: Int(descriptorCount))
        let state = UnsafeMutablePointer<StreamState>.allocate(capacity: 1)
        state.initialize(
            to: StreamState(
                pcm: open.pcm, status: status, buffer: buffer, frameBytes: open.format.frameBytes,
                periodFrames: open.format.periodFrames, channels: open.format.channels,
                sampleFormat: open.format.sampleFormat, waitMilliseconds: Int32(request.waitMilliseconds),
                descriptors: descriptors, descriptorCount: UInt32(descriptorCount),
                clock: SegmentClock(rate: Int64(open.format.rate)),
                playout: PlayoutClock(
                    rate: open.format.rate, capacity: open.format.bufferFrames,
                    threshold: open.format.startThreshold),
                offsetFilter: OffsetFilter(rate: open.format.rate), xruns: 0, suspensions: 0))
        return state
    }

    /// Closes the device, dropping what it holds.
    static func destroy(_ state: UnsafeMutablePointer<StreamState>) {
        snd_pcm_close(state.pointee.pcm)
        snd_pcm_status_free(state.pointee.status)
        state.pointee.buffer.deallocate()
        state.pointee.descriptors.deallocate()
        state.deallocate()
    }

    /// Waits until the device has something to say, be it an error, which the next read or write then reports.
    ///
    /// Not `snd_pcm_wait`: that begins its time-out anew whenever the device wakes it for nothing, as stalled ones may
    /// for ever (libasound 1.2.8).
    /// - Returns: 1 when there is something, 0 after `waitMilliseconds` without; negative errno when it cannot wait.
    @_noLocks @_noAllocation
    func awaitFrames() -> Int32 {
        var time = timespec()
        monotonicTime(&time)
        var now = nanoseconds(time)
        let end = now &+ Int64(waitMilliseconds) &* 1_000_000
        while now < end {
            let count = fillDescriptors(pcm, descriptors, descriptorCount)
            if count < 0 { return count }
            // Rounded up, so that the last wait does not spin.
            let left = Int32(truncatingIfNeeded: (end &- now &+ 999_999) / 1_000_000)
            let result = pollDescriptors(descriptors, count, left)
            if result < 0 { return result }
            if readyEvents(pcm, descriptors, count) != 0 { return 1 }
            monotonicTime(&time)
            now = nanoseconds(time)
        }
        return 0
    }

    /// The time of the device's last start or stop, 0 when it cannot be asked. Refreshes `status`.
    @_noLocks @_noAllocation
    func lastTrigger() -> Int64 {
        if fillStatus(pcm, status) < 0 { return 0 }
        var time = timespec()
        triggerTime(in: status, &time)
        return nanoseconds(time)
    }

    /// After a suspend: waits until the hardware can be talked to again. Whether the stream itself was resumed does not
    /// matter, since it is prepared anew; what it kept would only come before a gap of unknown length.
    @_noLocks @_noAllocation
    func awaitResume() {
        var attempts = 0
        while attempts < Self.maximumResumes {
            let result = resumePCM(pcm)
            let isSuspended = fillStatus(pcm, status) == 0 && state(in: status) == SND_PCM_STATE_SUSPENDED.rawValue
            // A plugin's resume answers 0 whatever happened (libasound 1.2.8), so its state is asked as well.
            if result != -EAGAIN && result != -EINTR && !(result == 0 && isSuspended) { return }
            var time = timespec(tv_sec: 0, tv_nsec: 10_000_000)
            pause(&time)
            attempts &+= 1
        }
    }

    /// Stops what may still run and makes the device ready to start.
    /// - Returns: 0 or a negative errno.
    @_noLocks @_noAllocation
    func prepareAgain() -> Int32 {
        if fillStatus(pcm, status) == 0 && state(in: status) == SND_PCM_STATE_RUNNING.rawValue { _ = dropPCM(pcm) }
        return preparePCM(pcm)
    }
}

import CALSA
import CLinux

/// An open microphone. Closed when it goes out of scope; by then no thread may use its `stream` any more.
public struct CaptureDevice: ~Copyable {
    public var format: NegotiatedFormat
    /// The real-time side.
    public let stream: CaptureStream

    /// Opens the device and agrees with it on a format. It starts with the first read.
    /// Blocks for as long as the driver takes; not for real-time threads.
    public static func open(_ request: PCMRequest) throws(DeviceError) -> CaptureDevice {
        let pcm = try openPCM(request, .capture)
        return CaptureDevice(format: pcm.format, stream: CaptureStream(state: try StreamState.make(pcm, request)))
    }

    private init(format: NegotiatedFormat, stream: CaptureStream) {
        self.format = format
        self.stream = stream
    }

    deinit { StreamState.destroy(stream.state) }
}

/// A microphone as its thread sees it: a plain value over memory that `CaptureDevice` owns.
///
/// Sound to send to that thread since only one thread at a time may use it.
public struct CaptureStream: BitwiseCopyable, @unchecked Sendable {
    let state: UnsafeMutablePointer<StreamState>

    /// Overruns so far.
    public var overruns: Int64 { @_noLocks @_noAllocation get { state.pointee.xruns } }
    /// Times that the machine was suspended under the stream.
    public var suspensions: Int64 { @_noLocks @_noAllocation get { state.pointee.suspensions } }

    /// Reads one period into the stream's buffer; waits for it. Fewer frames come when the device gave fewer, as
    /// before an error, which the next call then reports.
    @_noLocks @_noAllocation
    public func readPeriod() -> ReadOutcome {
        if state.pointee.clock.startedAt == 0 {
            let result = start()
            if result < 0 { return ReadOutcome(failure: result) }
        }
        let wanted = state.pointee.periodFrames
        var filled = 0
        var attempts = 0
        // A whole period before the first read. Whoever takes the few frames that are there early is woken for a whole
        // period beyond them, which is up to a period too late (measured: 10 ms on average).
        var mustWait = true
        while filled < wanted && attempts < StreamState.maximumAttempts {
            attempts &+= 1
            var result: Int32
            if mustWait {
                result = state.pointee.awaitFrames()
                if result == 0 { break }
                mustWait = result < 0
            } else {
                let to = state.pointee.buffer + filled &* state.pointee.frameBytes
                result = Int32(truncatingIfNeeded: readFrames(state.pointee.pcm, to, wanted &- filled))
                filled &+= Int(max(0, result))
                mustWait = result == 0 || result == -EAGAIN
            }
            if result >= 0 || result == -EAGAIN || result == -EINTR { continue }
            if filled > 0 { break }
            return ReadOutcome(failure: result)
        }
        if filled == 0 { return ReadOutcome(.timedOut) }
        state.pointee.clock.deliver(filled)
        return ReadOutcome(.running, frames: filled, capturedAt: captureTime())
    }

    /// After `.xrun` or `.suspended`: starts the device again and says exactly how many frames are missing.
    /// After a suspend it may take up to a second.
    @_noLocks @_noAllocation
    public func recover(from status: StreamStatus) -> Recovery {
        let stoppedAt = state.pointee.lastTrigger()
        let unread = Int64(truncatingIfNeeded: available(in: state.pointee.status))
        if case .suspended = status {
            state.pointee.suspensions &+= 1
            state.pointee.awaitResume()
        } else {
            state.pointee.xruns &+= 1
        }
        state.pointee.offsetFilter.restart()
        var result = state.pointee.prepareAgain()
        if result == 0 { result = startPCM(state.pointee.pcm) }
        if result < 0 { return Recovery(.lost, errno: 0 &- result) }
        let startedAt = state.pointee.lastTrigger()
        return Recovery(
            .running,
            missingFrames: state.pointee.clock.restart(stoppedAt: stoppedAt, unread: unread, at: startedAt))
    }

    /// The device's channels, 1…8.
    public var channels: Int { @_noLocks @_noAllocation get { state.pointee.channels } }

    /// The constant offset that `copySound` has found, of a sample at the top of 32 bits.
    public var offset: Int32 { @_noLocks @_noAllocation get { state.pointee.offsetFilter.offset } }

    /// As `copyMono`, less a constant offset, and so not bit-exact: see `OffsetFilter`. To be called for every period.
    @_noLocks @_noAllocation
    public func copySound(
        frames: Int, channel: ChannelChoice, gain: Int32, into samples: UnsafeMutablePointer<Int16>
    ) {
        state.pointee.offsetFilter.monoSamples(
            from: UnsafeRawPointer(state.pointee.buffer), format: state.pointee.sampleFormat,
            channels: state.pointee.channels, frames: min(frames, state.pointee.periodFrames), choice: channel,
            gain: gain, into: samples)
    }

    /// What one channel of the last read was like.
    /// - Parameter channel: counted from 0; one that the device does not have means its last.
    @_noLocks @_noAllocation
    public func measure(frames: Int, channel: Int) -> ChannelMeasure {
        measureChannel(
            UnsafeRawPointer(state.pointee.buffer), format: state.pointee.sampleFormat,
            channels: state.pointee.channels, frames: min(frames, state.pointee.periodFrames), channel: channel)
    }

    /// Turns the first `frames` frames of the last read into mono.
    /// - Parameters:
    ///   - channel: which one, or `.mix`.
    ///   - gain: multiplier, 65,536 = unity, at which the result is bit-exact; 0…64 × 65,536.
    ///   - samples: room for `frames` samples.
    @_noLocks @_noAllocation
    public func copyMono(
        frames: Int, channel: ChannelChoice, gain: Int32, into samples: UnsafeMutablePointer<Int16>
    ) {
        monoSamples(
            from: UnsafeRawPointer(state.pointee.buffer), format: state.pointee.sampleFormat,
            channels: state.pointee.channels, frames: min(frames, state.pointee.periodFrames), choice: channel,
            gain: gain, into: samples)
    }

    /// Whether the first `frames` frames of the last read are exactly 0 on the channel that is heard, before any gain.
    @_noLocks @_noAllocation
    public func isSilent(frames: Int, channel: ChannelChoice) -> Bool {
        isZero(
            UnsafeRawPointer(state.pointee.buffer), format: state.pointee.sampleFormat,
            channels: state.pointee.channels, frames: min(frames, state.pointee.periodFrames), choice: channel)
    }

    @_noLocks @_noAllocation
    private func start() -> Int32 {
        let result = startPCM(state.pointee.pcm)
        if result < 0 { return result }
        // A device without timestamps counts from 1 ns: started, at an unknown time.
        state.pointee.clock.start(at: max(1, state.pointee.lastTrigger()))
        return 0
    }

    /// When the last frame read was captured: the device's time, less what it holds beyond.
    @_noLocks @_noAllocation
    private func captureTime() -> Int64 {
        var held: snd_pcm_uframes_t = 0
        var time = timespec()
        if timestamp(state.pointee.pcm, &held, &time) < 0 { return 0 }
        let nanosecondsHeld = Int64(truncatingIfNeeded: held) &* 1_000_000_000 / state.pointee.clock.rate
        return nanoseconds(time) &- nanosecondsHeld
    }
}

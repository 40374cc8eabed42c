import CALSA
import CLinux

/// An open loudspeaker. Closed when it goes out of scope; by then no thread may use its `stream` any more.
public struct PlaybackDevice: ~Copyable {
    public var format: NegotiatedFormat
    /// The real-time side.
    public let stream: PlaybackStream

    /// Opens the device and agrees with it on a format. It starts when two periods are written.
    /// Blocks for as long as the driver takes; not for real-time threads.
    public static func open(_ request: PCMRequest) throws(DeviceError) -> PlaybackDevice {
        let pcm = try openPCM(request, .playback)
        return PlaybackDevice(format: pcm.format, stream: PlaybackStream(state: try StreamState.make(pcm, request)))
    }

    private init(format: NegotiatedFormat, stream: PlaybackStream) {
        self.format = format
        self.stream = stream
    }

    deinit { StreamState.destroy(stream.state) }

    /// Sleeps while nothing is played, until `descriptor` is readable or the card is gone. A card that nobody plays to
    /// goes without a word, and many a driver waits with going until the device is closed. The stream's thread only, and
    /// not where it must not allocate.
    /// - Parameter milliseconds: after which the device is looked at, since not every driver reports an error by itself.
    /// - Returns: 0, or the errno of a lost device.
    public func rest(until descriptor: Int32, atMost milliseconds: Int) -> Int32 {
        let state = stream.state.pointee
        var watched = [pollfd](repeating: pollfd(), count: Int(state.descriptorCount))
        let count = fillDescriptors(state.pcm, &watched, state.descriptorCount)
        watched.removeLast(watched.count - Int(max(0, count)))
        // Errors alone, which come unasked for: there is always room to write.
        for index in watched.indices { watched[index].events = 0 }
        watched.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        var hasRecovered = false
        while true {
            let result = pollDescriptors(&watched, Int32(watched.count), Int32(milliseconds))
            if result == -EINTR { continue }
            if result < 0 || watched[watched.count - 1].revents != 0 { return 0 }
            // Nothing came in all that time.
            if watched.allSatisfy({ $0.revents == 0 }) { return stream.lookAtRest() }
            // A device that is well and says otherwise is not asked again, or this would never sleep.
            if hasRecovered { watched.removeFirst(watched.count - 1) }
            hasRecovered = true
            let recovery = stream.discard()
            if recovery.errno != 0 { return recovery.errno }
        }
    }
}

/// A loudspeaker as its thread sees it: a plain value over memory that `PlaybackDevice` owns.
///
/// Sound to send to that thread since only one thread at a time may use it.
public struct PlaybackStream: BitwiseCopyable, @unchecked Sendable {
    let state: UnsafeMutablePointer<StreamState>

    /// Underruns so far.
    public var underruns: Int64 { @_noLocks @_noAllocation get { state.pointee.xruns } }
    /// Times that the machine was suspended under the stream.
    public var suspensions: Int64 { @_noLocks @_noAllocation get { state.pointee.suspensions } }

    /// Plays up to a period of mono samples at the device's rate, on all its channels; waits for room.
    /// - Parameters:
    ///   - count: samples offered; what exceeds a period is not taken.
    ///   - volume: multiplier, 65,536 = unity, at which the result is bit-exact; 0…64 × 65,536.
    @_noLocks @_noAllocation
    public func writePeriod(_ samples: UnsafePointer<Int16>, count: Int, volume: Int32) -> WriteOutcome {
        let offered = min(count, state.pointee.periodFrames)
        deviceFrames(
            from: samples, count: offered, volume: volume, format: state.pointee.sampleFormat,
            channels: state.pointee.channels, into: state.pointee.buffer)
        var written = 0
        var attempts = 0
        while written < offered && attempts < StreamState.maximumAttempts {
            attempts &+= 1
            let from = state.pointee.buffer + written &* state.pointee.frameBytes
            let taken = writeFrames(state.pointee.pcm, UnsafeRawPointer(from), offered &- written)
            if taken > 0 {
                written &+= taken
                state.pointee.playout.wrote(taken, at: monotonicNanoseconds())
                continue
            }
            var result = Int32(truncatingIfNeeded: taken)
            if result == 0 || result == -EAGAIN {
                state.pointee.playout.wasFull(period: state.pointee.periodFrames, at: monotonicNanoseconds())
                result = state.pointee.awaitFrames()
                if result == 0 { break }
            }
            if result > 0 || result == -EINTR { continue }
            if written > 0 { break }
            return WriteOutcome(failure: result)
        }
        return WriteOutcome(written == 0 && offered > 0 ? .timedOut : .running, frames: written)
    }

    /// After `.xrun` or `.suspended`: makes the device ready; it starts again with the next two periods.
    /// After a suspend it may take up to a second.
    @_noLocks @_noAllocation
    public func recover(from status: StreamStatus) -> Recovery {
        if case .suspended = status {
            state.pointee.suspensions &+= 1
            state.pointee.awaitResume()
        } else {
            state.pointee.xruns &+= 1
        }
        state.pointee.playout.stopped()
        let result = state.pointee.prepareAgain()
        return result < 0 ? Recovery(.lost, errno: 0 &- result) : Recovery(.running)
    }

    /// Whether the device is still there, for a stream at rest, of which no write tells. It is made ready again where its
    /// driver has forgotten that it was; a suspend is the next write's business.
    /// - Returns: 0, or the errno of a device that is lost.
    @_noLocks @_noAllocation
    public func lookAtRest() -> Int32 {
        let result = fillStatus(state.pointee.pcm, state.pointee.status)
        // Anything else is the next write's business: plugins say what they like of a stream at rest.
        if result < 0 { return result == -ENODEV ? ENODEV : 0 }
        switch ALSADevice.state(in: state.pointee.status) {
        case SND_PCM_STATE_DISCONNECTED.rawValue: return ENODEV
        case SND_PCM_STATE_OPEN.rawValue, SND_PCM_STATE_SETUP.rawValue:
            let prepared = preparePCM(state.pointee.pcm)
            return prepared < 0 ? 0 &- prepared : 0
        default: return 0
        }
    }

    /// Frames written that have not been heard yet, as the device says it, or by the clock where it cannot; 0 after an
    /// underrun, a suspend, and when the device is gone.
    @_noLocks @_noAllocation
    public func queuedFrames() -> Int {
        let frames = reportedFrames()
        if frames >= 0 { return frames }
        return Int(truncatingIfNeeded: state.pointee.playout.remaining(at: monotonicNanoseconds()))
    }

    /// As the device says it; −1 where it cannot.
    @_noLocks @_noAllocation
    private func reportedFrames() -> Int {
        var frames = 0
        let result = delayFrames(state.pointee.pcm, &frames)
        if result == 0 { return max(0, frames) }
        // These say where the stream stands; the others only that it cannot be asked.
        if result == -EPIPE || result == -ESTRPIPE || result == -ENODEV || result == -EBADFD { return 0 }
        state.pointee.delayErrno = 0 &- result
        return -1
    }

    /// The errno with which the device refused to say its delay, positive; 0: it says it.
    public var delayErrno: Int32 { @_noLocks @_noAllocation get { state.pointee.delayErrno } }

    /// For a sound whose last frame has just been written.
    @_noLocks @_noAllocation
    public func playoutEnd() -> PlayoutEnd {
        PlayoutEnd(
            rate: state.pointee.clock.rate, period: state.pointee.periodFrames,
            hasMadeRoom: state.pointee.playout.hasMadeRoom)
    }

    /// One more question to `end`, whether all has been heard.
    @_noLocks @_noAllocation
    public func look(at end: inout PlayoutEnd) -> PlayoutEnd.Verdict {
        let queued = reportedFrames()
        let now = monotonicNanoseconds()
        return end.look(queued: queued, expected: state.pointee.playout.remaining(at: now), at: now)
    }

    /// Starts playing what is written although it is less than two periods: the end of a short sound.
    @_noLocks @_noAllocation
    public func startNow() {
        if fillStatus(state.pointee.pcm, state.pointee.status) == 0,
            ALSADevice.state(in: state.pointee.status) == SND_PCM_STATE_PREPARED.rawValue
        {
            _ = startPCM(state.pointee.pcm)
            state.pointee.playout.started(at: monotonicNanoseconds())
        }
    }

    /// Throws away what has not been heard yet, and makes the device ready for the next sound.
    @_noLocks @_noAllocation
    public func discard() -> Recovery {
        _ = dropPCM(state.pointee.pcm)
        state.pointee.playout.stopped()
        let result = preparePCM(state.pointee.pcm)
        return result < 0 ? Recovery(.lost, errno: 0 &- result) : Recovery(.running)
    }
}

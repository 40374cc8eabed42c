import CALSA
import CLinux

/// How a real-time call ended.
public enum StreamStatus: BitwiseCopyable, Sendable {
    /// Frames were moved.
    case running
    /// Nothing for as long as the request allows to wait; the device says nothing is wrong.
    case timedOut
    /// Overrun or underrun: `recover`.
    case xrun
    /// The machine was suspended: `recover`.
    case suspended
    /// The device has gone, or is in a state that it does not leave: close and open it again.
    case lost

    /// - Parameter result: negative errno from libasound.
    @_noLocks @_noAllocation
    init(result: Int32) {
        if result == -EPIPE {
            self = .xrun
        } else if result == -ESTRPIPE {
            self = .suspended
        } else {
            self = .lost
        }
    }
}

/// What a read brought.
public struct ReadOutcome: BitwiseCopyable, Equatable, Sendable {
    public var status: StreamStatus
    /// Frames in the buffer, at most a period; 0 unless `running`.
    public var frames: Int
    /// Positive errno when `lost`, else 0.
    public var errno: Int32
    /// Monotonic time at which the last of these frames was captured, nanoseconds; 0 when the device does not say.
    public var capturedAt: Int64

    /// - Parameter result: negative errno from libasound.
    @_noLocks @_noAllocation
    init(failure result: Int32) {
        self.init(StreamStatus(result: result))
        if case .lost = status { errno = 0 &- result }
    }

    @_noLocks @_noAllocation
    init(_ status: StreamStatus, frames: Int = 0, errno: Int32 = 0, capturedAt: Int64 = 0) {
        self.status = status
        self.frames = frames
        self.errno = errno
        self.capturedAt = capturedAt
    }
}

/// What a write took.
public struct WriteOutcome: BitwiseCopyable, Equatable, Sendable {
    public var status: StreamStatus
    /// Frames that the device has taken. Fewer than offered: offer the rest again.
    public var frames: Int
    /// Positive errno when `lost`, else 0.
    public var errno: Int32

    /// - Parameter result: negative errno from libasound.
    @_noLocks @_noAllocation
    init(failure result: Int32) {
        self.init(StreamStatus(result: result))
        if case .lost = status { errno = 0 &- result }
    }

    @_noLocks @_noAllocation
    init(_ status: StreamStatus, frames: Int = 0, errno: Int32 = 0) {
        self.status = status
        self.frames = frames
        self.errno = errno
    }
}

/// How a recovery ended: `running` or `lost`.
public struct Recovery: BitwiseCopyable, Equatable, Sendable {
    public var status: StreamStatus
    /// Capture: device frames between the last one read and the next one to be read. Playback: 0.
    public var missingFrames: Int64
    /// Positive errno when `lost`, else 0.
    public var errno: Int32

    @_noLocks @_noAllocation
    init(_ status: StreamStatus, missingFrames: Int64 = 0, errno: Int32 = 0) {
        self.status = status
        self.missingFrames = missingFrames
        self.errno = errno
    }
}

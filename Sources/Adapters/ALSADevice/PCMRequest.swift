import PuckBase

/// Which way a stream flows.
public enum Direction: BitwiseCopyable, Sendable {
    case capture
    case playback

    var word: String { self == .capture ? "capture" : "playback" }
}

/// What a device is asked for. The device decides: see `NegotiatedFormat`.
public struct PCMRequest: Equatable, Sendable {
    /// An ALSA PCM name, such as `hw:CARD=seeed2micvoicec`, `plughw:CARD=Lite` or `default`.
    public var device: String
    /// Frames a second that are wanted, 8,000…192,000; the device's nearest is taken.
    public var rate: Int
    /// Exactly this many channels, 1…8; 0: as few as the device has.
    public var channels: Int
    /// The layout of a sample; nil for the one of the device's that needs the least work.
    public var format: SampleFormat?
    /// Milliseconds between two wake-ups, 1…100. 10 ms: the wake detector's and Opus's common divisor.
    public var periodMilliseconds: Int
    /// Milliseconds that the device can go on without being served, 10…2,000 and at least two periods.
    public var bufferMilliseconds: Int
    /// Milliseconds without a single frame after which a read or write returns `.timedOut`, 10…10,000. A silent driver
    /// must not hold a thread for ever.
    public var waitMilliseconds: Int

    public init(
        device: String = "default", rate: Int = 16_000, channels: Int = 0, format: SampleFormat? = nil,
        periodMilliseconds: Int = 10, bufferMilliseconds: Int = 100, waitMilliseconds: Int = 500
    ) {
        self.device = device
        self.rate = rate
        self.channels = channels
        self.format = format
        self.periodMilliseconds = periodMilliseconds
        self.bufferMilliseconds = bufferMilliseconds
        self.waitMilliseconds = waitMilliseconds
    }

    func check(_ direction: Direction) throws(DeviceError) {
        let complaint: String
        if device.isEmpty {
            complaint = "a device name; 'puckd --list-devices' shows them"
        } else if !(8_000...192_000).contains(rate) {
            complaint = "a rate of 8000 to 192000 Hz, not \(rate)"
        } else if !(0...8).contains(channels) {
            complaint = "1 to 8 channels, or 0 for any, not \(channels)"
        } else if !(1...100).contains(periodMilliseconds) {
            complaint = "a period of 1 to 100 ms, not \(periodMilliseconds)"
        } else if !(10...2_000).contains(bufferMilliseconds) || bufferMilliseconds < 2 * periodMilliseconds {
            complaint = "a buffer of 10 to 2000 ms that holds two periods, not \(bufferMilliseconds) ms"
        } else if !(10...10_000).contains(waitMilliseconds) {
            complaint = "a wait of 10 to 10000 ms, not \(waitMilliseconds)"
        } else {
            return
        }
        throw DeviceError(
            .invalidArgument, errno: 0, context: "\(direction.word) on '\(device)' cannot be set up",
            advice: "Ask for " + complaint + ".")
    }
}

/// How a device lays out one sample. All are little-endian and signed, as every sound card on our boards has them.
public enum SampleFormat: BitwiseCopyable, Sendable, CaseIterable {
    case s16
    /// 24 bits at the bottom of 32.
    case s24
    /// 24 bits in three bytes.
    case s24Packed
    case s32

    /// Bytes that one sample takes.
    public var sampleBytes: Int {
        @_noLocks @_noAllocation get {
            switch self {
            case .s16: 2
            case .s24Packed: 3
            case .s24, .s32: 4
            }
        }
    }

    /// ALSA's name for it.
    public var name: String {
        switch self {
        case .s16: "S16_LE"
        case .s24: "S24_LE"
        case .s24Packed: "S24_3LE"
        case .s32: "S32_LE"
        }
    }
}

/// What a device has agreed to.
public struct NegotiatedFormat: Equatable, Sendable {
    public let device: String
    public let direction: Direction
    /// Frames a second.
    public let rate: Int
    public let channels: Int
    public let sampleFormat: SampleFormat
    public let periodFrames: Int
    public let bufferFrames: Int
    /// Whether the thread that serves the device runs with real-time priority. The device cannot know; its owner says.
    public var isRealTime = false

    /// Bytes that one frame takes.
    public var frameBytes: Int { channels * sampleFormat.sampleBytes }

    /// Frames with which the device starts. Capture is started explicitly. Playback starts by itself with two periods: one
    /// to play, one to be late by.
    var startThreshold: Int { direction == .capture ? 1 : min(bufferFrames, 2 * periodFrames) }

    /// One line for the log, such as `capture hw:CARD=Lite: 16000 Hz, 2 channels, S16_LE, period 160 frames (10.0 ms),
    /// buffer 1600 frames (100.0 ms), ordinary scheduling`.
    public var line: String {
        "\(direction.word) \(device): \(rate) Hz, \(channels) channel\(channels == 1 ? "" : "s"), \(sampleFormat.name), "
            + "period \(span(periodFrames)), buffer \(span(bufferFrames)), "
            + (isRealTime ? "real-time scheduling" : "ordinary scheduling")
    }

    private func span(_ frames: Int) -> String {
        "\(frames) frames (\(fixed(Double(frames) * 1000 / Double(rate), 1)) ms)"
    }
}

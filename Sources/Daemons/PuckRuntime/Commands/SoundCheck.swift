import ALSADevice
import PuckAudio

/// What half a second of a microphone shows, for `puckd --check`.
struct SoundCheck {
    /// With somebody in the room no microphone that speech suits is quieter: its room lies at −65…−50 dBFS.
    static let quietDecibels: Float = -75
    /// Where a room's noise should lie.
    static let roomDecibels: Float = -60
    /// As `MicrophoneHealth` judges it: −40 dBFS.
    static let offsetDecibels: Float = -40

    private let capture: CaptureSettings
    private let channel: ChannelChoice
    private let samples: UnsafeMutableBufferPointer<Int16>
    private var channels: [ChannelMeasure]
    private var energy: Int64 = 0
    private var frames = 0
    private var isZero = true
    /// Samples that the gain in software drives to their limit.
    private var overdriven = 0

    init(_ capture: CaptureSettings, _ format: NegotiatedFormat) {
        self.capture = capture
        channel = capture.channelChoice(of: format.channels)
        samples = .allocate(capacity: format.periodFrames)
        channels = Array(repeating: ChannelMeasure(), count: format.channels)
    }

    func destroy() { samples.deallocate() }

    mutating func take(_ stream: CaptureStream, frames count: Int) {
        for c in channels.indices { channels[c].add(stream.measure(frames: count, channel: c)) }
        if !stream.isSilent(frames: count, channel: channel) { isZero = false }
        guard let base = samples.baseAddress else { return }
        stream.copySound(frames: count, channel: channel, gain: capture.gainFactor, into: base)
        let heard = UnsafeBufferPointer(start: base, count: count)
        energy += Level.energy(heard)
        if capture.gainFactor > unityGain { overdriven += samplesAtLimit(heard) }
        frames += count
    }

    /// What is wrong, in sentences.
    var flaws: [String] {
        if isZero {
            if let other = channels.indices.first(where: { channels[$0].sumOfSquares > 0 }), channel.number >= 0 {
                return [
                    "every sample of channel \(channel.number) was 0, and channel \(other) carries sound: set [capture] "
                        + "channel = \(other), or mix"
                ]
            }
            return [
                "every sample was 0: it may be muted ('alsamixer', F4), or far too quiet (raise its capture volume in "
                    + "[mixer]), or [capture] channel names an empty one"
            ]
        }
        var found: [String] = []
        let heard = channel.number >= 0 ? [channels[min(channel.number, channels.count - 1)]] : channels
        let sum = heard.reduce(0.0) { $0 + Double($1.sum) }
        let count = heard.reduce(0) { $0 + $1.frames }
        let offset = Level.decibels(amplitude: Float(sum / Double(max(1, count)) / 32_768))
        if offset >= Self.offsetDecibels { found.append(MicrophoneReport.offset(Double(offset))) }
        if heard.contains(where: { $0.atLimit >= 4 }) {
            found.append(MicrophoneReport.clipping)
        } else if overdriven >= 4 {
            found.append(MicrophoneReport.overdriven)
        }
        let level = Level.decibels(energy: energy, count: frames)
        if level < Self.quietDecibels {
            let missing = Int((Self.roomDecibels - level).rounded())
            let room = Int((40 - capture.gainDecibels).rounded(.down))
            found.append(
                "the room is at \(Int(level)) dBFS, quieter than any room: speech may be too quiet. Raise the card's "
                    + "capture volume in [mixer], or set [capture] gain_db = "
                    + "\(Int(capture.gainDecibels.rounded()) + min(missing, max(0, room)))")
        }
        return found
    }
}

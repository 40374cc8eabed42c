import ALSADevice
import Settings

/// `[capture]`: the microphone.
public struct CaptureSettings: Equatable, Sendable {
    /// Which of the device's channels is heard.
    public enum Channel: Equatable, Sendable {
        /// Counted from 0.
        case index(Int)
        /// The mean of all.
        case mix
    }

    /// ALSA's name.
    public var device: String
    /// The USB port of the card that `$CARD` in `device` stands for, such as 1-1.2; empty for the board's card.
    public var usbPath: String
    /// Asked of the device, Hz; what it gives is resampled to the wire's 16,000.
    public var rateHertz: Int
    /// 0: as many as the device likes best.
    public var channels: Int
    /// Nil: the device's that needs the least work.
    public var format: SampleFormat?
    public var channel: Channel
    public var periodMilliseconds: Int
    public var bufferMilliseconds: Int
    /// Applied in software, −20…40 dB.
    public var gainDecibels: Double
    /// A constant offset is taken out, by a high-pass filter.
    public var removesOffset: Bool
    /// Of bit-exact zeros that are a fault, ms; 0: never.
    public var zeroMilliseconds: Int
    /// By how much the device may miss the rate that it agreed to; 0: by any.
    public var rateTolerancePercent: Double

    init(_ reader: inout SettingsReader) {
        device = reader.text("capture", "device", default: "default")
        usbPath = reader.usbPath("capture", default: "")
        rateHertz = reader.integer("capture", "rate", default: 16_000, range: 8000...192_000, unit: "Hz")
        channels = reader.integer("capture", "channels", default: 0, range: 0...8)
        format = reader.sampleFormat("capture")
        channel = reader.value(
            "capture", "channel", default: .index(0), written: "0", allowed: "0…7, or mix", parse: Channel.init)
        periodMilliseconds = reader.integer("capture", "period_ms", default: 20, range: 5...100, unit: "ms")
        bufferMilliseconds = reader.integer("capture", "buffer_ms", default: 200, range: 40...1000, unit: "ms")
        gainDecibels = reader.decimal("capture", "gain_db", default: 0, range: -20...40, unit: "dB")
        removesOffset = reader.boolean("capture", "remove_offset", default: true)
        zeroMilliseconds = reader.value(
            "capture", "zeros_ms", default: 2000, written: "2000", allowed: "0, or 500…60000 ms"
        ) { text in Int(text).flatMap { $0 == 0 || (500...60_000).contains($0) ? $0 : nil } }
        rateTolerancePercent = reader.decimal(
            "capture", "rate_tolerance_percent", default: 2, range: 0...20, unit: "%")
        if Self.isNumbered(device) {
            reader.warn(
                "[capture] device: the number in \(device) changes when cards come and go; name the card instead, as in "
                    + "hw:CARD=… ('puckd --list-devices' shows its name)")
        }

        if channels > 0, case .index(let index) = channel, index >= channels {
            reader.refuse(
                "capture", "channel", "found \(index); allowed: 0…\(channels - 1), since channels = \(channels)")
        }
        reader.refuseShortBuffer("capture", bufferMilliseconds, periodMilliseconds)
    }
}

extension CaptureSettings {
    /// Names that have a card's number in them, such as `hw:1` or `plughw:1,0`.
    static func isNumbered(_ device: String) -> Bool {
        let parts = device.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, parts[0].hasSuffix("hw"), let first = parts[1].utf8.first else { return false }
        return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    }
}

extension CaptureSettings.Channel {
    init?(_ text: String) {
        if text == "mix" {
            self = .mix
        } else if let index = Int(text), (0...7).contains(index) {
            self = .index(index)
        } else {
            return nil
        }
    }
}

/// `[playback]`: the speaker.
public struct PlaybackSettings: Equatable, Sendable {
    /// ALSA's name.
    public var device: String
    /// As `CaptureSettings.usbPath`; the microphone's when it is not set.
    public var usbPath: String
    /// Asked of the device, Hz.
    public var rateHertz: Int
    /// 0: as many as the device likes best.
    public var channels: Int
    /// Nil: the device's that needs the least work.
    public var format: SampleFormat?
    public var periodMilliseconds: Int
    public var bufferMilliseconds: Int
    /// 0…100 until somebody has turned it; `puckctl` and the hub can.
    public var volumePercent: Int
    /// The ALSA control that the volume turns; empty for the volume in software.
    public var volumeControl: String
    /// ALSA's name of the card whose controls are meant, with `$CARD` as in `device`; empty for the board's card, or
    /// `default`.
    public var controlDevice: String
    /// Held back before a stream starts, so that a late message is not heard, ms.
    public var playoutDelayMilliseconds: Int
    /// Silence before the first sample after a rest, ms: an amplifier that wakes up, an HDMI or Bluetooth receiver
    /// swallows the beginning. 0…1000, so that the ring and a lane's queue hold what comes meanwhile.
    public var leadInMilliseconds: Int

    init(_ reader: inout SettingsReader, microphonesPath: String = "") {
        device = reader.text("playback", "device", default: "default")
        usbPath = reader.usbPath("playback", default: microphonesPath)
        rateHertz = reader.integer("playback", "rate", default: 16_000, range: 8000...192_000, unit: "Hz")
        channels = reader.integer("playback", "channels", default: 0, range: 0...8)
        format = reader.sampleFormat("playback")
        periodMilliseconds = reader.integer("playback", "period_ms", default: 20, range: 5...100, unit: "ms")
        bufferMilliseconds = reader.integer("playback", "buffer_ms", default: 80, range: 20...1000, unit: "ms")
        volumePercent = reader.integer("playback", "volume", default: 80, range: 0...100, unit: "%")
        volumeControl = reader.text("playback", "volume_control", default: "", longestBytes: Mixer.longestName)
        controlDevice = reader.text("playback", "control_device", default: "")
        playoutDelayMilliseconds = reader.integer(
            "playback", "playout_delay_ms", default: 120, range: 0...1000, unit: "ms")
        leadInMilliseconds = reader.integer("playback", "lead_in_ms", default: 0, range: 0...1000, unit: "ms")
        reader.refuseShortBuffer("playback", bufferMilliseconds, periodMilliseconds)
    }
}

extension SettingsReader {
    /// Nil for "any".
    mutating func sampleFormat(_ section: String) -> SampleFormat? {
        value(
            section, "format", default: nil, written: "any", allowed: "any, S16_LE, S24_LE, S24_3LE, S32_LE"
        ) { text -> SampleFormat?? in
            if text == "any" { return .some(nil) }
            for format in SampleFormat.allCases where format.name == text { return .some(format) }
            return nil
        }
    }

    /// Empty for none.
    mutating func usbPath(_ section: String, default standard: String) -> String {
        value(
            section, "usb_path", default: standard, written: "", allowed: "a USB port such as 1-1.2, or empty"
        ) { $0.isEmpty || isUSBPort($0) ? $0 : nil }
    }

    /// With less than two periods a device has nothing to do while the thread handles the other.
    mutating func refuseShortBuffer(_ section: String, _ bufferMilliseconds: Int, _ periodMilliseconds: Int) {
        if bufferMilliseconds < 2 * periodMilliseconds {
            let least = 2 * periodMilliseconds
            refuse(section, "buffer_ms", "found \(bufferMilliseconds); allowed: \(least) ms or more, two periods")
        }
    }
}

/// `[opus]`: how the voice is encoded for the hub.
public struct OpusSettings: Equatable, Sendable {
    public var bitsPerSecond: Int
    /// 0…10; 5 costs half of 10's instructions (docs/BENCHMARKS.md).
    public var complexity: Int
    /// Carry the packet before again, coarser; for links that lose packets.
    public var hasForwardErrorCorrection: Bool
    public var expectedLossPercent: Int
    /// Send almost nothing in silence.
    public var hasDiscontinuousTransmission: Bool

    init(_ reader: inout SettingsReader) {
        bitsPerSecond = reader.integer("opus", "bitrate", default: 24_000, range: 6000...128_000, unit: "bit/s")
        complexity = reader.integer("opus", "complexity", default: 5, range: 0...10)
        hasForwardErrorCorrection = reader.boolean("opus", "fec", default: false)
        expectedLossPercent = reader.integer("opus", "expected_loss_percent", default: 0, range: 0...100, unit: "%")
        hasDiscontinuousTransmission = reader.boolean("opus", "dtx", default: false)
    }
}

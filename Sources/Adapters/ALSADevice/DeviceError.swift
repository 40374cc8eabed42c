import CALSA
import CALSAShim
import CLinux

/// Why a sound device, or its mixer, cannot be used, and what to do about it.
public struct DeviceError: Error, Equatable, Sendable {
    public enum Code: Int, CaseIterable, Sendable {
        case noSuchDevice
        /// The card is there, and has no control of that name.
        case noSuchControl
        case busy
        case noUsableFormat
        case permissionDenied
        case invalidArgument
        /// The device was there and has gone.
        case lost
        /// It is open, reports no error, and has moved no sound for 2 s.
        case stalled
        /// A microphone that delivers nothing but bit-exact zeros.
        case zeros
        /// It runs at another rate than it agreed to.
        case wrongRate
        case other

        /// One word for the status.
        public var word: StaticString {
            switch self {
            case .noSuchDevice: "missing"
            case .noSuchControl: "control"
            case .busy: "busy"
            case .noUsableFormat: "format"
            case .permissionDenied: "permission"
            case .invalidArgument: "name"
            case .lost: "lost"
            case .stalled: "stalled"
            case .zeros: "zeros"
            case .wrongRate: "rate"
            case .other: "other"
            }
        }
    }

    public let code: Code
    /// The errno that libasound or the kernel gave, positive; 0 when there was none.
    public let errno: Int32
    /// What was tried and what was said, without a full stop.
    public let context: String
    /// A sentence that tells the user what to do.
    public let advice: String

    init(_ code: Code, errno: Int32, context: String, advice: String) {
        self.code = code
        self.errno = errno
        self.context = context
        self.advice = advice
    }

    /// Context and advice, for the log.
    public var message: String { "\(context). \(advice)" }
}

extension DeviceError {
    /// A device that was running and reported `lost`.
    /// - Parameter errno: positive, as the outcome gave it; for what no call reports ETIME (moves no sound), ENODATA
    ///   (nothing but zeros) or ERANGE (another rate than agreed).
    public static func lost(_ device: String, _ direction: Direction, errno: Int32) -> DeviceError {
        settingUp(device, direction, "while running", result: -errno)
    }

    /// A loudspeaker whose driver does not report how much it has played: no reason to give it up.
    /// - Parameter errno: positive.
    public static func delayUnknown(_ device: String, errno: Int32) -> (detail: String, advice: String) {
        let cause = Diagnosis(errno, said: "", device: device, .using(.playback)).reason
        return (
            "playback device '\(device)' does not report how much it has played: \(cause)",
            "What is written is counted against the clock instead, exact to some milliseconds; sound is not affected. "
                + "A newer driver, or 'hw:…' without a plugin in front, may mend it."
        )
    }

    /// What a failed `snd_pcm_open` means.
    /// - Parameter result: negative errno.
    static func opening(_ device: String, _ direction: Direction, result: Int32) -> DeviceError {
        let found = Diagnosis(-result, said: message(), device: device, .opening(direction))
        return DeviceError(
            found.code, errno: -result,
            context: "\(direction.word) device '\(device)' cannot be opened: \(found.reason)", advice: found.advice)
    }

    /// What a failed call on an open device means.
    static func settingUp(_ device: String, _ direction: Direction, _ step: String, result: Int32) -> DeviceError {
        switch -result {
        case ENODATA:
            return DeviceError(
                .zeros, errno: ENODATA,
                context: "\(direction.word) device '\(device)' delivers nothing but exact zeros: it is deaf",
                advice: "Unmute it: a switch on the device, or 'alsamixer', F4; or name another channel in [capture] "
                    + "channel. If it is a microphone that gates its noise, set [capture] zeros_ms = 0. "
                    + "It is tried again by itself, and works with the first sound that comes.")
        case ERANGE:
            return DeviceError(
                .wrongRate, errno: ERANGE,
                context: "\(direction.word) device '\(device)' does not run at the rate that it agreed to",
                advice: "Ask for another rate in [capture] rate; it is opened again by itself. With a wrong clock in "
                    + "the card's overlay every rate is wrong.")
        case ETIME:
            return DeviceError(
                .stalled, errno: ETIME,
                context: "\(direction.word) device '\(device)' is open, but has moved no sound for 2 s",
                advice: "It is opened again by itself; when that does not help, unplug it and plug it in again.")
        default:
            let found = Diagnosis(-result, said: message(), device: device, .using(direction))
            return DeviceError(
                found.code, errno: -result,
                context: "\(direction.word) device '\(device)': \(step): \(found.reason)", advice: found.advice)
        }
    }

    /// What a failed call on a card's controls means.
    /// - Parameter result: negative errno.
    static func mixing(_ device: String, _ step: String, _ result: Int32) -> DeviceError {
        let found = Diagnosis(-result, said: message(), device: device, .mixing)
        return DeviceError(
            found.code, errno: -result, context: "mixer of '\(device)': \(step): \(found.reason)",
            advice: found.advice)
    }

    /// libasound's own words of this thread's last failure; empty for none.
    private static func message() -> String { String(cString: puck_alsa_message()) }
}

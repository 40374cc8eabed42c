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

    /// What a failed `snd_pcm_open` means.
    /// - Parameter result: negative errno.
    static func opening(_ device: String, _ direction: Direction, result: Int32) -> DeviceError {
        let number = -result
        let context = "\(direction.word) device '\(device)' cannot be opened: \(reason(number))"
        switch number {
        case ENOENT, ENODEV, ENXIO:
            return DeviceError(.noSuchDevice, errno: number, context: context, advice: existing(direction))
        case EBUSY:
            return DeviceError(.busy, errno: number, context: context, advice: busyAdvice(root: "/proc"))
        case EACCES, EPERM:
            return DeviceError(
                .permissionDenied, errno: number, context: context,
                advice: "Put the user that runs this program into the group 'audio' ('adduser USER audio'), "
                    + "and start it again.")
        case EINVAL:
            return DeviceError(
                .invalidArgument, errno: number, context: context,
                advice: "Check the name and, if it is defined in an asound.conf, its definition.")
        default:
            return DeviceError(
                .other, errno: number, context: context,
                advice: "Try 'arecord -L' and 'aplay -L', and look at the kernel's messages with 'dmesg'.")
        }
    }

    /// What a failed call on an open device means.
    static func settingUp(_ device: String, _ direction: Direction, _ step: String, result: Int32) -> DeviceError {
        let number = -result
        let context = "\(direction.word) device '\(device)': \(step): \(reason(number))"
        switch number {
        case EBUSY:
            return DeviceError(.busy, errno: number, context: context, advice: busyAdvice(root: "/proc"))
        case ENODEV, EBADFD, ENOENT:
            return DeviceError(
                .lost, errno: number, context: context, advice: "Plug the device in again; it is retried by itself.")
        case ENODATA:
            return DeviceError(
                .zeros, errno: number,
                context: "\(direction.word) device '\(device)' delivers nothing but exact zeros: it is deaf",
                advice: "Unmute it: a switch on the device, or 'alsamixer', F4; or name another channel in [capture] "
                    + "channel. If it is a microphone that gates its noise, set [capture] zeros_ms = 0. "
                    + "It is tried again by itself, and works with the first sound that comes.")
        case ERANGE:
            return DeviceError(
                .wrongRate, errno: number,
                context: "\(direction.word) device '\(device)' does not run at the rate that it agreed to",
                advice: "Ask for another rate in [capture] rate; it is opened again by itself. With a wrong clock in "
                    + "the card's overlay every rate is wrong.")
        case ETIME:
            return DeviceError(
                .stalled, errno: number,
                context: "\(direction.word) device '\(device)' is open, but has moved no sound for 2 s",
                advice: "It is opened again by itself; when that does not help, unplug it and plug it in again.")
        default:
            return DeviceError(
                .other, errno: number, context: context,
                advice: "Try the same with 'arecord -D \(device) -v' or 'aplay', and look at 'dmesg'.")
        }
    }

    /// libasound's own words when it had any, else the errno's.
    static func reason(_ number: Int32) -> String {
        let said = String(cString: puck_alsa_message())
        let plain = String(cString: snd_strerror(-number))
        return said.isEmpty ? plain : "\(plain) (\(said))"
    }

    private static func existing(_ direction: Direction) -> String {
        var names: [String] = []
        for device in listDevices() where direction == .capture ? device.canCapture : device.canPlay {
            // Eight names are enough to recognise a card by; the whole list has its own command.
            if names.count == 8 { break }
            names.append(device.name)
        }
        if names.isEmpty {
            return "There is no \(direction.word) device on this machine: check that the card is plugged in, that its "
                + "overlay is loaded, and that 'cat /proc/asound/cards' shows it."
        }
        var list = ""
        for name in names { list += (list.isEmpty ? "" : ", ") + name }
        return "There is: \(list). 'puckd --list-devices' shows all."
    }
}

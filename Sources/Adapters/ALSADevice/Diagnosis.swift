import CALSA
import CALSAShim
import CLinux
import PuckBase

/// What an error number of a sound device means: one table for everything that libasound, its plugins and the drivers
/// below them answer with. Each row names the cause and the remedy.
struct Diagnosis {
    /// What was being done.
    enum Step: Equatable {
        case opening(Direction)
        /// Setting up, reading or writing what is open.
        case using(Direction)
        /// The card's controls.
        case mixing
    }

    let code: DeviceError.Code
    /// The kernel's or the library's words, or ours where they have none.
    let reason: String
    /// Sentences: the likely cause, and what to do.
    let advice: String

    /// ENOTSUPP of the kernel, which it should keep to itself and does not: no libc has a text for it.
    static let notSupported: Int32 = 524

    /// - Parameters:
    ///   - number: positive errno.
    ///   - said: libasound's own message, empty for none. It tells causes from each other that share a number.
    ///   - processRoot: `/proc`, or a test's imitation of it.
    init(_ number: Int32, said: String, device: String, _ step: Step, processRoot: String = "/proc") {
        let words = Self.words(number)
        reason = said.isEmpty ? words : "\(words) (\(said))"
        let row = Self.row(number, said: said, device: device, step, processRoot)
        code = row.0
        advice = row.1
    }

    private static func words(_ number: Int32) -> String {
        number == notSupported ? "Operation not supported by the driver" : String(cString: snd_strerror(-number))
    }

    private static func row(
        _ number: Int32, said: String, device: String, _ step: Step, _ processRoot: String
    ) -> (DeviceError.Code, String) {
        // The plugins that share a card keep their state in System V IPC, by a key that all users have in common.
        if case .opening = step, said.includes("IPC") { return (.permissionDenied, sharing(device)) }
        switch number {
        case EBUSY: return (.busy, busyAdvice(root: processRoot))
        case ENOENT, ENODEV, ENXIO, ESHUTDOWN, EBADFD: return missing(device, step)
        case EACCES, EPERM:
            return (
                .permissionDenied,
                "Put the user that runs this program into the group 'audio' ('adduser USER audio'), and start it again."
            )
        case notSupported:
            return (
                .other,
                "An HDMI output without a monitor that is switched on answers so. Connect one, or "
                    + instead(step, device)
            )
        case EHOSTDOWN, ECONNREFUSED, ECONNRESET, ECONNABORTED, ENOTCONN, EHOSTUNREACH:
            return (
                .other,
                "'\(device)' leads to a sound server (PipeWire or PulseAudio) that belongs to a user's session; a "
                    + "service does not reach it. Do not go through it: " + instead(step, device)
            )
        case ETIMEDOUT, EPROTO, EILSEQ, EOVERFLOW, EREMOTEIO, EIO, ENOLINK, ECOMM:
            return (
                .other,
                "The driver gets no proper answer from the card: a loose cable, a USB hub without enough power, or a "
                    + "codec that its overlay does not describe. Plug it in elsewhere; 'dmesg' says more."
            )
        case ENOSPC:
            return (
                .other,
                "The USB bus has no bandwidth left for it, or /dev/shm is full. Plug it into another port, away from "
                    + "other USB devices; 'df /dev/shm' shows the other cause."
            )
        case ENOMEM, EMFILE, ENFILE, EAGAIN:
            return (.other, "The machine is short of memory or of open files: 'free -m' and 'dmesg' say which.")
        default: return further(number, device, step)
        }
    }

    private static func further(_ number: Int32, _ device: String, _ step: Step) -> (DeviceError.Code, String) {
        switch number {
        case EINVAL, E2BIG, ENAMETOOLONG:
            if case .opening = step {
                return (
                    .invalidArgument, "Check the name and, if it is defined in an asound.conf, its definition."
                )
            }
            return (
                .other,
                "The driver does not take what it offered. Ask for another rate, period_ms or buffer_ms, or put ALSA's "
                    + "conversion in front with 'plughw:…' instead of 'hw:…'."
            )
        case EOPNOTSUPP, ENOSYS, ENOTTY:
            return (
                .other,
                "The driver or plugin behind '\(device)' lacks a function that puckd needs. "
                    + capitalised(step, device)
            )
        case EPIPE, ESTRPIPE, EINTR:
            return (
                .other,
                "The stream stopped (an overrun, an underrun or a suspend) and could not be started again. It is "
                    + "opened again by itself; when that does not help, 'dmesg' says why."
            )
        case EIDRM, EEXIST: return (.other, sharing(device))
        case Int32(SND_ERROR_INCOMPATIBLE_VERSION):
            return (
                .other,
                "A plugin of libasound is of another version than the library: upgrade the packages libasound2 and "
                    + "libasound2-plugins together."
            )
        default:
            return (
                .other,
                step == .mixing
                    ? "Try the same with 'amixer -D \(device)'."
                    : "Try the same with 'arecord -D \(device) -v' or 'aplay', and look at 'dmesg'."
            )
        }
    }

    private static func missing(_ device: String, _ step: Step) -> (DeviceError.Code, String) {
        switch step {
        case .opening(let direction):
            // A card is the kernel's; any other name is a definition in a file.
            let isCard = device.includes("hw:") || device.includes("CARD=")
            let definition =
                " A definition in a user's ~/.asoundrc counts for that user alone: for puckd it belongs into "
                + "/etc/asound.conf."
            return (.noSuchDevice, existing(direction) + (isCard ? "" : definition))
        case .using: return (.lost, "Plug the device in again; it is retried by itself.")
        case .mixing:
            return (
                .lost,
                "Check that the card is there ('cat /proc/asound/cards'); it is tried again when its sound starts."
            )
        }
    }

    private static func sharing(_ device: String) -> String {
        "Another user's program shares this card by dmix or dsnoop, and its semaphores are closed to this one ('ipcs -s' "
            + "shows the owner). Stop that program, or set 'ipc_gid audio' and 'ipc_perm 0660' (or an 'ipc_key' of its "
            + "own) in the definition of '\(device)' in /etc/asound.conf, or name the card directly as 'hw:…'."
    }

    private static func capitalised(_ step: Step, _ device: String) -> String {
        "Instead: " + instead(step, device)
    }

    /// What to name in the device's place, with the cards that there are.
    private static func instead(_ step: Step, _ device: String) -> String {
        let direction: Direction
        switch step {
        case .opening(let asked), .using(let asked): direction = asked
        case .mixing: return "name a card in [playback] control_device; 'puckd --list-devices' shows them."
        }
        let list = names(direction, except: device)
        let key = "name a card itself in [\(direction.word)] device"
        return list.isEmpty
            ? key + "; 'puckd --list-devices' shows them." : key + ": \(list). 'puckd --list-devices' shows all."
    }

    /// Of the devices that there are, cards first.
    private static func names(_ direction: Direction, except device: String) -> String {
        var list = ""
        var count = 0
        for known in listDevices() where direction == .capture ? known.canCapture : known.canPlay {
            if known.name == device { continue }
            // Eight names are enough to recognise a card by; the whole list has its own command.
            count += 1
            if count > 8 { break }
            list += (list.isEmpty ? "" : ", ") + known.name
        }
        return list
    }

    private static func existing(_ direction: Direction) -> String {
        let list = names(direction, except: "")
        if list.isEmpty {
            return "There is no \(direction.word) device on this machine: check that the card is plugged in, that its "
                + "overlay is loaded, and that 'cat /proc/asound/cards' shows it."
        }
        return "There is: \(list). 'puckd --list-devices' shows all."
    }
}

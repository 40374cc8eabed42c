import CGPIOD
import CLinux

/// Why a GPIO line, or a light, cannot be used, and what to do about it.
public struct LineError: Error, Equatable, Sendable {
    public enum Code: Equatable, Sendable {
        case noSuchChip
        case noSuchLine
        case busy
        case permissionDenied
        /// The chip cannot do what was asked: edges, or that bias.
        case unsupported
        /// The chip was there and has gone.
        case lost
        case other
    }

    public let code: Code
    /// The errno that libgpiod or the kernel gave, positive; 0 when there was none.
    public let errno: Int32
    /// Who holds a busy line, as the kernel names it; empty when it does not.
    public let holder: String
    /// What was tried and what was said, without a full stop.
    public let context: String
    /// A sentence that tells the user what to do.
    public let advice: String

    public init(_ code: Code, errno: Int32 = 0, holder: String = "", context: String, advice: String) {
        self.code = code
        self.errno = errno
        self.holder = holder
        self.context = context
        self.advice = advice
    }

    /// Context and advice, for the terminal.
    public var message: String { "\(context). \(advice)" }
}

extension LineError {
    static func noLibrary() -> LineError {
        LineError(
            .other, errno: ELIBACC, context: "\(String(cString: puck_gpio_library())) cannot be loaded",
            advice: "Install libgpiod: 'apt install libgpiod2' on Debian 12, 'libgpiod3' on Debian 13.")
    }

    /// - Parameters:
    ///   - existing: the labels of the chips that there are.
    ///   - refusal: the first chip that could not be opened, with the negative errno: it may be the one that is meant.
    static func noSuchChip(
        _ labels: [String], existing: [String], refusal: (number: Int, result: Int32)?
    ) -> LineError {
        if let refusal {
            let number = -refusal.result
            let context = "GPIO chip /dev/gpiochip\(refusal.number) cannot be opened: \(reason(number))"
            if number == EACCES || number == EPERM {
                return LineError(
                    .permissionDenied, errno: number, context: context,
                    advice:
                        "Put the user that runs this program into the group 'gpio' ('adduser USER gpio'), and start it "
                        + "again; 'ls -l /dev/gpiochip*' should show that group (systemd/60-puck.rules).")
            }
            return LineError(
                .other, errno: number, context: context, advice: "Look at the kernel's messages with 'dmesg'.")
        }
        let context = "no GPIO chip is called \(quoted(labels, " or "))"
        let advice =
            existing.isEmpty
            ? "There is no GPIO chip on this machine ('ls /dev/gpiochip*'): leave [gpio] out of the configuration, or load "
                + "the chip's driver."
            : "There is: \(quoted(existing, ", ")). Name one of them in [gpio] chip; 'gpiodetect' shows them in brackets."
        return LineError(.noSuchChip, errno: ENOENT, context: context, advice: advice)
    }

    static func noSuchLine(_ offset: Int, chip: String, lineCount: Int) -> LineError {
        LineError(
            .noSuchLine, errno: EINVAL,
            context: "GPIO chip '\(chip)' has no line \(offset): it has \(lineCount), 0 to \(lineCount - 1)",
            advice: "Correct the number in [gpio] or [lights]; 'gpioinfo' lists the lines with their names.")
    }

    /// What a refused request means.
    /// - Parameter result: negative errno.
    static func requesting(
        _ place: String, _ request: LineRequest, for use: LineUse, result: Int32, holder: String
    ) -> LineError {
        let number = -result
        let context = "\(place) cannot be \(use == .driving ? "driven" : "watched"): \(reason(number))"
        switch number {
        case EBUSY:
            return LineError(
                .busy, errno: number, holder: holder,
                context: holder.isEmpty ? context : "\(place) is in use by '\(holder)'",
                advice: "Stop that program, or take away the overlay that claims the line ('gpioinfo' shows who holds "
                    + "which line); it is tried again by itself.")
        case EACCES, EPERM:
            return LineError(
                .permissionDenied, errno: number, context: context,
                advice: "Put the user that runs this program into the group 'gpio' ('adduser USER gpio').")
        // Without an interrupt for the line the kernel says ENXIO, without the ability at all EINVAL or ENOTSUPP (524).
        case ENXIO, EINVAL, EOPNOTSUPP, 524:
            return LineError(
                .unsupported, errno: number, context: context,
                advice: use == .driving
                    ? "That line can only be read; take another one."
                    : "The chip reports no edges there, or has no bias '\(request.bias.rawValue)': try bias 'as-is', or "
                        + "another line.")
        case ENODEV: return gone(place, errno: number)
        default:
            return LineError(
                .other, errno: number, context: context,
                advice:
                    "Try the same with '\(use == .driving ? "gpioset" : "gpiomon")', and look at the kernel's messages with 'dmesg'."
            )
        }
    }

    /// What a failed call on a requested line means.
    static func using(_ place: String, _ step: String, result: Int32) -> LineError {
        let number = -result
        if number == ENODEV { return gone(place, errno: number) }
        return LineError(
            .other, errno: number, context: "\(place): \(step): \(reason(number))",
            advice: "It is opened again by itself; look at the kernel's messages with 'dmesg'.")
    }

    static func gone(_ place: String, errno: Int32) -> LineError {
        LineError(
            .lost, errno: errno, context: "\(place): the chip is gone",
            advice: "It is looked for again by itself; plug it in again, or load its driver, when it was taken away.")
    }

    static func reason(_ number: Int32) -> String {
        guard let text = strerror(number) else { return "error \(number)" }
        return String(cString: text)
    }

    private static func quoted(_ words: [String], _ separator: String) -> String {
        var text = ""
        for word in words { text += (text.isEmpty ? "" : separator) + "'\(word)'" }
        return text
    }
}

import CGPIOD
import PuckBase

/// Which line is wanted, and how it is wired.
public struct LineRequest: Equatable, Sendable {
    /// What holds an open line at its level.
    public enum Bias: String, CaseIterable, Equatable, Sendable {
        case pullUp = "pull-up"
        case pullDown = "pull-down"
        case disabled
        /// Left as it was: by the firmware, the device tree or the last user.
        case asIs = "as-is"

        var code: puck_gpio_bias {
            switch self {
            case .pullUp: PUCK_GPIO_PULL_UP
            case .pullDown: PUCK_GPIO_PULL_DOWN
            case .disabled: PUCK_GPIO_DISABLED
            case .asIs: PUCK_GPIO_AS_IS
            }
        }
    }

    /// What the chip may be called; of those that exist, the first in this list is meant. Labels, since the kernel gives
    /// out the numbers as it finds the chips, and has changed them between releases.
    public var chipLabels: [String]
    /// Counted from 0 within the chip.
    public var offset: Int
    /// A low voltage means active: a switch to ground.
    public var isActiveLow: Bool
    public var bias: Bias
    /// Whom others see as the line's user, at most 31 bytes.
    public var consumer: String

    public init(chipLabels: [String], offset: Int, isActiveLow: Bool, bias: Bias, consumer: String) {
        self.chipLabels = chipLabels
        self.offset = offset
        self.isActiveLow = isActiveLow
        self.bias = bias
        self.consumer = consumer
    }
}

/// A change that a line has seen.
public struct Edge: Equatable, Sendable {
    /// What it led to.
    public var isActive: Bool
    /// When, by the kernel's interrupt handler: CLOCK_MONOTONIC. Before Linux 5.7 it is the wall clock's time, which lies
    /// far in the monotonic clock's future.
    public var time: Instant

    public init(isActive: Bool, time: Instant) {
        self.isActive = isActive
        self.time = time
    }
}

/// What a line is taken for.
enum LineUse { case watching, driving }

extension Chip {
    /// Finds the chip and takes the line.
    /// - Returns: how the line is called, and the line, which has the chip from then on.
    static func take(_ request: LineRequest, for use: LineUse) throws(LineError) -> (place: String, line: OpaquePointer)
    {
        let chip = try find(request.chipLabels)
        guard (0..<chip.lineCount).contains(request.offset) else {
            chip.close()
            throw .noSuchLine(request.offset, chip: chip.label, lineCount: chip.lineCount)
        }
        let offset = UInt32(request.offset)
        let facts = chip.facts(line: offset)
        let place = "line \(offset)" + (facts.name.isEmpty ? "" : " ('\(facts.name)')") + " of '\(chip.label)'"
        var line: OpaquePointer?
        let isLow = request.isActiveLow
        let result =
            switch use {
            case .watching:
                puck_gpio_request(chip.pointer, offset, request.bias.code, isLow, request.consumer, &line)
            case .driving: puck_gpio_request_output(chip.pointer, offset, isLow, request.consumer, &line)
            }
        guard result == 0, let line else {
            // Asked after the refusal, so that a holder who came between is the one who is named.
            let holder = chip.facts(line: offset).consumer
            chip.close()
            throw .requesting(place, request, for: use, result: result, holder: holder)
        }
        return (place, line)
    }
}

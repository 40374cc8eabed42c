import CGPIODShim
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

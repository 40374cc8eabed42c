import CGPIOD
import PuckBase

/// A GPIO line that is driven; inactive at first. Given back when it goes out of scope: what it then does is the chip's
/// business, so switch it off before.
///
/// Thread: one at a time. Nothing here waits.
public struct OutputLine: ~Copyable {
    /// "line 25 ('GPIO25') of 'pinctrl-bcm2711'".
    public let place: String
    private let line: OpaquePointer

    /// Finds the chip and takes the line. The request's bias counts for nothing.
    public static func open(_ request: LineRequest) throws(LineError) -> OutputLine {
        let (place, line) = try Chip.take(request, for: .driving)
        return OutputLine(place: place, line: line)
    }

    private init(place: String, line: OpaquePointer) {
        self.place = place
        self.line = line
    }

    deinit { puck_gpio_release(line) }

    public func set(_ isActive: Bool) throws(LineError) {
        let result = puck_gpio_set(line, isActive)
        if result < 0 { throw .using(place, "setting it", result: result) }
    }
}

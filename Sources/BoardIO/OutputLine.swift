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
        let chip = try Chip.find(request.chipLabels)
        guard (0..<chip.lineCount).contains(request.offset) else {
            chip.close()
            throw .noSuchLine(request.offset, chip: chip.label, lineCount: chip.lineCount)
        }
        let offset = UInt32(request.offset)
        let facts = chip.facts(line: offset)
        let place = "line \(offset)" + (facts.name.isEmpty ? "" : " ('\(facts.name)')") + " of '\(chip.label)'"
        var line: OpaquePointer?
        let result = puck_gpio_request_output(chip.pointer, offset, request.isActiveLow, request.consumer, &line)
        guard result == 0, let line else {
            let holder = chip.facts(line: offset).consumer
            chip.close()
            throw .requesting(place, request, verb: "driven", result: result, holder: holder)
        }
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

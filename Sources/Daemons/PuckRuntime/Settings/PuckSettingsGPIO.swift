import BoardIO
import PuckBase
import Settings

/// `[gpio]`: what is wired to the board's lines.
public struct GPIOSettings: Equatable, Sendable {
    /// How one switch is wired.
    public struct Line: Equatable, Sendable {
        public enum Active: String, CaseIterable, Sendable { case low, high }

        /// Counted from 0; nil when there is no such switch.
        public var offset: Int?
        /// The voltage at which it is pressed, or mutes.
        public var active: Active
        public var bias: LineRequest.Bias
    }

    /// The chip by its label, or several, of which the first that exists is meant: a hat fits boards whose chips differ.
    public var chipLabels: [String]
    public var button: Line
    public var mute: Line
    /// How long a switch must rest to be believed, ms.
    public var debounceMilliseconds: Int
    /// A press of so long is a long one, ms.
    public var longPressMilliseconds: Int
    /// A press of so long begins pairing, ms; more than a long one.
    public var pairingPressMilliseconds: Int
    /// Switched on at the start in this order, and off at the end in the opposite one.
    public var power: [Int]
    public var powerActive: Line.Active
    /// From the last power line to the first use of what it feeds, ms.
    public var powerSettleMilliseconds: Int
    /// Switched on when sound can be played, and off before anything else ends; nil when there is no such line.
    public var amplifier: Int?
    public var amplifierActive: Line.Active

    /// How the kernel names who holds a line: this program.
    static let consumer = "puckd"
    /// The kernel cuts longer labels.
    private static let longestLabelBytes = 31
    /// More than any chip has; the chip itself says how many there are.
    private static let lines = 0...1023
    private static let mostPowerLines = 8
    /// People let go within that after they have seen what the long press did.
    private static let leastDifferenceMilliseconds = 1000

    init(_ reader: inout SettingsReader) {
        chipLabels = reader.list("gpio", "chip", most: 8, of: "labels of 1…\(Self.longestLabelBytes) bytes") {
            (1...Self.longestLabelBytes).contains($0.utf8.count)
        }
        button = Line(&reader, "button")
        mute = Line(&reader, "mute")
        debounceMilliseconds = reader.integer("gpio", "debounce_ms", default: 20, range: 5...200, unit: "ms")
        longPressMilliseconds = reader.integer("gpio", "long_press_ms", default: 800, range: 300...5000, unit: "ms")
        pairingPressMilliseconds = reader.integer(
            "gpio", "pairing_press_ms", default: 5000, range: 2000...30_000, unit: "ms")
        power = reader.list("gpio", "power", most: Self.mostPowerLines, of: "lines' numbers, 0…1023,") {
            Self.offset($0) != nil
        }.compactMap { Self.offset($0) }
        powerActive = reader.choice("gpio", "power_active", default: .high)
        powerSettleMilliseconds = reader.integer("gpio", "power_settle_ms", default: 0, range: 0...900, unit: "ms")
        amplifier = Self.line(&reader, "amplifier")
        amplifierActive = reader.choice("gpio", "amplifier_active", default: .high)
        check(&reader)
    }

    /// Which key has which line.
    var uses: [(key: String, offset: Int)] {
        var uses: [(key: String, offset: Int)] = []
        for (key, offset) in [("button", button.offset), ("mute", mute.offset), ("amplifier", amplifier)] {
            if let offset { uses.append((key, offset)) }
        }
        for offset in power { uses.append(("power", offset)) }
        return uses
    }

    /// Every line has one use, and none goes without a chip.
    private func check(_ reader: inout SettingsReader) {
        if pairingPressMilliseconds < longPressMilliseconds + Self.leastDifferenceMilliseconds {
            reader.refuse(
                "gpio", "pairing_press_ms",
                "found \(pairingPressMilliseconds) ms, with long_press_ms = \(longPressMilliseconds): a press that begins "
                    + "pairing lasts at least \(Self.leastDifferenceMilliseconds) ms longer than a long one")
        }
        let uses = uses
        for (i, use) in uses.enumerated() {
            if chipLabels.isEmpty {
                reader.refuse(
                    "gpio", use.key,
                    "given without chip; name the chip by its label, as gpiodetect shows it in brackets")
            }
            for earlier in uses[..<i] where earlier.offset == use.offset {
                reader.refuse(
                    "gpio", use.key,
                    "found \(use.offset), which is the \(earlier.key)'s line; each use needs a line of its own")
            }
        }
    }

    static func offset(_ text: String) -> Int? {
        guard let number = Int(text), lines.contains(number) else { return nil }
        return number
    }

    static func line(_ reader: inout SettingsReader, _ key: String) -> Int? {
        reader.value(
            "gpio", key, default: nil, written: "", allowed: "a line's number, 0…1023, or empty"
        ) { text -> Int?? in
            if text.isEmpty { return .some(nil) }
            return offset(text).map { .some($0) }
        }
    }

    /// What is switched on at the start, in its order, with the names that the log has for them.
    var powerRequests: [(name: String, request: LineRequest)] {
        power.map { ("power", output($0, powerActive)) }
    }

    var amplifierRequest: LineRequest? { amplifier.map { output($0, amplifierActive) } }

    private func output(_ offset: Int, _ active: Line.Active) -> LineRequest {
        LineRequest(
            chipLabels: chipLabels, offset: offset, isActiveLow: active == .low, bias: .asIs,
            consumer: GPIOSettings.consumer)
    }
}

extension GPIOSettings.Line {
    /// - Parameter key: the line's number; how it is wired stands beside it.
    init(_ reader: inout SettingsReader, _ key: String) {
        offset = GPIOSettings.line(&reader, key)
        active = reader.choice("gpio", key + "_active", default: .low)
        bias = reader.choice("gpio", key + "_bias", default: .pullUp)
    }

    /// Nil when there is no such switch.
    func request(chipLabels: [String]) -> LineRequest? {
        guard let offset else { return nil }
        return LineRequest(
            chipLabels: chipLabels, offset: offset, isActiveLow: active == .low, bias: bias,
            consumer: GPIOSettings.consumer)
    }
}

import BoardIO
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

    /// The kernel cuts longer labels.
    private static let longestLabelBytes = 31
    private static let mostLabels = 8

    init(_ reader: inout SettingsReader) {
        chipLabels = reader.value(
            "gpio", "chip", default: [], written: "",
            allowed:
                "at most \(Self.mostLabels) labels with commas between them, each of 1…\(Self.longestLabelBytes) bytes",
            parse: Self.labels)
        button = Line(&reader, "button")
        mute = Line(&reader, "mute")
        for (key, line) in [("button", button), ("mute", mute)] where line.offset != nil && chipLabels.isEmpty {
            reader.refuse(
                "gpio", key, "given without chip; name the chip by its label, as gpiodetect shows it in brackets")
        }
        if let offset = button.offset, offset == mute.offset {
            reader.refuse("gpio", "mute", "found \(offset), which is the button's line; each needs one of its own")
        }
    }

    private static func labels(_ text: String) -> [String]? {
        if text.isEmpty { return [] }
        var labels: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var label = part
            while label.first == " " { label.removeFirst() }
            while label.last == " " { label.removeLast() }
            guard (1...longestLabelBytes).contains(label.utf8.count) else { return nil }
            labels.append(String(label))
        }
        return labels.count <= mostLabels ? labels : nil
    }
}

extension GPIOSettings.Line {
    /// - Parameter key: the line's number; how it is wired stands beside it.
    init(_ reader: inout SettingsReader, _ key: String) {
        // More than any chip has; the chip itself says how many there are.
        offset = reader.value(
            "gpio", key, default: nil, written: "", allowed: "a line's number, 0…1023, or nothing"
        ) { text -> Int?? in
            if text.isEmpty { return .some(nil) }
            guard let number = Int(text), (0...1023).contains(number) else { return nil }
            return .some(number)
        }
        active = reader.choice("gpio", key + "_active", default: .low)
        bias = reader.choice("gpio", key + "_bias", default: .pullUp)
    }

    /// Nil when there is no such switch.
    func request(chipLabels: [String]) -> LineRequest? {
        guard let offset else { return nil }
        return LineRequest(
            chipLabels: chipLabels, offset: offset, isActiveLow: active == .low, bias: bias, consumer: "puckd")
    }
}

/// A line of the log, read back. For tests and tools; the daemons only write.
public struct LogLine: Equatable, Sendable {
    public struct Value: Equatable, Sendable {
        public let key: String
        public let value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    public let level: LogLevel
    public let event: String
    /// Monotonic seconds; nil on a line in journald's style.
    public let seconds: Double?
    /// In the order in which they were written, without `ts`, `level` and `event`.
    public let fields: [Value]

    /// The first field with this key.
    public subscript(key: String) -> String? {
        for field in fields where field.key == key { return field.value }
        return nil
    }

    /// Nil when `line` is not a whole line of this log: not `key=value` throughout, or without a level or an event.
    public static func parse(_ line: String) -> LogLine? {
        var scanner = LogScanner(line)
        var level = scanner.takeSeverity()
        guard let values = scanner.takeValues() else { return nil }
        var seconds: Double?
        var event: String?
        var fields: [Value] = []
        for value in values {
            if event == nil, level == nil, seconds == nil, value.key == "ts" {
                guard let number = decimal(value.value) else { return nil }
                seconds = number
            } else if event == nil, level == nil, value.key == "level" {
                level = LogLevel(rawValue: value.value)
            } else if event == nil {
                guard value.key == "event" else { return nil }
                event = value.value
            } else {
                fields.append(value)
            }
        }
        guard let level, let event else { return nil }
        return LogLine(level: level, event: event, seconds: seconds, fields: fields)
    }

    /// Digits, a point, digits, as `fixed` writes them.
    private static func decimal(_ text: String) -> Double? {
        var value = 0.0
        var scale = 0.0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "."):
                if scale != 0 { return nil }
                scale = 1
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                value = value * 10 + Double(byte - UInt8(ascii: "0"))
                scale *= 10
            default: return nil
            }
        }
        return text.isEmpty ? nil : value / max(scale, 1)
    }
}

private struct LogScanner {
    private let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ line: String) {
        scalars = Array(line.unicodeScalars)
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    /// `<3>` … `<7>`.
    mutating func takeSeverity() -> LogLevel? {
        guard scalars.count > 3, scalars[0] == "<", scalars[2] == ">" else { return nil }
        for level in LogLevel.allCases where scalars[1].value == 0x30 + UInt32(level.severity) {
            position = 3
            return level
        }
        return nil
    }

    /// Everything to the end of the line; nil when something else than `key=value` is among it.
    mutating func takeValues() -> [LogLine.Value]? {
        var values: [LogLine.Value] = []
        while next != nil {
            guard let key = takeKey(), let value = takeValue() else { return nil }
            values.append(LogLine.Value(key: key, value: value))
            if next == nil { break }
            if next != " " { return nil }
            position += 1
            if next == nil { return nil }
        }
        return values
    }

    private mutating func takeKey() -> String? {
        var key = ""
        while let scalar = next {
            position += 1
            if scalar == "=" { return key.isEmpty ? nil : key }
            if scalar == " " || scalar == "\"" { return nil }
            key.unicodeScalars.append(scalar)
        }
        return nil
    }

    private mutating func takeValue() -> String? {
        var value = ""
        if next != "\"" {
            while let scalar = next, scalar != " " {
                if scalar == "\"" || scalar == "=" || scalar == "\\" { return nil }
                value.unicodeScalars.append(scalar)
                position += 1
            }
            return value.isEmpty ? nil : value
        }
        position += 1
        while let scalar = next {
            position += 1
            if scalar == "\"" { return value }
            guard let plain = scalar == "\\" ? takeEscape() : scalar else { return nil }
            value.unicodeScalars.append(plain)
        }
        return nil
    }

    private mutating func takeEscape() -> Unicode.Scalar? {
        guard let scalar = next else { return nil }
        position += 1
        switch scalar {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "\"", "\\": return scalar
        case "u":
            guard position + 4 <= scalars.count else { return nil }
            var digits = ""
            for digit in scalars[position..<position + 4] { digits.unicodeScalars.append(digit) }
            position += 4
            guard let value = UInt32(digits, radix: 16) else { return nil }
            return Unicode.Scalar(value)
        default: return nil
        }
    }
}

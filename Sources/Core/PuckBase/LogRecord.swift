/// Something worth a line in the log, as plain data: the core says it, a daemon writes it as `key=value`.
public struct LogRecord: Equatable, Sendable {
    public enum Level: Int, Sendable { case error, warning, notice, info, debug }

    public struct Field: Equatable, Sendable {
        public var key: StaticStringKey
        public var value: String
    }

    public var level: Level
    public var event: StaticStringKey
    public var fields: [Field]

    public init(_ level: Level, _ event: StaticStringKey, _ fields: [Field] = []) {
        self.level = level
        self.event = event
        self.fields = fields
    }
}

/// A literal that can be compared, so that records are `Equatable`; made from literals only, so that nothing from
/// outside can become a key.
public struct StaticStringKey: Equatable, Sendable, ExpressibleByStringLiteral {
    public let text: StaticString
    public init(stringLiteral value: StaticString) { text = value }
    public static func == (a: Self, b: Self) -> Bool { a.text.description == b.text.description }
}

extension LogRecord.Field {
    public init(_ key: StaticStringKey, _ value: String) { self.init(key: key, value: value) }
    public init(_ key: StaticStringKey, _ value: some FixedWidthInteger) { self.init(key: key, value: "\(value)") }
    public init(_ key: StaticStringKey, _ value: Bool) { self.init(key: key, value: value ? "yes" : "no") }
    /// With `digits` decimals.
    public init(_ key: StaticStringKey, _ value: Double, _ digits: Int = 1) {
        self.init(key: key, value: fixed(value, digits))
    }
}

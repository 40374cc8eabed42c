import CLinux
import PuckBase

/// How much an event matters. The numbers are syslog's, which journald understands.
public enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case error, warning, notice, info, debug

    /// 3 (error) … 7 (debug).
    public var severity: Int {
        switch self {
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug: 7
        }
    }

    /// `a < b`: a matters more than b.
    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.severity < b.severity }
}

/// One `key=value` of a log line. Keys are literals, so that nothing from outside can ever become a key.
public struct Field: Sendable {
    let key: StaticString
    let value: String

    public init(_ key: StaticString, _ value: String) {
        self.key = key
        self.value = value
    }

    public init(_ key: StaticString, _ value: some FixedWidthInteger) { self.init(key, "\(value)") }

    public init(_ key: StaticString, _ value: Bool) { self.init(key, value ? "yes" : "no") }

    /// - Parameter digits: decimals, 0…9.
    public init(_ key: StaticString, _ value: Double, digits: Int = 3) { self.init(key, fixed(value, digits)) }

    /// In milliseconds with three decimals; say so in the key (`took_ms`).
    public init(_ key: StaticString, _ value: Interval) { self.init(key, value.milliseconds) }
}

/// The log: one line for each event, written with one `write(2)` to standard error.
///
///     ts=12.345678 level=info event=capture.open device=hw:1 rate=16000
///
/// Under systemd the line carries journald's priority in front and no time, which journald adds itself:
///
///     <6>event=capture.open device=hw:1 rate=16000
///
/// Any thread but the audio threads: it allocates. A daemon's log (`background`) never waits for its reader; a command's
/// (`standardError`) does. A line that cannot be written is lost; a daemon does not die for its log.
public struct Log: Sendable {
    public enum Style: Equatable, Sendable {
        /// Monotonic seconds and the level as fields.
        case plain
        /// `<severity>` in front (sd-daemon(3)).
        case journal
    }

    /// Longer values are cut there, at a character, and end in "…": a line stays below PIPE_BUF (4096), up to which a
    /// write into a pipe is never interleaved with another process's.
    public static let longestValueBytes = 512

    public let level: LogLevel
    public let style: Style
    private let descriptor: Int32
    private var writer: BackgroundWriter?

    /// - Parameter descriptor: borrowed; it must stay open as long as the log is used.
    public init(level: LogLevel, style: Style = .plain, descriptor: Int32 = 2) {
        self.level = level
        self.style = style
        self.descriptor = descriptor
    }

    /// The log on standard error, in journald's style when standard error leads there.
    public static func standardError(level: LogLevel) -> Log { Log(level: level, style: styleOfStandardError) }

    /// The same for a daemon: the lines are written by a thread, and whoever logs never waits. `flush` at the end.
    public static func background(level: LogLevel) -> Log {
        var log = standardError(level: level)
        log.writer = backgroundWriter
        return log
    }

    /// Waits until what was logged is written, but not for long when nobody reads it. For the end of a process.
    public func flush() { writer?.flush(within: Self.flushLimit) }

    /// A daemon promises to end within 200 ms.
    private static let flushLimit = Interval.milliseconds(50)

    /// One for the process: the order of lines is that in which they were logged.
    private static let backgroundWriter = BackgroundWriter(descriptor: 2) { count in
        line(
            .warning, "log.dropped", [Field("lines", count)], style: styleOfStandardError, now: MonotonicClock.now())
            + "\n"
    }

    private static var styleOfStandardError: Style {
        var status = stat()
        let variable = environmentValue("JOURNAL_STREAM")
        let known = fstat(2, &status) == 0
        return known && variable == "\(status.st_dev):\(status.st_ino)" ? .journal : .plain
    }

    public func error(_ event: StaticString, _ fields: @autoclosure () -> [Field] = []) {
        write(.error, event, fields)
    }

    public func warning(_ event: StaticString, _ fields: @autoclosure () -> [Field] = []) {
        write(.warning, event, fields)
    }

    public func notice(_ event: StaticString, _ fields: @autoclosure () -> [Field] = []) {
        write(.notice, event, fields)
    }

    public func info(_ event: StaticString, _ fields: @autoclosure () -> [Field] = []) {
        write(.info, event, fields)
    }

    public func debug(_ event: StaticString, _ fields: @autoclosure () -> [Field] = []) {
        write(.debug, event, fields)
    }

    /// As the named ones, for a level that is only known at run time.
    public func record(_ level: LogLevel, _ event: StaticString, _ fields: @autoclosure () -> [Field] = []) {
        write(level, event, fields)
    }

    private func write(_ level: LogLevel, _ event: StaticString, _ fields: () -> [Field]) {
        if level <= self.level { write(level, event, fields()) }
    }

    /// Never inlined: there are hundreds of callers.
    @inline(never)
    private func write(_ level: LogLevel, _ event: StaticString, _ fields: [Field]) {
        var line = Log.line(level, event, fields, style: style, now: MonotonicClock.now())
        line += "\n"
        line.withUTF8 { bytes in
            if let writer { return writer.append(bytes) }
            _ = retryingInterrupted { CLinux.write(descriptor, bytes.baseAddress, bytes.count) }
        }
    }

    /// The line without its end. Pure, so that tests need no clock.
    static func line(
        _ level: LogLevel, _ event: StaticString, _ fields: [Field], style: Style, now: Instant
    ) -> String {
        var line = ""
        switch style {
        case .journal: line += "<\(level.severity)>"
        case .plain: line += "ts=" + fixed(Double(now.nanoseconds) / 1e9, 6) + " level=" + level.rawValue + " "
        }
        line += "event=" + event.description
        for field in fields { line += " " + field.key.description + "=" + LogValue.encoded(field.value) }
        return line
    }
}

/// How values are written: bare when they are plain words, else in double quotes with the escapes `\"`, `\\`, `\n`,
/// `\r`, `\t` and `\uXXXX`.
enum LogValue {
    static func encoded(_ value: String) -> String {
        var text = ""
        var bytes = 0
        var plain = !value.isEmpty
        for scalar in value.unicodeScalars {
            bytes += UTF8.width(scalar)
            if bytes > Log.longestValueBytes {
                text += "…"
                break
            }
            switch scalar {
            case "\"", "\\":
                plain = false
                text += "\\"
                text.unicodeScalars.append(scalar)
            case " ", "=":
                plain = false
                text.unicodeScalars.append(scalar)
            case "\n": (text, plain) = (text + "\\n", false)
            case "\r": (text, plain) = (text + "\\r", false)
            case "\t": (text, plain) = (text + "\\t", false)
            case _ where breaksLine(scalar): (text, plain) = (text + "\\u" + hexadecimal(scalar), false)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return plain ? text : "\"" + text + "\""
    }

    /// C0, DEL and C1 controls (terminal escapes among them), and Unicode's own line and paragraph separators.
    private static func breaksLine(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    /// Four digits; only for scalars below 0x10000.
    private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return String(repeating: "0", count: 4 - digits.utf8.count) + digits
    }
}

extension UTF8 {
    static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0..<0x80: 1
        case 0x80..<0x800: 2
        case 0x800..<0x10000: 3
        default: 4
        }
    }
}

/// A point on a monotonic clock, in nanoseconds. Which clock is the caller's business: the daemons pass
/// `CLOCK_MONOTONIC`, the simulator passes virtual time. Nothing in the core reads a clock.
public struct Instant: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = Instant(nanoseconds: 0)

    /// Milliseconds since the clock's origin, truncated to 32 bits as the wire's `ts_ms` wants it (it wraps).
    public var wireMilliseconds: UInt32 { UInt32(truncatingIfNeeded: nanoseconds / 1_000_000) }

    /// As pings and pongs tell the time: to the microsecond, more digits would only cost.
    public var clockMilliseconds: Double { Double(nanoseconds / 1000) / 1e3 }

    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    public static func + (a: Instant, b: Interval) -> Instant { Instant(nanoseconds: a.nanoseconds + b.nanoseconds) }
    public static func - (a: Instant, b: Interval) -> Instant { Instant(nanoseconds: a.nanoseconds - b.nanoseconds) }
    public static func - (a: Instant, b: Instant) -> Interval { Interval(nanoseconds: a.nanoseconds - b.nanoseconds) }
}

/// The earlier of two deadlines that may not exist.
public func earliest(_ a: Instant?, _ b: Instant?) -> Instant? {
    guard let a, let b else { return a ?? b }
    return min(a, b)
}

/// A length of time, in nanoseconds; may be negative.
public struct Interval: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = Interval(nanoseconds: 0)
    public static func milliseconds(_ n: Int) -> Interval { Interval(nanoseconds: Int64(n) * 1_000_000) }
    public static func seconds(_ n: Int) -> Interval { Interval(nanoseconds: Int64(n) * 1_000_000_000) }

    /// Whole milliseconds, rounded towards zero. 64 bits on every machine: 32 hold 24 days, and a puck runs for longer.
    public var wholeMilliseconds: Int64 { nanoseconds / 1_000_000 }
    public var milliseconds: Double { Double(nanoseconds) / 1e6 }

    public static func < (a: Interval, b: Interval) -> Bool { a.nanoseconds < b.nanoseconds }
    public static func + (a: Interval, b: Interval) -> Interval { Interval(nanoseconds: a.nanoseconds + b.nanoseconds) }
    public static func - (a: Interval, b: Interval) -> Interval { Interval(nanoseconds: a.nanoseconds - b.nanoseconds) }
    public static func * (a: Interval, n: Int) -> Interval { Interval(nanoseconds: a.nanoseconds * Int64(n)) }
}

/// The pause before each attempt to reconnect: 1, 2, 4, 8, 16, 30, 30 … s (FAILURES.md row L20, from
/// loqa-error-handling.md), each with ±10 % jitter so that a house of pucks does not come back in step.
///
///     attempt   0     1     2     3     4      5      6 …
///     pause s   1     2     4     8    16     30     30
///     drawn   ±0.1  ±0.2  ±0.4  ±0.8  ±1.6     ±3     ±3
///
/// The owner calls `reset` once a link has been stable for 10 s; a shorter success does not start the row again.
public struct Backoff: Sendable {
    public static let first = Interval.seconds(1)
    public static let cap = Interval.seconds(30)
    public static let jitterPercent = 10
    public static let stableAfter = Interval.seconds(10)

    /// How many pauses have been drawn since the last `reset`.
    public private(set) var attempt = 0

    public init() {}

    public mutating func reset() {
        attempt = 0
    }

    /// The pause before the next attempt. Bounds: 0.9 s … 33 s.
    public mutating func nextPause(using generator: inout SeededGenerator) -> Interval {
        let nominal = Self.nominalPause(attempt: attempt)
        attempt = min(attempt + 1, 62)
        let jitter = generator.nextSigned() * Double(Self.jitterPercent) / 100
        return Interval(nanoseconds: nominal.nanoseconds + Int64(Double(nominal.nanoseconds) * jitter))
    }

    /// The row's value without jitter.
    public static func nominalPause(attempt: Int) -> Interval {
        return attempt >= 5 ? cap : first * (1 << max(attempt, 0))
    }
}

/// Counts events in windows of one second and says when there are too many.
public struct RateWindow: Equatable, Sendable {
    private let limit: Int
    private var windowStart: Instant?
    private var count = 0

    /// - Parameter limit: events admitted within a second.
    public init(limit: Int) { self.limit = limit }

    /// Counts one event. False when it is over the limit.
    public mutating func admit(now: Instant) -> Bool {
        if windowStart.map({ now - $0 >= .seconds(1) }) ?? true {
            windowStart = now
            count = 0
        }
        // Saturates: a flood must not overflow the counter before the connection is gone.
        count = min(count + 1, limit + 1)
        return count <= limit
    }
}

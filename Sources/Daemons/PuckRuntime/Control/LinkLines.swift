import PuckBase
import PuckCore

/// The lines of the link that a hub which is away, or is none, would otherwise cause twice a minute for days. Each kind has
/// a `LineBudget`; what is left out is counted in the next line. Changes (`link.up`, `link.disconnected`) are all logged.
///
/// Thread: the loop's.
struct LinkLines {
    private static let bounded: [StaticStringKey] = ["link.failed", "link.protocol_error", "hub.error", "hub.search"]
    private var budgets = [LineBudget](repeating: LineBudget(), count: Self.bounded.count)

    /// - Returns: the record to log; nil when its kind has been logged often enough.
    mutating func take(_ record: LogRecord, now: Instant) -> LogRecord? {
        guard let kind = Self.bounded.firstIndex(of: record.event) else { return record }
        guard let leftOut = budgets[kind].take(now: now) else { return nil }
        guard leftOut > 0 else { return record }
        var record = record
        record.fields.append(.init("left_out", leftOut))
        return record
    }
}

/// How often one kind of line may be logged, whatever it says: what goes on for days must not fill a disk. Unlike
/// `Complaint` it bounds lines whose text changes from one to the next.
public struct LineBudget: Equatable, Sendable {
    /// So many in a row are logged. The first attempts show how the pauses between them grow.
    public static let burst = 10
    /// One more is logged each time so much has passed.
    public static let refill = Interval.seconds(600)

    private var spent = 0
    private var refilledAt = Instant.zero
    private var leftOut = 0

    public init() {}

    /// - Returns: how many lines were left out since the last one, when this one may be logged; nil when it may not.
    public mutating func take(now: Instant) -> Int? {
        if spent == 0 { refilledAt = now }
        while spent > 0, now - refilledAt >= Self.refill {
            spent -= 1
            refilledAt = refilledAt + Self.refill
        }
        guard spent < Self.burst else {
            leftOut += 1
            return nil
        }
        spent += 1
        defer { leftOut = 0 }
        return leftOut
    }
}

/// A line of the log whose cause may stand for days: it is said when it changes, a few times while the cause is tried again,
/// and then seldom. Who complains asks before each line.
public struct Complaint: Equatable, Sendable {
    /// Never again while it stands.
    public static var once: Complaint { Complaint(first: 1, every: nil) }
    /// What is tried again and again: the first attempts show that it is tried, later ones that it still fails.
    public static var attempts: Complaint { Complaint(first: 5, every: .seconds(600)) }

    private let first: Int
    private let every: Interval?
    private var text = ""
    private var count = 0
    private var left = 0
    private var saidAt = Instant.zero

    /// - Parameters:
    ///   - first: so many in a row are said, 1 at least.
    ///   - every: after them one is said when so much time has passed; nil: none.
    public init(first: Int, every: Interval?) {
        self.first = first
        self.every = every
    }

    /// - Parameters:
    ///   - text: what is wrong. Another text starts the count again.
    ///   - now: for the pause between lines.
    /// - Returns: how many lines were left out since the last one, when this one is to be said; nil when it is not.
    public mutating func take(_ text: String, now: Instant) -> Int? {
        if text != self.text || count == 0 {
            self.text = text
            count = 0
            left = 0
        }
        count = min(count + 1, first + 1)
        let isDue = every.map { now - saidAt >= $0 } ?? false
        guard count <= first || isDue else {
            left += 1
            return nil
        }
        defer { left = 0 }
        saidAt = now
        return left
    }

    /// The cause is gone: if it comes back, that is news.
    public mutating func end() {
        text = ""
        count = 0
        left = 0
    }
}

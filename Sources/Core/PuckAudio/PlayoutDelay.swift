/// How much of a play is collected before it sounds, so that a network which delivers unevenly does not tear it: the
/// depth of the jitter buffer. It follows the measured jitter and grows when a play ran dry all the same.
///
///     depth = least + 4 × jitter + penalty, at most `mostMilliseconds` (or `least`, where that is more)
///
/// Jitter is RFC 3550's interarrival jitter (6.4.1): D is how much later a packet came than its distance from the one
/// before it allows, J += (|D| − J) / 16. Four times J covers nearly all of a bell-shaped spread. Each time a play runs
/// dry the penalty doubles (40, 80 … 320 ms); each play that does not halves it.
public struct PlayoutDelay: Equatable, Sendable {
    /// More is not worth waiting for: the hub sends up to 2 s ahead anyway.
    public static let mostMilliseconds = 500
    static let firstPenaltyMilliseconds = 40
    static let largestPenaltyMilliseconds = 320
    /// A pause of the sender (a new play, a paused one) says nothing about the network.
    static let longestGapMilliseconds = 1000.0

    public let leastMilliseconds: Int
    public private(set) var jitterMilliseconds = 0.0
    public private(set) var penaltyMilliseconds = 0
    private var lastSent: UInt32?
    private var lastArrived = 0.0
    private var ranDry = false

    /// - Parameter leastMilliseconds: not negative; collected even on a perfect network.
    public init(leastMilliseconds: Int) { self.leastMilliseconds = max(0, leastMilliseconds) }

    public var milliseconds: Int {
        let wanted = leastMilliseconds + Int(4 * jitterMilliseconds) + penaltyMilliseconds
        return min(max(Self.mostMilliseconds, leastMilliseconds), wanted)
    }

    /// A packet arrived.
    /// - Parameters:
    ///   - sent: the sender's clock at sending, milliseconds, wrapping.
    ///   - arrived: this side's clock, milliseconds.
    public mutating func observe(sent: UInt32, arrived: Double) {
        defer {
            lastSent = sent
            lastArrived = arrived
        }
        guard let lastSent else { return }
        let sentApart = Double(Int32(bitPattern: sent &- lastSent))
        guard abs(sentApart) < Self.longestGapMilliseconds else { return }
        // `ts_ms` has whole milliseconds: less than one is rounding.
        let lateness = max(0, abs(arrived - lastArrived - sentApart) - 1)
        jitterMilliseconds += (min(lateness, Self.longestGapMilliseconds) - jitterMilliseconds) / 16
    }

    /// A play begins: forgives half of the past if the last one ran well.
    public mutating func beginPlay() {
        if !ranDry { penaltyMilliseconds /= 2 }
        ranDry = false
    }

    public mutating func starved() {
        ranDry = true
        penaltyMilliseconds = min(
            Self.largestPenaltyMilliseconds, max(Self.firstPenaltyMilliseconds, 2 * penaltyMilliseconds))
    }

    /// A new connection: what the old one's packets say about spacing is void.
    public mutating func linkChanged() { lastSent = nil }
}

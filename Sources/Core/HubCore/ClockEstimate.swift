import PuckBase
import PuckWire

/// How a puck's clock relates to the hub's, from NTP's four timestamps: of the last eight exchanges the one with the
/// smallest round trip, because the delay that a network adds is never negative. The true offset lay within half
/// that round trip of the estimate then; since then the two clocks have drifted apart.
public struct ClockEstimate: Equatable, Sendable {
    public struct Sample: Equatable, Sendable {
        /// Puck clock minus hub clock, in milliseconds.
        public var offsetMilliseconds: Double
        public var roundTripMilliseconds: Double
        public var takenAt: Instant

        /// The true offset lies within this of the estimate, so long after the exchange: half of its round trip, and
        /// what clocks drift apart.
        public func errorMilliseconds(at now: Instant) -> Double {
            roundTripMilliseconds / 2 + max(0, (now - takenAt).milliseconds) * ClockEstimate.driftBound
        }
    }

    /// How fast two clocks drift apart at most: 100 ppm, the 50 ppm of a cheap crystal on either side. Clocks that NTP
    /// steers, as Linux steers the monotonic one too, do better: RFC 5905 reckons with 15 ppm (PHI). 4 ms in the 40 s that
    /// the eighth-last exchange may be old.
    public static let driftBound = 100e-6

    private var samples: [Sample] = []
    private var pingedAtMilliseconds: Double?

    public init() {}

    /// The best of the last eight, nil before the first exchange.
    public var best: Sample? {
        var best: Sample?
        for sample in samples where best.map({ sample.roundTripMilliseconds < $0.roundTripMilliseconds }) ?? true {
            best = sample
        }
        return best
    }

    /// The ping to send now. One is outstanding at a time; an answer to an earlier one no longer counts.
    public mutating func ping(now: Instant) -> Ping {
        let t0 = now.clockMilliseconds
        pingedAtMilliseconds = t0
        return Ping(t0: t0)
    }

    /// True when the exchange is a new sample. An answer to no outstanding ping, or one whose timestamps contradict
    /// each other, is left out: it could only spoil the estimate.
    public mutating func received(_ pong: Pong, now: Instant) -> Bool {
        // A puck may print its numbers with microseconds only.
        guard let t0 = pingedAtMilliseconds, abs(pong.t0 - t0) < 0.0015 else { return false }
        pingedAtMilliseconds = nil
        let t3 = Double(now.nanoseconds) / 1e6
        let roundTrip = (t3 - t0) - (pong.t2 - pong.t1)
        let offset = ((pong.t1 - t0) + (pong.t2 - t3)) / 2
        guard roundTrip.isFinite, offset.isFinite, roundTrip >= 0, pong.t2 >= pong.t1 else { return false }
        if samples.count == HubLimits.clockSamples { samples.removeFirst() }
        samples.append(Sample(offsetMilliseconds: offset, roundTripMilliseconds: roundTrip, takenAt: now))
        return true
    }
}

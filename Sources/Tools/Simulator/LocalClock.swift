import PuckBase

/// One machine's monotonic clock: the house's time at another rate and from another origin. It never steps back; it
/// stands still while its machine is suspended.
struct LocalClock {
    private var houseBase: Instant
    private var localBase: Instant
    /// How much faster than the house's time, in parts per billion.
    private var rate: Int64
    private var isStanding = false

    /// - Parameter driftPPM: parts per million, positive when it runs fast.
    init(start: Instant, local: Instant, driftPPM: Double) {
        houseBase = start
        localBase = local
        rate = Int64(driftPPM * 1000)
    }

    func local(_ house: Instant) -> Instant {
        if isStanding { return localBase }
        let passed = (house - houseBase).nanoseconds
        return Instant(nanoseconds: localBase.nanoseconds + passed + Self.drift(passed, rate))
    }

    /// The first instant of the house at which this clock shows `local` or later.
    func house(_ local: Instant) -> Instant {
        let wanted = (local - localBase).nanoseconds
        var passed = wanted
        // Each round leaves a thousandth of the error at most; what rounding leaves is walked off.
        for _ in 0..<4 {
            let missing = wanted - passed - Self.drift(passed, rate)
            passed += missing - Self.drift(missing, rate)
        }
        while passed + Self.drift(passed, rate) < wanted { passed += 1 }
        return Instant(nanoseconds: houseBase.nanoseconds + passed)
    }

    mutating func setDrift(ppm: Double, at house: Instant) {
        localBase = local(house)
        houseBase = house
        rate = Int64(ppm * 1000)
    }

    mutating func stand(at house: Instant) {
        localBase = local(house)
        houseBase = house
        isStanding = true
    }

    mutating func goOn(at house: Instant) {
        houseBase = house
        isStanding = false
    }

    private static func drift(_ nanoseconds: Int64, _ rate: Int64) -> Int64 {
        // Split, so that hours times the rate do not overflow.
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return whole * rate + rest * rate / 1_000_000_000
    }
}

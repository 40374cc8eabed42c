#if MUTATIONS
    import PuckBase
#endif

/// What is asked for: a seed, a house, a time, and what of it is left out. Two runs of one plan are the same run.
public struct Plan: Equatable, Sendable {
    public static let defaultPucks = 5
    public static let defaultSeconds = 1800
    /// Everything has to be back within this after the last fault (issue: convergence).
    static let convergenceSeconds = 60
    /// Then each puck is probed; three attempts of this length fit.
    static let probeSeconds = 60
    /// With less there is no time for anything to go wrong.
    public static let leastSeconds = convergenceSeconds + probeSeconds + 30

    public var seed: UInt64
    public var pucks: Int
    /// Of the house's time, healing and probes included.
    public var seconds: Int

    // For `shrink`: parts of the seed's scenario that are left out. Numbers of what remains do not change.
    public var absentPucks: Set<Int> = []
    public var absentKinds: Set<FaultKind> = []
    /// Nil: all.
    public var keptFaults: Set<Int>?
    public var keptActs: Set<Int>?

    #if MUTATIONS
        /// The deliberate bug to run with.
        public var mutation: Mutation?
    #endif

    public init(seed: UInt64, pucks: Int = defaultPucks, seconds: Int = defaultSeconds) {
        self.seed = seed
        self.pucks = pucks
        self.seconds = max(seconds, Self.leastSeconds)
    }

    /// The faults end here; what follows must converge.
    var healingAfterSeconds: Int { seconds - Self.convergenceSeconds - Self.probeSeconds }
}

import PuckBase

/// Everything about a seed that is drawn before the run: the house, its people, and what will go wrong when.
struct Scenario {
    struct PuckSetup {
        var name: String
        var group: String
        /// The puck's clock at the start; a board that has been up for weeks and one that has just booted.
        var clockStart: Instant
        var driftPPM: Double
        var latency: Interval
        var jitter: Interval
        var playoutDelayMilliseconds: Int
        /// How long after the house's start it is switched on.
        var startsAt: Instant
    }

    struct ResponderSetup {
        var failureChance: Double
        var nothingChance: Double
        var longestAnswerSeconds: Double
        /// Bytes of one packet.
        var packetBytes: ClosedRange<Int>
    }

    let plan: Plan
    let pucks: [PuckSetup]
    let hubClockStart: Instant
    let responder: ResponderSetup
    /// What the kernels of both ends hold beyond the 64 KiB that a program queues itself.
    let kernelBufferBytes: Int
    let faults: [Fault]
    let acts: [Act]
    let healAt: Instant
    let endAt: Instant

    static let names = [
        "kitchen", "hall", "bath", "attic", "cellar", "study", "porch", "garage", "nursery", "pantry", "lounge", "shed",
    ]

    init(_ plan: Plan) {
        self.plan = plan
        var random = RandomStream(seed: plan.seed, .house)
        let groupCount = random.int(1...max(1, min(3, plan.pucks)))
        // Latencies of a whole house are alike: a cable, a good and a bad Wi-Fi.
        let typicalLatency = random.logBetween(0.0005, 0.06)
        let typicalJitter = typicalLatency * random.between(0.05, 1.5)
        var groups: [Int] = []
        var setups: [PuckSetup] = []
        for i in 0..<plan.pucks {
            let group = i < groupCount ? i : random.int(0...groupCount - 1)
            groups.append(group)
            let name = i < Self.names.count ? Self.names[i] : "puck-\(i)"
            setups.append(
                PuckSetup(
                    name: name, group: "floor-\(group)", clockStart: Instant.zero + random.logSeconds(1, 3_000_000),
                    driftPPM: random.between(-100, 100),
                    latency: .seconds(exactly: typicalLatency * random.between(0.5, 2)),
                    jitter: .seconds(exactly: typicalJitter), playoutDelayMilliseconds: 20 * random.int(1...10),
                    startsAt: Instant.zero + random.seconds(0, 1.5)))
        }
        pucks = setups
        hubClockStart = Instant.zero + random.logSeconds(1, 3_000_000)
        let isWasteful = random.chance(0.15)
        responder = ResponderSetup(
            failureChance: random.chance(0.5) ? 0 : random.between(0, 0.2), nothingChance: random.between(0, 0.15),
            longestAnswerSeconds: random.logBetween(3, 30), packetBytes: isWasteful ? 200...1_200 : 40...140)
        kernelBufferBytes = random.pick([0, 4_096, 16_384, 131_072])
        healAt = Instant.zero + .seconds(plan.healingAfterSeconds)
        endAt = Instant.zero + .seconds(plan.seconds)
        faults = Self.faults(plan, until: healAt)
        acts = Self.acts(plan, groups: groups, until: healAt)
    }
}

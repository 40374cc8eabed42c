import PuckBase

/// What can go wrong. Each seed switches about half of them off entirely, so that one kind cannot hide another.
public enum FaultKind: String, CaseIterable, Sendable {
    // The network.
    /// Loss on a path whose transport delivers in order: nothing comes for a while, then everything.
    case stall
    case partition
    case partitionUp = "partition-up"
    case partitionDown = "partition-down"
    /// The connection is dead and neither end is told.
    case halfOpen = "half-open"
    /// Some of what was under way arrives, the rest does not; one end or both are told.
    case reset
    case refusal
    /// The path, or the reader at its end, takes a few kilobytes a second.
    case slowReader = "slow-reader"

    // Processes and machines.
    case puckRestart = "puck-restart"
    case puckPowerLoss = "puck-power-loss"
    /// SIGSTOP: everything in the process stands, its microphone too.
    case puckFreeze = "puck-freeze"
    /// The loop is held up; the microphone's thread goes on.
    case loopStall = "loop-stall"
    /// The machine sleeps: its clock stands too.
    case puckSuspend = "puck-suspend"
    case hubRestart = "hub-restart"
    case hubPowerLoss = "hub-power-loss"
    case hubFreeze = "hub-freeze"
    /// Up to ±1000 ppm.
    case clockDrift = "clock-drift"

    // Sound devices.
    case captureGap = "capture-gap"
    case captureLoss = "capture-loss"
    case playbackLoss = "playback-loss"
    case speakerStall = "speaker-stall"

    // A peer that is not ours.
    /// A message that the protocol forbids there is slipped in.
    case forgery
    /// Another access point, another address: what is open is dead, and the puck's system says so in the end.
    case networkChange = "network-change"
    /// The hub's machine starts anew with another address.
    case hubMove = "hub-move"
    /// A second puck is switched on whose card is a copy of this one's: the same id, the same token.
    case copiedCard = "copied-card"
    /// Nothing can be written on the hub's disk, or nothing opened.
    case hubDiskFull = "hub-disk-full"

    /// Strikes every puck at once.
    var concernsHub: Bool {
        switch self {
        case .hubRestart, .hubPowerLoss, .hubFreeze, .hubMove: true
        case .stall, .partition, .partitionUp, .partitionDown, .halfOpen, .reset, .refusal, .slowReader, .puckRestart,
            .puckPowerLoss, .puckFreeze, .loopStall, .puckSuspend, .clockDrift, .captureGap, .captureLoss,
            .playbackLoss, .speakerStall, .forgery, .networkChange, .copiedCard, .hubDiskFull:
            false
        }
    }

    /// How long one lasts, in seconds, drawn over orders of magnitude.
    var lasts: ClosedRange<Double> {
        switch self {
        case .stall: 0.2...3
        case .partition: 0.5...90
        case .partitionUp, .partitionDown: 0.5...40
        case .halfOpen, .reset, .forgery: 0.001...0.002
        case .refusal: 1...60
        case .slowReader: 5...40
        case .puckRestart: 0.3...5
        case .puckPowerLoss: 4...40
        case .puckFreeze, .puckSuspend, .hubFreeze: 0.1...20
        case .loopStall: 0.05...3
        case .hubRestart: 0.2...40
        case .hubPowerLoss, .hubMove: 4...60
        case .clockDrift: 10...300
        case .captureGap: 0.01...0.5
        case .captureLoss, .playbackLoss: 1...30
        case .speakerStall: 0.1...8
        case .networkChange: 0.05...40
        // Longer than a hub remembers what it said, 30 s.
        case .copiedCard: 40...300
        // The hub tries again every 30 s.
        case .hubDiskFull: 1...120
        }
    }
}

/// What a fault waits for before it strikes: most of the time nothing goes on that it could disturb.
enum Aim {
    /// Nothing: it strikes when its time has come.
    case blind
    /// The puck records: a candidate's first moments, and the utterance behind it.
    case recording
    /// A grant has come.
    case utterance
    /// An answer is being played.
    case answer

    static func drawn(_ random: inout RandomStream) -> Aim {
        let u = random.unit()
        return u < 0.4 ? .blind : u < 0.55 ? .recording : u < 0.75 ? .utterance : .answer
    }
}

struct Fault {
    /// Its place among all of the seed's, whether they happen or not.
    var ordinal: Int
    var kind: FaultKind
    var at: Instant
    var duration: Interval
    /// Whom it strikes; of no meaning where it strikes the hub.
    var puck: Int
    /// For what else the kind has to choose: 0 ..< 1 each.
    var choice: Double
    var secondChoice: Double
    var aim: Aim
    /// From what it is aimed at to when it strikes.
    var offset: Interval

    var end: Instant { at + duration }
}

extension Scenario {
    /// Every kind draws from a stream of its own and each fault takes the same number of draws, so that a shorter run
    /// has the same faults as the beginning of a longer one.
    static func faults(_ plan: Plan, until end: Instant) -> [Fault] {
        var all: [Fault] = []
        for (number, kind) in FaultKind.allCases.enumerated() {
            var random = RandomStream(seed: plan.seed, .faults, number)
            let isOff = random.chance(0.5)
            let mean = random.logBetween(40, 1200)
            var at = Instant.zero
            while !isOff {
                at = at + max(.milliseconds(100), .seconds(exactly: random.exponential(mean: mean)))
                let lasts = kind.lasts
                let duration = random.logSeconds(lasts.lowerBound, lasts.upperBound)
                let fault = Fault(
                    ordinal: 0, kind: kind, at: at, duration: duration, puck: random.int(0...plan.pucks - 1),
                    choice: random.unit(), secondChoice: random.unit(), aim: .drawn(&random),
                    offset: random.logSeconds(0.001, 6))
                if at >= end { break }
                all.append(fault)
            }
        }
        all.sort { $0.at < $1.at }
        for i in all.indices { all[i].ordinal = i }
        return all.filter { fault in
            !plan.absentKinds.contains(fault.kind) && plan.keptFaults.map { $0.contains(fault.ordinal) } ?? true
                && (fault.kind.concernsHub || !plan.absentPucks.contains(fault.puck))
        }
    }
}

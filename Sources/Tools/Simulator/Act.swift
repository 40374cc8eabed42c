import PuckBase
import PuckWire

/// What a person says, heard from the wake word's onset on.
struct Speech {
    /// When there is sound, relative to the onset, in order. The first is the wake word.
    var sounds: [Range<Interval>]

    var duration: Interval { sounds.last?.upperBound ?? .zero }

    static func drawn(_ random: inout RandomStream, withWakeWord: Bool) -> Speech {
        var sounds: [Range<Interval>] = []
        var at = Interval.zero
        if withWakeWord {
            at = random.seconds(0.35, 0.6)
            sounds.append(.zero..<at)
            // Nobody follows the wake word up now and then: the puck has to notice.
            if random.chance(0.05) { return Speech(sounds: sounds) }
        }
        at = at + random.seconds(0.05, 0.4)
        let end = at + random.logSeconds(0.5, random.chance(0.04) ? 25 : 8)
        while at < end {
            let word = random.seconds(0.15, 0.9)
            sounds.append(at..<at + word)
            // A pause under the endpointer's 700 ms; rarely one over it, after which the rest is said to nobody.
            at = at + word + random.seconds(0.05, random.chance(0.03) ? 1.2 : 0.45)
        }
        return Speech(sounds: sounds)
    }
}

/// Something that people do.
struct Act {
    struct Hearer {
        var puck: Int
        var snrDecibels: Double
        /// Sound, microphone and detector: from the onset to the finding.
        var delay: Interval
    }

    enum Kind {
        case speak(Speech, [Hearer])
        /// Heard by these pucks, all alike.
        case television(Programme, [Int])
        /// The button, and what is said into it.
        case press(Speech)
        case stop
        case mute(Bool)
        case volume(Int)
        /// Somebody wants something played, from anywhere: of the hub, not of the puck.
        case play(PlayRequest)
        /// What was asked for last on this puck is not wanted any more.
        case cancelPlay
    }

    var ordinal: Int
    /// Its place in the scenario's list.
    var place = 0
    var at: Instant
    /// Who acts on which puck; for speech the nearest one.
    var puck: Int
    var kind: Kind
}

extension Scenario {
    /// Last words are spoken early enough for the turn to be over long before convergence is looked at.
    static let quietBeforeHealing = Interval.seconds(10)

    static func acts(_ plan: Plan, groups: [Int], until end: Instant) -> [Act] {
        var all: [Act] = []
        let groupCount = (groups.max() ?? 0) + 1
        for group in 0..<groupCount {
            var random = RandomStream(seed: plan.seed, .people, group)
            let members = groups.indices.filter { groups[$0] == group }
            let mean = random.logBetween(25, 150)
            var at = Instant.zero + .seconds(2)
            while true {
                at = at + .seconds(exactly: random.exponential(mean: mean))
                let episode = episode(at, members, &random)
                if at >= end { break }
                all += episode
            }
        }
        for puck in groups.indices { all += requests(plan, puck, until: end) }
        all += programmes(plan, groups: groups, until: end)
        all = all.filter { $0.at < end - quietBeforeHealing }
        // Stable: acts of one instant stay in the order in which they were drawn.
        let order = all.indices.sorted { (all[$0].at, $0) < (all[$1].at, $1) }
        all = order.map { all[$0] }
        for i in all.indices { all[i].ordinal = i }
        all.removeAll { act in
            plan.absentPucks.contains(act.puck) || plan.keptActs.map { !$0.contains(act.ordinal) } ?? false
        }
        for i in all.indices { all[i].place = i }
        return all
    }

    /// What is asked of the hub for one puck: single plays, and bursts of them in which each pre-empts the one before.
    private static func requests(_ plan: Plan, _ puck: Int, until end: Instant) -> [Act] {
        var random = RandomStream(seed: plan.seed, .requests, puck)
        if random.chance(0.25) { return [] }
        let mean = random.logBetween(15, 300)
        var acts: [Act] = []
        var at = Instant.zero + .seconds(2)
        while true {
            at = at + .seconds(exactly: random.exponential(mean: mean))
            if at >= end { return acts }
            func play(_ category: DownStart.Category, after delay: Interval = .zero) {
                let packets = max(1, Int(50 * random.logBetween(0.1, category == .music ? 90 : 10)))
                let request = PlayRequest(puck: puck, category: category, packets: packets)
                acts.append(Act(ordinal: 0, at: at + delay, puck: puck, kind: .play(request)))
            }
            func cancel(after delay: Interval) {
                acts.append(Act(ordinal: 0, at: at + delay, puck: puck, kind: .cancelPlay))
            }
            let what = random.unit()
            if what < 0.6 {
                play(random.pick([.music, .music, .timer, .reminder, .notification, .announcement, .filler]))
                if random.chance(0.3) { cancel(after: random.logSeconds(0.02, 20)) }
            } else {
                var delay = Interval.zero
                for category in [DownStart.Category.music, .notification, .announcement, .timer] {
                    if random.chance(0.75) { play(category, after: delay) }
                    delay = delay + random.logSeconds(0.02, 5)
                    if random.chance(0.4) { cancel(after: delay + random.logSeconds(0.01, 1)) }
                }
            }
        }
    }

    /// One thing that somebody wants, and what they do after it.
    private static func episode(_ at: Instant, _ members: [Int], _ random: inout RandomStream) -> [Act] {
        var acts: [Act] = []
        let nearest = random.pick(members)
        func act(_ kind: Act.Kind, after delay: Interval) {
            acts.append(Act(ordinal: 0, at: at + delay, puck: nearest, kind: kind))
        }
        let what = random.unit()
        if what < 0.75 {
            act(.speak(.drawn(&random, withWakeWord: true), hearers(nearest, members, &random)), after: .zero)
        } else if what < 0.9 {
            act(.press(.drawn(&random, withWakeWord: false)), after: .zero)
        } else if what < 0.94 {
            act(.mute(true), after: .zero)
            act(.mute(false), after: random.logSeconds(1, 60))
        } else if what < 0.97 {
            act(.volume(random.int(-10...110)), after: .zero)
        } else {
            act(.stop, after: .zero)
        }
        let afterwards = random.unit()
        let delay = random.logSeconds(0.2, 30)
        if afterwards < 0.12 {
            act(.press(.drawn(&random, withWakeWord: false)), after: delay)
        } else if afterwards < 0.24 {
            act(.stop, after: delay)
        } else if afterwards < 0.36 {
            act(.speak(.drawn(&random, withWakeWord: true), hearers(nearest, members, &random)), after: delay)
        } else if afterwards < 0.39 {
            act(.mute(true), after: delay)
            act(.mute(false), after: delay + random.logSeconds(1, 20))
        }
        return acts
    }

    /// The nearest puck hears best, most of the time; the others of the room hear it less well, later, or not at all.
    private static func hearers(_ nearest: Int, _ members: [Int], _ random: inout RandomStream) -> [Act.Hearer] {
        var hearers: [Act.Hearer] = []
        let best = random.between(16, 38)
        for puck in members {
            let isNearest = puck == nearest
            let loss = isNearest ? 0 : random.between(-2, 18)
            let delay = random.seconds(0.09, 0.16) + (isNearest ? .zero : random.seconds(0, 0.06))
            let isDeaf = !isNearest && random.chance(0.2)
            let snr = best - loss
            if !isDeaf, snr > 11 { hearers.append(Act.Hearer(puck: puck, snrDecibels: snr, delay: delay)) }
        }
        return hearers
    }
}

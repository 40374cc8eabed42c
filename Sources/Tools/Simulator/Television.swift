import PuckBase

/// A television: speech-like noise that goes on, in which a puck's detector finds its wake word now and then. It pauses for
/// breath, and never for as long as a person who has finished.
struct Programme {
    /// When there is sound, from its beginning on.
    var sounds: Speech
    /// When each false wake begins, and how far above the room it is.
    var wakes: [(at: Interval, snrDecibels: Double)]

    /// A voice of so much above the room is always believed (`WakeDoubt`); a television that loud is none that a puck could
    /// tell from people, and none of these is.
    static let loudest = 25.0

    static func drawn(_ random: inout RandomStream, lasting duration: Interval) -> Programme {
        var sounds: [Range<Interval>] = []
        var at = Interval.zero
        while at < duration {
            let word = random.seconds(0.2, 2)
            sounds.append(at..<at + word)
            // Under the endpointer's 700 ms.
            at = at + word + random.seconds(0.05, 0.5)
        }
        let level = random.between(13, loudest)
        let mean = random.logBetween(6, 60)
        var wakes: [(at: Interval, snrDecibels: Double)] = []
        at = random.seconds(0.5, 5)
        while at < duration {
            wakes.append((at: at, snrDecibels: max(12, min(loudest, level + random.between(-4, 4)))))
            at = at + .seconds(exactly: 0.7 + random.exponential(mean: mean))
        }
        return Programme(sounds: Speech(sounds: sounds), wakes: wakes)
    }
}

extension Scenario {
    /// The last programme ends so long before the healing that its last turn, and the answer, end before it.
    private static let televisionQuiet = Interval.seconds(60)

    /// In half of the groups somebody watches television, for minutes at a time. Draws from a stream of its own.
    static func programmes(_ plan: Plan, groups: [Int], until end: Instant) -> [Act] {
        var acts: [Act] = []
        for group in 0...(groups.max() ?? 0) {
            var random = RandomStream(seed: plan.seed, .television, group << 16)
            if random.chance(0.5) { continue }
            let members = groups.indices.filter { groups[$0] == group }
            let mean = random.logBetween(120, 900)
            var at = Instant.zero
            var count = 0
            while true {
                at = at + .seconds(exactly: random.exponential(mean: mean))
                let duration = random.logSeconds(60, 1_200)
                let nearest = random.pick(members)
                let hearers = members.filter { $0 == nearest || random.chance(0.3) }
                count += 1
                let latest = end - televisionQuiet
                if at >= latest { break }
                var own = RandomStream(seed: plan.seed, .television, group << 16 + count)
                let programme = Programme.drawn(&own, lasting: min(duration, latest - at))
                acts.append(Act(ordinal: 0, at: at, puck: nearest, kind: .television(programme, hearers)))
                at = at + duration
            }
        }
        return acts
    }
}

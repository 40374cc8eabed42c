import CMath
import PuckBase
import PuckWire

/// The score that `nearest` goes by: docs/ARBITRATION.md, "The order". Numbers were fitted to simulated houses.
enum NearestScore {
    /// For pucks that send no envelope: what a millisecond of delay is worth. The best lies between 0.4 and 0.7 for
    /// clocks that are right to 5 ms.
    static let decibelsPerMillisecond = 0.5
    /// A clock that may be so wrong makes an onset worth half as much; the best weight at ±20 ms is 0.2.
    static let halvingErrorMilliseconds = 20.0
    /// What an arrival may be off as a measure of the onset: a capture period of 20 ms, and the network.
    static let arrivalErrorMilliseconds = 20.0

    /// With envelopes. The early level contains most of the delay already.
    static let earlyDecibelsPerMillisecond = 0.1
    /// A microphone that makes the room's noise louder makes voices louder too.
    static let noiseShare = 0.35
    /// For each decibel that the level varies from one 5 ms to the next: reverberation fills the gaps between the
    /// pulses of a voice, and there is more of it far away.
    static let roughnessWeight = 2.0
    /// The early level is that of 20 ms, from 10 ms before the first puck heard anything.
    static let earlyMilliseconds = 20.0
    static let earlyLeadMilliseconds = 10.0
    /// Shorter envelopes, 40 ms from the onset on, are none.
    static let leastSteps = leadSteps + 8

    private static let step = Double(WakeCandidate.envelopeStepMilliseconds)
    private static let leadSteps = WakeCandidate.envelopeLeadMilliseconds / WakeCandidate.envelopeStepMilliseconds

    /// Sets every candidate's score, and its cues where all have envelopes and clocks.
    ///
    /// An uncertain onset is drawn towards the mean of the certain ones, so that a bad clock neither wins nor loses. When
    /// any clock is unknown, all are compared by arrival: an onset and an arrival, 100 ms apart by nature, cannot be.
    static func scored(_ candidates: [Candidate]) -> [Candidate] {
        let byArrival = candidates.contains { !$0.onset.isCorrected }
        let lateness = lateness(candidates, byArrival: byArrival)
        let haveEnvelopes = candidates.allSatisfy { $0.wake.envelope.count >= leastSteps }
        let from = (lateness.min() ?? 0) - earlyLeadMilliseconds
        var scored = candidates
        for (i, late) in lateness.enumerated() {
            let c = scored[i]
            var score = -c.gainDecibels(by: .nearest) + c.handicapDecibels
            if haveEnvelopes && !byArrival {
                let cues = Candidate.Cues(
                    earlyDecibels: level(of: c.wake, onset: late, from: from, to: from + earlyMilliseconds),
                    roughnessDecibels: roughness(c.wake.envelope[leadSteps...].map { Double($0) }))
                score += cues.earlyDecibels + roughnessWeight * cues.roughnessDecibels
                score -= noiseShare * c.wake.noiseDecibels + earlyDecibelsPerMillisecond * late
                scored[i].cues = cues
            } else {
                score += c.wake.levelDecibels - decibelsPerMillisecond * late
                scored[i].cues = nil
            }
            // A number that is none counts as the worst.
            scored[i].score = score.isFinite ? score : -1_000_000
        }
        return scored
    }

    /// Milliseconds after the mean of all, by as much as they are certain.
    private static func lateness(_ candidates: [Candidate], byArrival: Bool) -> [Double] {
        let times = candidates.map { byArrival ? Double($0.arrived.nanoseconds) / 1e6 : $0.onset.milliseconds }
        let trust = candidates.map {
            let error = (byArrival ? arrivalErrorMilliseconds : $0.onset.errorMilliseconds) / halvingErrorMilliseconds
            return 1 / (1 + error * error)
        }
        // Relative to the first: monotonic clocks are large numbers, and differences are what counts.
        let origin = times.first ?? 0
        var mean = 0.0
        var total = 0.0
        for (time, trust) in zip(times, trust) {
            mean += trust * (time - origin)
            total += trust
        }
        mean /= max(total, .leastNormalMagnitude)
        return zip(times, trust).map { time, trust in trust * (time - origin - mean) }
    }

    /// The level between two times. Before the envelope there is the room's noise, after it what it ends with.
    private static func level(of wake: WakeCandidate, onset: Double, from: Double, to: Double) -> Double {
        let powers = wake.envelope.map { power(Double($0)) }
        let start = onset - Double(WakeCandidate.envelopeLeadMilliseconds)
        let end = start + step * Double(powers.count)
        var energy = power(wake.noiseDecibels) * max(0, min(to, start) - from)
        for (i, power) in powers.enumerated() {
            let begins = start + step * Double(i)
            energy += power * max(0, min(to, begins + step) - max(from, begins))
        }
        energy += powers.suffix(4).reduce(0, +) / 4 * max(0, to - max(from, end))
        return 10 * log10(max(energy / (to - from), .leastNormalMagnitude))
    }

    /// How far each level is from the mean of the five around it: the standard deviation, dB.
    private static func roughness(_ levels: [Double]) -> Double {
        var sum = 0.0
        var squares = 0.0
        for i in levels.indices {
            var around = 0.0
            for k in -2...2 { around += levels[min(max(i + k, 0), levels.count - 1)] }
            let apart = levels[i] - around / 5
            sum += apart
            squares += apart * apart
        }
        let count = Double(levels.count)
        return max(0, squares / count - sum / count * sum / count).squareRoot()
    }

    private static func power(_ decibels: Double) -> Double { pow(10, decibels / 10) }
}

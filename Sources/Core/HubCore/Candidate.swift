import PuckBase
import PuckWire

/// A wake candidate, with what the hub knows of it at its arrival.
public struct Candidate: Equatable, Sendable {
    /// When the phrase began, on the hub's clock.
    public struct Onset: Equatable, Sendable {
        /// Milliseconds of the hub's clock.
        public var milliseconds: Double
        /// The true onset lies within this of it; half the round trip of the best clock exchange,
        /// and what the clocks have drifted apart since.
        public var errorMilliseconds: Double
        /// False while the puck's clock is unknown: this is the time of arrival then.
        public var isCorrected: Bool
    }

    /// What `nearest` reads from the envelope of a puck that sends one.
    public struct Cues: Equatable, Sendable {
        /// The level just when the first puck began to hear, dB relative to full scale.
        public var earlyDecibels: Double
        /// How much the level varies from one 5 ms to the next, dB.
        public var roughnessDecibels: Double
    }

    public var connection: ConnectionID
    public var puckID: String
    public var wake: WakeCandidate
    public var arrived: Instant
    public var onset: Onset
    /// How much louder this puck hears than its neighbours do, learned from wakes that they heard together; dB.
    public var gainDecibels: Double
    /// The part of the gain that people's corrections made; dB.
    public var correctedDecibels: Double
    /// Added to SNR and score because the puck heard the phrase over its own loudspeaker; dB.
    public var handicapDecibels: Double
    /// `[arbitration] prefer`: higher wins ties.
    public var weight: Int
    /// Won the group's last wake: the conversation is likely to go on there.
    public var wonLast: Bool
    /// What `nearest` goes by, dB; set when the wake is decided, since it depends on the others.
    public internal(set) var score = 0.0
    /// Set together with the score; nil when somebody's clock is unknown, or somebody sent no envelope.
    public internal(set) var cues: Cues?

    public init(
        connection: ConnectionID, puckID: String, wake: WakeCandidate, arrived: Instant, onset: Onset,
        gainDecibels: Double = 0, correctedDecibels: Double = 0, handicapDecibels: Double = 0, weight: Int = 0,
        wonLast: Bool = false
    ) {
        self.connection = connection
        self.puckID = puckID
        self.wake = wake
        self.arrived = arrived
        self.onset = onset
        self.gainDecibels = gainDecibels
        self.correctedDecibels = correctedDecibels
        self.handicapDecibels = handicapDecibels
        self.weight = weight
        self.wonLast = wonLast
    }

    /// A button was pressed (PROTOCOL.md, wake_candidate): no voice outranks it.
    var isPressed: Bool { wake.isPressed }

    /// What this policy takes off the level. Learned gains are left out where onsets count as well: whoever always sits in
    /// one place would teach them the place, not the microphone.
    public func gainDecibels(by policy: ArbitrationPolicy) -> Double {
        switch policy {
        case .nearest: correctedDecibels
        case .energy: gainDecibels
        case .onset, .snr, .first: 0
        }
    }

    // Whole decibels and twentieths, so that comparing them is an order: what is closer than that is the same.
    var snr: Int { Self.whole(wake.snrDecibels + handicapDecibels) }
    var level: Int { Self.whole(wake.levelDecibels - gainDecibels) }
    var confidence: Int { Self.whole(wake.confidence * 20) }

    static func whole(_ value: Double) -> Int {
        // A number that is none counts as the worst.
        value.isFinite ? Int(max(-1e6, min(1e6, value.rounded()))) : -1_000_000
    }
}

/// By what a wake is decided.
public enum ArbitrationPolicy: String, CaseIterable, Sendable {
    /// How loud, how early and with how little reverberation together: docs/ARBITRATION.md.
    case nearest
    /// The earliest onset, then the clearest.
    case onset
    /// The loudest, with the microphones' gains taken out.
    case energy
    /// The highest signal over noise.
    case snr
    /// The first to arrive, as others do it; for comparison.
    case first
}

/// The record of one decision, enough to explain it.
public struct ArbitrationDecision: Equatable, Sendable {
    /// Somebody who reported the same wake when it had been decided.
    public struct Late: Equatable, Sendable {
        public var puckID: String
        public var after: Interval
    }

    /// Who was granted first, and failed.
    public struct Predecessor: Equatable, Sendable {
        public var puckID: String
        public var conversationID: String
    }

    public enum Rule: String, Sendable {
        case onlyCandidate = "only_candidate"
        case button
        case nearest
        case earliestOnset = "earliest_onset"
        case loudest
        case highestSNR = "highest_snr"
        case highestConfidence = "highest_confidence"
        case preferred
        case wonLast = "won_last"
        case earlierArrival = "earlier_arrival"
        case lowestPuckID = "lowest_puck_id"
        /// Another phrase won the group while this window was open: nobody is granted.
        case groupBusy = "group_busy"
        /// The winner of an earlier decision sent nothing, or dropped: FAILURES.md L4, L5.
        case runnerUp = "runner_up"
    }

    public var decidedAt: Instant
    public var waited: Interval
    public var phrase: String
    public var group: String
    public var policy: ArbitrationPolicy
    /// Best first; the first is the winner unless the group was busy.
    public var candidates: [Candidate]
    public var rule: Rule
    /// Nil when the group was busy.
    public var conversationID: String?
    /// Who would have won by each policy, in the order of `ArbitrationPolicy.allCases`.
    public var winners: [String]
    /// A person said that it should have been this puck.
    public var correctedTo: String?
    /// Of a runner-up.
    public var inPlaceOf: Predecessor?
    /// In the order in which they came, each puck once.
    public internal(set) var late: [Late] = []

    public var winner: Candidate? { conversationID == nil ? nil : candidates.first }

    /// One log value: `kitchen:21.5,hall:17.0` (puck and SNR in dB, best first).
    var scores: String {
        var text = ""
        for candidate in candidates {
            if !text.isEmpty { text += "," }
            text += candidate.puckID + ":" + fixed(candidate.wake.snrDecibels, 1)
        }
        return text
    }
}

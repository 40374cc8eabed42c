import PuckBase

/// What a puck does about a network that is dead although everything says that it is well: the Pi Zero 2 W's Wi-Fi
/// firmware is known for it (interface up, address there, no traffic). Pure: the time, the link and the probes' answers
/// go in, probes and remedies come out, the gentlest first.
///
/// It acts only when both are silent, the hub and a gateway that has answered a probe before: a hub that is switched off
/// is no reason to touch the network, and a gateway that never answers probes says nothing by not answering.
///
///     hub is there ── lost ──▶ probe every 10 s ── 3 in a row unanswered ──▶ next rung, 30 s of patience ─┐
///          ▲                        ▲  ▲── answered: the first rung is next again                        │
///          └── the hub is back ─────┘  └────────────────────────────────────────────────────────────────┘
///
/// After the last rung it begins anew with twice the patience, up to an hour.
public struct NetworkLadder: Sendable {
    /// From the gentlest to the harshest.
    public enum Rung: Int, CaseIterable, Sendable {
        /// A command that has the Wi-Fi associate again.
        case reconnect
        /// Commands that take the interface down and up again.
        case interface
        /// The daemon ends, for the service manager to start it anew.
        case service
        /// Only where it is configured.
        case reboot

        /// One word for the log.
        public var word: StaticString {
            switch self {
            case .reconnect: "reconnect"
            case .interface: "interface"
            case .service: "service"
            case .reboot: "reboot"
            }
        }
    }

    public struct Parameters: Equatable, Sendable {
        /// The rungs that are configured, in order; with none the wedge is only reported.
        public var rungs: [Rung]
        /// From one probe's end to the next, while the hub is away.
        public var probeEvery: Interval
        /// Unanswered in a row before a rung is climbed, 1…100.
        public var failedProbes: Int
        /// After a rung, for it to take effect.
        public var patience: Interval

        public init(
            rungs: [Rung] = [], probeEvery: Interval = .seconds(10), failedProbes: Int = 3,
            patience: Interval = .seconds(30)
        ) {
            self.rungs = rungs
            self.probeEvery = probeEvery
            self.failedProbes = failedProbes
            self.patience = patience
        }
    }

    public enum Event: Equatable, Sendable {
        case hubReached
        case hubLost
        /// What came of the last `beginProbe`: false also when there was no gateway to ask.
        case probed(answered: Bool)
        /// The commands of the last rung have ended.
        case climbed
        case timePassed
    }

    /// Where the ladder stands, over a restart that is itself a rung.
    public struct Place: Equatable, Sendable {
        /// The rung that is next, as an index of `rungs`.
        public var next: Int
        /// How often all of them have been climbed.
        public var rounds: Int

        public init(next: Int, rounds: Int) {
            self.next = next
            self.rounds = rounds
        }
    }

    public enum Effect: Equatable, Sendable {
        /// Ask the gateway something.
        case beginProbe
        /// Look whether it has answered, and say so with `probed`, at once.
        case endProbe
        /// Say `climbed` when it is done; until then nothing else is done. - next: for the `init` after a restart.
        case climb(Rung, next: Place)
        case log(LogRecord)
    }

    /// A gateway in the same house answers within milliseconds, through a sleeping Wi-Fi within half a second.
    static let answerWithin = Interval.seconds(2)
    static let longestPatience = Interval.seconds(3600)

    private let parameters: Parameters
    private var isHubThere = false
    /// The gateway has answered once: that it does not now means something.
    private var gatewayAnswers: Bool
    private var failures = 0
    private var place: Place
    private var isWedged = false
    private var probeAt: Instant?
    private var answerAt: Instant?

    /// - Parameters:
    ///   - parameters: rungs and times.
    ///   - resumedAt: after a restart that was itself a rung; the gateway had answered before it.
    ///   - now: the time of the start.
    public init(_ parameters: Parameters, resumedAt: Place? = nil, now: Instant) {
        self.parameters = parameters
        gatewayAnswers = resumedAt != nil
        // Of another configuration, perhaps.
        let isKnown = resumedAt.map { parameters.rungs.indices.contains($0.next) && $0.rounds >= 0 } ?? false
        place = isKnown ? resumedAt! : Place(next: 0, rounds: 0)
        probeAt = now + (resumedAt == nil ? parameters.probeEvery : patience)
    }

    /// From a rung's end to the next probe.
    private var patience: Interval {
        max(parameters.probeEvery, min(parameters.patience * (1 << min(place.rounds, 10)), Self.longestPatience))
    }

    /// The next moment at which `step(.timePassed)` has something to do.
    public var nextDeadline: Instant? { earliest(probeAt, answerAt) }

    /// The gateway did not answer, and neither did the hub, for as many probes as were configured.
    public var isStuck: Bool { isWedged }

    /// Takes one event and appends what is to be done.
    public mutating func step(_ event: Event, now: Instant, into effects: inout [Effect]) {
        switch event {
        case .hubReached:
            isHubThere = true
            mended(&effects)
            // Once, to learn whether this gateway answers at all; from then on an idle network is left alone.
            probeAt = gatewayAnswers ? nil : now
        case .hubLost:
            isHubThere = false
            probeAt = now + parameters.probeEvery
        case .probed(let answered):
            probeAt = isHubThere ? nil : now + parameters.probeEvery
            if answered {
                gatewayAnswers = true
                mended(&effects)
            } else if !isHubThere && gatewayAnswers {
                unanswered(now, &effects)
            }
        case .climbed: if !isHubThere, isWedged { probeAt = now + patience }
        case .timePassed: break
        }
        if let due = answerAt, due <= now {
            answerAt = nil
            effects.append(.endProbe)
        }
        if let due = probeAt, due <= now {
            probeAt = nil
            answerAt = now + Self.answerWithin
            effects.append(.beginProbe)
        }
    }

    private mutating func mended(_ effects: inout [Effect]) {
        if isWedged { effects.append(.log(LogRecord(.notice, "network.recovered"))) }
        isWedged = false
        failures = 0
        place = Place(next: 0, rounds: 0)
    }

    private mutating func unanswered(_ now: Instant, _ effects: inout [Effect]) {
        failures += 1
        guard failures >= parameters.failedProbes else { return }
        failures = 0
        if !isWedged {
            isWedged = true
            effects.append(
                .log(
                    LogRecord(
                        .warning, "network.wedged",
                        [
                            .init("unanswered", parameters.failedProbes),
                            .init(
                                "advice",
                                parameters.rungs.isEmpty
                                    ? "neither the hub nor the gateway answers; [network] can do something about it"
                                    : "neither the hub nor the gateway answers"),
                        ])))
        }
        guard !parameters.rungs.isEmpty else { return }
        let rung = parameters.rungs[place.next]
        place.next += 1
        if place.next == parameters.rungs.count { place = Place(next: 0, rounds: min(place.rounds + 1, 99)) }
        probeAt = now + patience
        effects.append(.log(LogRecord(.warning, "network.remedy", [.init("rung", "\(rung.word)")])))
        effects.append(.climb(rung, next: place))
    }
}

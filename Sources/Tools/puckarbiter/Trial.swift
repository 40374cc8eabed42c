import HubCore
import PuckBase
import PuckWire

/// One house's wakes through the real hub on a virtual clock: sessions, clock exchanges, candidates in order of arrival,
/// audio of the winner. Nothing of the hub is replaced.
struct Trial {
    struct Outcome {
        /// Who was granted, in order; more than one is a failure.
        var winners: [Int] = []
        var waitedMilliseconds = 0.0
    }

    /// Between two wakes, and from a wake to the end of its conversation.
    private static let wakeEvery = Interval.seconds(8)
    private static let conversation = Interval.seconds(3)

    private var hub: Hub
    private var now = Instant(nanoseconds: 1_000_000_000_000)
    private var due: [(at: Instant, event: HubEvent)] = []
    private var grants: [(puck: Int, conversation: String, at: Instant)] = []
    private let house: CaseHouse
    private let network: Int

    /// - Parameter pucks: who is connected; all of the house by default.
    init(_ house: CaseHouse, policy: ArbitrationPolicy, network: Int, pucks: [Int]? = nil) {
        var settings = HubPolicy()
        settings.arbitrationPolicy = policy
        hub = Hub(policy: settings, generator: SeededGenerator(seed: UInt64(house.number)))
        self.house = house
        self.network = network
        for puck in pucks ?? Array(house.pucks.indices) {
            let id = Self.connection(puck)
            step(.connectionOpened(id, tokenName: "puck-\(puck)"))
            let hello = Hello(
                puckID: "puck-\(puck)", room: "home", group: "home", software: "trial", phrases: ["puck"])
            step(.received(id, .hello(hello)))
        }
        advance(to: now + .seconds(1))
    }

    /// One wake, from the opening of the mouth to the end of the conversation.
    mutating func run(_ wake: CaseHouse.Wake) -> Outcome {
        let mouth = now + .seconds(1)
        grants = []
        for heard in wake.heard {
            let candidate = WakeCandidate(
                wakeID: UInt32(wake.number), phrase: "puck",
                onsetMilliseconds: mouth.milliseconds + heard.onsetMilliseconds + Self.clock(heard.puck),
                snrDecibels: heard.levelDecibels - heard.noiseDecibels, levelDecibels: heard.levelDecibels,
                noiseDecibels: heard.noiseDecibels, confidence: heard.confidence,
                envelope: heard.envelope)
            due.append(
                (mouth.later(heard.arrival(network)), .received(Self.connection(heard.puck), .wakeCandidate(candidate)))
            )
        }
        advance(to: mouth + Self.conversation)
        let first = wake.heard.map { mouth.later($0.arrival(network)) }.min() ?? mouth
        let outcome = Outcome(
            winners: grants.map { $0.puck }, waitedMilliseconds: grants.first.map { ($0.at - first).milliseconds } ?? 0)
        for grant in grants {
            let end = UplinkEnd(
                conversationID: grant.conversation, lastSequence: SerialNumber(UInt16(HubLimits.provenPackets - 1)),
                reason: .silence)
            step(.received(Self.connection(grant.puck), .uplinkEnd(end)))
        }
        advance(to: mouth + Self.wakeEvery)
        return outcome
    }

    private static func connection(_ puck: Int) -> ConnectionID { ConnectionID(UInt32(puck + 1)) }
    /// What the puck's clock is ahead of the hub's.
    private static func clock(_ puck: Int) -> Double { Double(puck) * 12_345.678 - 20_000 }

    private mutating func advance(to end: Instant) {
        while true {
            let next = due.indices.min { due[$0].at < due[$1].at }
            let deadline = hub.nextDeadline ?? end
            if let next, due[next].at <= end, due[next].at <= deadline {
                let event = due.remove(at: next)
                now = max(now, event.at)
                step(event.event)
            } else if deadline < end {
                now = max(now, deadline)
                step(.timePassed)
            } else {
                break
            }
        }
        now = end
    }

    private mutating func step(_ event: HubEvent) {
        var effects: [HubEffect] = []
        hub.step(event, now: now, into: &effects)
        for effect in effects {
            guard case .send(let id, let control, _) = effect else { continue }
            let puck = Int(id.number) - 1
            switch control {
            case .ping(let ping):
                let roundTrip = house.pucks[puck].roundTripMilliseconds
                let middle =
                    ping.t0 + roundTrip / 2 + Self.clock(puck) + house.pucks[puck].clockErrorMilliseconds
                due.append(
                    (now.later(roundTrip), .received(id, .pong(Pong(t0: ping.t0, t1: middle, t2: middle)))))
            case .grant(_, let conversation):
                grants.append((puck, conversation, now))
                for number in 0..<HubLimits.provenPackets {
                    let sequence = SerialNumber(UInt16(number))
                    due.append((now.later(1), .receivedAudio(id, .uplinkOpus, sequence, byteCount: 60)))
                }
            default: break
            }
        }
    }
}

extension Instant {
    fileprivate var milliseconds: Double { Double(nanoseconds) / 1e6 }
    fileprivate func later(_ milliseconds: Double) -> Instant {
        self + Interval(nanoseconds: Int64((milliseconds * 1e6).rounded()))
    }
}

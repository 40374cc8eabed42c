import Foundation
import HubCore
import PuckBase
import PuckWire

/// How fast the hub decides: the whole machine with virtual sessions, virtual time, and the processor's time of each step.
enum Speed {
    /// Virtual sessions in groups of the same size.
    private struct House {
        var hub: Hub
        var now = Instant(nanoseconds: 1_000_000_000_000)
        let groups: Int
        let pucks: Int
        private var wakeID: UInt32 = 0
        private(set) var grants: [(puck: Int, conversation: String)] = []

        init(groups: Int, pucks: Int) {
            hub = Hub(generator: SeededGenerator(seed: 1))
            self.groups = groups
            self.pucks = pucks
            for puck in 0..<groups * pucks {
                step(.connectionOpened(Self.connection(puck), tokenName: "puck-\(puck)"))
                let hello = Hello(
                    puckID: "puck-\(puck)", room: "room", group: "group-\(puck / pucks)", software: "speed",
                    phrases: ["puck"])
                step(.received(Self.connection(puck), .hello(hello)))
            }
        }

        static func connection(_ puck: Int) -> ConnectionID { ConnectionID(UInt32(puck + 1)) }

        /// - Returns: nanoseconds.
        @discardableResult
        mutating func step(_ event: HubEvent) -> Int {
            var effects: [HubEffect] = []
            let before = Speed.processorNanoseconds()
            hub.step(event, now: now, into: &effects)
            let took = Speed.processorNanoseconds() - before
            for effect in effects {
                if case .send(let id, .grant(_, let conversation), _) = effect {
                    grants.append((Int(id.number) - 1, conversation))
                }
            }
            return took
        }

        mutating func candidate(_ puck: Int) -> Int {
            wakeID += 1
            let wake = WakeCandidate(
                wakeID: wakeID, phrase: "puck", onsetMilliseconds: 0, snrDecibels: 20,
                levelDecibels: -30 - Double(puck % 7), noiseDecibels: -50, confidence: 0.9)
            return step(.received(Self.connection(puck), .wakeCandidate(wake)))
        }

        /// Ends all conversations, lets the second pass in which candidates are late, and hears from everybody.
        mutating func rest() {
            for grant in grants {
                let end = UplinkEnd(
                    conversationID: grant.conversation, lastSequence: SerialNumber(UInt16.max), reason: .silence)
                step(.received(Self.connection(grant.puck), .uplinkEnd(end)))
            }
            grants = []
            now = now + .milliseconds(1_500)
            for puck in 0..<groups * pucks {
                let status = PuckStatus(
                    phase: "idle", muted: false, volume: 80, xruns: 0, gapMilliseconds: 0, captureOK: true,
                    uptimeSeconds: 1)
                step(.received(Self.connection(puck), .status(status)))
            }
        }
    }

    private static let rounds = 6

    /// Of this thread's processor: what others do on the machine does not count.
    static func processorNanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    static func run() {
        decisions(groups: 10)
        decisions(groups: 1_000)
        grants(groups: 250, pucks: 4)
    }

    /// All groups wake in turn, both pucks of each.
    private static func decisions(groups: Int) {
        var house = House(groups: groups, pucks: 2)
        var spent = 0
        var decided = 0
        for _ in 0..<rounds {
            for group in 0..<groups {
                spent += house.candidate(2 * group) + house.candidate(2 * group + 1)
            }
            decided += house.grants.count
            house.rest()
        }
        precondition(decided == rounds * groups, "each wake is decided once")
        let each = Double(spent) / Double(decided)
        print(
            String(
                format: "decisions, %d groups of 2: %.0f a second on one core (%.1f µs each)", groups, 1e9 / each,
                each / 1_000))
    }

    /// One puck of each group wakes, the others are waited for: what the step at the window's end takes, with all other
    /// windows still open.
    private static func grants(groups: Int, pucks: Int) {
        var house = House(groups: groups, pucks: pucks)
        var took: [Int] = []
        for _ in 0..<rounds {
            for group in 0..<groups {
                _ = house.candidate(pucks * group)
                house.now = house.now + Interval(nanoseconds: 100_000)
            }
            // From here the windows end one by one, 0.1 ms apart.
            while house.grants.count < groups, let due = house.hub.nextDeadline {
                let before = house.grants.count
                house.now = max(house.now, due)
                let nanoseconds = house.step(.timePassed)
                if house.grants.count > before { took.append(nanoseconds) }
            }
            house.rest()
        }
        took.sort()
        precondition(took.count > groups, "windows end one by one")
        print(
            String(
                format: "grant after the window's end, %d pucks in groups of %d: median %.0f µs, 99 %% %.0f µs",
                groups * pucks, pucks,
                Double(took[took.count / 2]) / 1_000, Double(took[took.count * 99 / 100]) / 1_000))
    }
}

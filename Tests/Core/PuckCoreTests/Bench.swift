import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

/// A puck under virtual time: what it did is kept, and looked at.
struct Bench {
    var puck: Puck
    var now = Instant(nanoseconds: 1_000_000_000)
    var effects: [PuckEffect] = []

    init(seed: UInt64 = 1, hubSearch: Puck.HubSearchMode = .off) {
        self.init(random: SeededGenerator(seed: seed), hubSearch: hubSearch)
    }

    init(random: SeededGenerator, hubSearch: Puck.HubSearchMode = .off) {
        puck = Puck(
            identity: .init(
                puckID: "kitchen", room: "kitchen", group: "house", phrase: "puck", software: "test",
                hubSearch: hubSearch),
            parameters: .init(), random: random)
    }

    /// Steps one event and gives back what it caused.
    @discardableResult
    mutating func on(_ event: PuckEvent) -> [PuckEffect] {
        effects.removeAll(keepingCapacity: true)
        puck.step(event, now: now, into: &effects)
        return effects
    }

    /// Lets time pass deadline by deadline; gives back everything that happened.
    mutating func wait(_ interval: Interval) -> [PuckEffect] {
        let end = now + interval
        var all: [PuckEffect] = []
        while let next = puck.nextDeadline, next <= end {
            now = max(now, next)
            all += on(.timePassed)
        }
        now = end
        return all
    }

    mutating func control(_ control: HubControl, _ sequence: UInt16 = 0) -> [PuckEffect] {
        on(.controlReceived(control, sequence: SerialNumber(sequence)))
    }

    mutating func connect(from: UInt16 = 0) {
        on(.started)
        on(.socketOpened)
        _ = control(
            .welcome(
                Welcome(
                    session: 1, epoch: 7, resume: .none, from: SerialNumber(from), pingMilliseconds: 5000,
                    replayMilliseconds: 0)))
    }

    mutating func wake() -> [PuckEffect] {
        on(
            .wakeHeard(
                WakeFinding(onset: 16_000, levelDecibels: -30, noiseDecibels: -60, confidence: 0.9), onset: now))
    }

    mutating func listen() {
        connect()
        _ = wake()
        _ = control(.grant(wakeID: 1, conversationID: "c1"))
    }
}

extension [PuckEffect] {
    var sent: [PuckControl] { compactMap { if case .send(let control) = $0 { control } else { nil } } }
    var packets: [UInt16] { compactMap { if case .sendPacket(let s) = $0 { s.value } else { nil } } }
    var lights: [Lights] { compactMap { if case .showLights(let l) = $0 { l } else { nil } } }
    /// Where each attempt went; nil for the configured hub.
    var targets: [HubAddress?] { compactMap { if case .openSocket(let to) = $0 { .some(to) } else { nil } } }
    var opens: Int { targets.count }
    func logged(_ event: StaticStringKey) -> Bool {
        contains { if case .log(let record) = $0 { record.event == event } else { false } }
    }
}

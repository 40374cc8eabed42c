import HubCore
import PuckBase
import PuckCore

// What people do, and how the house is looked after once the faults are over.

extension House {
    func perform(_ act: Act, _ event: ScheduledEvent) {
        let puck = pucks[act.puck]
        if case .speak(let speech, let hearers) = act.kind {
            note(.personActed(act))
            for (i, hearer) in hearers.enumerated()
            where !scenario.plan.absentPucks.contains(hearer.puck) && !isCopied(hearer.puck) {
                pucks[hearer.puck].speech = HeardSpeech(speech: speech, onset: now, snrDecibels: hearer.snrDecibels)
                queue.schedule(.wake, at: now + hearer.delay, subject: Int(event.subject), number: i)
            }
            return
        }
        switch act.kind {
        case .television(let programme, let hearers): return watch(act, programme, hearers)
        case .play, .cancelPlay: return ask(act, event)
        case .speak, .press, .stop, .mute, .volume: break
        }
        guard puck.isRunning, !isCopied(act.puck) else { return }
        // What is pressed while the program stands is seen when it goes on.
        if puck.isFrozen { return postpone(event, to: puck.frozenUntil) }
        note(.personActed(act))
        switch act.kind {
        case .speak, .television, .play, .cancelPlay: break
        case .press(let speech):
            puck.speech = HeardSpeech(speech: speech, onset: now, snrDecibels: 30)
            puck.buttonPressed()
        case .stop: puck.perform(.stopRequested)
        case .mute(let on): puck.perform(.muteRequested(on))
        case .volume(let percent): puck.perform(.volumeRequested(percent))
        }
    }

    /// Something that concerns the hub.
    private func ask(_ act: Act, _ event: ScheduledEvent) {
        guard hub.isRunning, !isCopied(act.puck) else { return }
        if hub.isFrozen { return postpone(event, to: hub.frozenUntil) }
        note(.personActed(act))
        if case .play(let request) = act.kind { hub.play(request) } else { hub.cancelPlay(puck: act.puck) }
    }

    /// A television is switched on. It does not know of the pucks, nor they of it, but by what they hear.
    private func watch(_ act: Act, _ programme: Programme, _ hearers: [Int]) {
        note(.personActed(act))
        for (i, hearer) in hearers.enumerated() where !scenario.plan.absentPucks.contains(hearer) {
            pucks[hearer].background = HeardSpeech(
                speech: programme.sounds, onset: now, snrDecibels: Programme.loudest)
            for (number, wake) in programme.wakes.enumerated() {
                let found = now + wake.at + Self.detectorDelay
                queue.schedule(.wake, at: found, subject: act.place, number: number * hearers.count + i)
            }
        }
    }

    private static let detectorDelay = Interval.milliseconds(100)

    func wake(_ act: Act, _ place: Int) {
        let index: Int
        let onset: Instant
        let snrDecibels: Double
        switch act.kind {
        case .speak(_, let hearers):
            (index, onset, snrDecibels) = (hearers[place].puck, act.at, hearers[place].snrDecibels)
        case .television(let programme, let hearers):
            let wake = programme.wakes[place / hearers.count]
            index = hearers[place % hearers.count]
            (onset, snrDecibels) = (act.at + wake.at, wake.snrDecibels)
        default: return
        }
        if isCopied(index) { return }
        let puck = pucks[index]
        if puck.isFrozen {
            if !puck.deviceStands { queue.schedule(.wake, at: puck.frozenUntil, subject: act.place, number: place) }
            return
        }
        var isPerson = false
        if case .speak = act.kind { isPerson = true }
        puck.wakeFound(onset: onset, snrDecibels: snrDecibels, isPerson: isPerson)
    }

    // MARK: After the faults

    func heal() {
        network.heal()
        // One that stood until this moment goes on before it is asked for anything.
        if hub.frozenUntil == now { hubThaws() }
        note(.healed)
        for i in pucks.indices { observer.disturbances.disturb(i, until: now + Self.aftermath) }
        hub.cancelRequestedPlays()
        for puck in pucks where puck.isRunning && puck.core.isMuted { puck.perform(.muteRequested(false)) }
    }

    /// A minute later everybody must be there and at rest.
    func inspect() {
        for puck in pucks where !scenario.plan.absentPucks.contains(puck.index) && puck.index != copyIndex {
            func isWrong(_ what: String) { observer.found(.convergence, puck.index, what, now) }
            if !puck.isRunning { isWrong("its process does not run") }
            if !puck.isConnected { isWrong("it is not connected") }
            if !puck.isIdle { isWrong("it is still \(puck.core.phase.rawValue)") }
        }
        inspectStorage()
        if !hub.isIdle { observer.found(.convergence, nil, "the hub still has a conversation", now) }
        let expected = scenario.pucks.count - scenario.plan.absentPucks.count
        if hub.core.sessionCount != expected {
            observer.found(.convergence, nil, "the hub has \(hub.core.sessionCount) sessions of \(expected)", now)
        }
        hub.isPrompt = true
        probes.begin(absent: scenario.plan.absentPucks)
        for puck in probes.firstOfEachGroup() { queue.schedule(.probe, at: now, subject: puck, number: 1) }
    }

    /// Somebody presses the button, says a second's worth, and waits for the answer.
    func probe(_ index: Int, attempt: Int) {
        note(.probed(index, attempt))
        probes.expect(index)
        let puck = pucks[index]
        let word = Interval.milliseconds(400)..<Interval.milliseconds(1400)
        puck.speech = HeardSpeech(speech: Speech(sounds: [word]), onset: now, snrDecibels: 30)
        puck.buttonPressed()
        queue.schedule(.probeCheck, at: now + Probes.patience, subject: index, number: attempt)
    }

    func checkProbe(_ index: Int, attempt: Int) {
        if probes.succeeded(index), pucks[index].isIdle {
            note(.probeSucceeded(index))
            if let next = probes.next(after: index) { queue.schedule(.probe, at: now, subject: next, number: 1) }
        } else if attempt < Probes.attempts {
            queue.schedule(.probe, at: now, subject: index, number: attempt + 1)
        } else {
            observer.found(.convergence, index, "it cannot serve: \(Probes.attempts) probes came to nothing", now)
        }
    }
}

/// Whether each puck can still hold a conversation: one puck of a group after the other.
struct Probes {
    static let patience = Interval.seconds(6)
    static let attempts = 2
    /// The responder answers a probe with so much.
    static let packets = SimulatedResponder.promptPackets

    private var groups: [[Int]] = []
    private let groupOf: [String]
    private var playedPackets: [Int]
    private var isDrained: [Bool]
    private var open = -1

    init(_ scenario: Scenario) {
        groupOf = scenario.pucks.map { $0.group }
        playedPackets = [Int](repeating: 0, count: groupOf.count)
        isDrained = [Bool](repeating: false, count: groupOf.count)
    }

    var areDone: Bool { open == 0 }

    mutating func begin(absent: Set<Int>) {
        open = 0
        for puck in groupOf.indices where !absent.contains(puck) {
            open += 1
            if let i = groups.firstIndex(where: { groupOf[$0[0]] == groupOf[puck] }) {
                groups[i].append(puck)
            } else {
                groups.append([puck])
            }
        }
    }

    func firstOfEachGroup() -> [Int] { groups.map { $0[0] } }

    mutating func next(after puck: Int) -> Int? {
        open -= 1
        guard let group = groups.first(where: { $0.contains(puck) }), let i = group.firstIndex(of: puck) else {
            return nil
        }
        return i + 1 < group.count ? group[i + 1] : nil
    }

    mutating func expect(_ puck: Int) {
        playedPackets[puck] = 0
        isDrained[puck] = false
    }

    func succeeded(_ puck: Int) -> Bool { isDrained[puck] && playedPackets[puck] == Self.packets }

    mutating func watch(_ observation: Observation) {
        if open <= 0 { return }
        switch observation {
        case .played(let puck, _): playedPackets[puck] += 1
        case .playDrained(let puck): isDrained[puck] = true
        default: break
        }
    }
}

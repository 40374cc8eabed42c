import HubCore
import PuckBase
import PuckCore
import PuckWire

/// One run: pucks, a hub, the network between them, people and faults, under one clock that jumps from event to event.
/// Nothing in it knows a real clock or any chance but the seed's: two runs of a plan are the same, event for event.
public final class House {
    /// Events at one and the same nanosecond; more is somebody turning in a circle.
    static let eventsAtOnce = 200_000

    let scenario: Scenario
    var now = Instant.zero
    var queue = EventQueue()
    private(set) var pucks: [SimulatedPuck] = []
    private(set) var hub: SimulatedHub!
    private(set) var network: Network!
    let observer: Observer
    /// Recordings begun, by all pucks.
    var recordings: Int32 = 0
    var faultsStruck = 0
    /// Welcomes that will be tampered with, by puck.
    var tampers: [Forgery?]
    /// Faults that wait for something to strike at, by puck.
    var aimed: [[Int]]
    var probes: Probes
    /// Two pucks with one card.
    var copy: Copy? {
        // Whoever got a new token would lock the other out, and nothing could be told of the two.
        didSet { hub.setRotating(copy == nil) }
    }
    var copyConnections: Set<Int> = []
    var guest: Guest
    /// The hub's disk is full until then.
    var diskClearsAt = Instant.zero
    private var eventsNow = 0
    private var hubSteps = 0

    public init(_ plan: Plan, trace: ((String) -> Void)? = nil) {
        #if MUTATIONS
            Mutation.active = plan.mutation
        #endif
        scenario = Scenario(plan)
        observer = Observer(scenario, trace: trace)
        probes = Probes(scenario)
        aimed = scenario.pucks.map { _ in [] }
        tampers = scenario.pucks.map { _ in nil } + [nil]
        guest = Guest(token: "")
        network = Network(self)
        hub = SimulatedHub(self)
        guest.token = hub.makeToken(for: Guest.name)
        for i in 0...plan.pucks { pucks.append(SimulatedPuck(self, index: i)) }
        schedule()
    }

    private func schedule() {
        queue.schedule(.hubStarts, at: .zero)
        for (i, setup) in scenario.pucks.enumerated() where !scenario.plan.absentPucks.contains(i) {
            queue.schedule(.puckStarts, at: setup.startsAt, subject: i)
        }
        for (i, fault) in scenario.faults.enumerated() { queue.schedule(.fault, at: fault.at, subject: i) }
        for (i, act) in scenario.acts.enumerated() { queue.schedule(.act, at: act.at, subject: i) }
        queue.schedule(.healing, at: scenario.healAt)
        let inspection = scenario.healAt + .seconds(Plan.convergenceSeconds)
        queue.schedule(.inspection, at: inspection)
    }

    /// Runs to the end, or to the first violation.
    public func run() -> Outcome {
        while observer.violation == nil, !probes.areDone, let event = queue.popFirst() {
            if event.at == now {
                eventsNow += 1
                if eventsNow > Self.eventsAtOnce { observer.found(.spin, nil, "events do not end at one instant", now) }
            } else {
                eventsNow = 0
                now = event.at
            }
            handle(event)
        }
        return Outcome(
            plan: scenario.plan, violation: observer.violation, faults: faultsStruck, hash: observer.hash.value,
            counts: observer.counts)
    }

    private func handle(_ event: ScheduledEvent) {
        switch event.kind {
        case .deliverUp, .hubTimer, .responder, .hubStarts, .hubThaws: handleHub(event)
        case .puckStarts, .puckThaws, .puckTimer, .microphone, .loudspeaker, .socketClosed, .deliverDown,
            .captureReturns, .playbackReturns, .networkChanged, .driftEnds, .hubSearchEnds:
            handlePuck(event)
        case .copyEnds: switchCopyOff()
        case .diskClears: diskClears()
        case .storageCheck: checkStorage()
        case .connect: connectStep(event)
        case .fault: faultCame(Int(event.subject), event)
        case .act: perform(scenario.acts[Int(event.subject)], event)
        case .wake: wake(scenario.acts[Int(event.subject)], Int(event.number))
        case .healing: heal()
        case .inspection: inspect()
        case .probe: probe(Int(event.subject), attempt: Int(event.number))
        case .probeCheck: checkProbe(Int(event.subject), attempt: Int(event.number))
        }
    }

    private func handleHub(_ event: ScheduledEvent) {
        switch event.kind {
        case .hubStarts: return hub.start()
        case .hubThaws: return hubThaws()
        case .hubTimer where hub.isFrozen: return  // armed anew when it thaws
        case _ where hub.isFrozen: return postpone(event, to: hub.frozenUntil)
        case .deliverUp: network.deliver(Int(event.subject), .up)
        case .hubTimer: hub.timerFired(scheduledAt: event.at)
        default: hub.responderTurn(Int(event.subject))
        }
    }

    private func handlePuck(_ event: ScheduledEvent) {
        if event.kind == .deliverDown {
            guard let connection = network.connection(Int(event.subject)) else { return }
            let puck = pucks[connection.puck]
            if puck.isFrozen { return postpone(event, to: puck.frozenUntil) }
            return network.deliver(connection.number, .down)
        }
        let puck = pucks[Int(event.subject)]
        switch event.kind {
        case .puckStarts:
            puck.powerReturns()
            puck.start()
        case .puckThaws: puckThaws(puck)
        case .driftEnds: setDrift(puck, ppm: puck.setup.driftPPM)
        case .puckTimer where puck.isFrozen: return  // armed anew when it thaws
        case _ where puck.isFrozen: postpone(event, to: puck.frozenUntil)
        case .puckTimer: puck.timerFired(scheduledAt: event.at)
        case .microphone: puck.microphoneTurn(Int(event.number))
        case .loudspeaker: puck.loudspeakerTurn(Int(event.number))
        case .socketClosed: puck.socketClosed(Int(event.number))
        case .networkChanged: puck.networkChanged()
        case .hubSearchEnds: puck.searchEnded(run: Int(event.number))
        case .captureReturns: if !puck.captureWorks { puck.captureReturns() }
        case .playbackReturns: if !puck.playbackWorks { puck.playbackReturns() }
        default: break
        }
    }

    private func connectStep(_ event: ScheduledEvent) {
        guard let connection = network.connection(Int(event.subject)) else { return }
        let puck = pucks[connection.puck]
        // A kernel answers a SYN by itself; all that follows needs both programs.
        if event.number > 0, puck.isFrozen { return postpone(event, to: puck.frozenUntil) }
        if event.number == 1 || event.number == 2, hub.isFrozen { return postpone(event, to: hub.frozenUntil) }
        network.connectStep(connection.number, Int(event.number))
    }

    func postpone(_ event: ScheduledEvent, to time: Instant) {
        queue.schedule(event.kind, at: time, subject: Int(event.subject), number: Int(event.number))
    }

    // MARK: What can be seen

    func note(_ observation: Observation, local: Instant) {
        if let connection = observation.hubConnection, copyConnections.contains(connection) {
            return noteCopy(observation, local: local)
        }
        observer.note(observation, now: now, local: local)
        probes.watch(observation)
        switch observation {
        case .recordingStarted(let puck, _): release(.recording, puck)
        case .puckHeard(let puck, _, .grant, _): release(.utterance, puck)
        case .playStarted(let puck, _): release(.answer, puck)
        case .puckHeard(let puck, _, .welcome, _): copyWelcomed(puck)
        default: break
        }
    }

    func note(_ observation: Observation) { note(observation, local: now) }

    func stepped(puck: Int, deadline: Instant?, now local: Instant) {
        if puck == copyIndex { return }
        observer.stepped(puck: puck, phase: pucks[puck].core.phase, deadline: deadline, local: local, now: now)
    }

    func steppedHub(deadline: Instant?, isTimer: Bool, now local: Instant) {
        observer.steppedHub(deadline: deadline, isTimer: isTimer, local: local, now: now)
        // Every step would cost more than it finds.
        hubSteps += 1
        guard isTimer || hubSteps % 16 == 0 else { return }
        for puck in pucks where puck.index != copyIndex && !isCopied(puck.index) {
            observer.looked(puck: puck.index, hub.core.replayLog(of: puck.setup.name), local: local, now: now)
        }
    }
}

/// How a run ended.
public struct Outcome: Sendable {
    public var plan: Plan
    public var violation: Violation?
    /// Faults that struck.
    public var faults: Int
    /// Of everything that could be seen, in order: equal for equal runs.
    public var hash: UInt64
    public var counts: Counts
}

/// How much happened, to see that a run tests anything.
public struct Counts: Equatable, Sendable {
    public var connections = 0
    public var candidates = 0
    public var grants = 0
    /// Runners-up that were asked, and earcons because nobody could be heard.
    public var runnersUp = 0
    public var failedTurns = 0
    public var heardPackets = 0
    public var answers = 0
    public var playedPackets = 0
    public var completePlays = 0
    public var resumedPlays = 0
    public var plays = 0
    public var pausedPlays = 0
    public var replays = 0
    public var resumedUtterances = 0
    public var outages = 0
    public var forgeries = 0
    /// Of pucks; and times that the hub said that it could not write its tokens.
    public var replacedTokens = 0
    public var failedWrites = 0
    /// Of all pucks that heard one; and turns that one began and that ran to their limit.
    public var televisionSeconds = 0
    public var falseTurns = 0

    public init() {}

    public static func += (a: inout Counts, b: Counts) {
        a.connections += b.connections
        a.candidates += b.candidates
        a.grants += b.grants
        a.runnersUp += b.runnersUp
        a.failedTurns += b.failedTurns
        a.heardPackets += b.heardPackets
        a.answers += b.answers
        a.playedPackets += b.playedPackets
        a.completePlays += b.completePlays
        a.resumedPlays += b.resumedPlays
        a.plays += b.plays
        a.pausedPlays += b.pausedPlays
        a.replays += b.replays
        a.resumedUtterances += b.resumedUtterances
        a.outages += b.outages
        a.forgeries += b.forgeries
        a.replacedTokens += b.replacedTokens
        a.failedWrites += b.failedWrites
        a.televisionSeconds += b.televisionSeconds
        a.falseTurns += b.falseTurns
    }
}

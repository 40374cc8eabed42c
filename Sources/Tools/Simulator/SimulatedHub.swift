import HubCore
import PuckBase
import PuckWire

/// The hub of the house: the core under test and its connections. The counterpart of `HubDaemon`: events in, effects
/// out, in the same order.
final class SimulatedHub {
    // Sound: the house owns this, and ends with it.
    unowned(unsafe) let house: House
    private(set) var core: Hub
    var clock: LocalClock
    /// Counts the lives of the process.
    private(set) var run = 0
    private(set) var isRunning = false
    private(set) var isHostDown = false
    private(set) var frozenUntil = Instant.zero
    /// Another one after each move.
    private(set) var address = 0
    var responder: SimulatedResponder

    private var followUps = Line<HubEvent>()
    private var effects: [HubEffect] = []
    private var armed: Instant?
    private var decisionsNoted = 0
    /// The step said so in its log; the machine is not copied to be looked at for nothing.
    private var hasDecided = false
    /// The recording's packet whose message is being handled.
    private var arrived: Sound?
    /// What somebody asks for, while the machine decides about it.
    private var requested: PlayRequest?
    private var lastPlay: [Int: UInt32] = [:]
    /// Which puck each is for.
    private var requestedPlays: [UInt32: Int] = [:]

    init(_ house: House) {
        self.house = house
        clock = LocalClock(start: .zero, local: house.scenario.hubClockStart, driftPPM: 0)
        core = Self.newCore(house.scenario.plan.seed, run: 0)
        responder = SimulatedResponder(house.scenario)
    }

    private static func newCore(_ seed: UInt64, run: Int) -> Hub {
        var random = RandomStream(seed: seed, .hub, run)
        return Hub(generator: SeededGenerator(seed: random.bits()))
    }

    var localNow: Instant { clock.local(house.now) }
    var isFrozen: Bool { house.now < frozenUntil }
    var isIdle: Bool { core.conversationsInProgress == 0 }

    func note(_ observation: Observation) { house.note(observation, local: localNow) }

    // MARK: Life

    func start() {
        if isRunning { return }
        run += 1
        isRunning = true
        isHostDown = false
        core = Self.newCore(house.scenario.plan.seed, run: run)
        decisionsNoted = 0
        note(.hubStarted(run))
    }

    func end(powerLost: Bool) {
        guard isRunning else { return }
        isRunning = false
        isHostDown = powerLost
        frozenUntil = .zero
        armed = nil
        responder.forgetAll()
        lastPlay = [:]
        requestedPlays = [:]
        note(.hubEnded)
        house.network.hubGone(tell: !powerLost)
    }

    func move() {
        address += 1
        note(.hubMoved(address))
    }

    func freeze(until end: Instant) {
        frozenUntil = max(frozenUntil, end)
        note(.hubFroze)
    }

    // MARK: Events in

    /// Steps the core and runs what follows.
    func process(_ event: HubEvent) {
        guard isRunning else { return }
        var next: HubEvent? = event
        while let event = next {
            let now = localNow
            effects.removeAll(keepingCapacity: true)
            core.step(event, now: now, into: &effects)
            for i in effects.indices { carryOut(effects[i]) }
            if hasDecided { noteDecisions() }
            house.steppedHub(deadline: core.nextDeadline, isTimer: event == .timePassed, now: now)
            next = followUps.popFirst()
        }
        arm()
    }

    /// What was decided since the last look. One step decides few wakes, and the record holds a thousand.
    private func noteDecisions() {
        hasDecided = false
        let fresh = core.decisionCount - decisionsNoted
        decisionsNoted = core.decisionCount
        for i in (core.decisions.count - fresh)..<core.decisions.count { note(.decided(core.decisions[i])) }
    }

    private func arm() {
        guard let deadline = core.nextDeadline else { return }
        let at = max(clock.house(deadline), house.now)
        if let armed, armed <= at { return }
        armed = at
        house.queue.schedule(.hubTimer, at: at)
    }

    /// It stood for a while: what is armed is late.
    func rearm() {
        armed = nil
        arm()
    }

    func timerFired(scheduledAt at: Instant) {
        guard isRunning, armed == at else { return }
        armed = nil
        if let deadline = core.nextDeadline, deadline <= localNow { return process(.timePassed) }
        arm()
    }

    func connectionOpened(_ connection: Connection) {
        note(.connectionOpened(connection.number, connection.puck))
        let name = house.pucks[connection.puck].setup.name
        process(
            .connectionOpened(
                ConnectionID(UInt32(connection.number)), tokenName: name, peer: "10.0.0.\(connection.puck)"))
    }

    func connectionClosed(_ connection: Connection, _ reason: String) {
        note(.connectionClosed(connection.number))
        process(.connectionClosed(ConnectionID(UInt32(connection.number)), reason: reason))
    }

    func received(_ message: Message, _ connection: Connection) {
        let id = ConnectionID(UInt32(connection.number))
        switch message {
        case .toHub(let control):
            note(.hubHeard(connection.number, control))
            process(.received(id, control))
        case .sound(let sound, let sequence):
            note(.hubHeardAudio(connection.number, sequence, sound))
            arrived = sound
            process(.receivedAudio(id, .uplinkOpus, sequence, byteCount: MessageSize.sound - 9))
            arrived = nil
        case .error(let error):
            note(.hubHeardError(connection.number, error))
            process(.receivedError(id, error))
        case .upgraded, .toPuck, .answer, .end: preconditionFailure("this does not go to a hub")
        }
    }

    // MARK: Effects out

    private func carryOut(_ effect: HubEffect) {
        switch effect {
        case .send(let id, let control, let sequence):
            guard let connection = open(id) else { return }
            note(.hubSent(connection.number, control, sequence))
            deliver(.toPuck(house.encoded(control), sequence), MessageSize.of(control), connection)
        case .sendAudio(let id, let playID, let packet, let sequence):
            guard let connection = open(id) else { return }
            let sent = responder.packet(packet, ofPlay: playID)
            note(.hubSentAudio(connection.number, sequence, sent))
            let message = Message.answer(sent, sequence, sentAt: localNow.wireMilliseconds)
            deliver(message, 9 + Int(sent.bytes), connection)
        case .fail(let id, let error):
            guard let connection = open(id) else { return }
            note(.hubRefused(connection.number, error))
            _ = house.network.send(.error(error), bytes: 100, .down, connection)
            close(connection)
        case .close(let id, _):
            guard let connection = open(id) else { return }
            close(connection)
        case .hear(let conversationID):
            guard let arrived else { preconditionFailure("audio is heard while its message is handled") }
            note(.kept(conversationID, arrived))
        case .answer(let conversationID, let playID):
            let answer = responder.begin(playID: playID, request: nil)
            note(.answerWanted(conversationID, playID: playID, answer: answer))
            house.queue.schedule(.responder, at: house.now + responder.pause(of: answer), subject: answer)
        case .forget(let conversationID): note(.forgotten(conversationID))
        case .preparePlay(_, let playID):
            guard let requested else { preconditionFailure("a play is prepared while it is asked for") }
            let answer = responder.begin(playID: playID, request: requested)
            lastPlay[requested.puck] = playID
            requestedPlays[playID] = requested.puck
            note(.playPrepared(puck: requested.puck, playID: playID, requested.category, answer: answer))
            house.queue.schedule(.responder, at: house.now + responder.pause(of: answer), subject: answer)
        case .refusePlay:
            guard let requested else { preconditionFailure("a play is refused while it is asked for") }
            note(.playRefused(puck: requested.puck))
        case .forgetAnswer(let playID):
            note(.answerForgotten(playID: playID))
            responder.forget(playID)
            requestedPlays[playID] = nil
        case .log(let record):
            if record.event.isNamed("arbitration.decided") { hasDecided = true }
            note(.hubLogged(record))
        }
    }

    private func open(_ id: ConnectionID) -> Connection? {
        guard let connection = house.network.connection(Int(id.number)), connection.hubEnd == .open,
            connection.hubRun == run
        else { return nil }
        return connection
    }

    private func close(_ connection: Connection) {
        note(.connectionClosed(connection.number))
        house.network.close(connection, by: .down)
        // The transport reports its end, and the machine has to take no notice.
        followUps.append(.connectionClosed(ConnectionID(UInt32(connection.number)), reason: "closed here"))
    }

    private func deliver(_ message: Message, _ bytes: Int, _ connection: Connection) {
        if house.network.send(message, bytes: bytes, .down, connection) { return }
        // Past its bound the connection is dropped rather than memory: what is under way goes with it.
        note(.hubQueueFull(connection.number))
        house.network.reset(connection, keptUp: 0, keptDown: 0, tellPuck: true, tellHub: false)
        connection.isBlackHole = false
        connection.hubEnd = .closed
        note(.connectionClosed(connection.number))
        followUps.append(
            .connectionClosed(ConnectionID(UInt32(connection.number)), reason: "its send queue is full"))
    }

    // MARK: Answers

    /// The responder has got further with an answer, or with a requested play.
    func responderTurn(_ answer: Int) {
        guard isRunning, let playID = responder.playID(of: answer) else { return }
        switch responder.advance(answer) {
        case .failed:
            note(.answerFailed(answer: answer))
            process(.answerFailed(playID: playID, reason: "simulated"))
        case .produced(let sizes, let count, let isComplete):
            note(.produced(answer: answer, count: count, isComplete: isComplete))
            // Before the machine may forget it.
            if !isComplete {
                house.queue.schedule(.responder, at: house.now + responder.pause(of: answer), subject: answer)
            }
            process(.answerReady(playID: playID, sizes: sizes, isComplete: isComplete))
        }
    }

    // MARK: What people ask of the hub

    func play(_ request: PlayRequest) {
        guard isRunning else { return }
        requested = request
        process(
            .playRequested(
                request: 0, puckID: house.scenario.pucks[request.puck].name, category: request.category))
        requested = nil
    }

    /// Whatever was asked for last.
    func cancelPlay(puck: Int) {
        guard isRunning, let playID = lastPlay[puck] else { return }
        cancelPlay(playID)
    }

    /// Whether it has asked for anything that is not over.
    func hasPlay(for puck: Int) -> Bool { requestedPlays.values.contains(puck) }

    /// So that the house comes to rest.
    func cancelRequestedPlays() { for playID in requestedPlays.keys.sorted() { cancelPlay(playID) } }

    private func cancelPlay(_ playID: UInt32) {
        note(.playCancelled(playID: playID))
        process(.playCancelled(playID: playID))
    }
}

/// What somebody wants to hear on a puck.
struct PlayRequest: Equatable {
    var puck: Int
    var category: DownStart.Category
    var packets: Int
}

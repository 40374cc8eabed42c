import PuckAudio
import PuckBase
import PuckCore
import PuckWire

/// A puck in the house: the core under test, its devices and its socket. The counterpart of `PuckDaemon`: events in,
/// effects out, in the same order.
final class SimulatedPuck {
    // Sound: the house owns this, and ends with it.
    unowned(unsafe) let house: House
    let index: Int
    private(set) var setup: Scenario.PuckSetup
    private(set) var core: Puck
    var clock: LocalClock
    /// Counts the lives of the process.
    private(set) var run = 0
    private(set) var isRunning = false
    /// Without power: nobody answers for it.
    private(set) var isHostDown = false
    /// The process stands until then.
    private(set) var frozenUntil = Instant.zero
    private var frozen: (since: Instant, kind: FaultKind)?

    var microphone = Microphone()
    var loudspeaker = Loudspeaker()
    var speech: HeardSpeech?
    /// What goes on in the room whoever speaks.
    var background: HeardSpeech?
    var captureWorks = true
    var playbackWorks = true

    /// Where its pairing says that the hub is: outlasts the process.
    private var hubAddress = 0
    /// What it shows the hub from its next connection on. Outlasts the process, too.
    private(set) var token = ""
    private var connection: Connection?
    private var socketInUse = false
    private var openWanted = false
    private var wantedAddress: HubAddress?
    private var openings = 0
    private var isOverflowing = false

    private var effects: [PuckEffect] = []
    private var pending = Line<PuckEvent>()
    private var isStepping = false
    private var armed: Instant?
    /// What the message that is being handled brought.
    private var arrived: AnswerPacket?
    private var startedPlay: DownStart?

    init(_ house: House, index: Int) {
        self.house = house
        self.index = index
        // One is none of the scenario's: it may become a copy of one.
        let isCopy = index == house.scenario.pucks.count
        setup = house.scenario.pucks[isCopy ? 0 : index]
        captureWorks = !isCopy
        clock = LocalClock(start: .zero, local: setup.clockStart, driftPPM: setup.driftPPM)
        core = Self.newCore(setup, seed: house.scenario.plan.seed, index: index, run: 0)
        if !isCopy { token = house.hub.makeToken(for: setup.name) }
    }

    private static func newCore(_ setup: Scenario.PuckSetup, seed: UInt64, index: Int, run: Int) -> Puck {
        var random = RandomStream(seed: seed, .puck, index << 16 + run)
        return Puck(
            identity: .init(
                puckID: setup.name, room: setup.name, group: setup.group, phrase: "puck", software: "simulated",
                keepsToken: true, hubSearch: .replacesConfigured, instance: UInt32(index << 16 | run)),
            parameters: .init(playoutDelayMilliseconds: setup.playoutDelayMilliseconds),
            random: SeededGenerator(seed: random.bits()))
    }

    var localNow: Instant { clock.local(house.now) }
    var isFrozen: Bool { house.now < frozenUntil }
    var isConnected: Bool { isRunning && core.isConnected }
    var isIdle: Bool { core.phase == .idle }

    func note(_ observation: Observation) {
        if index == house.copyIndex { return house.noteCopy(observation, local: localNow) }
        house.note(observation, local: localNow)
    }

    // MARK: Life

    /// It has this one's card from now on, and a microphone that does not work: it is looked at for its place alone.
    func become(copyOf other: SimulatedPuck) {
        setup = other.setup
        hubAddress = other.hubAddress
        token = other.token
    }

    func start() {
        if isRunning { return }
        run += 1
        isRunning = true
        isHostDown = false
        core = Self.newCore(setup, seed: house.scenario.plan.seed, index: index, run: run)
        note(.puckStarted(index))
        perform(.started)
        if !captureWorks { perform(.captureLost) }
        if !playbackWorks { perform(.playbackLost) }
    }

    /// The process is gone, with everything that it knew.
    func end(powerLost: Bool) {
        guard isRunning else { return }
        isRunning = false
        isHostDown = powerLost
        frozenUntil = .zero
        if frozen.take()?.kind == .puckSuspend { clock.goOn(at: house.now) }
        note(.puckEnded(index))
        microphone.forget()
        loudspeaker.stopAll()
        connection = nil
        socketInUse = false
        openWanted = false
        armed = nil
        house.network.puckGone(index, tell: !powerLost)
    }

    func freeze(until end: Instant, as kind: FaultKind) {
        frozenUntil = end
        frozen = (house.now, kind)
        note(.puckFroze(index))
    }

    /// What it stands still by, once that is over; nil when it does not.
    func takeFreeze() -> (since: Instant, kind: FaultKind)? {
        isFrozen ? nil : frozen.take()
    }

    /// Its sound devices stand too.
    var deviceStands: Bool { isFrozen && frozen?.kind != .loopStall }

    func powerReturns() { isHostDown = false }

    // MARK: Events in

    /// Steps the core and carries out what it wants; what that causes at once is queued behind.
    func perform(_ event: PuckEvent) {
        guard isRunning else { return }
        pending.append(event)
        if isStepping { return }
        isStepping = true
        while let next = pending.popFirst() {
            effects.removeAll(keepingCapacity: true)
            let now = localNow
            core.step(next, now: now, into: &effects)
            for i in effects.indices { carryOut(effects[i], now) }
            house.stepped(puck: index, deadline: core.nextDeadline, now: now)
        }
        isStepping = false
        arm()
    }

    private func arm() {
        guard let deadline = core.nextDeadline else { return }
        let at = max(clock.house(deadline), house.now)
        if let armed, armed <= at { return }
        armed = at
        house.queue.schedule(.puckTimer, at: at, subject: index)
    }

    /// The clock's rate changed: what is armed is wrong.
    func rearm() {
        armed = nil
        if isRunning { arm() }
    }

    func timerFired(scheduledAt at: Instant) {
        guard isRunning, armed == at else { return }
        armed = nil
        if let deadline = core.nextDeadline, deadline <= localNow { return perform(.timePassed) }
        arm()
    }

    func received(_ message: Message, _ connection: Connection) {
        guard connection === self.connection else { return }
        switch message {
        case .upgraded:
            note(.socketOpened(index, connection.number))
            perform(.socketOpened)
        case .bytes(let bytes):
            bytes.withUnsafeBytes { bytes in
                do throws(WireError) { try received(bytes, connection) } catch {
                    house.observer.found(.encoding, index, "it cannot read a message: \(error.detail)", house.now)
                }
            }
        case .end: preconditionFailure("this is no message")
        }
    }

    private func received(_ message: UnsafeRawBufferPointer, _ connection: Connection) throws(WireError) {
        let header = try MessageHeader.parse(message)
        let payload = UnsafeRawBufferPointer(rebasing: message[WireLimits.headerBytes...])
        let sequence = header.sequence
        switch header.type {
        case .control, .streamControl:
            let control = try HubControl.parse(payload, type: header.type)
            if let forged = house.tampered(control, connection) { return receivedForged(forged) }
            note(.puckHeard(index, connection.number, control, sequence))
            if case .downStart(let start) = control { startedPlay = start }
            perform(.controlReceived(control, sequence: sequence))
        case .downlinkOpus:
            guard let packet = VirtualOpus.answer(payload) else { throw WireError(.unexpected, "no packet") }
            note(.puckHeardAudio(index, connection.number, sequence, packet))
            arrived = packet
            perform(
                .audioReceived(
                    type: .downlinkOpus, sequence: sequence, byteCount: payload.count,
                    sentAt: header.timestampMilliseconds))
            arrived = nil
        case .error:
            let error = WireError.parse(payload: payload)
            note(.puckHeardError(index, connection.number, error))
            perform(.errorReceived(error))
        case .uplinkOpus, .uplinkPCM, .downlinkPCM: throw WireError(.badType, "not from a hub")
        }
    }

    private func receivedForged(_ welcome: HubControl) {
        let refusals = house.observer.refusals
        perform(.controlReceived(welcome, sequence: .zero))
        if house.observer.refusals == refusals {
            house.observer.found(.conformance, index, "a replay of another place is accepted", house.now)
        }
    }

    func openingFailed(_ connection: Connection, _ reason: String, isHub: Bool) {
        guard connection === self.connection else { return }
        socketEnded()
        note(.socketLost(index, reason))
        perform(.socketClosed(reason: reason, reachedHub: isHub, isHub: isHub))
        openIfWanted()
    }

    func connectionLost(_ connection: Connection, _ reason: String) {
        guard connection === self.connection else { return }
        socketEnded()
        note(.socketLost(index, reason))
        perform(.socketClosed(reason: reason))
        openIfWanted()
    }

    private func socketEnded() {
        connection = nil
        socketInUse = false
    }

    /// The socket that this side closed is gone at last.
    func socketClosed(_ opening: Int) {
        guard opening == openings, connection == nil else { return }
        socketInUse = false
        openIfWanted()
    }

    private func openIfWanted() {
        if !openWanted { return }
        openWanted = false
        openSocket()
    }

    // MARK: Effects out

    private func carryOut(_ effect: PuckEffect, _ now: Instant) {
        switch effect {
        case .openSocket(let address):
            note(address == nil ? .socketWanted(index) : .candidateWanted(index))
            wantedAddress = address
            openSocket()
        case .searchForHub: searchForHub()
        case .keepHub(let address):
            note(.hubKept(index))
            hubAddress = Self.number(of: address)
        case .closeSocket: closeSocket()
        case .send(let control): send(control)
        case .sendError(let error):
            guard let connection else { return }
            note(.puckRefused(index, connection.number, error))
            _ = house.network.send(.error(error, sentAt: now), .up, connection)
        case .sendPacket(let sequence): sendPacket(sequence)
        case .startEncoding(let onset, let preroll):
            house.recordings += 1
            // Positions are the puck's clock in samples, see `House`.
            microphone.begin(
                recording: house.recordings, onset: onset == .max ? now : Self.time(of: onset), withPreroll: preroll,
                now: now)
            note(.recordingStarted(index, microphone.recording))
            house.queue.schedule(.microphone, at: house.now, subject: index, number: Int(microphone.recording))
        case .stopEncoding:
            microphone.stop()
            note(.recordingStopped(index, microphone.recording))
        case .startPlayback, .setPlayoutDelay, .playPacket, .finishPlayback, .stopPlayback, .pausePlayback,
            .resumePlayback, .dropPausedPlayback:
            carryOutPlayback(effect, now)
        case .playEarcon(let earcon): note(.earcon(index, earcon))
        case .setVolume(let percent): note(.volume(index, percent))
        case .setMuted(let on): note(.muted(index, on))
        case .beginPairing, .endPairing: break  // nobody presses for so long in these houses
        case .keepTrust: break  // simulated hubs have no certificate
        case .keepToken(let fresh): token = fresh
        case .showLights(let lights): note(.lights(index, lights))
        case .log(let record): note(.puckLogged(index, record))
        }
    }

    private func carryOutPlayback(_ effect: PuckEffect, _ now: Instant) {
        hearWhatWasPlayed(now)
        switch effect {
        case .startPlayback(_, let delay):
            guard let startedPlay else { preconditionFailure("a play begins with its down_start") }
            loudspeaker.begin(delayMilliseconds: delay)
            note(.playStarted(index, startedPlay))
        case .setPlayoutDelay(let milliseconds): loudspeaker.setDelay(milliseconds: milliseconds)
        case .playPacket:
            guard let arrived else { preconditionFailure("a packet is played as it arrives") }
            loudspeaker.enqueue(arrived, now: now)
        case .finishPlayback:
            loudspeaker.finish(now: now)
            note(.playFinishing(index))
        case .stopPlayback:
            loudspeaker.stop()
            note(.playStopped(index))
        case .pausePlayback:
            loudspeaker.pause(now: now)
            note(.playPaused(index))
        case .resumePlayback:
            loudspeaker.resume(now: now)
            note(.playResumed(index))
        case .dropPausedPlayback:
            loudspeaker.dropPaused()
            note(.pausedPlayDropped(index))
        default: break
        }
        scheduleReport(now)
    }

    private func openSocket() {
        if socketInUse {
            openWanted = true
            return
        }
        socketInUse = true
        isOverflowing = false
        openings += 1
        connection = house.network.open(
            puck: index, run: run, address: wantedAddress.map { Self.number(of: $0) } ?? hubAddress)
    }

    private func closeSocket() {
        openWanted = false
        note(.socketDropped(index))
        guard let connection else { return }
        self.connection = nil
        let isOpen = connection.puckEnd == .open
        house.network.close(connection, by: .up)
        // An open socket takes as long as the other end's answer to the close frame, at most a second.
        let path = house.network.up[index]
        let delay = isOpen ? min(Network.closeTimeout, path.latency + path.latency) : .zero
        let free = path.isBlocked(house.now) && isOpen ? Network.closeTimeout : delay
        house.queue.schedule(.socketClosed, at: house.now + free, subject: index, number: openings)
    }

    private func send(_ control: PuckControl) {
        guard let connection, connection.puckEnd == .open else { return }
        note(.puckSent(index, connection.number, control))
        overflowUnless(house.network.send(.from(puck: control, sentAt: localNow), .up, connection), connection)
    }

    private func sendPacket(_ sequence: SerialNumber) {
        guard let connection, connection.puckEnd == .open else { return }
        let sound = microphone.sound(in: UplinkWindow.slot(of: sequence))
        note(.puckSentAudio(index, connection.number, sequence, sound, newest: core.nextPacket))
        overflowUnless(
            house.network.send(.sound(sound, sequence, sentAt: localNow), .up, connection), connection)
    }

    private func overflowUnless(_ isSent: Bool, _ connection: Connection) {
        if isSent || isOverflowing { return }
        isOverflowing = true
        note(.puckQueueFull(index, connection.number))
        perform(.sendQueueOverflowed)
    }

    // MARK: Positions

    /// The ring's positions count the samples of the puck's clock: 16 in a millisecond.
    static func position(of time: Instant) -> Int64 { time.nanoseconds / 62_500 }
    static func time(of position: Int64) -> Instant { Instant(nanoseconds: position * 62_500) }
}

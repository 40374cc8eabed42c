import PuckBase
import PuckWire

@testable import HubCore
@testable import PuckCore

/// A hub and a puck with a pipe between them that loses nothing and changes no order, and breaks when it is told to.
/// Neither has a reason to call the other wrong.
struct House {
    /// What a message that carries audio carries.
    private enum Message {
        case control(HubControl, SerialNumber)
        case audio(Loudspeaker.PlayKey, packet: Int, SerialNumber, sentAt: UInt32)
        case end
    }
    struct Play {
        let key: Loudspeaker.PlayKey
        var packets = 0
        var isComplete = false
        /// Something has happened for which it may be cancelled.
        var isExcused = false
        var outcome: String?
    }

    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private var hub: Hub
    private(set) var puck: Puck
    private(set) var speaker = Loudspeaker()
    /// Runs of the hub so far; plays of different runs have nothing to do with each other.
    private var run = 0
    private(set) var plays: [Play] = []
    var mostPackets = 3_000

    private var connections: UInt32 = 0
    /// The hub's end and the puck's end of what may be two different connections.
    private var hubEnd: ConnectionID?
    private var puckEnd: ConnectionID?
    private var toPuck: [Message] = []
    private var toHub: [(ConnectionID, PuckControl?)] = []
    private var isOpening = false
    /// An end thinks that the connection is still there, and nothing passes.
    private var isHalfOpen = false
    var isNetworkUp = true
    private var isPlaybackOK = true
    /// A burst of controls that had to wait is a reason after all.
    private(set) var wasTooFast = false
    private var current: Message?
    private var requested = DownStart.Category.music

    init() {
        hub = Hub(generator: SeededGenerator(seed: 1))
        puck = Puck(
            identity: .init(puckID: "den", room: "home", group: "home", phrase: "puck", software: "fuzz"),
            parameters: .init(), random: SeededGenerator(seed: 2))
        step(puck: .started)
        pass(milliseconds: 100, isFlowing: true)
    }

    // MARK: What happens

    mutating func request(_ category: DownStart.Category) {
        requested = category
        step(hub: .playRequested(request: 1, puckID: "den", category: category))
    }

    mutating func grow(_ i: Int, by count: Int, isComplete: Bool) {
        guard plays.indices.contains(i), !plays[i].isComplete, plays[i].key.run == run else { return }
        let more = min(count, max(0, mostPackets))
        mostPackets -= more
        plays[i].packets += more
        plays[i].isComplete = isComplete
        let sizes = [UInt16](repeating: 40, count: more)
        step(hub: .answerReady(playID: plays[i].key.playID, sizes: sizes, isComplete: isComplete))
    }

    mutating func cancel(_ i: Int) {
        guard plays.indices.contains(i), plays[i].key.run == run else { return }
        plays[i].isExcused = true
        step(hub: .playCancelled(playID: plays[i].key.playID))
    }

    mutating func fail(_ i: Int) {
        guard plays.indices.contains(i), plays[i].key.run == run else { return }
        step(hub: .answerFailed(playID: plays[i].key.playID, reason: "fuzz"))
    }

    mutating func stop() {
        excuseAll()
        step(puck: .stopRequested)
    }

    private mutating func excuseAll() {
        for i in plays.indices { plays[i].isExcused = true }
    }

    mutating func setLoudspeaker(ok: Bool) {
        isPlaybackOK = ok
        if ok { return step(puck: .playbackRestored) }
        excuseAll()
        step(puck: .playbackLost)
    }

    /// The connection breaks; an end that notices nothing goes on as if it were there.
    mutating func cut(hubNotices: Bool, puckNotices: Bool, arrives: Bool) {
        if arrives {
            deliverToPuck(toPuck.count)
            deliverToHub(toHub.count)
        }
        toPuck = []
        toHub = []
        if hubNotices, let id = hubEnd {
            hubEnd = nil
            step(hub: .connectionClosed(id, reason: "cut"))
        }
        if puckNotices, puckEnd != nil {
            puckEnd = nil
            step(puck: .socketClosed(reason: "cut"))
        }
        // From now on nothing passes, until the puck opens another.
        if !hubNotices || !puckNotices { isHalfOpen = true }
    }

    /// `kill -9` and a new start: it knows nothing.
    mutating func restartHub() {
        run += 1
        hub = Hub(generator: SeededGenerator(seed: UInt64(run + 10)))
        hubEnd = nil
        cut(hubNotices: false, puckNotices: true, arrives: false)
        isHalfOpen = false
    }

    mutating func deliverToPuck(_ count: Int) {
        for _ in 0..<count {
            if toPuck.isEmpty { return }
            let message = toPuck.removeFirst()
            current = message
            switch message {
            case .control(let control, let sequence): step(puck: .controlReceived(control, sequence: sequence))
            case .audio(_, _, let sequence, let sentAt):
                step(puck: .audioReceived(type: .downlinkOpus, sequence: sequence, byteCount: 40, sentAt: sentAt))
            case .end:
                puckEnd = nil
                step(puck: .socketClosed(reason: "closed by the hub"))
            }
            current = nil
        }
    }

    mutating func deliverToHub(_ count: Int) {
        for _ in 0..<count {
            if toHub.isEmpty { return }
            let (id, control) = toHub.removeFirst()
            if let control {
                step(hub: .received(id, control))
            } else {
                if hubEnd == id { hubEnd = nil }
                step(hub: .connectionClosed(id, reason: "closed by the puck"))
            }
        }
    }

    /// Time passes in steps of a packet: sound plays, deadlines come, and what is under way arrives when it flows.
    mutating func pass(milliseconds: Int, isFlowing: Bool) {
        let end = now + .milliseconds(milliseconds)
        while now < end {
            // Nothing to be heard and nothing under way: on to what happens next.
            let isQuiet = !speaker.isBusy && toPuck.isEmpty && toHub.isEmpty && !isOpening
            let next = min(end, puck.nextDeadline ?? end, hub.nextDeadline ?? end)
            now = isQuiet ? max(next, now + .milliseconds(1)) : min(end, now + .milliseconds(20))
            if isPlaybackOK {
                switch speaker.play(milliseconds: 20) {
                case .nothing: break
                case .advanced(let samples): step(puck: .playbackAdvanced(samples: samples))
                case .starved: step(puck: .playbackStarved)
                case .drained: step(puck: .playbackDrained)
                }
            }
            if let deadline = puck.nextDeadline, deadline <= now { step(puck: .timePassed) }
            if let deadline = hub.nextDeadline, deadline <= now { step(hub: .timePassed) }
            if isOpening { open() }
            if isFlowing {
                deliverToPuck(toPuck.count)
                deliverToHub(toHub.count)
            }
        }
    }

    private mutating func open() {
        isOpening = false
        guard isNetworkUp else { return step(puck: .socketClosed(reason: "refused")) }
        connections += 1
        let id = ConnectionID(connections)
        isHalfOpen = false
        toPuck = []
        toHub = []
        hubEnd = id
        puckEnd = id
        step(hub: .connectionOpened(id, tokenName: "den"))
        step(puck: .socketOpened)
    }

    // MARK: What must hold

    /// Everything is over on both sides.
    var isIdle: Bool {
        let playout = hub.pucks["den"]?.playout
        return playout?.active == nil && puck.active == nil && puck.paused == nil && hub.pucks["den"]?.connection != nil
    }

    private func check() {
        guard let state = hub.pucks["den"] else { return }
        let playout = state.playout
        promise(playout.active != nil || playout.paused == nil, "nothing plays, and something is paused")
        promise(playout.active != nil || playout.queue.isEmpty, "nothing plays, and something waits")
        promise(playout.queue.count <= HubLimits.queuedPlays, "\(playout.queue.count) plays wait")
        promise(state.stream.logBytes <= HubLimits.replayBytes, "\(state.stream.logBytes) bytes are kept")
        promise(state.stream.log.count <= HubLimits.replayMessages, "\(state.stream.log.count) messages are kept")
        if let active = playout.active {
            promise(active.ahead <= 100 && active.ahead >= 0, "\(active.ahead) packets ahead")
            promise(
                state.connection == nil || playout.deadline != nil, "a play that sounds is waited for without an end")
        }
        promise(puck.endings.count <= Puck.rememberedEndings, "\(puck.endings.count) endings are remembered")
    }

    // MARK: Effects

    private mutating func step(hub event: HubEvent) {
        trace("\(now.nanoseconds / 1_000_000) hub  ◀ \(event)")
        var effects: [HubEffect] = []
        hub.step(event, now: now, into: &effects)
        promise(effects.count <= HubLimits.replayMessages + 300, "\(effects.count) effects of one event")
        for effect in effects { run(effect) }
        check()
    }

    private mutating func run(_ effect: HubEffect) {
        if case .log(let record) = effect {
            trace("      hub  ▶ log \(record)")
        } else {
            trace("      hub  ▶ \(effect)")
        }
        switch effect {
        case .send(let id, let control, let sequence): send(id, .control(control, sequence))
        case .sendAudio(let id, let playID, let packet, let sequence):
            let key = Loudspeaker.PlayKey(run: run, playID: playID)
            let play = plays.first { $0.key == key }
            promise(packet < play?.packets ?? 0, "packet \(packet) of \(key) does not exist")
            send(id, .audio(key, packet: packet, sequence, sentAt: now.wireMilliseconds))
        case .fail(let id, let error):
            wasTooFast = error.code == .rateLimit
            let isImpatient = error.detail.hasPrefix("no hello within")
            promise(wasTooFast || isImpatient, "the hub refuses a puck in good order: \(error)")
            send(id, .end)
            if hubEnd == id { hubEnd = nil }
        case .close(let id, _):
            send(id, .end)
            if hubEnd == id { hubEnd = nil }
        case .preparePlay(_, let playID):
            var play = Play(key: .init(run: run, playID: playID))
            // These end for others of their kind, or for anything more urgent.
            play.isExcused = [.assistantResponse, .filler, .music].contains(requested) || !isPlaybackOK
            plays.append(play)
        case .log(let record):
            guard record.event.text.description == "play.end",
                let playID = value("play_id", record).flatMap({ UInt32($0) })
            else { return }
            let key = Loudspeaker.PlayKey(run: run, playID: playID)
            guard let i = plays.firstIndex(where: { $0.key == key }) else { return }
            promise(plays[i].outcome == nil, "\(key) ends twice")
            plays[i].outcome = value("outcome", record)
            promise(plays[i].outcome != "cancelled" || plays[i].isExcused, "\(key) is cancelled for no reason")
            guard plays[i].outcome == "done" else { return }
            let whole = Int64(plays[i].packets * WireLimits.samplesPerPacket)
            promise(plays[i].isComplete && speaker.heard[key, default: 0] == whole, "\(key) is done, and was not heard")
        case .hear, .answer, .forget, .forgetAnswer, .refusePlay: break
        }
    }

    private mutating func send(_ id: ConnectionID, _ message: Message) {
        if id == puckEnd, !isHalfOpen { toPuck.append(message) }
    }

    private mutating func step(puck event: PuckEvent) {
        trace("\(now.nanoseconds / 1_000_000) puck ◀ \(event)")
        var effects: [PuckEffect] = []
        puck.step(event, now: now, into: &effects)
        promise(effects.count <= 100, "\(effects.count) effects of one event")
        for effect in effects { run(effect) }
        check()
    }

    private mutating func run(_ effect: PuckEffect) {
        if case .log(let record) = effect {
            trace("      puck ▶ log \(record)")
        } else {
            trace("      puck ▶ \(effect)")
        }
        switch effect {
        case .openSocket: isOpening = true
        case .searchForHub, .keepHub, .keepTrust: break  // no certificate is pinned here
        case .closeSocket:
            isOpening = false
            if let id = puckEnd, !isHalfOpen { toHub.append((id, nil)) }
            puckEnd = nil
            toPuck = []
        case .send(let control):
            if let id = puckEnd, !isHalfOpen { toHub.append((id, control)) }
        case .sendError(let error):
            wasTooFast = error.code == .rateLimit && error.detail.hasSuffix("control messages in a second")
            promise(wasTooFast, "the puck refuses a hub in good order: \(error)")
        case .startPlayback(_, let delay):
            guard case .control(.downStart(let start), _) = current else {
                return promise(false, "a play starts without a down_start")
            }
            speaker.start(
                .init(run: run, playID: start.playID), resumedAtMilliseconds: start.resumedAtMilliseconds,
                delayMilliseconds: delay)
        case .playPacket:
            guard case .audio(let key, let packet, _, _) = current else {
                return promise(false, "a packet is played that is not there")
            }
            speaker.take(key, packet: packet)
        case .setPlayoutDelay(let milliseconds): speaker.setDelay(milliseconds: milliseconds)
        case .finishPlayback: speaker.finish()
        case .stopPlayback: speaker.stop()
        case .pausePlayback: speaker.pause()
        case .resumePlayback: speaker.resume()
        case .dropPausedPlayback: speaker.dropPaused()
        case .log(let record):
            // Nothing came for too long, or the link stayed away.
            if ["play.stalled", "play.lost"].contains(record.event.text.description) { excuseAll() }
        case .sendPacket, .startEncoding, .stopEncoding, .playEarcon, .setVolume, .setMuted, .showLights, .beginPairing,
            .endPairing, .keepToken:
            break
        }
    }

    private func value(_ key: String, _ record: LogRecord) -> String? {
        record.fields.first { $0.key.text.description == key }?.value
    }
}

import HubCore
import HubService
import PuckBase
import PuckWire

/// What is outside of a simulated hub's interpreter: the house's clock and network, a virtual disk, a responder with
/// moods; and the eyes of the checkers. The counterpart of `LinuxHub`.
final class VirtualHub: HubOutside {
    typealias Tokens = VirtualTokenFile
    typealias Decoder = VirtualDecoder
    typealias Encoder = VirtualEncoder

    enum Sound {
        case answer(conversationID: String)
        case play(PlayRequest)
    }

    // Sound: both own this, and end with it.
    unowned(unsafe) let house: House
    unowned(unsafe) let hub: SimulatedHub
    let disk = VirtualDisk()
    var responder: SimulatedResponder

    /// Connections that ended on this side and of which the interpreter has not been told.
    var ended = Line<ConnectionID>()
    /// The recording's packet whose message is being handled.
    var arrived: Simulator.Sound?
    /// What somebody asks for, while the machine decides about it.
    var requested: PlayRequest?
    /// A message that must not be there is being handled.
    var isForged = false

    private var deadline: Instant?
    private var armed: Instant?
    /// The answer of each play, and how many packets of it there are.
    private var plays: [UInt32: (answer: Int, packetBytes: Int, packets: Int)] = [:]
    private var playOfAnswer: [Int: UInt32] = [:]
    /// The play of the effect that is being carried out.
    private var currentPlay: UInt32 = 0
    /// The step said so in its log; the machine is not looked at for nothing.
    private var hasDecided = false
    private var decisionsNoted = 0
    private var learnedWriting: (bytes: [UInt8], doneAt: Instant)?

    init(_ house: House, _ hub: SimulatedHub) {
        self.house = house
        self.hub = hub
        responder = SimulatedResponder(house.scenario)
    }

    /// The process is gone, and all that it held.
    func processEnded() {
        deadline = nil
        armed = nil
        plays = [:]
        playOfAnswer = [:]
        decisionsNoted = 0
        ended.removeAll()
        // A thread that had it on the disk did so.
        if let writing = learnedWriting, writing.doneAt <= house.now { _ = finishWritingLearned() }
        learnedWriting = nil
    }

    // MARK: Clocks

    var now: Instant { hub.localNow }

    /// Of the wall clock, on which a second of the house is five minutes: tokens grow old within a run. Nothing else
    /// depends on it.
    var unixSeconds: Int64 { Self.unixSeconds(at: house.now) }

    static func unixSeconds(at time: Instant) -> Int64 { 1_900_000_000 + time.nanoseconds / 1_000_000_000 * 300 }

    func setDeadline(_ deadline: Instant?) {
        self.deadline = deadline
        arm()
    }

    private func arm() {
        guard let deadline else { return }
        let at = max(hub.clock.house(deadline), house.now)
        if let armed, armed <= at { return }
        armed = at
        house.queue.schedule(.hubTimer, at: at)
    }

    /// It stood for a while: what is armed is late.
    func rearm() {
        armed = nil
        arm()
    }

    /// - Returns: whether the deadline has come.
    func timerFired(scheduledAt at: Instant) -> Bool {
        guard armed == at else { return false }
        armed = nil
        if let deadline, deadline <= now {
            self.deadline = nil
            return true
        }
        arm()
        return false
    }

    // MARK: Connections

    /// Nil when this end is closed.
    private func open(_ id: ConnectionID) -> Connection? {
        guard let connection = house.network.connection(Int(id.number)), connection.hubEnd == .open,
            connection.hubRun == hub.run
        else { return nil }
        return connection
    }

    func send(to id: ConnectionID, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool {
        guard let connection = open(id) else { return false }
        let bytes = [UInt8](unsafeUninitializedCapacity: head.count + body.count) { room, count in
            let bytes = UnsafeMutableRawBufferPointer(room)
            bytes.copyMemory(from: head)
            UnsafeMutableRawBufferPointer(rebasing: bytes[head.count...]).copyMemory(from: body)
            count = bytes.count
        }
        if house.network.send(.bytes(bytes), .down, connection) { return true }
        hub.note(.hubQueueFull(connection.number))
        return false
    }

    func queuedBytes(of id: ConnectionID) -> Int { open(id)?.down.queuedBytes ?? 0 }

    func close(_ id: ConnectionID, _ code: HubCloseCode, reason: String) {
        guard let connection = open(id) else { return }
        hub.note(.connectionClosed(connection.number))
        house.network.close(connection, by: .down)
        ended.append(id)
    }

    /// What is under way goes with it.
    func disconnect(_ id: ConnectionID) {
        guard let connection = open(id) else { return }
        house.network.reset(connection, keptUp: 0, keptDown: 0, tellPuck: true, tellHub: false)
        connection.isBlackHole = false
        connection.hubEnd = .closed
        hub.note(.connectionClosed(connection.number))
        ended.append(id)
    }

    // MARK: Speech

    func answer(to utterance: [Int16], conversationID: String) -> Sound? { .answer(conversationID: conversationID) }

    func sound(inFile path: String) throws(OutsideError) -> Sound {
        guard let requested else { throw OutsideError("\(path) does not exist") }
        return .play(requested)
    }

    func makeEncoder(for sound: Sound) -> VirtualEncoder? {
        let encoder: VirtualEncoder
        switch sound {
        case .answer(let conversationID):
            encoder = responder.begin(request: nil)
            hub.note(.answerWanted(conversationID, playID: currentPlay, answer: encoder.number))
        case .play(let request):
            encoder = responder.begin(request: request)
            hub.prepared(request, playID: currentPlay)
            hub.note(
                .playPrepared(
                    puck: request.puck, playID: currentPlay, request.category, answer: encoder.number))
        }
        plays[currentPlay] = (encoder.number, encoder.packetBytes, 0)
        playOfAnswer[encoder.number] = currentPlay
        return encoder
    }

    func encodeSoon(_ playID: UInt32) {
        guard let answer = plays[playID]?.answer else { return }
        house.queue.schedule(.responder, at: house.now + responder.pause(of: answer), subject: answer)
    }

    /// Nil for one that is forgotten.
    func playID(of answer: Int) -> UInt32? { playOfAnswer[answer] }

    let isRecording = false
    func record(heard samples: [Int16], name: String) {}
    func record(sent answer: Answer<VirtualEncoder>) {}

    // MARK: What the hub has learned

    let learnedPath = "learned"
    /// A flush to a slow card.
    private static let writeTakes = Interval.milliseconds(700)

    func readLearned() throws(OutsideError) -> [UInt8]? { try disk.read(learnedPath)?.bytes }

    func putLearnedAside(_ bytes: [UInt8]) {
        do throws(OutsideError) { try disk.replace(learnedPath + ".bad", with: bytes) } catch {}
    }

    func writeLearned(_ bytes: [UInt8]) throws(OutsideError) { try disk.replace(learnedPath, with: bytes) }

    func beginWritingLearned(_ bytes: [UInt8]) throws(OutsideError) {
        learnedWriting = (bytes, house.now + Self.writeTakes)
    }

    var isWritingLearned: Bool { learnedWriting.map { house.now < $0.doneAt } ?? false }

    func finishWritingLearned() -> Bool {
        guard let writing = learnedWriting.take() else { return true }
        do throws(OutsideError) {
            try disk.replace(learnedPath, with: writing.bytes)
            return true
        } catch { return false }
    }

    // MARK: What can be seen

    func write(_ record: LogRecord) {
        if record.event.isNamed("arbitration.decided") { hasDecided = true }
        if record.event.isNamed("learned.ignored"), !disk.isUnreadable {
            house.observer.found(.storage, nil, "a hub cannot read what another one has learned", house.now)
        }
        hub.note(.hubLogged(record))
    }

    func willStep(_ event: HubEvent) {
        switch event {
        case .received(let id, let control): hub.note(.hubHeard(Int(id.number), control))
        case .receivedAudio(let id, _, let sequence, _):
            if let arrived { hub.note(.hubHeardAudio(Int(id.number), sequence, arrived)) }
        case .receivedError(let id, let error): hub.note(.hubHeardError(Int(id.number), error))
        case .receivedMalformed(_, let error):
            // Pucks send nothing that cannot be read. Too much of it is `conformance`'s.
            if error.code != .rateLimit, !isForged {
                house.observer.found(.encoding, nil, "the hub cannot read a message: \(error.detail)", house.now)
            }
        case .answerReady(let playID, let sizes, let isComplete):
            guard let answer = plays[playID]?.answer else { return }
            plays[playID]!.packets += sizes.count
            hub.note(.produced(answer: answer, count: plays[playID]!.packets, isComplete: isComplete))
        case .answerFailed(let playID, _):
            if let answer = plays[playID]?.answer { hub.note(.answerFailed(answer: answer)) }
        default: break
        }
    }

    func willRun(_ effect: HubEffect) {
        switch effect {
        case .send(let id, let control, let sequence):
            if let connection = open(id) { hub.note(.hubSent(connection.number, control, sequence)) }
        case .sendAudio(let id, let playID, let packet, let sequence):
            guard let connection = open(id), let play = plays[playID] else { return }
            let sent = AnswerPacket(answer: Int32(play.answer), index: Int32(packet), bytes: Int32(play.packetBytes))
            hub.note(.hubSentAudio(connection.number, sequence, sent))
        case .fail(let id, let error):
            if let connection = open(id) { hub.note(.hubRefused(connection.number, error)) }
        case .hear(let conversationID):
            if let arrived { hub.note(.kept(conversationID, arrived)) }
        case .answer(_, let playID), .preparePlay(_, let playID): currentPlay = playID
        case .forget(let conversationID): hub.note(.forgotten(conversationID))
        case .refusePlay:
            if let requested { hub.note(.playRefused(puck: requested.puck)) }
        case .forgetAnswer(let playID):
            hub.note(.answerForgotten(playID: playID))
            if let answer = plays.removeValue(forKey: playID)?.answer { playOfAnswer[answer] = nil }
            hub.forgot(playID: playID)
        case .close, .log: break
        }
    }

    func didStep(_ event: HubEvent, now: Instant) {
        if hasDecided { noteDecisions() }
        house.steppedHub(deadline: hub.core.nextDeadline, isTimer: event == .timePassed, now: now)
    }

    /// What was decided since the last look. One step decides few wakes, and the record holds a thousand.
    private func noteDecisions() {
        hasDecided = false
        let fresh = hub.core.decisionCount - decisionsNoted
        decisionsNoted = hub.core.decisionCount
        for i in (hub.core.decisions.count - fresh)..<hub.core.decisions.count {
            hub.note(.decided(hub.core.decisions[i]))
        }
    }
}

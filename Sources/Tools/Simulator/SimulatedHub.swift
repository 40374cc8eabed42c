import HubCore
import HubService
import PuckBase
import PuckWire
import TokenList

/// The hub of the house: `puckhub`'s own interpreter and machine over `VirtualHub`, and the life of the process. What
/// `HubDaemon` is on Linux.
final class SimulatedHub {
    // Sound: the house owns this, and ends with it.
    unowned(unsafe) let house: House
    private var outside: VirtualHub!
    private var tokenFile: VirtualTokenFile!
    /// Of the process that runs, or that ran last.
    private var interpreter: HubInterpreter<VirtualHub>!
    private var tokens: HubTokens<VirtualHub>!
    private var requests: HubRequests<VirtualHub>!
    var clock: LocalClock
    /// Counts the lives of the process.
    private(set) var run = 0
    private(set) var isRunning = false
    private(set) var isHostDown = false
    private(set) var frozenUntil = Instant.zero
    /// Another one after each move.
    private(set) var address = 0

    private var lastPlay: [Int: UInt32] = [:]
    /// Which puck each is for.
    private var requestedPlays: [UInt32: Int] = [:]

    /// So that each token is replaced a few times in half an hour: see `VirtualHub.unixSeconds`.
    static let rotateDays = 1
    /// A process that cannot start is started again after so long (systemd's RestartSec).
    static let startAgain = Interval.seconds(2)

    init(_ house: House) {
        self.house = house
        clock = LocalClock(start: .zero, local: house.scenario.hubClockStart, driftPPM: 0)
        outside = VirtualHub(house, self)
        tokenFile = VirtualTokenFile(outside.disk, seed: house.scenario.plan.seed)
    }

    var localNow: Instant { clock.local(house.now) }
    var isFrozen: Bool { house.now < frozenUntil }
    var isIdle: Bool { core.conversationsInProgress == 0 }
    /// The machine, to be looked at.
    var core: Hub {
        _read { yield interpreter.hub }
    }
    var disk: VirtualDisk { outside.disk }

    func note(_ observation: Observation) { house.note(observation, local: localNow) }

    // MARK: Life

    /// Gives a puck its token, as `puckhub token add` does: a process of its own.
    func makeToken(for name: String) -> String {
        do throws(VirtualTokenFile.Failure) {
            return try TokenList(tokenFile).add(name, nowUnixSeconds: outside.unixSeconds)
        } catch { preconditionFailure("an empty disk takes a token: \(error.message)") }
    }

    func start() {
        if isRunning { return }
        let list: TokenList<VirtualTokenFile>
        do throws(VirtualTokenFile.Failure) { list = try TokenList(tokenFile) } catch {
            return house.hubCannotStart()
        }
        run += 1
        isRunning = true
        isHostDown = false
        var random = RandomStream(seed: house.scenario.plan.seed, .hub, run)
        let interpreter = HubInterpreter(
            outside, policy: HubPolicy(), generator: SeededGenerator(seed: random.bits()))
        let tokens = HubTokens(interpreter, list, rotateDays: Self.rotateDays)
        // Sound: the interpreter ends before its tokens are another life's.
        interpreter.onHello = { [unowned(unsafe) tokens] id, hello in tokens.greeted(id, hello) }
        self.interpreter?.disconnectAdapters()
        self.interpreter = interpreter
        self.tokens = tokens
        requests = HubRequests(interpreter, tokens, longestReplyBytes: Self.longestReplyBytes)
        note(.hubStarted(run))
    }

    private static let longestReplyBytes = 4_096

    func end(powerLost: Bool) {
        guard isRunning else { return }
        isRunning = false
        isHostDown = powerLost
        frozenUntil = .zero
        outside.processEnded()
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

    /// It stood for a while: what is armed is late.
    func rearm() { outside.rearm() }

    // MARK: From outside

    /// One round of the loop: what happened, and then the ends of connections that this led to.
    private func turn(_ happened: () -> Void) {
        happened()
        while let id = outside.ended.popFirst() {
            tokens.connectionClosed(id)
            interpreter.process(.connectionClosed(id, reason: "closed here"))
        }
    }

    func timerFired(scheduledAt at: Instant) {
        guard isRunning, outside.timerFired(scheduledAt: at) else { return }
        turn { interpreter.timePassed() }
    }

    /// Whose token this is; nil is answered with 401.
    func authorize(_ token: String) -> String? {
        var name: String?
        turn { name = tokens.authorize(token) }
        return name
    }

    func connectionOpened(_ connection: Connection, _ tokenName: String) {
        note(.connectionOpened(connection.number, connection.puck))
        turn {
            interpreter.process(
                .connectionOpened(
                    ConnectionID(UInt32(connection.number)), tokenName: tokenName, peer: "10.0.0.\(connection.puck)"))
        }
    }

    func connectionClosed(_ connection: Connection, _ reason: String) {
        note(.connectionClosed(connection.number))
        let id = ConnectionID(UInt32(connection.number))
        turn {
            tokens.connectionClosed(id)
            interpreter.process(.connectionClosed(id, reason: reason))
        }
    }

    func received(_ message: Message, _ connection: Connection, isForged: Bool = false) {
        guard isRunning else { return }
        guard case .bytes(let bytes) = message else { preconditionFailure("this does not go to a hub") }
        outside.isForged = isForged
        bytes.withUnsafeBytes { bytes in
            let isSound = bytes[0] == MessageType.uplinkOpus.rawValue
            outside.arrived = isSound ? VirtualOpus.sound(.init(rebasing: bytes[WireLimits.headerBytes...])) : nil
            turn { interpreter.received(ConnectionID(UInt32(connection.number)), bytes) }
        }
        outside.arrived = nil
        outside.isForged = false
    }

    /// An answer's next slice has its turn.
    func responderTurn(_ answer: Int) {
        guard isRunning, let playID = outside.playID(of: answer) else { return }
        turn { interpreter.encodeSlice(of: playID) }
    }

    var isPrompt: Bool {
        get { outside.responder.isPrompt }
        set { outside.responder.isPrompt = newValue }
    }

    private func listOnDisk() -> TokenList<VirtualTokenFile>? {
        do throws(VirtualTokenFile.Failure) { return try TokenList(tokenFile) } catch { return nil }
    }

    /// As a hub that starts now would have it.
    func owner(onDisk token: String) -> String? { listOnDisk()?.device(ofToken: token)?.name }
    func isOnDisk(_ name: String) -> Bool { listOnDisk()?.devices.contains { $0.name == name } ?? false }

    /// Whether a puck has the newest token that was made for it: none is on its way.
    func hasSettledToken(_ token: String, of name: String) -> Bool {
        tokens.list.devices.contains {
            $0.name == name && ($0.nextHash ?? $0.hash) == tokenFile.hash(of: token)
        }
    }

    /// Tokens are not replaced while two pucks have one.
    func setRotating(_ on: Bool) { tokens?.rotateDays = on ? Self.rotateDays : 0 }

    // MARK: What people ask of the hub

    /// On the control socket.
    @discardableResult
    func ask(_ request: String) -> String {
        var reply = ""
        turn { reply = requests.answer(request) }
        return reply
    }

    func play(_ request: PlayRequest) {
        guard isRunning else { return }
        outside.requested = request
        let name = house.scenario.pucks[request.puck].name
        ask("play \(name) \(request.category.rawValue) \(request.packets)-packets.wav")
        outside.requested = nil
    }

    func prepared(_ request: PlayRequest, playID: UInt32) {
        lastPlay[request.puck] = playID
        requestedPlays[playID] = request.puck
    }

    func forgot(playID: UInt32) { requestedPlays[playID] = nil }

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
        turn { interpreter.process(.playCancelled(playID: playID)) }
    }
}

/// What somebody wants to hear on a puck.
struct PlayRequest: Equatable {
    var puck: Int
    var category: DownStart.Category
    var packets: Int
}

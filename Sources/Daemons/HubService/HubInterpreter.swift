import HubCore
import PuckBase
import PuckWire

/// Turns what comes from outside into events, steps the hub's machine, and carries out its effects, in order. Adapters
/// (tokens, requests, pairing, …) are given it: they ask `hub`, tell it events by `process`, and name their deadlines by
/// `add`. It knows none of them.
///
/// Thread: the loop's.
public final class HubInterpreter<Outside: HubOutside> {
    public let outside: Outside
    /// To be asked. Only `process` steps it.
    public private(set) var hub: Hub
    let learned: LearnedKeeper<Outside>
    let speech: HubSpeech<Outside>

    /// The bytes of the audio message that is being handled.
    private var currentAudio: (type: MessageType, bytes: UnsafeRawBufferPointer)?
    /// What the effects of one event lead to; each is bounded, see `process`.
    private var followUps: [HubEvent] = []
    /// Room for the effects of the next event, so that not every message allocates; as much as the longest replay needed.
    private var spareEffects: [HubEffect] = []
    private var deadlines: [(next: () -> Instant?, passed: () -> Void)] = []
    private var armed: Instant?
    private var isStopping = false

    /// A puck has said hello, and the machine has made of it what it wants.
    public var onHello: (ConnectionID, Hello) -> Void = { _, _ in }
    /// A puck has said which certificates it believes.
    public var onTrusts: (_ puckID: String) -> Void = { _ in }
    /// An event has been handled, with all that follows from it.
    public var onProcessed: () -> Void = {}

    /// - Parameter generator: for ids and epochs, which only have to differ.
    public init(_ outside: Outside, policy: HubPolicy, generator: SeededGenerator) {
        self.outside = outside
        learned = LearnedKeeper(outside)
        speech = HubSpeech(outside)
        hub = Hub(policy: policy, earshot: learned.read(), generator: generator)
    }

    /// Takes back what holds adapters.
    public func disconnectAdapters() {
        onHello = { _, _ in }
        onTrusts = { _ in }
        onProcessed = {}
        deadlines = []
    }

    /// Applies to what begins from now on.
    public func setPolicy(_ policy: HubPolicy) { hub.policy = policy }

    func correct(_ conversationID: String, to puckID: String) -> Bool { hub.correct(conversationID, to: puckID) }

    // MARK: Events

    /// Steps the machine and runs what follows. An effect leads to at most one further event (a packet that cannot be
    /// decoded, a full queue, an answer of nothing), and each of those ends something, so this ends.
    public func process(_ event: HubEvent) {
        var effects: [HubEffect] = []
        swap(&effects, &spareEffects)
        var next: HubEvent? = event
        while let event = next {
            let now = outside.now
            outside.willStep(event)
            hub.step(event, now: now, into: &effects)
            for effect in effects { run(effect, now: now) }
            effects.removeAll(keepingCapacity: true)
            outside.didStep(event, now: now)
            next = followUps.isEmpty ? nil : followUps.removeFirst()
        }
        spareEffects = effects
        onProcessed()
        if learned.isBehind(hub.earshot.lessons) { learned.keepNowAndThen(hub.earshot) }
        arm()
    }

    /// One whole message, valid during the call.
    public func received(_ id: ConnectionID, _ message: UnsafeRawBufferPointer) {
        do throws(WireError) {
            let header = try MessageHeader.parse(message)
            let payload = UnsafeRawBufferPointer(rebasing: message[WireLimits.headerBytes...])
            switch header.type {
            case .control:
                let control = try PuckControl.parse(payload)
                process(.received(id, control))
                if case .hello(let hello) = control { onHello(id, hello) }
                if case .trusts = control, let name = hub.puck(of: id) { onTrusts(name) }
            case .uplinkOpus, .uplinkPCM, .downlinkOpus, .downlinkPCM:
                currentAudio = (header.type, payload)
                process(.receivedAudio(id, header.type, header.sequence, byteCount: payload.count))
                currentAudio = nil
            case .streamControl:
                throw WireError(.unexpected, "message type 194 goes from the hub to the puck only")
            case .error:
                process(.receivedError(id, WireError.parse(payload: payload)))
            }
        } catch {
            process(.receivedMalformed(id, error))
        }
    }

    /// It sends more than a puck has to.
    public func receivedTooMuch(_ id: ConnectionID) {
        let error = WireError(.rateLimit, "more data, or data in more pieces, than a puck has to send")
        process(.receivedMalformed(id, error))
    }

    /// What `HubOutside.encodeSoon` asked for.
    /// - Returns: false when nobody needs that play any more.
    @discardableResult
    public func encodeSlice(of playID: UInt32) -> Bool {
        guard let event = speech.encodeSlice(of: playID) else { return false }
        process(event)
        return true
    }

    // MARK: Deadlines

    /// Adds a deadline.
    /// - Parameters:
    ///   - next: when it is; nil while there is none. Call `arm` when it has changed outside of `process`.
    ///   - passed: what is due then. It is called at other deadlines too, and looks whether its own has come.
    public func add(next: @escaping () -> Instant?, passed: @escaping () -> Void) { deadlines.append((next, passed)) }

    /// What `HubOutside.setDeadline` asked for.
    public func timePassed() {
        armed = nil
        for deadline in deadlines { deadline.passed() }
        process(.timePassed)
    }

    /// Sets the timer to the earliest deadline.
    public func arm() {
        guard !isStopping else { return }
        var due = hub.nextDeadline
        for deadline in deadlines { due = earliest(due, deadline.next()) }
        guard due != armed else { return }
        armed = due
        outside.setDeadline(due)
    }

    // MARK: The end

    /// Says goodbye to every puck. The timer is free from then on.
    public func stop() {
        process(.stopping)
        isStopping = true
    }

    /// Writes what was learned and not written yet, and waits for it.
    public func keepLearned() { learned.keep(hub.earshot) }

    // MARK: Effects

    private func run(_ effect: HubEffect, now: Instant) {
        outside.willRun(effect)
        switch effect {
        case .send(let id, let control, let sequence):
            let type: MessageType = control.isStreamed ? .streamControl : .control
            control.payload().withUnsafeBytes { send(id, type, sequence, $0, now: now) }
        case .sendAudio(let id, let playID, let packet, let sequence):
            speech.withPacket(packet, of: playID) { send(id, .downlinkOpus, sequence, $0, now: now) }
        case .fail(let id, let error):
            error.payload().withUnsafeBytes { send(id, .error, .zero, $0, now: now) }
            outside.close(id, .policyViolation, reason: error.code.name)
        case .close(let id, let reason):
            outside.close(id, .goingAway, reason: reason)
        case .hear(let conversationID):
            hear(conversationID, now: now)
        case .answer(let conversationID, let playID):
            follow(speech.answer(conversationID, playID))
        case .forget(let conversationID):
            speech.forget(conversationID)
        case .preparePlay(_, let playID):
            follow(speech.preparePlay(playID))
        case .refusePlay(_, let reason):
            speech.refusePlay(reason)
        case .forgetAnswer(let playID):
            speech.forgetAnswer(playID)
        case .log(let record):
            outside.write(record)
        }
    }

    private func follow(_ event: HubEvent?) {
        if let event { followUps.append(event) }
    }

    private func send(
        _ id: ConnectionID, _ type: MessageType, _ sequence: SerialNumber, _ payload: UnsafeRawBufferPointer,
        now: Instant
    ) {
        let header = MessageHeader(
            type: type, sequence: sequence, timestampMilliseconds: now.wireMilliseconds, length: payload.count)
        let isQueued = withUnsafeTemporaryAllocation(byteCount: WireLimits.headerBytes, alignment: 1) { head in
            header.write(to: head)
            return outside.send(to: id, head: UnsafeRawBufferPointer(head), body: payload)
        }
        if isQueued { return }
        // A full queue (64 KiB): drop the connection rather than memory. A closed one has none.
        let reason = outside.queuedBytes(of: id) > 0 ? "its send queue is full: it does not read" : "it is closed"
        outside.disconnect(id)
        followUps.append(.connectionClosed(id, reason: reason))
    }

    private func hear(_ conversationID: String, now: Instant) {
        guard let currentAudio else { preconditionFailure("audio is heard while its message is handled") }
        do throws(WireError) {
            try speech.hear(
                conversationID, grantedAt: hub.grantedAt(conversationID) ?? now, currentAudio.type, currentAudio.bytes,
                now: now)
        } catch {
            guard let connection = hub.connection(of: conversationID) else { return }
            followUps.append(.receivedMalformed(connection, error))
        }
    }
}

import HubCore
import PuckBase
import PuckWire

/// A hub under test with its time and everything that it did.
struct HubBench {
    var hub: Hub
    var now = Instant(nanoseconds: 1_000_000_000_000)
    /// Effects of the last step.
    var last: [HubEffect] = []
    /// Effects of all steps.
    var all: [HubEffect] = []
    private var openConnections: UInt32 = 0

    /// Of pucks, by name, where a test wants to know.
    var ids: [String: ConnectionID] = [:]

    init(seed: UInt64 = 1, policy: HubPolicy = HubPolicy(), earshot: Earshot = Earshot()) {
        hub = Hub(policy: policy, earshot: earshot, generator: SeededGenerator(seed: seed))
    }

    @discardableResult
    mutating func step(_ event: HubEvent) -> [HubEffect] {
        last = []
        hub.step(event, now: now, into: &last)
        all += last
        return last
    }

    /// Lets time pass, stopping at every deadline on the way.
    mutating func advance(_ interval: Interval) {
        let end = now + interval
        var rounds = 0
        while let due = hub.nextDeadline, due <= end {
            now = max(now, due)
            step(.timePassed)
            rounds += 1
            precondition(rounds < 100_000, "a deadline that does not go away")
        }
        now = end
    }

    mutating func open(_ name: String) -> ConnectionID {
        openConnections += 1
        let id = ConnectionID(openConnections)
        step(.connectionOpened(id, tokenName: name))
        return id
    }

    /// Opens a connection and says hello.
    mutating func connect(_ name: String, group: String = "home", phrases: [String] = ["puck"]) -> ConnectionID {
        let id = open(name)
        step(.received(id, .hello(Self.hello(name, group: group, phrases: phrases))))
        return id
    }

    /// Connects one puck and brings it to its grant.
    mutating func granted(_ name: String = "kitchen") -> (ConnectionID, String) {
        let id = connect(name)
        step(.received(id, Self.candidate(1, snr: 20)))
        return (id, last.grants[0].conversationID)
    }

    /// Sends uplink packets `range`.
    mutating func speak(_ id: ConnectionID, _ range: Range<Int>, bytes: Int = 60) {
        for i in range {
            let sequence = SerialNumber(UInt16(truncatingIfNeeded: i))
            step(.receivedAudio(id, .uplinkOpus, sequence, byteCount: bytes))
        }
    }

    mutating func end(_ id: ConnectionID, _ conversation: String, packets: Int, _ reason: UplinkEnd.Reason = .endpoint)
    {
        step(
            .received(
                id,
                .uplinkEnd(
                    UplinkEnd(
                        conversationID: conversation,
                        lastSequence: SerialNumber(UInt16(truncatingIfNeeded: packets - 1)), reason: reason))))
    }

    /// `count` more packets of play 1 exist.
    mutating func ready(_ count: Int, isComplete: Bool, playID: UInt32 = 1) {
        step(.answerReady(playID: playID, sizes: [UInt16](repeating: 60, count: count), isComplete: isComplete))
    }

    /// The puck has received everything up to `sequence`, and heard `packets` of the play.
    mutating func played(
        _ id: ConnectionID, _ sequence: Int, heard packets: Int = 0, playID: UInt32 = 1,
        state: Played.State = .playing
    ) {
        let number = SerialNumber(UInt16(truncatingIfNeeded: sequence))
        step(
            .received(
                id,
                .played(
                    Played(
                        sequence: number, playID: playID, positionMilliseconds: packets * 20, bufferedMilliseconds: 0,
                        state: state))))
    }

    static func hello(
        _ name: String, group: String = "home", phrases: [String] = ["puck"], resume: Hello.Resume? = nil,
        uplink: Hello.Uplink? = nil, plays: [Hello.Play] = []
    ) -> Hello {
        Hello(
            puckID: name, room: group, group: group, software: "test", phrases: phrases, resume: resume, uplink: uplink,
            plays: plays)
    }

    /// The puck opens another connection and says hello as after a drop.
    mutating func reconnect(
        _ name: String, group: String = "home", resume: Hello.Resume? = nil, uplink: Hello.Uplink? = nil,
        plays: [Hello.Play] = []
    ) -> ConnectionID {
        let id = open(name)
        let hello = Self.hello(name, group: group, resume: resume, uplink: uplink, plays: plays)
        step(.received(id, .hello(hello)))
        return id
    }

    static func candidate(
        _ wakeID: UInt32, snr: Double, phrase: String = "puck", onset: Double = 0, level: Double = -30,
        confidence: Double = 0.9, noise: Double = -50, envelope: [Int8] = []
    ) -> PuckControl {
        .wakeCandidate(
            WakeCandidate(
                wakeID: wakeID, phrase: phrase, onsetMilliseconds: onset, snrDecibels: snr, levelDecibels: level,
                noiseDecibels: noise, confidence: confidence, envelope: envelope))
    }

    /// Milliseconds of the hub's clock.
    var milliseconds: Double { Double(now.nanoseconds) / 1e6 }

    /// One exchange of clocks: afterwards the hub knows this puck's, `offset` ms ahead of its own, to half of `roundTrip`.
    mutating func synchronize(_ id: ConnectionID, offset: Double = 0, roundTrip: Double = 0) {
        let pings = all.sent.filter { $0.to == id }.compactMap {
            if case .ping(let ping) = $0.control { ping.t0 } else { nil }
        }
        let t0 = pings.last!
        let middle = t0 + roundTrip / 2 + offset
        let asked = now
        now = Instant(nanoseconds: Int64((t0 + roundTrip) * 1e6))
        step(.received(id, .pong(Pong(t0: t0, t1: middle, t2: middle))))
        now = max(now, asked)
    }

    static func status(muted: Bool = false, captureOK: Bool = true) -> PuckControl {
        .status(
            PuckStatus(
                phase: "idle", muted: muted, volume: 80, xruns: 0, gapMilliseconds: 0, captureOK: captureOK,
                uptimeSeconds: 1))
    }
}

extension [HubEffect] {
    var sent: [(to: ConnectionID, control: HubControl, sequence: SerialNumber)] {
        compactMap { if case .send(let id, let control, let sequence) = $0 { (id, control, sequence) } else { nil } }
    }
    var grants: [(to: ConnectionID, conversationID: String)] {
        sent.compactMap { if case .grant(_, let id) = $0.control { ($0.to, id) } else { nil } }
    }
    var cancels: [(to: ConnectionID, wakeID: UInt32, reason: HubControl.CancelReason)] {
        sent.compactMap { if case .cancel(let wake, let reason) = $0.control { ($0.to, wake, reason) } else { nil } }
    }
    var welcomes: [Welcome] {
        sent.compactMap { if case .welcome(let welcome) = $0.control { welcome } else { nil } }
    }
    /// Everything of the downlink stream in order: controls by their name, audio as play/packet.
    var stream: [String] {
        compactMap {
            switch $0 {
            case .sendAudio(_, let play, let packet, let sequence): "\(sequence.value):\(play)/\(packet)"
            case .send(_, let control, let sequence) where control.isStreamed:
                "\(sequence.value):" + Self.name(control)
            default: nil
            }
        }
    }
    private static func name(_ control: HubControl) -> String {
        switch control {
        case .phase(_, let phase): "phase-\(phase)"
        case .downStart(let m): "start-\(m.playID)@\(m.resumedAtMilliseconds)"
        case .downStop(let id, let reason): "stop-\(id)-\(reason)"
        case .downPause(let id): "pause-\(id)"
        case .downResume(let id): "resume-\(id)"
        default: "other"
        }
    }
    var phases: [HubControl.ConversationPhase] {
        sent.compactMap { if case .phase(_, let phase) = $0.control { phase } else { nil } }
    }
    var acks: [Int] {
        sent.compactMap { if case .uplinkAck(_, let next) = $0.control { Int(next.value) } else { nil } }
    }
    var audio: [(packet: Int, sequence: SerialNumber)] {
        compactMap { if case .sendAudio(_, _, let packet, let sequence) = $0 { (packet, sequence) } else { nil } }
    }
    var failures: [WireError.Code] {
        compactMap { if case .fail(_, let error) = $0 { error.code } else { nil } }
    }
    var closed: [ConnectionID] {
        compactMap { if case .close(let id, _) = $0 { id } else { nil } }
    }
    var logs: [LogRecord] {
        compactMap { if case .log(let entry) = $0 { entry } else { nil } }
    }
    func log(_ event: String) -> LogRecord? { logs.first { $0.isNamed(event) } }
    func count(_ effect: HubEffect) -> Int { filter { $0 == effect }.count }
    var outcomes: [String] { logs.filter { $0.isNamed("conversation.end") }.compactMap { $0.value("outcome") } }
}

extension LogRecord {
    func isNamed(_ event: String) -> Bool { self.event.text.description == event }
    func value(_ key: String) -> String? { fields.first { $0.key.text.description == key }?.value }
}

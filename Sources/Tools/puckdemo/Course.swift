import LinuxIO
import PuckBase

/// Something in the logs that belongs to the story.
struct Happening: Equatable {
    enum Event: Equatable {
        // On a puck.
        case linkUp
        case lights(String)
        case candidate(snr: Double, onsetAgeMilliseconds: Double)
        case granted
        case cancelled(reason: String)
        case uplinkEnded(packets: Int, reason: String)
        case playStarted
        case playDone(milliseconds: Int)
        // On the hub.
        case listening(port: Int)
        case decided(winner: String, waitedMilliseconds: Double, rule: String)
        case firstAudio(puck: String, afterGrantMilliseconds: Double)
        case heard(puck: String, packets: Int, bytes: Int)
        case answerStarted(puck: String, afterEndMilliseconds: Double, packets: Int)
        case conversationEnded(id: String, puck: String, outcome: String)
        /// A warning or an error of either.
        case trouble(String)
    }

    /// A puck's name, or "hub".
    var source: String
    /// On the machine's monotonic clock, which all processes share.
    var seconds: Double
    var event: Event

    static let hub = "hub"

    /// Nil for lines that tell nothing here, or lack what they should have.
    init?(_ line: LogLine, from source: String) {
        guard let seconds = line.seconds else { return nil }
        self.source = source
        self.seconds = seconds
        let event = source == Self.hub ? Self.hubEvent(line) : Self.puckEvent(line)
        if let event {
            self.event = event
        } else if line.level <= .warning {
            self.event = .trouble(([line.event] + line.fields.map { "\($0.key)=\($0.value)" }).joined(separator: " "))
        } else {
            return nil
        }
    }

    private static func puckEvent(_ line: LogLine) -> Event? {
        switch line.event {
        case "link.up": return .linkUp
        case "lights": return line["state"].map { .lights($0) }
        case "wake.candidate":
            guard let snr = line.decimal("snr_db") else { return nil }
            return .candidate(snr: snr, onsetAgeMilliseconds: line.decimal("onset_age_ms") ?? 0)
        case "wake.granted": return .granted
        case "wake.cancelled": return .cancelled(reason: line["reason"] ?? "?")
        case "uplink.end":
            guard let packets = line.whole("packets") else { return nil }
            return .uplinkEnded(packets: packets, reason: line["reason"] ?? "?")
        case "play.start": return .playStarted
        case "play.done": return .playDone(milliseconds: line.whole("played_ms") ?? 0)
        default: return nil
        }
    }

    private static func hubEvent(_ line: LogLine) -> Event? {
        let puck = line["puck"] ?? "?"
        switch line.event {
        case "hub.listening": return line.whole("port").map { .listening(port: $0) }
        case "arbitration.decided":
            return .decided(
                winner: line["winner"] ?? "?", waitedMilliseconds: line.decimal("waited_ms") ?? 0,
                rule: line["rule"] ?? "?")
        case "conversation.first_audio":
            return line.decimal("grant_to_first_ms").map { .firstAudio(puck: puck, afterGrantMilliseconds: $0) }
        case "uplink.end":
            guard let packets = line.whole("packets"), let bytes = line.whole("bytes") else { return nil }
            return .heard(puck: puck, packets: packets, bytes: bytes)
        case "answer.start":
            guard let after = line.decimal("end_to_answer_ms") else { return nil }
            return .answerStarted(puck: puck, afterEndMilliseconds: after, packets: line.whole("packets") ?? 0)
        case "conversation.end":
            guard let id = line["conversation"] else { return nil }
            return .conversationEnded(id: id, puck: puck, outcome: line["outcome"] ?? "?")
        default: return nil
        }
    }
}

extension LogLine {
    fileprivate func decimal(_ key: String) -> Double? { self[key].flatMap(Double.init) }
    fileprivate func whole(_ key: String) -> Int? { self[key].flatMap { Int($0) } }
}

/// Everything that happened, and what follows from it. Times in seconds of the sentence: 0 is where it begins at the
/// nearest puck.
struct Course: Equatable {
    let pucks: [String]
    /// Monotonic seconds at which the sentence begins; nil until the microphones are released.
    var sentenceBegins: Double?
    private(set) var happenings: [Happening] = []

    init(pucks: [String]) { self.pucks = pucks }

    mutating func append(_ happening: Happening) { happenings.append(happening) }

    func seconds(of happening: Happening) -> Double { happening.seconds - (sentenceBegins ?? happening.seconds) }

    // MARK: Questions

    func first(_ source: String, where match: (Happening.Event) -> Bool) -> Happening? {
        happenings.first { $0.source == source && match($0.event) }
    }

    /// Pucks in the order in which they were granted; one that was granted twice stands there twice.
    var grants: [String] { happenings.filter { $0.event == .granted }.map { $0.source } }

    var winner: String? { grants.first }

    var linkedPucks: Set<String> { Set(happenings.filter { $0.event == .linkUp }.map { $0.source }) }

    var listeningPort: Int? {
        for case .listening(let port) in happenings.map({ $0.event }) { return port }
        return nil
    }

    /// The first candidate's signal-to-noise ratio.
    func snr(_ puck: String) -> Double? {
        for case .candidate(let snr, _) in events(of: puck) { return snr }
        return nil
    }

    func onsetAge(_ puck: String) -> Double? {
        for case .candidate(_, let age) in events(of: puck) { return age }
        return nil
    }

    /// Of the first candidate: "granted", or the reason of its cancellation.
    func verdict(_ puck: String) -> String? {
        for event in events(of: puck) {
            if event == .granted { return "granted" }
            if case .cancelled(let reason) = event { return reason }
        }
        return nil
    }

    /// From a puck's candidate to the hub's word on it, in milliseconds, both by the puck's own log.
    func verdictAfter(_ puck: String) -> Double? {
        guard let wake = first(puck, where: { if case .candidate = $0 { true } else { false } }),
            let word = first(puck, where: { if case .cancelled = $0 { true } else { $0 == .granted } })
        else { return nil }
        return (word.seconds - wake.seconds) * 1000
    }

    func wasCancelled(_ puck: String) -> Bool {
        events(of: puck).contains { if case .cancelled = $0 { true } else { false } }
    }

    var conversationEnd: (id: String, outcome: String)? {
        for case .conversationEnded(let id, _, let outcome) in happenings.map({ $0.event }) { return (id, outcome) }
        return nil
    }

    /// The whole turn is over: the hub closed it, and the winner's loudspeaker is done.
    var isOver: Bool {
        guard let end = conversationEnd, let winner else { return false }
        if end.outcome != "done" { return true }
        return events(of: winner).contains { if case .playDone = $0 { true } else { false } }
    }

    private func events(of source: String) -> [Happening.Event] {
        happenings.filter { $0.source == source }.map { $0.event }
    }
}

import PuckBase
import PuckWire

// The hub's address changed: when to look for the hub, and which addresses to try.

/// Where a hub can be reached.
public struct HubAddress: Equatable, Sendable {
    /// A name or a numeric address; a link-local one with its zone.
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }
}

/// One answer to a search. Anybody on the network can give it: it decides only where the puck tries next, and the pinned
/// certificate decides what the puck believes.
public struct HubCandidate: Equatable, Sendable {
    public var address: HubAddress
    /// The announced fingerprint is that of the pinned certificate, or none is pinned and an authority is trusted.
    public var namesPinnedCertificate: Bool

    public init(address: HubAddress, namesPinnedCertificate: Bool) {
        self.address = address
        self.namesPinnedCertificate = namesPinnedCertificate
    }
}

/// The search for a hub that moved, as data of the link machine.
///
///     idle ─ 3 failed attempts, or one after the third pause of the row ─▶ searching (effect `searchForHub`)
///     searching ─ `hubsFound`, or 15 s ─▶ resting; the candidates are tried, one a second
///     resting ─ 30 s, no candidate is left ─▶ searching
///     resting ─ a hub with the right certificate answered ─▶ idle
///
/// The configured address keeps its row of attempts (`Backoff`). The candidates are tried between two of them.
struct HubSearch: Sendable {
    /// About 3 s after the link was lost: longer than a hub takes to restart.
    static let afterFailures = 3
    /// From the end of one search to the next one: as long as the longest pause of `Backoff`.
    static let restsFor = Interval.seconds(30)
    /// The runtime's own limit is 11 s (LinuxIO's `HubAnswers.patience`).
    static let patience = Interval.seconds(15)
    /// Of one search. Where there are more, a random part of them is tried, so that false ones cannot hide the hub for ever.
    static let mostCandidates = 8
    /// Between two candidates, ±10 % at random.
    static let candidatePause = Interval.seconds(1)

    /// Attempts in a row that reached no hub.
    private(set) var failures = 0
    private enum Phase { case idle, searching, resting }
    private var phase = Phase.idle
    private var candidates: [HubAddress] = []
    /// A found address that worked while the configuration names another: tried in turn with that one.
    private var remembered: HubAddress?
    private var isRememberedNext = false
    /// What the current attempt or link goes to; nil: the configured address.
    private(set) var target: HubAddress?

    var hasCandidates: Bool { !candidates.isEmpty }

    /// Chooses where the next attempt goes.
    /// - Parameter again: to the address of the last link, since an utterance can still be resumed.
    mutating func aim(again: Bool) {
        if again { return }
        if !candidates.isEmpty {
            target = candidates.removeFirst()
            return
        }
        target = isRememberedNext ? remembered : nil
        if remembered != nil { isRememberedNext.toggle() }
    }

    /// An attempt failed before a hub had answered.
    /// - Parameter pauses: of the row of attempts since the last stable link. Where the link was up for a moment only, the
    ///   row goes on, and three attempts of its end would take a minute and a half.
    /// - Returns: whether a search is to begin now.
    mutating func failed(pauses: Int) -> Bool {
        failures += 1
        guard phase == .idle, max(failures, pauses - 1) >= Self.afterFailures else { return false }
        phase = .searching
        return true
    }

    enum Next { case search, wait, nothing }

    /// The deadline of a search, or of the rest after it, has come.
    mutating func timePassed() -> Next {
        switch phase {
        case .idle: return .nothing
        case .searching:
            phase = .resting
            return .wait
        case .resting:
            if !candidates.isEmpty { return .wait }
            phase = .searching
            return .search
        }
    }

    var isSearching: Bool { phase == .searching }

    /// - Returns: whether there is something to try.
    mutating func ended(_ found: [HubCandidate], using generator: inout SeededGenerator) -> Bool {
        guard phase == .searching else { return false }
        phase = .resting
        var fitting: [HubAddress] = []
        for candidate in found where candidate.namesPinnedCertificate && !fitting.contains(candidate.address) {
            fitting.append(candidate.address)
        }
        while fitting.count > Self.mostCandidates {
            fitting.remove(at: Int(generator.next() % UInt64(fitting.count)))
        }
        candidates = fitting
        return !candidates.isEmpty
    }

    /// Who has the right certificate answered at `target`: what else was found is not needed.
    mutating func reached() {
        failures = 0
        candidates = []
        if phase == .resting { phase = .idle }
    }

    /// - Returns: the address to be kept; nil when it is the configured one, or was kept before.
    mutating func linkIsUp(_ mode: Puck.HubSearchMode) -> HubAddress? {
        reached()
        isRememberedNext = false
        guard let target, target != remembered else { return nil }
        remembered = mode == .besideConfigured ? target : nil
        if mode == .replacesConfigured { self.target = nil }
        return target
    }
}

extension Puck {
    /// Whether a hub that moved is searched for, and what becomes of the address that is found.
    public enum HubSearchMode: Equatable, Sendable {
        /// No certificate is pinned: nothing would tell this puck's hub from any other.
        case off
        /// It takes the place of the one that pairing left.
        case replacesConfigured
        /// The configuration names the hub, and is tried in turn with it.
        case besideConfigured
    }

    /// After an attempt that ended before the link was up.
    /// - Parameter isHub: what refused is a hub with the right certificate: where it is, is known.
    mutating func attemptFailed(
        reachedHub: Bool, isHub: Bool, _ now: Instant, _ effects: inout [PuckEffect]
    ) {
        if isHub { return keepHub(&effects) }
        if reachedHub { return hubSearch.reached() }
        if identity.hubSearch != .off, hubSearch.failed(pauses: backoff.attempt) { searchForHub(now, &effects) }
    }

    private mutating func searchForHub(_ now: Instant, _ effects: inout [PuckEffect]) {
        deadlines[.hubSearch] = now + HubSearch.patience
        effects.append(
            .log(LogRecord(.notice, "hub.search", [.init("failed_attempts", hubSearch.failures)])))
        effects.append(.searchForHub)
    }

    mutating func hubSearchTimePassed(_ now: Instant, _ effects: inout [PuckEffect]) {
        switch hubSearch.timePassed() {
        case .search: searchForHub(now, &effects)
        case .wait: deadlines[.hubSearch] = now + HubSearch.restsFor
        case .nothing: break
        }
    }

    mutating func hubsFound(_ found: [HubCandidate], _ now: Instant, _ effects: inout [PuckEffect]) {
        guard hubSearch.isSearching else { return }
        deadlines[.hubSearch] = now + HubSearch.restsFor
        let hasCandidates = hubSearch.ended(found, using: &random)
        // The hub was where it should be after all.
        if link == .greeting || link == .up { return hubSearch.reached() }
        if !hasCandidates { return }
        effects.append(.log(LogRecord(.notice, "hub.candidates", [.init("answers", found.count)])))
        guard link == .down, let planned = deadlines[.reconnect] else { return }
        deadlines[.reconnect] = min(planned, now + candidatePause())
    }

    mutating func candidatePause() -> Interval {
        let jitter = random.nextSigned() * Double(HubSearch.candidatePause.nanoseconds) / 10
        return Interval(nanoseconds: HubSearch.candidatePause.nanoseconds + Int64(jitter))
    }

    /// The link is up, or the hub refused this puck: where it is, is kept.
    mutating func keepHub(_ effects: inout [PuckEffect]) {
        if let address = hubSearch.linkIsUp(identity.hubSearch) { effects.append(.keepHub(address)) }
    }
}

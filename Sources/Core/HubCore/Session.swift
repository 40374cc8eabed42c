import PuckBase
import PuckWire

/// One connection, from its upgrade to its end.
///
///     awaiting hello (`live` is nil) ─ hello with the token's name ─▶ live
///     either ─ deadline, protocol error, replaced, revoked, closed ─▶ gone (the hub forgets it at once)
struct Session: Sendable {
    enum Deadline: Int, CaseIterable, Hashable, Sendable { case hello, ping, silence }

    let connection: ConnectionID
    let tokenName: String
    /// Its numeric address; empty where that is not known.
    let peer: String
    /// What the hello told, and everything that exists only after it.
    var live: LivePuck?
    var deadlines = Deadlines<Deadline>()
    private var rate = RateWindow(limit: HubLimits.controlsPerSecond)

    init(connection: ConnectionID, tokenName: String, peer: String, now: Instant) {
        self.connection = connection
        self.tokenName = tokenName
        self.peer = peer
        deadlines[.hello] = now + HubLimits.helloWithin
    }

    /// When the last message came; nil before the hello.
    var heardAt: Instant? { deadlines[.silence].map { $0 - HubLimits.silentFor } }

    /// Anything that arrives shows that the puck lives.
    mutating func heard(now: Instant) {
        if live != nil { deadlines[.silence] = now + HubLimits.silentFor }
    }

    /// - Throws: RATE_LIMIT.
    mutating func countControl(now: Instant) throws(WireError) {
        guard rate.admit(now: now) else {
            throw WireError(.rateLimit, "more than \(HubLimits.controlsPerSecond) control messages within a second")
        }
    }

    /// - Throws: UNEXPECTED for a second hello; AUTH when the token was made for another device; BAD_CONTROL when the
    ///   puck cannot play Opus, the only codec this hub sends.
    mutating func greet(_ hello: Hello, now: Instant) throws(WireError) {
        guard live == nil else { throw WireError(.unexpected, "a second hello on the same connection") }
        guard hello.puckID == tokenName else {
            throw WireError(
                .auth,
                "the token belongs to \"\(tokenName)\" but the puck calls itself \"\(hello.puckID)\": "
                    + "set [puck] id = \(tokenName), or make a token with 'puckhub token add \(hello.puckID)'")
        }
        guard hello.codecs.contains("opus") else {
            throw WireError(.badControl, "this hub sends Opus only, and \"codecs\" does not list \"opus\"")
        }
        live = LivePuck(hello: hello)
        deadlines.clear(.hello)
        deadlines[.silence] = now + HubLimits.silentFor
        // The first ping follows the welcome at once, so that the clock estimate exists before the first wake.
        deadlines[.ping] = now
    }

    /// A message other than hello needs a live session.
    func requireLive(_ what: String) throws(WireError) {
        guard live != nil else {
            throw WireError(.unexpected, "the first message of a connection is hello, this one was \(what)")
        }
    }
}

/// What the hub knows of a puck through this connection.
struct LivePuck: Sendable {
    let hello: Hello
    var clock = ClockEstimate()
    /// The last status; a puck that has not sent one counts as able.
    var status: PuckStatus?

    /// Certificates that it believes beside its pinned one; nil when it can store none.
    var trusts: [String]?

    init(hello: Hello) {
        self.hello = hello
        trusts = hello.trusts
    }

    var puckID: String { hello.puckID }
    var group: String { hello.group }

    /// Whether a wake of this phrase in this group could bring a candidate from here.
    func isAble(phrase: String, group: String) -> Bool {
        guard hello.group == group, hello.phrases.contains(phrase) else { return false }
        guard let status else { return true }
        return status.captureOK && !status.muted
    }
}

import Credentials
import LinuxIO
import PuckBase

/// Tells the network where this hub is: `_puck._tcp` by mDNS (RFC 6762, 6763). Avahi's own program does it, as a child
/// that is started again when it ends, so that neither D-Bus nor libavahi is in the hub's memory; a hub without Avahi
/// works all the same and says once what is missing. Loop thread only.
final class Announcement {
    static let program = "avahi-publish-service"
    static let service = "_puck._tcp"
    /// How often it is looked whether the child still runs.
    static let lookEvery = Interval.seconds(30)
    /// After this many seconds a child that has ended is started again; twice as many each time, up to the second.
    static let pauses = (first: 5, last: 600)
    /// A child that has run so long was in order.
    static let stableAfter = Interval.seconds(60)

    private let words: [String]
    private let log: Log
    private let clock: () -> Instant
    private var child: ChildCommand?
    private var startedAt = Instant.zero
    private var pauseSeconds = pauses.first
    private var hasComplained = false
    private(set) var nextDeadline: Instant?

    /// - Parameters:
    ///   - name: as people see it in a list of hubs.
    ///   - fingerprint: of the hub's certificate, so that a puck with a join line knows which of two hubs is meant. A
    ///     hint only: what it connects to has to prove itself.
    init(
        name: String, port: UInt16, fingerprint: String, log: Log, clock: @escaping () -> Instant = MonotonicClock.now
    ) {
        words = [Self.program, name, Self.service, "\(port)", "proto=1", "id=\(fingerprint)"]
        self.log = log
        self.clock = clock
    }

    deinit { child?.kill() }

    func start() {
        let now = clock()
        do throws(SystemError) {
            child = try ChildCommand(words, isQuiet: true)
            startedAt = now
            nextDeadline = now + Self.lookEvery
            log.info("announce.started", [Field("name", words[1]), Field("service", Self.service)])
        } catch {
            nextDeadline = nil  // it does not come by waiting
            log.notice(
                "announce.missing",
                [
                    Field("detail", error.description),
                    Field(
                        "advice",
                        "So that pucks find this hub by themselves: 'apt install avahi-daemon avahi-utils', then restart "
                            + "puckhub. Or join with --hub HOST, and set [hub] announce = no here."),
                ])
        }
    }

    func timePassed() {
        let now = clock()
        guard let due = nextDeadline, due <= now else { return }
        guard child != nil else { return start() }
        guard let status = child?.ended() else {
            nextDeadline = now + Self.lookEvery
            return
        }
        child = nil
        if now - startedAt >= Self.stableAfter {
            pauseSeconds = Self.pauses.first
            hasComplained = false
        }
        nextDeadline = now + .seconds(pauseSeconds)
        pauseSeconds = min(2 * pauseSeconds, Self.pauses.last)
        if hasComplained { return }
        hasComplained = true
        log.warning(
            "announce.ended",
            [
                Field("program", Self.program), Field("status", status),
                Field(
                    "advice",
                    "puckhub retries; check that avahi-daemon runs: systemctl status avahi-daemon"),
            ])
    }

    func stop() {
        child?.kill()
        child = nil
        nextDeadline = nil
    }
}

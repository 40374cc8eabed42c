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

extension HubDaemon {
    /// Where nobody could come from, or nobody could be paired, there is nothing to announce.
    private var isFindable: Bool {
        settings.service.isAnnounced && !isOnLoopback && !settings.certificate.isInsecure
    }

    private var isOnLoopback: Bool {
        let address = settings.service.listenAddress
        return address == "::1" || address.utf8.starts(with: "127.".utf8)
    }

    /// The hub's name as a puck can look it up: mDNS has it under `.local`.
    var announcedHost: String {
        let name = settings.service.name
        // A name that nobody can look up is no place to send a puck to.
        let isUseless = name == "localhost" && !isOnLoopback
        if isUseless || !Certificate.isName(name) && !HubIdentity.isAddress(name) { return ownAddress() ?? "127.0.0.1" }
        let isBare = !name.utf8.contains(UInt8(ascii: ".")) && !name.utf8.contains(UInt8(ascii: ":"))
        return isFindable && isBare && name != "localhost" ? name + ".local" : name
    }

    /// At most 63 bytes (RFC 6763, 4.1.1), cut at a character's border.
    static func instanceName(_ name: String) -> String {
        var name = name
        while name.utf8.count > 63 { name.removeLast() }
        return name
    }

    func beginAnnouncement() {
        guard isFindable else { return }
        do throws(CredentialError) {
            // Without its copy the file is what was read a moment ago.
            var certificate = shownCertificate
            if certificate == nil {
                certificate = try PeerCertificate(readFrom: settings.certificate.certificateFile)
            }
            guard let certificate else { return }
            let announcement = Announcement(
                name: Self.instanceName(settings.service.name), port: port, fingerprint: certificate.shortFingerprint,
                log: log)
            announcement.start()
            self.announcement = announcement
            arm()
        } catch {
            log.error("announce.failed", [Field("problem", error.message)])
        }
    }
}

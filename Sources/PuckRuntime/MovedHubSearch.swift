import CLinux
import Credentials
import Joining
import LinkTransport
import LinuxIO
import PuckBase
import PuckCore

/// One search for the hub by mDNS: Avahi's program as a child, read without waiting. What it prints was said by anybody on
/// the network. Loop thread.
final class MovedHubSearch {
    /// How often its output is looked at.
    static let lookEvery = Interval.milliseconds(250)

    private var command: ChildCommand
    private let descriptor: Int32
    private let endsAt: Instant
    private var output: [UInt8] = []
    private(set) var lookAt: Instant

    init() throws(SystemError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemError("cannot make a pipe", code: puck_errno()) }
        for end in ends { puck_fcntl(end, F_SETFD, Int(FD_CLOEXEC)) }
        puck_fcntl(ends[0], F_SETFL, Int(O_NONBLOCK))
        defer { close(ends[1]) }
        do throws(SystemError) { command = try ChildCommand(HubFinder.command, output: ends[1], isQuiet: true) } catch {
            close(ends[0])
            throw SystemError(
                "cannot look for the hub at another address", code: error.code,
                advice: "install avahi-daemon and avahi-utils")
        }
        descriptor = ends[0]
        let now = MonotonicClock.now()
        endsAt = now + HubFinder.patience
        lookAt = now + Self.lookEvery
    }

    /// A child that is killed here is collected when this process ends; the daemon keeps a search until its child has ended.
    deinit {
        command.kill()
        close(descriptor)
    }

    /// - Returns: nil while it goes on; else what was found, and the status of a child that failed.
    func timePassed() -> (hubs: [FoundHub], failure: Int32)? {
        let now = MonotonicClock.now()
        if lookAt > now { return nil }
        lookAt = now + Self.lookEvery
        let status = command.ended()
        read()
        if output.count >= HubFinder.mostBytes || now >= endsAt { command.kill() }
        guard let status else { return nil }
        // What it had printed before it was killed counts.
        let hubs = HubFinder.answers(String(decoding: output, as: UTF8.self))
        return (hubs, status > 0 ? status : 0)
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while output.count < HubFinder.mostBytes {
            let size = CLinux.read(descriptor, &chunk, chunk.count)
            if size <= 0 { return }
            output += chunk[..<size]
        }
    }
}

extension PuckDaemon {
    func searchForHub() {
        // The last one was given up by the core and has not ended yet.
        if movedHub != nil { return }
        do throws(SystemError) { movedHub = try MovedHubSearch() } catch {
            sayOnce(error.description)
            perform(.hubsFound([]))
        }
    }

    func movedHubTimePassed() {
        guard let result = movedHub?.timePassed() else { return }
        movedHub = nil
        if result.failure != 0, result.hubs.isEmpty {
            sayOnce(
                "cannot look for the hub at another address: \(HubFinder.command[0]) ended with status "
                    + "\(result.failure); see whether avahi-daemon runs (systemctl status avahi-daemon)")
        } else {
            searchProblem = ""
        }
        perform(.hubsFound(candidates(result.hubs)))
    }

    private func candidates(_ hubs: [FoundHub]) -> [HubCandidate] {
        // Those that the hub has announced for a renewal count as the pinned one.
        var pinned = settings.hub.trusted.compactMap { PeerCertificate.shortFingerprint(hexadecimal: $0) }
        do throws(CredentialError) {
            pinned.append(try PeerCertificate(readFrom: settings.hub.authorityFile).shortFingerprint)
        } catch {
            if unreadCertificate.take(error.message, now: MonotonicClock.now()) != nil {
                log.error("hub.search", [Field("detail", error.message)])
            }
        }
        return hubs.map { hub in
            HubCandidate(
                address: HubAddress(host: hub.address, port: hub.port),
                namesPinnedCertificate: pinned.contains { DeviceToken.areEqual(hub.fingerprint, $0) })
        }
    }

    private func sayOnce(_ problem: String) {
        if problem == searchProblem { return }
        searchProblem = problem
        log.warning("hub.search_failed", [Field("detail", problem)])
    }

    /// The hub has proved itself at another address than the configured one.
    func keepHub(_ address: HubAddress) {
        // Said when the file is written, if there is one.
        defer { log.notice("hub.moved", [Field("hub", "\(address.host):\(address.port)")]) }
        if !settings.hub.isFixed {
            settings.hub.host = address.host
            settings.hub.port = Int(address.port)
            link.setHub(host: address.host, port: address.port)
        }
        guard let path = settings.pairingFile else { return }
        do throws(SystemError) {
            try PairingFile.replaceHub(at: path, host: address.host, port: address.port)
        } catch {
            log.error(
                "hub.not_kept",
                [Field("detail", error.description), Field("advice", "It is searched for again after a restart.")])
        }
    }
}

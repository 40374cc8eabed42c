import CLinux
import LinkTransport
import LinuxIO
import PuckBase
import PuckCore

/// One search for the hub by mDNS: `puckctl find-hub` as a child, read without waiting, so that this daemon holds no code
/// for what it hardly ever does. What is found was said by anybody on the network. Loop thread.
final class MovedHubSearch {
    /// How often its output is looked at.
    static let lookEvery = Interval.milliseconds(250)

    private var command: ChildCommand
    private let descriptor: Int32
    private let endsAt: Instant
    private var output: [UInt8] = []
    private(set) var lookAt: Instant

    init(_ hub: HubLinkSettings) throws(SystemError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemError("cannot make a pipe", code: puck_errno()) }
        for end in ends { puck_fcntl(end, F_SETFD, Int(FD_CLOEXEC)) }
        puck_fcntl(ends[0], F_SETFL, Int(O_NONBLOCK))
        defer { close(ends[1]) }
        let words = [PairingSearch.program, HubAnswers.command, hub.authorityFile] + hub.trusted
        do throws(SystemError) { command = try ChildCommand(words, output: ends[1], isQuiet: true) } catch {
            close(ends[0])
            throw SystemError("cannot run puckctl", code: error.code, advice: Self.advice)
        }
        descriptor = ends[0]
        let now = MonotonicClock.now()
        endsAt = now + HubAnswers.patience
        lookAt = now + Self.lookEvery
    }

    /// A child that is killed here is collected when this process ends; the daemon keeps a search until its child has ended.
    deinit {
        command.kill()
        close(descriptor)
    }

    /// - Returns: nil while it goes on; else what was found, or what is wrong.
    func timePassed() -> HubAnswers? {
        let now = MonotonicClock.now()
        if lookAt > now { return nil }
        lookAt = now + Self.lookEvery
        let status = command.ended()
        read()
        if output.count >= HubAnswers.mostBytes || now >= endsAt { command.kill() }
        guard let status else { return nil }
        if let answers = HubAnswers(text: String(decoding: output, as: UTF8.self)) { return answers }
        return HubAnswers(
            problem: "puckctl ended with status \(status) and did not say what it found; " + Self.advice)
    }

    private static let advice = "install the puckctl that belongs to this puckd"

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while output.count < HubAnswers.mostBytes {
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
        do throws(SystemError) { movedHub = try MovedHubSearch(settings.hub) } catch {
            sayOnce(error.description)
            perform(.hubsFound([]))
        }
    }

    func movedHubTimePassed() {
        guard let answers = movedHub?.timePassed() else { return }
        movedHub = nil
        sayOnce(answers.problem ?? "")
        perform(
            .hubsFound(
                answers.hubs.map { hub in
                    HubCandidate(
                        address: HubAddress(host: hub.address, port: hub.port),
                        namesPinnedCertificate: hub.namesPinnedCertificate)
                }))
    }

    /// - Parameter problem: empty when there is none any more.
    private func sayOnce(_ problem: String) {
        if problem == searchProblem { return }
        searchProblem = problem
        if problem.isEmpty { return }
        log.warning("hub.search_failed", [Field("detail", "cannot look for the hub at another address: " + problem)])
    }

    /// The hub has proved itself at another address than the configured one.
    func keepHub(_ address: HubAddress) {
        // Said when the file is written, if there is one.
        defer { log.notice("hub.moved", [Field("hub", "\(address.host):\(address.port)")]) }
        let keepsAddress = settings.keepsHubAddress
        if !settings.hub.isFixed, keepsAddress {
            settings.hub.host = address.host
            settings.hub.port = Int(address.port)
            link.setHub(host: address.host, port: address.port)
        }
        guard let path = settings.pairingFile, keepsAddress else { return }
        do throws(SystemError) {
            try PairingFile.replaceHub(at: path, host: address.host, port: address.port)
        } catch {
            log.error(
                "hub.not_kept",
                [Field("detail", error.description), Field("advice", "puckd searches again after a restart.")])
        }
    }
}

import CLinux
import Credentials
import HubCore
import HubService
import LinkTransport
import LinuxIO
import PuckBase
import PuckWire
import Settings
import TokenList

/// The hub's one process: makes what is outside of the interpreter (`LinuxHub`), the interpreter and the adapters, and
/// connects them. Each adapter owns its state; here is only what starts, reloads and ends the whole.
///
/// Thread: everything on the loop's thread, except `stop`.
public final class HubDaemon {
    /// How long a stopping hub waits for its pucks to take their goodbye.
    static let stopWithin = Interval.milliseconds(150)

    let outside: LinuxHub
    let interpreter: HubInterpreter<LinuxHub>
    private var settings: HubSettings
    private let configuration: ConfigurationSource
    private let makeLog: (LogLevel) -> Log

    // Adapters.
    private let tokens: HubTokens<LinuxHub>
    private let trust: HubTrust
    private let pairing: HubPairing
    private let requests: HubRequests<LinuxHub>
    /// Nil where nothing is announced.
    private var announcement: Announcement?
    let liveness: HubLiveness

    /// Nil where the system does not let it be watched.
    private let tokenWatch: FileWatch?
    private let control: ControlSocket?
    private var stopDeadline: Instant?
    private var adopted: [AdoptedDescriptor] = []

    /// Where `reload` finds the configuration again.
    public struct ConfigurationSource: Sendable {
        /// Nil for none: the defaults.
        public var path: String?
        /// `SECTION.KEY=VALUE` from the command line.
        public var overrides: [String]
        public var hostName: String

        public init(path: String?, overrides: [String], hostName: String) {
            self.path = path
            self.overrides = overrides
            self.hostName = hostName
        }

        func load() throws(SettingsErrors) -> HubSettings {
            try HubSettings.load(path: path, overrides: overrides, hostName: hostName)
        }
    }

    /// Reads tokens and certificate, making the latter when there is none, and listens.
    /// - Parameters:
    ///   - makeLog: the log for a level; asked again when a reload changes the level.
    ///   - loop: made for at least `HubDaemon.capacity(of: settings)` connections; nil makes one.
    ///   - signals: SIGTERM and SIGINT stop the hub, SIGHUP reloads it.
    public init(
        settings: HubSettings, configuration: ConfigurationSource, makeLog: @escaping (LogLevel) -> Log,
        loop: EventLoop? = nil, signals: SignalDescriptor? = nil
    ) throws(HubStartError) {
        self.settings = settings
        self.configuration = configuration
        self.makeLog = makeLog
        let log = makeLog(settings.logLevel)
        let responder = try Responder(settings.responder)
        try makeStateFolder(settings.service.stateFolder)
        tokenWatch = Self.watch(settings.tokenFile, log)  // first: what changes from now on is noticed
        LinuxIO.removeUnfinished(in: settings.service.stateFolder)
        Credentials.removeUnfinished(of: [
            settings.tokenFile, settings.certificate.certificateFile, settings.certificate.keyFile,
        ])
        let list = try Self.openTokens(settings.tokenFile)
        do throws(TransportError) {
            // Before a certificate is made for a hub that cannot start.
            try ServerLink.tryListening(on: settings.service.listenText, port: UInt16(settings.service.port))
        } catch {
            throw HubStartError(error.message)
        }
        let security = try Self.security(settings, log)
        let (ownLoop, link) = try Self.listen(settings, security, on: loop, log)
        do throws(SystemError) {
            outside = try LinuxHub(link, on: ownLoop, settings, responder, log)
            let path = settings.controlSocket
            control = path.isEmpty ? nil : try ControlSocket(path: path)
        } catch {
            throw HubStartError(error.description)
        }
        interpreter = HubInterpreter(
            outside, policy: Self.policy(settings), generator: SeededGenerator(seed: Self.kernelSeed()))
        tokens = HubTokens(interpreter, list, rotateDays: settings.rotateDays)
        trust = HubTrust(interpreter, tokens, settings)
        let place = HubPlace(service: settings.service, certificate: settings.certificate, port: link.boundPort)
        pairing = HubPairing(outside, tokens, trust, place)
        requests = HubRequests(interpreter, tokens, longestReplyBytes: ControlSocket.longestReplyBytes)
        liveness = HubLiveness(interpreter)
        connectAdapters()
        try connectEvents(signals)
        say(place)
        beginAnnouncement(place)
    }

    deinit {
        // Takes back every callback that was given out: they do not keep the daemon alive, and the loop may outlive it.
        for handle in adopted { handle.remove() }
        interpreter.disconnectAdapters()
        outside.loop.onDeadline = {}
        let link = outside.link
        link.authorize = { _ in nil }
        link.onOpen = { _, _, _ in }
        link.onMessage = { _, _ in }
        link.onWasteful = { _ in }
        link.onClosed = { _, _ in }
    }

    /// The port that is listened on; of interest where the configuration says 0.
    public var port: UInt16 { outside.link.boundPort }

    /// Connections that a loop for this hub must have room for, handshakes included.
    public static func capacity(of settings: HubSettings) -> Int {
        ServerLink.capacity(for: settings.service.mostConnections)
    }

    /// Serves until SIGTERM or `beginStop`, under the eyes of the service manager where there is one.
    ///
    /// Throws when that manager wants to hear that all is well (`WATCHDOG_USEC`) and there is no thread to say so: it
    /// would end a hub in good order every 20 s, and nothing would say why.
    public func run() throws(HubStartError) {
        try liveness.run(under: ServiceManager()) { (manager, log) throws(SystemError) in
            try ThreadWatch([], manager: manager, log: log)
        }
    }

    /// Says goodbye to every puck and ends `run`, within `stopWithin`.
    public func beginStop() {
        guard stopDeadline == nil else { return }
        liveness.stopping()
        outside.log.notice("hub.stop", [Field("sessions", interpreter.hub.sessionCount)])
        interpreter.stop()
        let deadline = MonotonicClock.now() + Self.stopWithin
        stopDeadline = deadline
        announcement?.stop()
        outside.setDeadline(deadline)
        endWhenEmpty()
    }

    // MARK: Connections between adapters, and with the outside

    // unowned(unsafe), here and below, is sound: `deinit` takes the callbacks back. (Embedded Swift has no checked
    // unowned.)
    private func connectAdapters() {
        interpreter.onHello = { [unowned(unsafe) self] id, hello in
            trust.greeted(id, hello)
            tokens.greeted(id, hello)
        }
        interpreter.onTrusts = { [unowned(unsafe) self] name in trust.note(name) }
        interpreter.onProcessed = { [unowned(unsafe) self] in liveness.report() }
        tokens.onReloaded = { [unowned(unsafe) self] in warnOfStrangers() }
        requests.onPair = { [unowned(unsafe) self] words in pairing.offer(words) }
        requests.onCertificate = { [unowned(unsafe) self] in trust.report() }
    }

    private func connectEvents(_ signals: SignalDescriptor?) throws(HubStartError) {
        let link = outside.link
        link.authorize = { [unowned(unsafe) self] token in tokens.authorize(token) }
        link.onOpen = { [unowned(unsafe) self] id, name, peer in
            outside.log.debug(
                "connection.open", [Field("connection", id.value), Field("puck", name), Field("peer", peer)])
            interpreter.process(.connectionOpened(HubCore.ConnectionID(id.value), tokenName: name, peer: peer))
        }
        link.onMessage = { [unowned(unsafe) self] id, bytes in
            interpreter.received(HubCore.ConnectionID(id.value), bytes)
        }
        link.onWasteful = { [unowned(unsafe) self] id in
            interpreter.receivedTooMuch(HubCore.ConnectionID(id.value))
        }
        link.onClosed = { [unowned(unsafe) self] id, reason in
            let id = HubCore.ConnectionID(id.value)
            tokens.connectionClosed(id)
            trust.connectionClosed(id)
            interpreter.process(.connectionClosed(id, reason: reason))
            endWhenEmpty()
        }
        outside.loop.onDeadline = { [unowned(unsafe) self] in
            if stopDeadline != nil { outside.loop.stop() } else { interpreter.timePassed() }
        }
        try watch(outside.encodingWork.descriptor) { [unowned(unsafe) self] in
            outside.encodeNext { interpreter.encodeSlice(of: $0) }
        }
        if let control {
            try watch(control.descriptor) { [unowned(unsafe) self] in
                control.serve { [unowned(unsafe) self] request in requests.answer(request) }
            }
        }
        if let tokenWatch {
            // So that a token that is revoked, by the command or by hand, ends its session at once.
            try watch(tokenWatch.descriptor) { [unowned(unsafe) self] in
                if tokenWatch.drain() { tokens.reload() }
            }
        }
        if let signals { try watch(signals.descriptor) { [unowned(unsafe) self] in handle(signals) } }
    }

    /// Calls `ready` whenever the descriptor is readable.
    private func watch(_ descriptor: Int32, _ ready: @escaping () -> Void) throws(HubStartError) {
        do throws(TransportError) {
            adopted.append(try outside.loop.adopt(fileDescriptor: descriptor) { _ in ready() })
        } catch {
            throw HubStartError(error.message)
        }
    }

    private func handle(_ signals: SignalDescriptor) {
        while let signal = signals.next() {
            switch signal {
            case .terminate, .interrupt: beginStop()
            case .hangUp: reload()
            case .user1, .user2: break
            }
        }
    }

    private func endWhenEmpty() {
        if stopDeadline != nil, outside.link.connectionCount == 0 { outside.loop.stop() }
    }

    // MARK: Reload

    /// Reads configuration and tokens again; what is wrong leaves everything as it was. What is listened on, the
    /// certificate and the token file's place need a restart.
    public func reload() {
        liveness.reloading()
        defer { liveness.ready() }
        tokens.reload(isAsked: true)
        trust.look(isAsked: true)
        do throws(SettingsErrors) {
            try apply(try configuration.load())
        } catch {
            for problem in error.problems.prefix(SettingsErrors.longestList) {
                outside.log.error("config.refused", [Field("problem", problem.description)])
            }
        }
    }

    private func apply(_ fresh: HubSettings) throws(SettingsErrors) {
        do throws(HubStartError) {
            outside.responder = try Responder(fresh.responder)
        } catch {
            outside.log.error("config.refused", [Field("problem", error.message)])
            return
        }
        let restart = settings.keysForRestart(fresh)
        // What runs stays what it is: the certificate that is shown, say, which pairing is told.
        var taken = fresh
        (taken.service, taken.certificate) = (settings.service, settings.certificate)
        (taken.tokenFile, taken.controlSocket) = (settings.tokenFile, settings.controlSocket)
        settings = taken
        interpreter.setPolicy(Self.policy(fresh))
        tokens.rotateDays = fresh.rotateDays
        outside.downlink = fresh.downlink
        outside.recording.folder = fresh.recordFolder
        outside.log = makeLog(fresh.logLevel)
        var fields = [Field("restart_needed", !restart.isEmpty)]
        if !restart.isEmpty { fields.append(Field("keys", restart)) }
        outside.log.notice("config.reloaded", fields)
        warnOfStrangers()
    }

    private func warnOfStrangers() {
        let names = tokens.list.devices.map { $0.name }
        guard let complaint = settings.arbitration.complaint(tokens: names) else { return }
        outside.log.warning("config.warning", [Field("text", complaint)])
    }
}

// MARK: - Start

extension HubDaemon {
    private static func openTokens(_ path: String) throws(HubStartError) -> TokenStore {
        do throws(CredentialError) {
            return try TokenStore(path: path)
        } catch {
            throw HubStartError(error.message)
        }
    }

    private static func listen(
        _ settings: HubSettings, _ security: ServerLink.Security, on loop: EventLoop?, _ log: Log
    ) throws(HubStartError) -> (EventLoop, ServerLink) {
        do throws(TransportError) {
            let own: EventLoop
            if let loop {
                own = loop
            } else {
                own = try EventLoop(
                    connections: capacity(of: settings), readBytes: LinkProtocol.maximumMessageBytes
                ) { write($0, $1, log) }
            }
            var listening = ServerLink.Configuration(
                address: settings.service.listenText, port: UInt16(settings.service.port), security: security)
            listening.maximumConnections = settings.service.mostConnections
            listening.work = ServerLink.Work()
            return (own, try ServerLink(on: own, configuration: listening))
        } catch {
            throw HubStartError(error.message)
        }
    }

    private static func watch(_ path: String, _ log: Log) -> FileWatch? {
        do throws(SystemError) {
            return try FileWatch(path: path)
        } catch {
            log.warning(
                "tokens.unwatched",
                [Field("problem", error.description), Field("advice", "after a revocation, send this hub a SIGHUP")])
            return nil
        }
    }

    static func policy(_ settings: HubSettings) -> HubPolicy {
        var policy = HubPolicy()
        policy.arbitrationWindow = .milliseconds(settings.arbitration.windowMilliseconds)
        policy.arbitrationPolicy = settings.arbitration.policy
        policy.preferred = settings.arbitration.preferred
        policy.firstAudio = .milliseconds(settings.conversation.firstAudioMilliseconds)
        policy.utteranceLimit = .milliseconds(settings.conversation.limitMilliseconds)
        policy.downlinkAhead = .milliseconds(settings.downlink.aheadMilliseconds)
        return policy
    }

    /// For conversation ids and epochs, which only have to differ; secrets come out of OpenSSL.
    private static func kernelSeed() -> UInt64 {
        var seed: UInt64 = 0
        let failed = withUnsafeMutableBytes(of: &seed) { getentropy($0.baseAddress!, $0.count) }
        precondition(failed == 0, "the kernel has no random numbers")
        return seed
    }

    private static func write(_ level: TransportLogLevel, _ text: String, _ log: Log) {
        let mapped: LogLevel =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        log.record(mapped, "transport", [Field("text", text)])
    }

    private func say(_ place: HubPlace) {
        let log = outside.log
        for warning in settings.warnings { log.warning("config.warning", [Field("text", warning)]) }
        if let complaint = HubIdentity.clockComplaint(unixSeconds()) {
            log.warning("clock.not_set", [Field("detail", complaint)])
        }
        warnOfStrangers()
        if tokens.list.devices.isEmpty {
            log.warning(
                "tokens.empty", [Field("advice", "no puck can connect: pair one with 'puckhub pair NAME'")])
        }
        log.notice(
            "hub.listening",
            [
                Field("port", place.port), Field("address", settings.service.listenText),
                Field("tls", !settings.certificate.isInsecure), Field("devices", tokens.list.devices.count),
                Field("responder", settings.responder.kind.rawValue),
            ])
    }

    private func beginAnnouncement(_ place: HubPlace) {
        guard place.isFindable else { return }
        do throws(CredentialError) {
            // Without its copy the file is what was read a moment ago.
            var certificate = trust.shown
            if certificate == nil {
                certificate = try PeerCertificate(readFrom: settings.certificate.certificateFile)
            }
            guard let certificate else { return }
            let announcement = Announcement(
                name: place.instanceName, port: place.port, fingerprint: certificate.shortFingerprint,
                log: outside.log)
            announcement.start()
            self.announcement = announcement
            interpreter.add(next: { announcement.nextDeadline }, passed: { announcement.timePassed() })
            interpreter.arm()
        } catch {
            outside.log.error("announce.failed", [Field("problem", error.message)])
        }
    }
}

import CLinux
import Credentials
import HubCore
import LinkTransport
import LinuxIO
import PuckBase
import PuckWire
import Settings

/// The hub's one process: turns what happens on its event loop into events, steps the machine, and runs the effects.
///
/// Thread: everything on the loop's thread, except `stop`.
public final class HubDaemon {
    /// How long a stopping hub waits for its pucks to take their goodbye.
    static let stopWithin = Interval.milliseconds(150)

    let loop: EventLoop
    let link: ServerLink
    var log: Log
    private let makeLog: (LogLevel) -> Log
    var hub: Hub
    let learned: LearnedFile
    var settings: HubSettings
    var responder: Responder
    let tokens: TokenStore
    /// Nil where the system does not let it be watched.
    private let tokenWatch: FileWatch?
    /// The tokens as they were at the last look, to find those that went.
    var knownDevices: [TokenStore.Device]
    /// What is shown: the one of the start. Nil without TLS.
    var shownCertificate: PeerCertificate?
    /// SHA-256 of another one that the file holds now, for the next start.
    var nextCertificate: String?
    /// What was sent to each connection of certificates to believe.
    var trustSent: [UInt32: [String]] = [:]
    /// What each puck believes, as it last said; one entry for each device at most.
    var trusting: [String: [String]] = [:]
    /// When what the token file lacks is to be written again; see HubTokens.swift.
    var storeTokensAt: Instant?
    /// Why it could not be; nil when it could.
    var tokensProblem: String?
    /// When it was last said that a puck came with a token of before; one for each puck at most.
    var retiredSaid: [String: Instant] = [:]
    /// Connections on which a new token was sent: one each, see HubTokens.swift.
    var issued: Set<UInt32> = []
    var pairing = HubPairing()
    /// Nil where nothing is announced.
    var announcement: Announcement?
    var turns: [String: Turn] = [:]
    /// What is played, or may have to be played again, by its number.
    var answers: [UInt32: Answer] = [:]
    /// What `puckhub play` asks for, while the machine decides about it, and what it says.
    var requestedPlay: [Int16]?
    var playReply = ""
    /// Answers that have packets to encode, first come first served, a slice each. One a conversation.
    var encoding: [Answer] = []
    let encodingWork: EventDescriptor
    /// The bytes of the audio message that is being handled.
    var currentAudio: (type: MessageType, bytes: UnsafeRawBufferPointer)?
    /// What the effects of one event lead to; each is bounded, see `process`.
    var followUps: [HubEvent] = []
    /// Room for the effects of the next event, so that not every message allocates; as much as the longest replay needed.
    private var spareEffects: [HubEffect] = []
    private var armed: Instant?
    private var stopDeadline: Instant?
    var adopted: [AdoptedDescriptor] = []
    var (unwritten, unrecorded) = (Complaint.once, Complaint.once)  // of tokens, and of recordings
    /// Nil until it runs, and where nothing like systemd started this process.
    var manager: ServiceManager?
    /// The number of pucks that it was told of last.
    var shownSessions = -1
    private let configuration: ConfigurationSource
    private let control: ControlSocket?

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
        self.log = log
        responder = try Responder(settings.responder)
        try makeStateFolder(settings.service.stateFolder)
        tokenWatch = Self.watch(settings.tokenFile, log)  // first: what changes from now on is noticed
        LinuxIO.removeUnfinished(in: settings.service.stateFolder)
        Credentials.removeUnfinished(of: [
            settings.tokenFile, settings.certificate.certificateFile, settings.certificate.keyFile,
        ])
        tokens = try Self.openTokens(settings.tokenFile)
        knownDevices = tokens.devices
        do throws(TransportError) {
            // Before a certificate is made for a hub that cannot start.
            try ServerLink.tryListening(on: settings.service.listenText, port: UInt16(settings.service.port))
        } catch {
            throw HubStartError(error.message)
        }
        let security = try Self.security(settings, log)
        do throws(TransportError) {
            let own: EventLoop
            if let loop {
                own = loop
            } else {
                own = try EventLoop(
                    connections: Self.capacity(of: settings), readBytes: LinkProtocol.maximumMessageBytes
                ) { Self.write($0, $1, log) }
            }
            self.loop = own
            var listening = ServerLink.Configuration(
                address: settings.service.listenText, port: UInt16(settings.service.port), security: security)
            listening.maximumConnections = settings.service.mostConnections
            listening.work = ServerLink.Work()
            link = try ServerLink(on: own, configuration: listening)
        } catch {
            throw HubStartError(error.message)
        }
        learned = LearnedFile(folder: settings.service.stateFolder)
        hub = Hub(
            policy: Self.policy(settings), earshot: learned.read(log),
            generator: SeededGenerator(seed: Self.kernelSeed()))
        do throws(SystemError) {
            encodingWork = try EventDescriptor()
            let path = settings.controlSocket
            control = path.isEmpty ? nil : try ControlSocket(path: path)
        } catch {
            throw HubStartError(error.description)
        }
        try connectEvents(signals)
        keepCertificate()
        announce()
    }

    deinit {
        // Takes back every callback that was given out: they do not keep the daemon alive, and the loop may outlive it.
        for handle in adopted { handle.remove() }
        loop.onDeadline = {}
        link.authorize = { _ in nil }
        link.admitStranger = { "This hub has ended." }
        link.onStrangerMessage = { _, _, _ in }
        link.onStrangerClosed = { _ in }
        link.onOpen = { _, _, _ in }
        link.onMessage = { _, _ in }
        link.onWasteful = { _ in }
        link.onClosed = { _, _ in }
    }

    /// The port that is listened on; of interest where the configuration says 0.
    public var port: UInt16 { link.boundPort }

    /// Connections that a loop for this hub must have room for, handshakes included.
    public static func capacity(of settings: HubSettings) -> Int {
        ServerLink.capacity(for: settings.service.mostConnections)
    }

    /// Says goodbye to every puck and ends `run`, within `stopWithin`.
    public func beginStop() {
        guard stopDeadline == nil else { return }
        manager?.stopping()
        log.notice("hub.stop", [Field("sessions", hub.sessionCount)])
        process(.stopping)
        stopDeadline = MonotonicClock.now() + Self.stopWithin
        announcement?.stop()
        loop.setDeadline(stopDeadline!.nanoseconds)
        endWhenEmpty()
    }

    // MARK: Events

    /// unowned(unsafe) is sound: `deinit` takes the callbacks back. (Embedded Swift has no checked unowned.)
    private func connectEvents(_ signals: SignalDescriptor?) throws(HubStartError) {
        link.authorize = { [unowned(unsafe) self] token in authorize(token) }
        link.admitStranger = { [unowned(unsafe) self] in admitStranger() }
        link.onStrangerMessage = { [unowned(unsafe) self] id, peer, bytes in receivedStranger(id, peer, bytes) }
        link.onStrangerClosed = { [unowned(unsafe) self] id in strangerLeft(id) }
        link.onOpen = { [unowned(unsafe) self] id, name, peer in
            log.debug("connection.open", [Field("connection", id.value), Field("puck", name), Field("peer", peer)])
            process(.connectionOpened(HubCore.ConnectionID(id.value), tokenName: name, peer: peer))
        }
        link.onMessage = { [unowned(unsafe) self] id, bytes in received(HubCore.ConnectionID(id.value), bytes) }
        link.onWasteful = { [unowned(unsafe) self] id in
            let error = WireError(.rateLimit, "more data, or data in more pieces, than a puck has to send")
            process(.receivedMalformed(HubCore.ConnectionID(id.value), error))
        }
        link.onClosed = { [unowned(unsafe) self] id, reason in
            issued.remove(id.value)
            trustSent[id.value] = nil
            process(.connectionClosed(HubCore.ConnectionID(id.value), reason: reason))
            endWhenEmpty()
        }
        loop.onDeadline = { [unowned(unsafe) self] in
            armed = nil
            if stopDeadline != nil { return loop.stop() }
            announcement?.timePassed()
            storeTokensTimePassed()
            process(.timePassed)
        }
        do throws(TransportError) {
            adopted.append(
                try loop.adopt(fileDescriptor: encodingWork.descriptor) { [unowned(unsafe) self] _ in encodeSlice() })
            if let control {
                adopted.append(
                    try loop.adopt(fileDescriptor: control.descriptor) { [unowned(unsafe) self] _ in
                        control.serve { [unowned(unsafe) self] request in answer(request) }
                    })
            }
            if let tokenWatch {
                // So that a token that is revoked, by the command or by hand, ends its session at once.
                adopted.append(
                    try loop.adopt(fileDescriptor: tokenWatch.descriptor) { [unowned(unsafe) self] _ in
                        if tokenWatch.drain() { reloadTokens() }
                    })
            }
            if let signals {
                adopted.append(
                    try loop.adopt(fileDescriptor: signals.descriptor) { [unowned(unsafe) self] _ in handle(signals) })
            }
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
        if stopDeadline != nil, link.connectionCount == 0 { loop.stop() }
    }

    /// Steps the machine and runs what follows. An effect leads to at most one further event (a packet that cannot be
    /// decoded, a full queue, an answer of nothing), and each of those ends something, so this ends.
    func process(_ event: HubEvent) {
        var effects: [HubEffect] = []
        swap(&effects, &spareEffects)
        var next: HubEvent? = event
        while let event = next {
            let now = MonotonicClock.now()
            hub.step(event, now: now, into: &effects)
            for effect in effects { run(effect, now: now) }
            effects.removeAll(keepingCapacity: true)
            next = followUps.isEmpty ? nil : followUps.removeFirst()
        }
        spareEffects = effects
        reportToManager()
        if learned.isBehind(hub.earshot.lessons) { learned.keepNowAndThen(hub.earshot, log) }
        arm()
    }

    func arm() {
        guard stopDeadline == nil else { return }
        let due = earliest(earliest(hub.nextDeadline, announcement?.nextDeadline), storeTokensAt)
        guard due != armed else { return }
        armed = due
        loop.setDeadline(due?.nanoseconds)
    }

    // MARK: Reload

    /// Reads configuration and tokens again; what is wrong leaves everything as it was. What is listened on, the
    /// certificate and the token file's place need a restart.
    public func reload() {
        manager?.reloading(now: MonotonicClock.now())
        defer { manager?.ready() }
        if tokens.isBehind { _ = storeTokens() }
        reloadTokens(isAsked: true)
        lookAtCertificate(isAsked: true)
        do throws(SettingsErrors) {
            try apply(try configuration.load())
        } catch {
            for problem in error.problems.prefix(SettingsErrors.longestList) {
                log.error("config.refused", [Field("problem", problem.description)])
            }
        }
    }

    private func apply(_ fresh: HubSettings) throws(SettingsErrors) {
        do throws(HubStartError) {
            responder = try Responder(fresh.responder)
        } catch {
            log.error("config.refused", [Field("problem", error.message)])
            return
        }
        let restart = settings.keysForRestart(fresh)
        // What runs stays what it is: the certificate that is shown, say, which pairing is told.
        var taken = fresh
        (taken.service, taken.certificate) = (settings.service, settings.certificate)
        (taken.tokenFile, taken.controlSocket) = (settings.tokenFile, settings.controlSocket)
        settings = taken
        hub.policy = Self.policy(fresh)
        log = makeLog(fresh.logLevel)
        var fields = [Field("restart_needed", !restart.isEmpty)]
        if !restart.isEmpty { fields.append(Field("keys", restart)) }
        log.notice("config.reloaded", fields)
        warnOfStrangers()
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

    private func announce() {
        for warning in settings.warnings { log.warning("config.warning", [Field("text", warning)]) }
        if let complaint = HubIdentity.clockComplaint(unixSeconds()) {
            log.warning("clock.not_set", [Field("detail", complaint)])
        }
        warnOfStrangers()
        if tokens.devices.isEmpty {
            log.warning(
                "tokens.empty", [Field("advice", "no puck can connect: pair one with 'puckhub pair NAME'")])
        }
        log.notice(
            "hub.listening",
            [
                Field("port", port), Field("address", settings.service.listenText),
                Field("tls", !settings.certificate.isInsecure), Field("devices", tokens.devices.count),
                Field("responder", settings.responder.kind.rawValue),
            ])
        beginAnnouncement()
    }
}

import LinkTransport
import LinuxIO
import PuckBase
import PuckCore
import Settings

// What pairing leaves (LinuxIO's PairingFile), as settings and at work.

extension PuckSettings {
    /// Sections that a pairing may set.
    private static let pairingSections = ["hub", "puck"]

    /// Puts what pairing has left under the configuration: a host that the configuration names wins. A configuration with
    /// a token of its own was paired by hand, and the file does not count.
    /// - Returns: the file's path, when it counts.
    static func insertPairing(folder: String, into reader: inout SettingsReader) -> String? {
        guard let path = pairingPath(folder), SettingsDocument.exists(path), !reader.isSet("hub", "token"),
            !reader.isSet("hub", "token_file")
        else { return nil }
        do throws(SystemError) {
            let text = PairingFile.settings(of: try readSmallFile(path))
            reader.insertLowest(SettingsDocument(text: text, name: path), sections: pairingSections)
            return path
        } catch {
            reader.warn("\(error.description); pair this puck again: sudo puckctl join --force")
            return nil
        }
    }

    /// Nil where nothing is kept.
    static func pairingPath(_ folder: String) -> String? { folder.isEmpty ? nil : folder + "/" + PairingFile.name }
}

extension PuckDaemon {
    /// What to do about a puck that has no hub.
    static let pairingAdvice =
        "Run 'puckhub pair NAME' on the hub, and 'sudo puckctl join CODE' here."

    func sayUnpaired() {
        log.warning(
            "hub.unpaired",
            [
                Field("detail", settings.hub.host.isEmpty ? "no hub is known" : "no token for \(settings.hub.host)"),
                Field("advice", Self.pairingAdvice),
            ])
    }

    /// A link to the hub of `settings`, or one that goes nowhere while there is none.
    func connectLink(_ fresh: ClientLink) {
        // Sound: the link is the daemon's own, and nobody else keeps it.
        fresh.onOpen = { [unowned(unsafe) self] in perform(.socketOpened) }
        fresh.onMessage = { [unowned(unsafe) self] bytes in received(bytes) }
        fresh.onClosed = { [unowned(unsafe) self] failure in closed(failure) }
    }

    /// The way to the hub, the token or the names have changed: begins anew with them. Not inside a callback of the link.
    func takeOver(_ fresh: PuckSettings) {
        guard !settings.hub.isSame(as: fresh.hub) || settings.pairedIdentity != fresh.pairedIdentity else { return }
        guard fresh.hub.isComplete else { return sayUnpaired() }
        do throws(TransportError) {
            let new = try ClientLink(on: loop, configuration: fresh.linkConfiguration)
            connectLink(new)
            // Nothing that the old one still says is heard: it goes here.
            link = new
        } catch { return log.error("hub.refused", [Field("detail", error.message)]) }
        socketInUse = false
        openWanted = false
        wantedHub = nil
        closedByUs = false
        settings.hub = fresh.hub
        settings.pairingFile = fresh.pairingFile
        settings.identity.id = fresh.identity.id
        settings.identity.room = fresh.identity.room
        settings.identity.group = fresh.identity.group
        puck.identity = settings.coreIdentity
        log.notice(
            "hub.changed",
            [
                Field("puck", settings.identity.id), Field("room", settings.identity.room),
                Field("hub", "\(settings.hub.host):\(settings.hub.port)"),
            ])
        perform(.hubChanged)
    }

    /// The hub's new token.
    func keepToken(_ token: String) {
        guard let path = settings.pairingFile else {
            return tokenNotKept(.warning, "this puck's token is in its configuration")
        }
        if let problem = settings.stateProblem { return tokenNotKept(.warning, problem) }
        do throws(SystemError) {
            try PairingFile.replaceToken(at: path, with: token)
            link.setToken(token)
            settings.hub.token = Secret(token)
            unkeptToken.end()
            log.notice("token.kept")
        } catch {
            tokenNotKept(.error, error.description)
        }
    }

    /// The hub offers it with each new link.
    private func tokenNotKept(_ level: LogLevel, _ detail: String) {
        guard unkeptToken.take(detail, now: MonotonicClock.now()) != nil else { return }
        log.record(level, "token.not_kept", [Field("detail", detail), Field("advice", "The old one stays good.")])
    }

    /// The hub's word which certificates are to be believed. It has to include the one that says it: a list without it
    /// would lock this puck out.
    func keepTrust(_ certificates: [String]) {
        guard settings.keepsTrust, let path = settings.pairingFile, let shown = link.shownCertificate,
            certificates.contains(shown.sha256)
        else {
            return trustNotKept(.warning, "the list lacks the certificate that is shown, or cannot be kept")
        }
        do throws(SystemError) {
            try PairingFile.replaceTrust(at: path, with: certificates, certificate: shown.pem)
        } catch {
            return trustNotKept(.error, error.description)
        }
        unkeptTrust.end()
        link.setBelieved(certificates)
        settings.hub.trusted = certificates
        log.notice("trust.kept", [Field("certificates", certificates.count)])
        perform(.trustKept(certificates))
    }

    /// The hub offers them with each new link.
    private func trustNotKept(_ level: LogLevel, _ detail: String) {
        guard unkeptTrust.take(detail, now: MonotonicClock.now()) != nil else { return }
        log.record(
            level, "trust.not_kept", [Field("detail", detail), Field("advice", "What was believed is believed.")])
    }

    /// The button was held, or a command says so: looks for a hub that knows this puck's own code.
    func beginPairing() {
        search = PairingSearch(settings, log: log)
        if search == nil { perform(.pairingEnded(.failed)) }
    }

    /// For `puckctl join`: where it is to write what it gets, and whether there is something already.
    var pairingSummary: String {
        guard let path = PuckSettings.pairingPath(settings.identity.stateFolder) else {
            return "error: this puck's [puck] state_dir is empty: there is nowhere to keep what pairing gives"
        }
        if settings.hub.isComplete, settings.pairingFile == nil {
            return
                "error: this puck's configuration has a token of its own: take [hub] token and token_file out of it, "
                + "restart puckd, and join again"
        }
        // Whoever has held the button means another hub.
        let isPaired = puck.isPairing ? "anew" : settings.hub.isComplete ? "yes" : "no"
        return
            "paired=\(isPaired) hub=\(settings.hub.host):\(settings.hub.port) file=\(path)"
    }
}

extension PuckSettings {
    /// What a pairing can change of who this puck is.
    struct PairedIdentity: Equatable {
        let id: String
        let room: String
        let group: String
    }

    var pairedIdentity: PairedIdentity {
        PairedIdentity(id: identity.id, room: identity.room, group: identity.group)
    }
}

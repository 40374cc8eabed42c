import Credentials
import HubCore
import HubService
import LinuxIO
import PuckBase
import PuckWire
import TokenList

/// Certificates of the running hub. It shows the one of its start. A renewal replaces the file meanwhile; the next start
/// shows that, and whoever pins the old one would be locked out. So the pucks are told before, over the old link, which
/// certificates to believe: the one that is shown, the one in the file, and the one before. docs/SECURITY.md.
final class HubTrust {
    private let interpreter: HubInterpreter<LinuxHub>
    private let tokens: HubTokens<LinuxHub>
    private let files: CertificateSettings
    private let kept: KeptCertificates

    /// What is shown: the one of the start. Nil without TLS.
    private(set) var shown: PeerCertificate?
    /// SHA-256 of another one that the file holds now, for the next start.
    private var nextCertificate: String?
    /// What was sent to each connection of certificates to believe.
    private var sent: [UInt32: [String]] = [:]
    /// What each puck believes, as it last said; one entry for each device at most.
    private var trusting: [String: [String]] = [:]

    init(_ interpreter: HubInterpreter<LinuxHub>, _ tokens: HubTokens<LinuxHub>, _ settings: HubSettings) {
        self.interpreter = interpreter
        self.tokens = tokens
        files = settings.certificate
        kept = KeptCertificates(folder: settings.service.stateFolder)
        keepShown()
    }

    private var log: Log { interpreter.outside.log }

    func connectionClosed(_ id: HubCore.ConnectionID) { sent[id.number] = nil }

    /// A puck has said hello.
    func greeted(_ id: HubCore.ConnectionID, _ hello: Hello) {
        guard interpreter.hub.puck(of: id) == hello.puckID else { return }
        note(hello.puckID)
        tell(hello.puckID)
    }

    /// What the pucks are to believe; empty where nothing is to be said, since each believes the one that it was paired with.
    private func wantedTrust() -> [String] {
        guard let shown = self.shown?.fingerprint else { return [] }
        var wanted = [shown]
        for other in [nextCertificate, kept.previous.fingerprint] {
            if let other, !wanted.contains(other) { wanted.append(other) }
        }
        // In an order of their own: before and after the restart it is the same list.
        return wanted.sorted()
    }

    /// At the start, when the certificate that is shown has been read.
    private func keepShown() {
        guard !files.isInsecure else { return }
        do throws(CredentialError) {
            shown = try PeerCertificate(readFrom: files.certificateFile)
            guard let before = try kept.begin(files.pair) else { return }
            log.warning(
                "certificate.replaced",
                [
                    Field("before", before), Field("now", shown?.fingerprint ?? ""),
                    Field(
                        "advice",
                        "A paired puck that was not told of it before refuses this hub. 'puckhub certificate restore' and a "
                            + "restart bring the one before back; 'puckhub certificate' says which pucks know what."),
                ])
        } catch {
            log.warning("certificate.not_kept", [Field("problem", error.message)])
        }
    }

    /// Compares the file with what is shown, and tells the pucks that are here.
    /// - Parameter isAsked: by a person: it is said again.
    func look(isAsked: Bool = false) {
        guard let shown = self.shown?.fingerprint else { return }
        let file = files.pair.fingerprint
        var next: String?
        if let file, file != shown {
            do throws(CredentialError) {
                let isWhole = try Certificate.matches(
                    certificateFile: files.certificateFile, keyFile: files.keyFile)
                // Between the two renames of a renewal, or a mistake; a start would fail.
                if !isWhole { throw .invalid("\(files.keyFile) is not the key of the new certificate") }
                next = file
            } catch {
                log.error("certificate.refused", [Field("problem", error.message)])
            }
        }
        let isNews = next != nextCertificate
        nextCertificate = next
        for device in tokens.list.devices { tell(device.name) }
        guard isNews || isAsked, let next else { return }
        let counts = trustCounts()
        log.warning(
            "certificate.changed",
            [
                Field("shown", shown), Field("file", next), Field("pucks", counts.all), Field("told", counts.told),
                Field(
                    "advice",
                    "The next restart shows the file's. \(counts.all - counts.told) of \(counts.all) pucks may not know it yet "
                        + "and would be locked out: see 'puckhub certificate', and restart when it lists no such puck."),
            ])
    }

    /// Sends a puck what it is to believe, if it can keep it and does not know yet.
    private func tell(_ name: String) {
        let wanted = wantedTrust()
        guard let (connection, believed) = interpreter.hub.connectionForTrust(of: name), believed != wanted,
            !(believed.isEmpty && wanted.count < 2), wanted != sent[connection.number]
        else { return }
        sent[connection.number] = wanted
        log.notice("trust.sent", [Field("puck", name), Field("certificates", wanted.count)])
        interpreter.process(.trustMade(connection, wanted))
    }

    private func trustCounts() -> (all: Int, told: Int) {
        let devices = tokens.list.devices
        let told = devices.filter { knowsNext($0.name) == true }.count
        return (devices.count, told)
    }

    /// Whether a puck believes the certificate of the next restart; nil when that is not known.
    private func knowsNext(_ name: String) -> Bool? {
        guard let next = nextCertificate ?? shown?.fingerprint else { return nil }
        if let (_, believed) = interpreter.hub.connectionForTrust(of: name) {
            return believed.contains(next) || nextCertificate == nil
        }
        // One that did not know it when it left is told when it comes.
        return trusting[name]?.contains(next) ?? false ? true : nil
    }

    /// What a puck said that it believes: known on while it is away.
    func note(_ name: String) {
        if let (_, believed) = interpreter.hub.connectionForTrust(of: name) { trusting[name] = believed }
    }

    /// `puckhub certificate`.
    func report() -> String {
        guard let shown = self.shown?.fingerprint else { return "error: this hub runs without TLS" }
        look(isAsked: true)
        var text = "shown now:       \(shown)\n"
        text += "after a restart: " + (nextCertificate ?? "the same") + "\n"
        text += "kept to go back: " + (kept.previous.fingerprint ?? "none") + "\n"
        guard nextCertificate != nil else { return text }
        for device in tokens.list.devices {
            let state: String
            switch knowsNext(device.name) {
            case true?: state = "believes the new one"
            case false?: state = "has been told and has not answered yet"
            case nil:
                state =
                    interpreter.hub.isConnected(device.name)
                    ? "cannot be told: its certificate is in its configuration, or its state_dir does not last"
                    : "is away, and is told when it comes"
            }
            text += leftAligned(device.name, 20) + state + "\n"
        }
        return text
    }
}

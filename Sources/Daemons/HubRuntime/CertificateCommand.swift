import Credentials
import LinuxIO
import PuckBase

/// `puckhub certificate [new | restore | forget]`: what is shown, what will be, and the way back.
struct CertificateCommand {
    private enum Request { case show, make, restore, forget }

    private let request: Request

    /// Nil when the words are not this command.
    init?(_ words: [String]) {
        guard words.first == "certificate", words.count <= 2 else { return nil }
        switch words.count == 1 ? "" : words[1] {
        case "": request = .show
        case "new": request = .make
        case "restore": request = .restore
        case "forget": request = .forget
        default: return nil
        }
    }

    /// The exit status.
    func run(_ settings: HubSettings) -> Int32 {
        let kept = KeptCertificates(folder: settings.service.stateFolder)
        let files = settings.certificate.pair
        do throws(CredentialError) {
            switch request {
            case .show: break
            case .make:
                // Without a copy of what is shown there is no way back.
                guard kept.shown.fingerprint != nil else {
                    throw .invalid(
                        "there is no copy of the certificate that is shown yet: restart puckhub once, then again")
                }
                let (names, addresses) = HubIdentity.names(settings)
                try Certificate.create(
                    names: names, addresses: addresses, certificateFile: files.certificateFile,
                    keyFile: files.keyFile, nowUnixSeconds: unixSeconds())
                say("A new certificate was created; the hub uses it after its next restart.")
            case .restore where kept.shown.fingerprint != nil && kept.shown.fingerprint != files.fingerprint:
                // A renewal that no restart has made the one that is shown.
                try Certificate.copy(from: kept.shown.files, to: files.files)
                say("The certificate that the hub shows is restored; a restart changes nothing.")
            case .restore:
                guard kept.previous.fingerprint != nil else { throw .invalid("no previous certificate is kept") }
                try Certificate.copy(from: kept.previous.files, to: files.files)
                say("The previous certificate is restored; the hub uses it after its next restart.")
            case .forget:
                kept.forgetPrevious()
                say("The copy of the previous certificate is deleted. Pucks are told to stop trusting it.")
            }
        } catch {
            return fail("puckhub: \(error.message)", HubCommand.runtimeFailure)
        }
        return ask(settings)
    }

    private func ask(_ settings: HubSettings) -> Int32 {
        do throws(SystemError) {
            guard !settings.controlSocket.isEmpty else { throw SystemError("[control] socket is empty", code: 0) }
            let reply = try ControlClient.ask("certificate", at: settings.controlSocket)
            if reply.utf8.starts(with: "error: ".utf8) {
                return fail("puckhub: " + String(reply.dropFirst(7)), HubCommand.runtimeFailure)
            }
            return say(reply)
        } catch {
            return fail("puckhub: no running hub could be asked: \(error.description)", HubCommand.runtimeFailure)
        }
    }
}

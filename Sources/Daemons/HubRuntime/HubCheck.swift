import CLinux
import Credentials
import LinkTransport
import LinuxIO
import PuckBase
import Settings
import TokenList

/// `puckhub --check`: tries everything that the daemon will need and changes nothing, one line each, with how to mend
/// what fails.
struct HubCheck {
    private enum Verdict: String { case good = "ok", doubtful = "note", bad = "FAIL" }

    private let settings: HubSettings

    init(_ settings: HubSettings) { self.settings = settings }

    /// 0 when all is well, else 1.
    func run() -> Int32 {
        report("configuration", .good, "hub '\(settings.service.name)'")
        for warning in settings.warnings { report("configuration", .doubtful, warning) }
        if let complaint = HubIdentity.clockComplaint(unixSeconds()) { report("clock", .doubtful, complaint) }
        let folder = checkFolder()
        let certificate = checkCertificate()
        let port = checkPort()
        let tokens = checkTokens()
        let responder = checkResponder()
        return folder && certificate && port && tokens && responder ? 0 : 1
    }

    private func report(_ what: String, _ verdict: Verdict, _ text: String) {
        say(leftAligned(verdict.rawValue, 5) + leftAligned(what, 14) + text)
    }

    private func checkFolder() -> Bool {
        let path = settings.service.stateFolder
        if access(path, W_OK | X_OK) == 0 {
            report("state_dir", .good, path)
            return true
        }
        let code = puck_errno()
        if code == ENOENT {
            report("state_dir", .doubtful, "\(path) does not exist yet; the first start makes it")
            return true
        }
        report("state_dir", .bad, "\(path): \(errorText(code)); run this as the user that puckhub runs as")
        return false
    }

    private func checkCertificate() -> Bool {
        let files = settings.certificate
        if files.isInsecure {
            report("certificate", .doubtful, "none: [tls] insecure = yes")
            return true
        }
        if !HubIdentity.exists(files.certificateFile), !HubIdentity.exists(files.keyFile) {
            report("certificate", .doubtful, "\(files.certificateFile) does not exist yet; the first start makes it")
            return true
        }
        do throws(HubStartError) {
            let certificate = try HubIdentity(settings, nowUnixSeconds: unixSeconds()).certificate
            if certificate.daysUntilExpiry > 0 {
                report("certificate", .good, "\(files.certificateFile), \(certificate.daysUntilExpiry) days left")
            } else {
                report("certificate", .doubtful, "\(files.certificateFile) has expired. \(HubIdentity.expiredAdvice)")
            }
            report("certificate", .good, "SHA-256 \(certificate.fingerprint)")
            let shown = KeptCertificates(folder: settings.service.stateFolder).shown.fingerprint
            if let shown, shown != files.pair.fingerprint {
                report(
                    "certificate", .doubtful,
                    "it is not the one that the hub showed at its last start: a restart locks out the pucks that do not "
                        + "believe it yet; 'puckhub certificate' says how many and tells them")
            }
            return true
        } catch {
            report("certificate", .bad, error.message)
            return false
        }
    }

    private func checkPort() -> Bool {
        let service = settings.service
        do throws(TransportError) {
            let port = try ServerLink.tryListening(on: service.listenText, port: UInt16(service.port))
            report("port", .good, "\(port) on \(service.listenText) is free")
            return true
        } catch {
            report("port", .bad, "\(error.message) (it may be a puckhub that is running: 'systemctl status puckhub')")
            return false
        }
    }

    private func checkTokens() -> Bool {
        do throws(CredentialError) {
            let devices = try TokenStore(path: settings.tokenFile).devices
            if devices.isEmpty {
                report("tokens", .doubtful, "no puck can connect yet: pair one with 'puckhub pair NAME'")
            } else {
                report("tokens", .good, "\(devices.count) in \(settings.tokenFile)")
            }
            if let complaint = settings.arbitration.complaint(tokens: devices.map { $0.name }) {
                report("arbitration", .doubtful, complaint)
            }
            return true
        } catch {
            report("tokens", .bad, error.message)
            return false
        }
    }

    private func checkResponder() -> Bool {
        do throws(HubStartError) {
            switch try Responder(settings.responder) {
            case .echo: report("responder", .good, "echo: answers with what it heard")
            case .none: report("responder", .doubtful, "none: the hub stays silent")
            case .wave(let samples):
                let seconds = fixed(Double(samples.count) / 16_000, 1)
                report("responder", .good, "wav: \(settings.responder.waveFile), \(seconds) s")
            }
            return true
        } catch {
            report("responder", .bad, error.message)
            return false
        }
    }
}

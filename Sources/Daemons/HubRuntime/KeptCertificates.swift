import CLinux
import Credentials

/// Copies of certificates and keys in the hub's folder: of the one that is shown, so that it is still there when a renewal
/// has replaced the configured files, and of the one before it, which is the way back.
struct KeptCertificates {
    private let folder: String

    init(folder: String) { self.folder = folder }

    struct Pair {
        let certificateFile: String
        let keyFile: String

        /// SHA-256 of the certificate, 64 hexadecimal digits; nil when there is none that can be read.
        var fingerprint: String? {
            do throws(CredentialError) { return try PeerCertificate(readFrom: certificateFile).fingerprint } catch {
                return nil
            }
        }
    }

    var shown: Pair { Pair(certificateFile: folder + "/shown.crt", keyFile: folder + "/shown.key") }
    var previous: Pair { Pair(certificateFile: folder + "/previous.crt", keyFile: folder + "/previous.key") }

    /// At the start: the configured files are what is shown from now on.
    /// - Returns: the certificate that was shown until now; nil when it is the same, or there was none.
    func begin(_ files: Pair) throws(CredentialError) -> String? {
        let before = shown.fingerprint
        guard let now = files.fingerprint, now != before else { return nil }
        if before != nil { try Certificate.copy(from: shown.files, to: previous.files) }
        try Certificate.copy(from: files.files, to: shown.files)
        return before
    }

    func forgetPrevious() {
        unlink(previous.certificateFile)
        unlink(previous.keyFile)
    }
}

extension KeptCertificates.Pair {
    var files: (certificate: String, key: String) { (certificateFile, keyFile) }
}

extension CertificateSettings {
    var pair: KeptCertificates.Pair { KeptCertificates.Pair(certificateFile: certificateFile, keyFile: keyFile) }
}

import CLinux
import Credentials
import LinkTransport
import LinuxIO
import PuckBase

/// What the hub shows its pucks: its certificate, made at the first start.
struct HubIdentity {
    let certificate: Certificate
    let certificateFile: String
    /// Whether it was made just now.
    let isNew: Bool

    /// Reads the certificate, or makes it when neither file exists.
    init(_ settings: HubSettings, nowUnixSeconds: Int64) throws(HubStartError) {
        let files = settings.certificate
        certificateFile = files.certificateFile
        do throws(CredentialError) {
            switch (Self.exists(files.certificateFile), Self.exists(files.keyFile)) {
            case (true, true):
                guard try Certificate.matches(certificateFile: files.certificateFile, keyFile: files.keyFile) else {
                    throw .invalid(
                        "\(files.keyFile) is not the key of \(files.certificateFile): restore the right one, or remove "
                            + "both and copy the new certificate to every puck")
                }
                isNew = false
            case (false, false):
                let (names, addresses) = Self.names(settings)
                try Certificate.create(
                    names: names, addresses: addresses, certificateFile: files.certificateFile,
                    keyFile: files.keyFile, nowUnixSeconds: nowUnixSeconds)
                isNew = true
            case (true, false):
                throw .invalid(
                    "\(files.keyFile) is missing, its certificate is there: restore it, or remove "
                        + "\(files.certificateFile) and copy the new one to every puck")
            case (false, true):
                throw .invalid(
                    "\(files.certificateFile) is missing, its key is there: restore it, or remove \(files.keyFile) "
                        + "and copy the new certificate to every puck")
            }
            certificate = try Certificate(readFrom: files.certificateFile, nowUnixSeconds: nowUnixSeconds)
        } catch {
            throw HubStartError(error.message)
        }
    }

    /// What to do about a certificate that has expired.
    static let expiredAdvice =
        "It is shown all the same: a puck that was paired, or has this very certificate as ca_file, believes it whatever "
        + "its dates; one that verifies by an authority does not. For a new one remove the file and its key, restart "
        + "puckhub, and pair the pucks again."

    /// What pucks may call this hub by: numbers and colons are addresses, everything else is a name. What cannot be in a
    /// certificate is left out; `HubSettings.warnings` say so.
    static func names(_ settings: HubSettings) -> (names: [String], addresses: [String]) {
        var names = [settings.service.name].filter(Certificate.isName)
        var addresses: [String] = []
        for word in settings.certificate.extraNames where !names.contains(word) && !addresses.contains(word) {
            if isAddress(word) { addresses.append(word) } else if Certificate.isName(word) { names.append(word) }
        }
        return (names, addresses)
    }

    /// A clock that stands before this program was written is not set.
    static func clockComplaint(_ now: Int64) -> String? {
        if now >= Certificate.earliestUnixSeconds { return nil }
        return
            "this machine's clock says \(calendarDate(unixSeconds: now)): let it get the time ('timedatectl set-ntp true'); until "
            + "then the dates of tokens and the log are wrong"
    }

    static func isAddress(_ word: String) -> Bool {
        word.utf8.contains(UInt8(ascii: ":"))
            || word.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

extension HubDaemon {
    /// Reads or makes the certificate, and logs what is to be known of it.
    static func security(_ settings: HubSettings, _ log: Log) throws(HubStartError) -> ServerLink.Security {
        if settings.certificate.isInsecure { return .insecure }
        let identity = try HubIdentity(settings, nowUnixSeconds: unixSeconds())
        let certificate = identity.certificate
        log.record(
            identity.isNew ? .notice : .info, identity.isNew ? "certificate.made" : "certificate.read",
            [
                Field("file", identity.certificateFile), Field("sha256", certificate.fingerprint),
                Field("days_left", certificate.daysUntilExpiry),
            ])
        if identity.isNew {
            log.notice(
                "certificate.copy",
                [Field("advice", "copy \(identity.certificateFile) to every puck and name it there as [hub] ca_file")])
        }
        if certificate.daysUntilExpiry <= 0 {
            log.warning(
                "certificate.expired",
                [Field("file", identity.certificateFile), Field("advice", HubIdentity.expiredAdvice)])
        } else if certificate.daysUntilExpiry < 30 {
            log.warning(
                "certificate.expires",
                [Field("days_left", certificate.daysUntilExpiry), Field("file", identity.certificateFile)])
        }
        return .tls(certificateFile: settings.certificate.certificateFile, keyFile: settings.certificate.keyFile)
    }
}

/// Seconds of Unix time: for certificates and token files only, never for deadlines.
func unixSeconds() -> Int64 { Int64(time(nil)) }

/// Makes the hub's folder when it is missing; its parents must exist.
func makeStateFolder(_ path: String) throws(HubStartError) {
    guard mkdir(path, 0o750) != 0, puck_errno() != EEXIST else { return }
    throw HubStartError(
        "[hub] state_dir: cannot make \(path): \(errorText(puck_errno())); make it, or name another folder")
}

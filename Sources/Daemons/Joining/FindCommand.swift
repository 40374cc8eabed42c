import Credentials
import LinuxIO
import PuckBase

/// `puckctl find-hub`: puckd's search for a hub that has another address now. It decides nothing: puckd tries what is
/// found, and believes the pinned certificate only.
public enum FindCommand {
    /// Blocks for some seconds.
    /// - Parameters:
    ///   - certificateFile: PEM; its first certificate is the pinned one, or an authority's.
    ///   - fingerprints: of others that the hub has announced for a renewal; 64 hexadecimal digits.
    public static func run(certificateFile: String, fingerprints: [String]) -> HubAnswers {
        var pinned = fingerprints.compactMap { PeerCertificate.shortFingerprint(hexadecimal: $0) }
        var isAuthority = false
        var problem: String?
        do throws(CredentialError) {
            let certificate = try PeerCertificate(readFrom: certificateFile)
            isAuthority = certificate.isAuthority
            pinned.append(certificate.shortFingerprint)
        } catch { problem = error.message }
        do throws(SystemError) {
            return HubAnswers(marked(try HubFinder.answers(), pinned, isAuthority: isAuthority), problem: problem)
        } catch {
            return HubAnswers(problem: error.description)
        }
    }

    /// - Parameter isAuthority: an authority's certificate is announced by no hub: all are tried, and the signature and the
    ///   name decide.
    static func marked(_ hubs: [FoundHub], _ pinned: [String], isAuthority: Bool) -> [HubAnswers.Hub] {
        hubs.map { hub in
            HubAnswers.Hub(
                address: hub.address, port: hub.port,
                namesPinnedCertificate: isAuthority || pinned.contains { DeviceToken.areEqual(hub.fingerprint, $0) })
        }
    }
}

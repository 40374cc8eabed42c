import Credentials
import LinuxIO
import PuckBase

/// `puckctl find-hub`: puckd's search for a hub that has another address now. It decides nothing: puckd tries what is
/// found, and believes the pinned certificate only.
public enum FindCommand {
    /// Blocks for some seconds.
    /// - Parameters:
    ///   - certificateFile: PEM; its first certificate is the pinned one.
    ///   - fingerprints: of others that the hub has announced for a renewal; 64 hexadecimal digits.
    public static func run(certificateFile: String, fingerprints: [String]) -> HubAnswers {
        var pinned = fingerprints.compactMap { PeerCertificate.shortFingerprint(hexadecimal: $0) }
        var problem: String?
        do throws(CredentialError) {
            pinned.append(try PeerCertificate(readFrom: certificateFile).shortFingerprint)
        } catch { problem = error.message }
        do throws(SystemError) {
            return HubAnswers(marked(try HubFinder.answers(), pinned), problem: problem)
        } catch {
            return HubAnswers(problem: error.description)
        }
    }

    static func marked(_ hubs: [FoundHub], _ pinned: [String]) -> [HubAnswers.Hub] {
        hubs.map { hub in
            HubAnswers.Hub(
                address: hub.address, port: hub.port,
                namesPinnedCertificate: pinned.contains { DeviceToken.areEqual(hub.fingerprint, $0) })
        }
    }
}

import Credentials
import HubCore
import LinkTransport
import LinuxIO
import PuckBase
import PuckWire

// Tokens of the running hub: who they let in, and how they are replaced without a new pairing.
//
// A new token is written (as a hash) before it is sent; the puck writes it before it uses it; the old one ends when the
// new one has been used. So after a crash at any point the token that the puck has is one that the hub takes. The one
// that waits is only ever made anew for a puck that has just come with the old token, which it would not have done if it
// had stored the one that waits.
extension HubDaemon {
    /// Who the bearer of a token is; nil for a stranger. One that was added a moment ago works without a signal; one that
    /// was revoked no longer does.
    func authorize(_ token: String) -> String? {
        reloadTokens()
        guard let (name, isNext) = tokens.device(ofToken: token) else { return nil }
        if isNext {
            do throws(CredentialError) {
                try tokens.promote(name, nowUnixSeconds: unixSeconds())
                log.notice("token.replaced", [Field("puck", name)])
                noteTokens()
            } catch {
                // Both stay good until it can be written.
                log.error("tokens.refused", [Field("problem", error.message)])
            }
        }
        return name
    }

    /// A puck has just said hello and been welcomed: time to look at the age of its token.
    func greeted(_ id: HubCore.ConnectionID, _ hello: Hello) {
        guard hello.keepsToken, settings.rotateDays > 0, hub.puck(of: id) == hello.puckID,
            let device = tokens.devices.first(where: { $0.name == hello.puckID })
        else { return }
        let age = unixSeconds() - device.created
        if age >= Int64(settings.rotateDays) * 86_400 { _ = issueToken(to: hello.puckID) }
    }

    /// Makes a new token and sends it to a puck that is connected.
    /// - Returns: what went wrong; nil when it is on its way.
    func issueToken(to name: String) -> String? {
        reloadTokens()
        guard tokens.devices.contains(where: { $0.name == name }) else {
            return "there is no token of \"\(name)\"; 'puckhub token list' shows them all"
        }
        guard let connection = hub.connectionForToken(of: name) else {
            return "\(name) is not connected, or its token was put into its configuration by hand, "
                + "where it cannot be replaced: 'puckhub pair \(name)' and 'puckctl join' change that"
        }
        guard !issued.contains(connection.number) else {
            return "\(name) has been sent a new token already; it ends the old one when it connects the next time"
        }
        do throws(CredentialError) {
            guard let token = try tokens.makeNext(name) else { return "there is no token of \"\(name)\"" }
            issued.insert(connection.number)
            noteTokens()
            log.notice("token.sent", [Field("puck", name)])
            process(.tokenMade(connection, token: token))
            return nil
        } catch {
            return error.message
        }
    }

    /// Looks whether the token file changed, and ends the sessions of tokens that are gone or new under an old name.
    func reloadTokens() {
        do throws(CredentialError) {
            guard try tokens.reloadIfChanged() else { return }
        } catch {
            log.error("tokens.refused", [Field("problem", error.message)])
            return
        }
        let revoked = noteTokens()
        log.notice("tokens.reloaded", [Field("devices", tokens.devices.count), Field("revoked", revoked)])
        warnOfStrangers()
    }

    /// The list is another one: sessions of what is no longer in it end.
    /// - Returns: how many devices that are.
    @discardableResult
    func noteTokens() -> Int {
        let devices = tokens.devices
        let revoked = knownDevices.filter { old in !devices.contains { old.becomes($0) } }.map { $0.name }
        knownDevices = devices
        if !revoked.isEmpty { process(.tokensRevoked(revoked)) }
        return revoked.count
    }
}

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
        guard let (name, isNext) = tokens.device(ofToken: token) else {
            noteRetired(token)
            return nil
        }
        if isNext {
            do throws(CredentialError) {
                try tokens.promote(name, nowUnixSeconds: unixSeconds())
                log.notice("token.replaced", [Field("puck", name)])
                noteTokens()
                unwritten.end()
            } catch {
                // Both stay good until it can be written; the puck comes with the new one each time.
                if unwritten.take(error.message, now: MonotonicClock.now()) != nil {
                    log.error("tokens.refused", [Field("problem", error.message)])
                }
            }
        }
        return name
    }

    /// A puck has just said hello and been welcomed: time to look at the age of its token.
    func greeted(_ id: HubCore.ConnectionID, _ hello: Hello) {
        if hub.puck(of: id) == hello.puckID {
            noteTrust(hello.puckID)
            tellTrust(hello.puckID)
        }
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
            return
                "\(name) is not connected, or cannot keep another token: its token was put into its configuration by "
                + "hand ('puckhub pair \(name)' and 'puckctl join' change that), or its state_dir does not last "
                + "('puckctl doctor' there says so)"
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
    /// - Parameter isAsked: by SIGHUP: what was refused before is said again.
    func reloadTokens(isAsked: Bool = false) {
        do throws(CredentialError) {
            guard try tokens.reloadIfChanged(again: isAsked) else { return }
        } catch {
            log.error("tokens.refused", [Field("problem", error.message)])
            storeTokensSoon()
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

    // MARK: Ended at once

    /// `puckhub revoke`: what it ends has ended, and its session with it, whether or not the file can be written.
    /// - Parameter name: nil for all.
    func revoke(_ name: String?) -> String {
        reloadTokens()
        let gone = tokens.end(name.map { [$0] })
        guard !gone.isEmpty else {
            return name.map { "error: there is no token of \"\($0)\"; 'puckhub token list' shows them all" }
                ?? "error: no puck has a token"
        }
        noteTokens()
        for name in gone { log.notice("token.revoked", [Field("puck", name)]) }
        let who = name ?? "All \(gone.count) pucks"
        let done = "\(who) can no longer connect, and an existing connection was closed."
        guard let problem = storeTokens() else { return done }
        return
            "error: \(done) But this is not stored, and a restart of the hub would undo it: \(problem). The hub tries "
            + "to store it every \(Self.storeEvery.wholeMilliseconds / 1000) s."
    }

    static let storeEvery = Interval.seconds(30)

    func storeTokensSoon() {
        if tokens.isBehind { storeTokensAt = MonotonicClock.now() + Self.storeEvery }
        arm()
    }

    func storeTokensTimePassed() {
        guard let due = storeTokensAt, due <= MonotonicClock.now() else { return }
        storeTokensAt = nil
        if tokens.isBehind { _ = storeTokens() }
    }

    /// - Returns: what went wrong, which is logged when it is new.
    func storeTokens() -> String? {
        do throws(CredentialError) {
            try tokens.store()
            log.notice("tokens.stored", [Field("devices", tokens.devices.count)])
            tokensProblem = nil
            storeTokensAt = nil
            return nil
        } catch {
            if tokensProblem != error.message { log.error("tokens.not_stored", [Field("problem", error.message)]) }
            tokensProblem = error.message
            storeTokensSoon()
            return error.message
        }
    }

    // MARK: Tokens of before

    /// A puck that comes with a token that it had before is told apart from a stranger: once an hour, since it tries
    /// again and again.
    private func noteRetired(_ token: String) {
        guard let (name, replaced) = tokens.device(ofRetiredToken: token) else { return }
        let now = MonotonicClock.now()
        if let said = retiredSaid[name], now - said < .seconds(3600) { return }
        retiredSaid[name] = now
        log.warning(
            "token.retired",
            [
                Field("puck", name), Field("replaced", TokenCommand.date(replaced)),
                Field(
                    "advice",
                    "\(name) came with a token that was replaced on \(TokenCommand.date(replaced)); it may have lost its "
                        + "state_dir ('puckctl doctor' there), or be an old copy of its card. Pair it again: "
                        + "'puckhub pair \(name)' here, 'sudo puckctl join --force CODE' there."),
            ])
    }
}

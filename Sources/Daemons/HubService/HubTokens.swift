import HubCore
import PuckBase
import PuckWire
import TokenList

/// Tokens of the running hub: who they let in, and how they are replaced without a new pairing.
///
/// A new token is written (as a hash) before it is sent; the puck writes it before it uses it; the old one ends when the
/// new one has been used. So after a crash at any point the token that the puck has is one that the hub takes. The one
/// that waits is only ever made anew for a puck that has just come with the old token, which it would not have done if it
/// had stored the one that waits.
public final class HubTokens<Outside: HubOutside> {
    private let interpreter: HubInterpreter<Outside>
    public let list: TokenList<Outside.Tokens>
    /// The devices as they were at the last look, to find those that went.
    private var known: [TokenDevice]
    /// When what the file lacks is to be written again.
    private var storeAt: Instant?
    /// Why it could not be; nil when it could.
    private var problem: String?
    /// When it was last said that a puck came with a token of before; one for each puck at most.
    private var retiredSaid: [String: Instant] = [:]
    /// Connections on which a new token was sent: one each.
    private var issued: Set<UInt32> = []
    private var unwritten = Complaint.once

    /// A token is replaced when it is so many days old; 0 for never.
    public var rotateDays: Int
    /// The list is another one.
    public var onReloaded: () -> Void = {}

    public init(_ interpreter: HubInterpreter<Outside>, _ list: TokenList<Outside.Tokens>, rotateDays: Int) {
        self.interpreter = interpreter
        self.list = list
        self.rotateDays = rotateDays
        known = list.devices
        // unowned(unsafe) is sound: `HubInterpreter.disconnectAdapters` takes the callbacks back. (Embedded Swift has no
        // checked unowned.)
        interpreter.add(
            next: { [unowned(unsafe) self] in storeAt }, passed: { [unowned(unsafe) self] in storeTimePassed() })
    }

    private var outside: Outside { interpreter.outside }

    public func connectionClosed(_ id: ConnectionID) { issued.remove(id.number) }

    /// Who the bearer of a token is; nil for a stranger. One that was added a moment ago works without a signal; one that
    /// was revoked no longer does.
    public func authorize(_ token: String) -> String? {
        reload()
        guard let (name, isNext) = list.device(ofToken: token) else {
            noteRetired(token)
            return nil
        }
        if isNext {
            do throws(Outside.Tokens.Failure) {
                try list.promote(name, nowUnixSeconds: outside.unixSeconds)
                outside.log(.notice, "token.replaced", [Field("puck", name)])
                noteList()
                unwritten.end()
            } catch {
                // Both stay good until it can be written; the puck comes with the new one each time.
                if unwritten.take(error.message, now: outside.now) != nil {
                    outside.log(.error, "tokens.refused", [Field("problem", error.message)])
                }
            }
        }
        return name
    }

    /// A puck has just said hello and been welcomed: time to look at the age of its token.
    public func greeted(_ id: ConnectionID, _ hello: Hello) {
        guard hello.keepsToken, rotateDays > 0, interpreter.hub.puck(of: id) == hello.puckID,
            let device = list.devices.first(where: { $0.name == hello.puckID })
        else { return }
        let age = outside.unixSeconds - device.created
        if age >= Int64(rotateDays) * 86_400 { _ = issue(to: hello.puckID) }
    }

    /// Makes a new token and sends it to a puck that is connected.
    /// - Returns: what went wrong; nil when it is on its way.
    func issue(to name: String) -> String? {
        reload()
        guard list.devices.contains(where: { $0.name == name }) else {
            return "there is no token of \"\(name)\"; 'puckhub token list' shows them all"
        }
        guard let connection = interpreter.hub.connectionForToken(of: name) else {
            return
                "\(name) is not connected, or cannot keep another token: its token was put into its configuration by "
                + "hand ('puckhub pair \(name)' and 'puckctl join' change that), or its state_dir does not last "
                + "('puckctl doctor' there says so)"
        }
        guard !issued.contains(connection.number) else {
            return "\(name) has been sent a new token already; it ends the old one when it connects the next time"
        }
        do throws(Outside.Tokens.Failure) {
            guard let token = try list.makeNext(name) else { return "there is no token of \"\(name)\"" }
            issued.insert(connection.number)
            noteList()
            outside.log(.notice, "token.sent", [Field("puck", name)])
            interpreter.process(.tokenMade(connection, token: token))
            return nil
        } catch {
            return error.message
        }
    }

    /// Looks whether the token file changed, and ends the sessions of tokens that are gone or new under an old name.
    /// - Parameter isAsked: by SIGHUP: what the file lacks is written first, and what was refused before is said again.
    public func reload(isAsked: Bool = false) {
        if isAsked, list.isBehind { _ = store() }
        do throws(Outside.Tokens.Failure) {
            guard try list.reloadIfChanged(again: isAsked) else { return }
        } catch {
            outside.log(.error, "tokens.refused", [Field("problem", error.message)])
            storeSoon()
            return
        }
        let revoked = noteList()
        outside.log(.notice, "tokens.reloaded", [Field("devices", list.devices.count), Field("revoked", revoked)])
        onReloaded()
    }

    /// The list is another one: sessions of what is no longer in it end.
    /// - Returns: how many devices that are.
    @discardableResult
    public func noteList() -> Int {
        let devices = list.devices
        let revoked = known.filter { old in !devices.contains { old.becomes($0) } }.map { $0.name }
        known = devices
        if !revoked.isEmpty { interpreter.process(.tokensRevoked(revoked)) }
        return revoked.count
    }

    // MARK: Ended at once

    /// `puckhub revoke`: what it ends has ended, and its session with it, whether or not the file can be written.
    /// - Parameter name: nil for all.
    func revoke(_ name: String?) -> String {
        reload()
        let gone = list.end(name.map { [$0] })
        guard !gone.isEmpty else {
            return name.map { "error: there is no token of \"\($0)\"; 'puckhub token list' shows them all" }
                ?? "error: no puck has a token"
        }
        noteList()
        for name in gone { outside.log(.notice, "token.revoked", [Field("puck", name)]) }
        let who = name ?? "All \(gone.count) pucks"
        let done = "\(who) can no longer connect, and an existing connection was closed at once."
        guard let problem = store() else { return done }
        return
            "error: \(done) But this is not stored, and a restart of the hub would undo it: \(problem). The hub tries "
            + "to store it every \(Self.storeEvery.wholeMilliseconds / 1000) s."
    }

    private static var storeEvery: Interval { .seconds(30) }

    private func storeSoon() {
        if list.isBehind { storeAt = outside.now + Self.storeEvery }
        interpreter.arm()
    }

    private func storeTimePassed() {
        guard let due = storeAt, due <= outside.now else { return }
        storeAt = nil
        if list.isBehind { _ = store() }
    }

    /// - Returns: what went wrong, which is logged when it is new.
    private func store() -> String? {
        do throws(Outside.Tokens.Failure) {
            try list.store()
            outside.log(.notice, "tokens.stored", [Field("devices", list.devices.count)])
            problem = nil
            storeAt = nil
            return nil
        } catch {
            if problem != error.message { outside.log(.error, "tokens.not_stored", [Field("problem", error.message)]) }
            problem = error.message
            storeSoon()
            return error.message
        }
    }

    // MARK: Tokens of before

    /// A puck that comes with a token that it had before is told apart from a stranger: once an hour, since it tries
    /// again and again.
    private func noteRetired(_ token: String) {
        guard let (name, replaced) = list.device(ofRetiredToken: token) else { return }
        let now = outside.now
        if let said = retiredSaid[name], now - said < .seconds(3600) { return }
        retiredSaid[name] = now
        outside.log(
            .warning, "token.retired",
            [
                Field("puck", name), Field("replaced", calendarDate(unixSeconds: replaced)),
                Field(
                    "advice",
                    "\(name) came with a token that was replaced on \(calendarDate(unixSeconds: replaced)); it may have lost its "
                        + "state_dir ('puckctl doctor' there), or be an old copy of its card. Pair it again: "
                        + "'puckhub pair \(name)' here, 'sudo puckctl join --force CODE' there."),
            ])
    }
}

import Credentials
import LinuxIO
import PuckBase
import TokenList

/// `puckhub token add NAME | list | revoke NAME`, and `puckhub revoke NAME`, which is the same as the last, or
/// `puckhub revoke --all`.
struct TokenCommand {
    private enum Request {
        case add(String)
        case list
        case revoke(String)
        case revokeAll
    }

    private let request: Request

    /// - Parameters:
    ///   - words: the positional words of the command line, "token" included. Nil when they are not one of the commands.
    ///   - isForAll: `--all`.
    init?(_ words: [String], isForAll: Bool) {
        if isForAll {
            guard words == ["revoke"] else { return nil }
            request = .revokeAll
            return
        }
        if words.count == 2, words[0] == "revoke" {
            request = .revoke(words[1])
            return
        }
        guard words.first == "token" else { return nil }
        switch (words.count, words.count > 1 ? words[1] : "") {
        case (3, "add"): request = .add(words[2])
        case (2, "list"): request = .list
        case (3, "revoke"): request = .revoke(words[2])
        case (_, _): return nil
        }
    }

    /// The exit status.
    func run(_ settings: HubSettings) -> Int32 {
        do throws(CredentialError) {
            switch request {
            case .add(let name): return try add(name, settings)
            case .list: return list(try TokenStore(path: settings.tokenFile))
            case .revoke(let name): return try revoke(name, settings)
            case .revokeAll: return try revoke(nil, settings)
            }
        } catch {
            return fail("puckhub: \(error.message)", HubCommand.runtimeFailure)
        }
    }

    private func add(_ name: String, _ settings: HubSettings) throws(CredentialError) -> Int32 {
        guard Self.isPuckName(name) else {
            return fail(
                "puckhub: \"\(name)\" cannot be a puck's id: use 1 to 32 of a-z 0-9 - _ (the token's name and the "
                    + "puck's [puck] id must be the same)", ExitStatus.usage)
        }
        do throws(HubStartError) {
            try makeStateFolder(settings.service.stateFolder)
        } catch {
            return fail("puckhub: \(error.message)", HubCommand.runtimeFailure)
        }
        let token = try TokenStore(path: settings.tokenFile).add(name, nowUnixSeconds: unixSeconds())
        say("The token of \(name), shown this once:")
        say("")
        say("    \(token)")
        say("")
        say("Put this into puckd.conf on the puck:")
        say("")
        say("    [puck]")
        say("    id = \(name)")
        say("    [hub]")
        say("    host = \(settings.service.name)")
        say("    port = \(settings.service.port)")
        say("    token = \(token)")
        if settings.certificate.isInsecure {
            say("    insecure = yes")
        } else {
            say("    ca_file = /etc/puckd/hub.crt")
            say("")
            say("and copy \(settings.certificate.certificateFile) there as /etc/puckd/hub.crt.")
        }
        say("")
        say("A hub that is running knows the token at once.")
        return 0
    }

    private func list(_ store: TokenStore) -> Int32 {
        if store.devices.isEmpty { say("No tokens. Make one with 'puckhub pair NAME'.") }
        for device in store.devices {
            let room = leftAligned(device.room.map { "in \($0)" } ?? "", 20)
            let next = device.nextHash == nil ? "" : ", a new token waits to be used"
            say(leftAligned(device.name, 20) + room + "since " + calendarDate(unixSeconds: device.created) + next)
        }
        return 0
    }

    /// A hub that runs is asked: it ends the token and the session even when nothing can be written.
    /// - Parameter name: nil for all.
    private func revoke(_ name: String?, _ settings: HubSettings) throws(CredentialError) -> Int32 {
        let request = name.map { "revoke \($0)" } ?? "revoke-all"
        if !settings.controlSocket.isEmpty {
            do throws(SystemError) {
                let reply = try ControlClient.ask(request, at: settings.controlSocket)
                if reply.utf8.starts(with: "error: ".utf8) {
                    return fail("puckhub: " + String(reply.dropFirst(7)), HubCommand.runtimeFailure)
                }
                return say(reply)
            } catch {}  // none runs, or not for this user: the file tells the next one
        }
        let store = try TokenStore(path: settings.tokenFile)
        let gone = store.end(name.map { [$0] })
        guard !gone.isEmpty else {
            return fail(
                name.map { "puckhub: there is no token of \"\($0)\"; 'puckhub token list' shows them all" }
                    ?? "puckhub: no puck has a token", HubCommand.runtimeFailure)
        }
        do throws(CredentialError) { try store.store() } catch {
            return fail(
                "puckhub: \(error.message). Nothing is revoked: no running hub could be asked either.",
                HubCommand.runtimeFailure)
        }
        say(
            "\(name ?? "All \(gone.count) pucks") can no longer connect. A hub that is running ends the session at once."
        )
        return 0
    }

    /// As the hello message has it (PROTOCOL.md).
    static func isPuckName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }
}

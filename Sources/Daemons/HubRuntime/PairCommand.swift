import Credentials
import LinuxIO
import PuckBase

/// `puckhub pair NAME [--room ROOM] [--code CODE]`, `puckhub revoke NAME` is `TokenCommand`'s.
struct PairCommand {
    private let puckID: String
    private let room: String?
    private let code: String?

    /// Before the puck's own code, in the request to the running hub.
    static let codeKey = "code="

    /// - Parameters:
    ///   - words: the positional words of the command line. Nil when they are not this command.
    ///   - code: as it was typed; nil for one of the hub's.
    init?(_ words: [String], room: String?, code: String?) {
        guard words.first == "pair", words.count == 2 else { return nil }
        puckID = words[1]
        self.room = room
        self.code = code
    }

    /// As a puck's id and its room go over the wire (PROTOCOL.md).
    static func isWord(_ text: String) -> Bool { TokenCommand.isPuckName(text) }

    /// The exit status.
    func run(_ settings: HubSettings) -> Int32 {
        guard Self.isWord(puckID), room.map(Self.isWord) ?? true else {
            return fail("puckhub: a puck's id and a room are 1 to 32 of a-z 0-9 - _", ExitStatus.usage)
        }
        let digits = code.flatMap { PairingSecret.typed(code: $0) }
        guard code == nil || digits != nil else {
            return fail(
                "puckhub: --code takes the eight digits that 'puckctl code' prints on the puck", ExitStatus.usage)
        }
        guard !settings.controlSocket.isEmpty else {
            return fail("puckhub: [control] socket is empty: the running hub cannot be asked", ExitStatus.configuration)
        }
        do throws(SystemError) {
            let reply = try ControlClient.ask(
                "pair \(puckID)" + (room.map { " \($0)" } ?? "") + (digits.map { " \(Self.codeKey)\($0)" } ?? ""),
                at: settings.controlSocket)
            if reply.utf8.starts(with: "error: ".utf8) {
                return fail("puckhub: " + String(reply.dropFirst(7)), HubCommand.runtimeFailure)
            }
            return show(reply)
        } catch {
            return fail("puckhub: \(error.description)", HubCommand.runtimeFailure)
        }
    }

    private func show(_ reply: String) -> Int32 {
        var values: [String: String] = [:]
        for word in reply.split(separator: " ") {
            let halves = word.split(separator: "=", maxSplits: 1)
            if halves.count == 2 { values[String(halves[0])] = String(halves[1]) }
        }
        guard let code = values["code"], let line = values["line"], let minutes = values["minutes"] else {
            return fail("puckhub: the running hub is another version: restart it", HubCommand.runtimeFailure)
        }
        let who = "\(puckID)\(room.map { " in \($0)" } ?? "")"
        if self.code != nil {
            say("Within \(minutes) minutes, hold the button of the puck with this code for 5 s: it becomes \(who).")
            say("Without a button: sudo puckctl join")
            return replaced(values)
        }
        say("Within \(minutes) minutes, run this on the puck that becomes \(who):")
        say("")
        say("    sudo puckctl join \(PairingSecret.written(code: code))")
        say("")
        say("or, if the puck does not find the hub, this line (keep it secret: it pairs any puck as \(puckID)):")
        say("")
        say("    sudo puckctl join \(line)")
        say("")
        say("Either works once. Codes of earlier 'puckhub pair' commands no longer work.")
        return replaced(values)
    }

    private func replaced(_ values: [String: String]) -> Int32 {
        if values["replaces"] == "yes" {
            say("\(puckID) is paired already: its token is replaced when a puck joins by this code or line.")
        }
        return 0
    }
}

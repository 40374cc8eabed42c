import CLinux
import Joining
import LinuxIO
import PuckBase
import WakeFiles

/// The command `puckctl`: reads the command line and does what it says.
@main
struct Command {
    static func main() { exit(run()) }

    /// Runs the command and returns its exit status.
    static func run() -> Int32 {
        openStandardDescriptors()
        do throws(CommandLineError) {
            let arguments = try Commands.table.parse(commandLineWords())
            return try run(arguments)
        } catch {
            return fail(error.message, ExitStatus.usage)
        }
    }

    private static func run(_ arguments: CommandLineArguments) throws(CommandLineError) -> Int32 {
        let words = arguments.positional
        let name = words.first ?? ""
        if arguments.isSet("version") { return say("puckctl \(PuckVersion.text)") }
        if arguments.isSet("help") { return say(Commands.table.help(of: name) ?? Commands.table.help, end: "") }
        if name == "help" {
            guard words.count > 1 else { return say(Commands.table.help, end: "") }
            guard let page = Commands.table.help(of: words[1]) else {
                throw Commands.misuse("unknown command \"\(words[1])\"")
            }
            return say(page, end: "")
        }
        // A code may be typed in two words; what puckd asks for has its own.
        let hasOwnWords =
            ["join", HubAnswers.command, PreparedWake.command].contains(name) || name == "wake" && words.count > 1
        let request = hasOwnWords ? "" : try Commands.request(words)
        let allowed = Commands.named(name)?.options ?? []
        for option in ["json", "plain", "config", "hub", "force", "state-dir", "new", "model", "wake-dir"]
        where arguments.isSet(option) && !allowed.contains(option) {
            throw Commands.misuse("--\(option) does not go with \(name)")
        }
        let socket = arguments.value("socket") ?? Commands.defaultSocket
        switch name {
        case "join": return try join(arguments, socket)
        case "wake" where hasOwnWords || arguments.isSet("json"):
            return try WakeCommand(arguments, socket: socket).run()
        case "code": return code(arguments, socket)
        case HubAnswers.command: return try findHub(Array(words.dropFirst()))
        case PreparedWake.command:
            // For puckd, which runs this program.
            guard words.count > 2 else { throw Commands.misuse("\(name) takes a wake word's name and folders") }
            let answer = PreparedWake.answer(words[1], folders: Array(words.dropFirst(2)))
            return put(answer, 1) ? 0 : ExitCode.nobodyListens
        case "status":
            let form: StatusForm = arguments.isSet("json") ? .json : arguments.isSet("plain") ? .plain : .screen
            return status(form, at: socket)
        case "watch": return Watch(socket: socket).run()
        case "play": return PlayCommand(file: words[1], socket: socket).run()
        case "record": return RecordCommand(request: request, file: words[2], socket: socket).run()
        case "doctor":
            return Doctor(socket: socket, configuration: arguments.value("config")).run(asJSON: arguments.isSet("json"))
        default:
            return asking { () throws(SystemError) in
                try ControlClient.ask(request, at: socket)
            } then: { _ in
                0
            }
        }
    }

    private static func join(_ arguments: CommandLineArguments, _ socket: String) throws(CommandLineError) -> Int32 {
        let result = try JoinCommand(
            Array(arguments.positional.dropFirst()), hub: arguments.value("hub"), socket: socket,
            stateFolder: arguments.value("state-dir"), replaces: arguments.isSet("force")
        ).run()
        if result.status == 0 { return say(result.text) }
        // puckd, whose child it may be, waits for its end.
        sayLastWords("puckctl: \(result.text)\n")
        return result.status
    }

    /// For puckd, which runs this program: `find-hub CERTIFICATE_FILE [FINGERPRINT...]`.
    private static func findHub(_ words: [String]) throws(CommandLineError) -> Int32 {
        guard let file = words.first else { throw Commands.misuse("\(HubAnswers.command) takes a certificate's file") }
        let answers = FindCommand.run(certificateFile: file, fingerprints: Array(words.dropFirst()))
        let isSaid = say(answers.text) == 0
        return !isSaid ? ExitCode.nobodyListens : answers.problem == nil ? 0 : ExitCode.unreachable
    }

    private static func code(_ arguments: CommandLineArguments, _ socket: String) -> Int32 {
        let result = CodeCommand(
            socket: socket, stateFolder: arguments.value("state-dir"), isNew: arguments.isSet("new")
        ).run()
        return result.status == 0 ? say(result.text) : fail("puckctl: " + result.text, result.status)
    }

    private enum StatusForm { case screen, json, plain }

    private static func status(_ form: StatusForm, at socket: String) -> Int32 {
        asking { () throws(SystemError) in
            try ControlClient.ask("status", at: socket)
        } then: { reply in
            guard let status = StatusReply(reply) else { return fail(StatusReply.unreadable, ExitCode.unreachable) }
            switch form {
            case .json: return say(status.json)
            case .plain: return say(status.plain)
            case .screen: return say(StatusScreen.text(status), end: "")
            }
        }
    }

    /// Has a request answered, and what went wrong with it said.
    static func asking(_ ask: () throws(SystemError) -> String, then: (String) -> Int32) -> Int32 {
        do throws(SystemError) {
            let reply = try ask()
            if let refusal = refusal(in: reply) { return fail("puckctl: " + refusal, ExitCode.refused) }
            return then(reply)
        } catch { return fail("puckctl: \(error.description)", ExitCode.of(error)) }
    }

    /// What the daemon did not want to do; nil when it did.
    static func refusal(in reply: String) -> String? {
        reply.utf8.starts(with: "error: ".utf8) ? String(reply.dropFirst(7)) : nil
    }

    static func say(_ text: String, end: String = "\n") -> Int32 { put(text + end, 1) ? 0 : ExitCode.nobodyListens }

    static func fail(_ text: String, _ status: Int32) -> Int32 {
        _ = put(text + "\n", 2)
        return status
    }

    /// False when nobody reads it any more.
    static func put(_ text: String, _ descriptor: Int32) -> Bool {
        put(Array(text.utf8), descriptor)
    }

    private static func put(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
                if count < 0, puck_errno() != EINTR { return false }
                offset += max(0, count)
            }
            return true
        }
    }
}

/// As sysexits.h has them.
enum ExitCode {
    static let refused: Int32 = 1
    /// EX_NOINPUT
    static let noInput: Int32 = 66
    /// EX_UNAVAILABLE
    static let unreachable: Int32 = 69
    /// EX_CANTCREAT
    static let cannotCreate: Int32 = 73
    /// EX_IOERR
    static let nobodyListens: Int32 = 74
    /// EX_NOPERM
    static let notPermitted: Int32 = 77

    static func of(_ error: SystemError) -> Int32 {
        error.code == EACCES || error.code == EPERM ? notPermitted : unreachable
    }
}

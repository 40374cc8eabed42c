import CLinux
import Joining
import LinuxIO
import PuckBase

/// The command `puckctl`: one command to the puck's daemon, one reply from it.
@main
struct Command {
    static func main() { exit(run()) }

    static let defaultSocket = "/run/puckd/control"
    static let refused: Int32 = 1
    /// As sysexits.h has them: EX_UNAVAILABLE and EX_NOPERM.
    static let unreachable: Int32 = 69
    static let notPermitted: Int32 = 77

    static let table = OptionTable(
        command: "puckctl", summary: "asks the voice puck's daemon to do something",
        positional: "wake | stop | mute | unmute | volume N | night on|off|auto | pairing on|off | status | "
            + "join [CODE|LINE] | code [new]",
        options: [
            .init(
                "socket", short: "s", value: "PATH",
                help: "The daemon's control socket instead of \(defaultSocket): what [control] socket says in its "
                    + "configuration."),
            .init(
                "hub", value: "HOST[:PORT]",
                help: "With join: the hub, when none is found by itself, or several are."),
            .init("force", help: "With join: take the puck away from the hub that it has."),
            .init(
                "state-dir", value: "DIR",
                help:
                    "With join and code: where puckd looks for what pairing gives ([puck] state_dir), when it does not run."
            ),
        ],
        notes: [
            "wake is the button: it starts listening when the puck is idle, and stops it when it is busy. stop ends "
                + "whatever is going on.",
            "mute closes the microphone: nothing leaves the puck until unmute. volume takes 0 to 100. night dims "
                + "the lights, or leaves that to the clock. pairing on is the very long press: the puck shows that it "
                + "waits for a hub that takes it in. status prints what the daemon is doing, as key=value.",
            "join makes this puck one of a hub's: 'puckhub pair NAME' there prints a code and a line, either of which is "
                + "good once. The code also proves that the hub is the right one; use it in the house only, the line "
                + "anywhere. A puckd that runs goes to the new hub at once.",
            "code prints this puck's own code. Type it on the hub (puckhub pair NAME --code CODE) and hold the puck's button "
                + "for 5 s, or run join without a code: the puck finds the hub that knows its code, and takes no other. code "
                + "new draws another one.",
            "Exit status: 0 done; \(refused) the daemon, or the hub, refused; "
                + "\(JoinCommand.severalHubs) several hubs answer, name one; \(ExitStatus.usage) wrong command line; "
                + "\(unreachable) no daemon answers there; \(notPermitted) this user may not ask it.",
        ])

    /// Runs the command and returns its exit status.
    static func run() -> Int32 {
        do throws(CommandLineError) {
            let arguments = try table.parse(words())
            if arguments.isSet("help") { return say(table.help, 1, 0) }
            if arguments.isSet("version") { return say("puckctl \(PuckVersion.text)", 1, 0) }
            if arguments.positional.first == "join" { return try join(arguments) }
            if arguments.positional.first == "code" { return try code(arguments) }
            return ask(try request(arguments.positional), at: arguments.value("socket") ?? defaultSocket)
        } catch {
            return say(error.message, 2, ExitStatus.usage)
        }
    }

    private static func code(_ arguments: CommandLineArguments) throws(CommandLineError) -> Int32 {
        let more = Array(arguments.positional.dropFirst())
        guard more.isEmpty || more == ["new"] else { throw misuse("code takes no word, or new") }
        let result = CodeCommand(
            socket: arguments.value("socket") ?? defaultSocket, stateFolder: arguments.value("state-dir"),
            isNew: !more.isEmpty
        ).run()
        return result.status == 0 ? say(result.text, 1, 0) : say("puckctl: " + result.text, 2, result.status)
    }

    private static func join(_ arguments: CommandLineArguments) throws(CommandLineError) -> Int32 {
        let result = try JoinCommand(
            Array(arguments.positional.dropFirst()), hub: arguments.value("hub"),
            socket: arguments.value("socket") ?? defaultSocket, stateFolder: arguments.value("state-dir"),
            replaces: arguments.isSet("force")
        ).run()
        return result.status == 0 ? say(result.text, 1, 0) : say("puckctl: " + result.text, 2, result.status)
    }

    /// The line for the daemon. What is wrong is said here, whether or not a daemon runs.
    static func request(_ words: [String]) throws(CommandLineError) -> String {
        let known =
            "wake, stop, mute, unmute, volume N, night on|off|auto, pairing on|off, status, join [CODE|LINE] and code [new]"
        guard let name = words.first else { throw misuse("no command; there are \(known)") }
        switch (name, words.count) {
        case ("wake", 1), ("stop", 1), ("mute", 1), ("unmute", 1), ("status", 1): return name
        case ("volume", 2):
            guard let percent = Int(words[1]), (0...100).contains(percent) else {
                throw misuse("\"\(words[1])\" is no volume: it is a whole number from 0 to 100")
            }
            return "volume \(percent)"
        case ("night", 2):
            guard ["on", "off", "auto"].contains(words[1]) else {
                throw misuse("\"\(words[1])\" is no night: it is on, off or auto")
            }
            return "night " + words[1]
        case ("pairing", 2):
            guard ["on", "off"].contains(words[1]) else {
                throw misuse("\"\(words[1])\" is not how pairing can be: it is on or off")
            }
            return "pairing " + words[1]
        case ("pairing", _): throw misuse("pairing takes one word: on or off")
        case ("night", _): throw misuse("night takes one word: on, off or auto")
        case ("volume", _): throw misuse("volume takes one number from 0 to 100")
        case ("wake", _), ("stop", _), ("mute", _), ("unmute", _), ("status", _):
            throw misuse("\(name) takes no more words")
        default:
            let near = nearest(
                to: name,
                in: ["wake", "stop", "mute", "unmute", "volume", "night", "pairing", "status", "join", "code"])
            let hint = near.map { "; did you mean \($0)?" } ?? "; there are \(known)"
            throw misuse("unknown command \"\(name)\"" + hint)
        }
    }

    private static func ask(_ request: String, at path: String) -> Int32 {
        do throws(SystemError) {
            let reply = try ControlClient.ask(request, at: path)
            if reply.utf8.starts(with: "error: ".utf8) { return say("puckctl: " + reply.dropFirst(7), 2, refused) }
            return request == "status" ? say(reply, 1, 0) : 0
        } catch {
            let isForbidden = error.code == EACCES || error.code == EPERM
            return say("puckctl: \(error.description)", 2, isForbidden ? notPermitted : unreachable)
        }
    }

    private static func misuse(_ text: String) -> CommandLineError {
        CommandLineError(message: "puckctl: \(text)\nTry 'puckctl --help'.")
    }

    private static func words() -> [String] {
        do throws(SystemError) { return Array(try commandLineWords().dropFirst()) } catch { return [] }
    }

    private static func say(_ text: String, _ descriptor: Int32, _ status: Int32) -> Int32 {
        var line = text + "\n"
        // Nobody to tell when the terminal is gone.
        line.withUTF8 { bytes in _ = write(descriptor, bytes.baseAddress, bytes.count) }
        return status
    }
}

import LinuxIO
import PuckBase
import PuckCore
import WakeFiles

/// Everything that `puckctl` can be told, as data: the help, the checks of the command line and the completion are made
/// of it.
enum Commands {
    static let defaultSocket = "/run/puckd/control"

    static let all: [OptionTable.Command] = [
        .init(
            "status", options: ["json", "plain"],
            help:
                "How the puck is, on one screen: what it does, the link and its round trip, the devices and what went "
                + "wrong with them, Wi-Fi, board, versions."),
        .init(
            "watch",
            help: "The same, live: redrawn when something changes on a terminal, else one line for each change. It "
                + "looks four times a second, until Ctrl-C or the daemon's end."),
        .init(
            "doctor", options: ["config", "json"],
            help: "Check everything that the puck needs, one line each, with what to do about it. Works without a "
                + "daemon, too. As root it checks with the rights of the daemon's user."),
        .init(
            "wake", words: "[list|try FILE|add FILE|remove NAME]", options: ["model", "wake-dir", "json", "force"],
            help:
                "Alone, as the button: start listening when the puck is idle, stop when it is busy. 'wake list' shows "
                + "the wake words that are there, and which the puck listens for. 'wake try FILE.wav' shows what each "
                + "says about a recording (16-bit PCM, any rate from 8,000 to 192,000, up to 8 channels); no puckd is "
                + "needed. 'wake add NAME.json' checks an owner's wake word, a manifest of microWakeWord with the model "
                + "beside it, and copies both to where puckd looks; a puckd that runs takes it at once when [wake] models "
                + "names it. 'wake remove NAME' takes it away."),
        .init("stop", help: "End whatever is going on."),
        .init("mute", help: "Close the microphone: nothing leaves the puck until unmute."),
        .init("unmute", help: "Open it again."),
        .init("volume", words: "N", help: "Set the volume: 0 to 100."),
        .init(
            "play", words: "FILE",
            help: "Play a WAV file (16-bit PCM, any rate from 8,000 to 192,000, up to 8 channels) on the puck's "
                + "loudspeaker, at its volume. Ends early when the puck has something else to do."),
        .init(
            "record", words: "SECONDS FILE",
            help: "Record what the microphone hears into a WAV file: 16,000 Hz, mono, as the puck hears it; 1 to 3,600 "
                + "seconds. The lights show that the room is heard. Not while the puck is muted, and only for root "
                + "and the daemon's own user."),
        .init(
            "lights", words: "STATE|auto",
            help: "Show a state of the lights for 10 s; auto goes back at once. There are \(lightNames). They end when "
                + "the puck begins to listen: nothing may hide that."),
        .init(
            "night", words: "on|off|auto", help: "Dim the lights, or not, or leave that to the clock."),
        .init(
            "pairing", words: "on|off",
            help: "The very long press: the puck shows that it waits for a hub that takes it in."),
        .init(
            "join", words: "[CODE|LINE]", options: ["hub", "force", "state-dir"],
            help: "Make this puck one of a hub's: 'puckhub pair NAME' there prints a code and a line, either of which "
                + "is good once. The code also proves that the hub is the right one; use it in the house only, the "
                + "line anywhere. A puckd that runs goes to the new hub at once. Without either the puck waits for a hub that "
                + "knows its own code, as it does when its button is held."),
        .init(
            "code", options: ["state-dir", "new"],
            help: "This puck's own code, which does not change. Type it on the hub (puckhub pair NAME --code CODE) and "
                + "hold the puck's button for 5 s, or run join without a code: the puck finds the hub that knows its "
                + "code, and takes no other."),
        .init("help", words: "[COMMAND]", help: "Print this page, or what one command does."),
    ]

    static let table = OptionTable(
        command: "puckctl", summary: "asks the voice puck's daemon to do something",
        positional: "COMMAND [WORD...]", commands: all,
        options: [
            .init(
                "socket", short: "s", value: "PATH",
                help: "The daemon's control socket instead of \(defaultSocket): what [control] socket says in its "
                    + "configuration."),
            .init(
                "json",
                help:
                    "With status: one JSON object; puckctl(1) says what is in it. With doctor: a list. With wake list "
                    + "and wake try: one object, in which a model's every output stands, 0 to 255, and at which sample "
                    + "of 16,000 a second."),
            .init("plain", help: "With status: the same as key=value in one line."),
            .init(
                "config", short: "c", value: "FILE",
                help: "With doctor: the daemon's configuration, when it is not the usual one."),
            .init(
                "hub", value: "HOST[:PORT]",
                help: "With join: the hub, when none is found by itself, or several are."),
            .init("new", help: "With code: draw another one; the one before is no longer good."),
            .init(
                "force",
                help:
                    "With join: take the puck away from the hub that it has. With wake remove: a word that it listens "
                    + "for, too."),
            .init(
                "model", value: "PATH.json", repeats: true,
                help: "With wake try: this model, instead of all in the folders."),
            .init(
                "wake-dir", value: "DIR", repeats: true,
                help: "With wake: the folders of wake words, when puckd does not run and its configuration says others "
                    + "than \(WakeFolders.usual[0]) and \(WakeFolders.usual[1])."),
            .init(
                "state-dir", value: "DIR",
                help:
                    "With join and code: where puckd looks for what pairing gives ([puck] state_dir), when it does not run."
            ),
        ],
        notes: [
            "Who may open the daemon's control socket may do all this, except record: root and the group puckd.",
            "Exit status: 0 done; 1 the daemon, or the hub, refused, or doctor has found something that does not work, or a "
                + "wake word is none; "
                + "3 several hubs answer, name one; 64 wrong command line; 66 the file cannot be played; 69 no daemon "
                + "answers there, or it has gone; 73 the file cannot be written; 77 this user may not ask it.",
        ])

    static var lightNames: String {
        Lights.allCases.map { $0.rawValue }.joined(separator: ", ")
    }

    static func named(_ name: String) -> OptionTable.Command? { all.first { $0.name == name } }

    /// The line for the daemon. What is wrong is said here, whether or not a daemon runs.
    static func request(_ words: [String]) throws(CommandLineError) -> String {
        let known = all.map { $0.name }
        guard let name = words.first else { throw misuse("no command; there are " + known.joined(separator: ", ")) }
        guard let command = named(name) else {
            let near = nearest(to: name, in: known)
            let hint = near.map { "; did you mean \($0)?" } ?? "; there are " + known.joined(separator: ", ")
            throw misuse("unknown command \"\(name)\"" + hint)
        }
        if name == "wake" {
            guard words.count == 1 else { throw misuse(WakeCommand.usage) }
        } else if words.count - 1 != command.wordCount {
            throw misuse(
                command.words.isEmpty
                    ? "\(name) takes no more words"
                    : "\(name) takes \(command.words), as in 'puckctl \(name) \(command.words)'")
        }
        switch name {
        case "volume": try check(words[1], number: 0...100, "volume")
        case "record": try check(words[1], number: 1...3600, "number of seconds")
        case "night": try check(words[1], among: ["on", "off", "auto"], "night: it is")
        case "pairing": try check(words[1], among: ["on", "off"], "pairing: it is")
        case "lights":
            try check(words[1], among: Lights.allCases.map { $0.rawValue } + ["auto"], "state of the lights; there are")
        default: break
        }
        // Numbers may have been written with a plus or zeros.
        if name == "volume" || name == "record" { return "\(name) \(Int(words[1]) ?? 0)" }
        return words.dropFirst().reduce(name) { $0 + " " + $1 }
    }

    private static func check(
        _ word: String, number range: ClosedRange<Int>, _ what: String
    ) throws(CommandLineError) {
        guard let number = Int(word), range.contains(number) else {
            throw misuse(
                "\"\(word)\" is no \(what): it is a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func check(_ word: String, among allowed: [String], _ what: String) throws(CommandLineError) {
        if allowed.contains(word) { return }
        let near = allowed.count > 3 ? nearest(to: word, in: allowed).map { "did you mean \($0)? " } ?? "" : ""
        let list = allowed.dropLast().joined(separator: ", ") + " or " + (allowed.last ?? "")
        throw misuse("\(near)\"\(word)\" is no \(what) " + list)
    }

    static func misuse(_ text: String) -> CommandLineError {
        CommandLineError(message: "puckctl: \(text)\nTry 'puckctl --help'.")
    }
}

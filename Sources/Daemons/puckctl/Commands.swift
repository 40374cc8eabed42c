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
                "Show the puck's state on one screen: phase, link and round trip, devices and their faults, Wi-Fi, board, "
                + "versions."),
        .init(
            "watch",
            help: "Show the same, live: on a terminal the screen is redrawn at each change, elsewhere each change is "
                + "one line. It polls four times a second, until Ctrl-C or until the daemon ends."),
        .init(
            "doctor", options: ["config", "json"],
            help: "Check everything that the puck needs, one line each, with advice. Works without a running "
                + "daemon, too. As root it checks with the rights of the daemon's user."),
        .init(
            "wake", words: "[list|try FILE|add FILE|remove NAME]", options: ["model", "wake-dir", "json", "force"],
            help:
                "Alone: act as the button, start listening if the puck is idle, stop if it is busy. 'wake list' shows "
                + "the wake words that are installed, and which of them the puck listens for. 'wake try FILE.wav' shows "
                + "what each model says about a recording (16-bit PCM, any rate from 8,000 to 192,000, up to 8 "
                + "channels); puckd is not needed. 'wake add NAME.json' checks a wake word of your own, a manifest of "
                + "microWakeWord with the model beside it, and copies both to where puckd looks; a running puckd loads "
                + "it at once if [wake] models names it. 'wake remove NAME' removes it."),
        .init("stop", help: "Stop the present turn and playback."),
        .init("mute", help: "Mute the microphone: no sound leaves the puck until unmute."),
        .init("unmute", help: "Open the microphone again."),
        .init("volume", words: "N", help: "Set the volume: 0 to 100."),
        .init(
            "play", words: "FILE",
            help: "Play a WAV file (16-bit PCM, any rate from 8,000 to 192,000, up to 8 channels) on the puck's "
                + "loudspeaker, at its volume. Ends early if the puck plays or hears something else."),
        .init(
            "record", words: "SECONDS FILE",
            help: "Record the microphone into a WAV file: 16,000 Hz, mono, as the puck hears it; 1 to 3,600 seconds. "
                + "The lights show that the puck is listening. Not while the puck is muted, and only for root and the "
                + "daemon's own user."),
        .init(
            "lights", words: "STATE|auto",
            help: "Show a state of the lights for 10 s; auto ends that at once. States: \(lightNames). It also ends "
                + "when the puck begins to listen, which must always be visible."),
        .init(
            "night", words: "on|off|auto", help: "Dim the lights (on), do not (off), or follow [lights] night (auto)."),
        .init(
            "pairing", words: "on|off",
            help: "Act as a very long button press: wait for a hub to pair with. off ends that."),
        .init(
            "join", words: "[CODE|LINE]", options: ["hub", "force", "state-dir"],
            help: "Pair this puck with a hub. 'puckhub pair NAME' on the hub prints a code and a line; either works "
                + "once. The code also authenticates the hub; use it within your own network, the line anywhere. A running "
                + "puckd connects to the new hub at once. Without CODE or LINE the puck waits for a hub that knows the "
                + "puck's own code, as after a very long button press."),
        .init(
            "code", options: ["state-dir", "new"],
            help: "Print this puck's own code, which does not change. Type it on the hub (puckhub pair NAME --code "
                + "CODE) and hold the puck's button for 5 s, or run join without a code: the puck finds the hub that knows "
                + "its code, and accepts no other."),
        .init("help", words: "[COMMAND]", help: "Print this page, or the help of one command."),
    ]

    static let table = OptionTable(
        command: "puckctl", summary: "controls the voice puck's daemon",
        positional: "COMMAND [WORD...]", commands: all,
        options: [
            .init(
                "socket", short: "s", value: "PATH",
                help: "The daemon's control socket instead of \(defaultSocket); see [control] socket in its "
                    + "configuration."),
            .init(
                "json",
                help:
                    "With status: one JSON object; puckctl(1) describes its keys. With doctor: a list. With wake list "
                    + "and wake try: one object; wake try has every output of a model, 0 to 255, with its position in "
                    + "samples at 16,000 a second."),
            .init("plain", help: "With status: the same as key=value in one line."),
            .init(
                "config", short: "c", value: "FILE",
                help: "With doctor: the daemon's configuration file, if it is not the default."),
            .init(
                "hub", value: "HOST[:PORT]",
                help: "With join: the hub, if none or several are found."),
            .init("new", help: "With code: create another one; the previous code no longer works."),
            .init(
                "force",
                help:
                    "With join: pair a puck that is already paired. With wake remove: remove a word that the puck "
                    + "listens for."),
            .init(
                "model", value: "PATH.json", repeats: true,
                help: "With wake try: this model instead of all in the folders."),
            .init(
                "wake-dir", value: "DIR", repeats: true,
                help: "With wake: the folders of wake words, if puckd does not run and its configuration names others "
                    + "than \(WakeFolders.usual[0]) and \(WakeFolders.usual[1])."),
            .init(
                "state-dir", value: "DIR",
                help:
                    "With join and code: the folder for the results of pairing ([puck] state_dir), if puckd does not run."
            ),
        ],
        notes: [
            "root and members of the group puckd may use all commands; record needs root or the daemon's own user.",
            "Exit status: 0 done; 1 the daemon or the hub refused, doctor found a fault, or a wake word is not valid; "
                + "3 several hubs answer, name one; 64 wrong command line; 66 the file cannot be played; 69 no daemon "
                + "answers, or it has ended; 73 the file cannot be written; 77 this user has no access to the daemon.",
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

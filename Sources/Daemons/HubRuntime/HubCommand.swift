import CLinux
import LinuxIO
import PuckBase
import Settings

/// The command `puckhub`: reads the command line and does what it says.
public enum HubCommand {
    static let defaultConfiguration = "/etc/puckhub/puckhub.conf"
    static let runtimeFailure: Int32 = 1

    static let table = OptionTable(
        command: "puckhub", summary: "the hub of voice pucks: decides which one answers, and produces the answers",
        positional:
            "[pair NAME [--room ROOM] [--code CODE] | revoke NAME|--all | token add NAME | token list | token rotate NAME | "
            + "play PUCK FILE [CATEGORY] | status | "
            + "certificate [new | restore | forget] | explain [CONVERSATION] | correct CONVERSATION PUCK]",
        options: [
            .init(
                "config", short: "c", value: "FILE",
                help: "Read the configuration from FILE instead of \(defaultConfiguration). If that file does not "
                    + "exist, every key has its default. docs/examples/puckhub.conf documents every key."),
            .init(
                "set", value: "SECTION.KEY=VALUE", repeats: true,
                help: "Override one key of the configuration."),
            .init(
                "check",
                help: "Validate the configuration, the certificate, the token file and the responder, and check that "
                    + "the port is free; print what fails and how to fix it. Changes nothing. Exit status: 0 the hub can "
                    + "start, 1 it cannot."),
            .init("room", value: "ROOM", help: "With pair: the room of the puck."),
            .init(
                "code", value: "CODE",
                help:
                    "With pair: the puck's own code, which 'puckctl code' prints on the puck, for pairing by button."),
            .init("all", help: "With revoke: every puck's token."),
            .init("json", help: "With explain: one JSON object instead of text."),
        ],
        notes: [
            "Without a command, puckhub runs until SIGTERM or SIGINT. The first start creates a certificate and logs its "
                + "path and fingerprint.",
            "pair NAME prints a short code and a join line for a puck with that id; 'puckctl join' on the puck accepts "
                + "either, once, within ten minutes. revoke NAME (or token revoke NAME) revokes its token. A running hub "
                + "ends the session at once; if the disk is full, it reports that the revocation is not stored yet. "
                + "revoke --all revokes every token; deleting or emptying the token file does not. token rotate NAME "
                + "replaces the token without a new pairing.",
            "certificate prints which certificate the hub uses, which one it will use after a restart if the file was "
                + "replaced, and which pucks trust that one already: connected pucks are told about it. new creates "
                + "another certificate, restore brings back the previous one, forget deletes the copy of the previous one.",
            "token add NAME creates a token for the puck with that id and prints it once, with the lines for the puck's "
                + "configuration. token list lists the pucks that have a token.",
            "play PUCK FILE plays a WAV file (mono, 16 kHz, at most two minutes) on a puck of the running hub. CATEGORY "
                + "sets the priority: assistant_response, timer, reminder, announcement (the default), notification, "
                + "filler, music; what is pre-empted continues afterwards. status prints state and counters of the "
                + "running hub as key=value.",
            "explain prints which puck won a conversation (default: the last one) and why: the candidates, when and how "
                + "well each heard the phrase, the rule that decided, and the winner under each other policy. correct "
                + "reports that another candidate should have won; the hub learns from it.",
            "Signals: SIGTERM and SIGINT end the hub within 200 ms. SIGHUP reloads the configuration and the tokens; the "
                + "log names keys that need a restart.",
            "Exit status: 0 ended by a signal, or the command or check succeeded; 1 it failed, or the hub could not "
                + "start; 64 wrong command line; 78 wrong configuration.",
            "The log goes to standard error, one event per line as key=value; under systemd with journald's priorities.",
        ])

    /// Runs the command and returns its exit status.
    public static func run() -> Int32 {
        openStandardDescriptors()
        let arguments: CommandLineArguments
        do throws(CommandLineError) {
            arguments = try table.parse(commandLineWords())
        } catch {
            return fail(error.message, ExitStatus.usage)
        }
        if arguments.isSet("help") { return say(table.help) }
        if arguments.isSet("version") { return say("puckhub \(PuckVersion.text)") }
        let command = TokenCommand(arguments.positional, isForAll: arguments.isSet("all"))
        let pair = PairCommand(arguments.positional, room: arguments.value("room"), code: arguments.value("code"))
        let question = RunningHubCommand(
            arguments.positional, folder: currentFolder(), isJSON: arguments.isSet("json"))
        let certificate = CertificateCommand(arguments.positional)
        if !arguments.positional.isEmpty, command == nil, question == nil, pair == nil, certificate == nil {
            return fail(
                "puckhub: the commands are 'pair NAME', 'revoke NAME|--all', 'token add NAME', 'token list', "
                    + "'token rotate NAME', 'certificate [new|restore|forget]', 'status', "
                    + "'play PUCK FILE [CATEGORY]', 'explain [CONVERSATION]' and 'correct CONVERSATION PUCK'\nTry 'puckhub --help'.",
                ExitStatus.usage)
        }
        let source = source(arguments)
        do throws(SettingsErrors) {
            let settings = try source.load()
            if let command { return command.run(settings) }
            if let pair { return pair.run(settings) }
            if let certificate { return certificate.run(settings) }
            if let question { return question.run(settings) }
            return arguments.isSet("check") ? HubCheck(settings).run() : serve(settings, source)
        } catch {
            return fail(error.description, ExitStatus.configuration)
        }
    }

    private static func source(_ arguments: CommandLineArguments) -> HubDaemon.ConfigurationSource {
        var path = arguments.value("config")
        if path == nil, access(defaultConfiguration, F_OK) == 0 { path = defaultConfiguration }
        return HubDaemon.ConfigurationSource(path: path, overrides: arguments.values("set"), hostName: hostName())
    }

    private static func serve(_ settings: HubSettings, _ source: HubDaemon.ConfigurationSource) -> Int32 {
        SignalDescriptor.ignoreBrokenPipes()
        do throws(SystemError) {
            let signals = try SignalDescriptor([.terminate, .interrupt, .hangUp])
            return run(settings, source, signals)
        } catch {
            return fail("puckhub: \(error.description)", runtimeFailure)
        }
    }

    private static func run(
        _ settings: HubSettings, _ source: HubDaemon.ConfigurationSource, _ signals: SignalDescriptor
    ) -> Int32 {
        do throws(HubStartError) {
            let daemon = try HubDaemon(
                settings: settings, configuration: source, makeLog: { Log.background(level: $0) },
                signals: signals)
            try daemon.run()
            Log.background(level: .error).flush()
            return 0
        } catch {
            // Without waiting for whoever reads the log: the service manager may be about to try again.
            Log.background(level: .error).flush()
            sayLastWords("puckhub: \(error.message)\n")
            return runtimeFailure
        }
    }
}

/// A line on standard output.
@discardableResult
func say(_ text: String) -> Int32 {
    print(text, to: 1)
    return 0
}

/// A line on standard error; returns the exit status that goes with it.
func fail(_ text: String, _ status: Int32) -> Int32 {
    print(text, to: 2)
    return status
}

private func print(_ text: String, to descriptor: Int32) {
    var line = text.utf8.last == UInt8(ascii: "\n") ? text : text + "\n"
    // Nobody to tell when the terminal is gone.
    line.withUTF8 { bytes in _ = write(descriptor, bytes.baseAddress, bytes.count) }
}

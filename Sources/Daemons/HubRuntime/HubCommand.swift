import CLinux
import LinuxIO
import PuckBase
import Settings

/// The command `puckhub`: reads the command line and does what it says.
public enum HubCommand {
    static let defaultConfiguration = "/etc/puckhub/puckhub.conf"
    static let runtimeFailure: Int32 = 1

    static let table = OptionTable(
        command: "puckhub", summary: "the pucks' hub: decides which puck answers, and answers",
        positional:
            "[pair NAME [--room ROOM] [--code CODE] | revoke NAME|--all | token add NAME | token list | token rotate NAME | "
            + "play PUCK FILE [CATEGORY] | status | "
            + "certificate [new | restore | forget] | explain [CONVERSATION] | correct CONVERSATION PUCK]",
        options: [
            .init(
                "config", short: "c", value: "FILE",
                help: "Read the configuration from FILE instead of \(defaultConfiguration); when that one does not "
                    + "exist, every key has its default. docs/examples/puckhub.conf documents every key."),
            .init(
                "set", value: "SECTION.KEY=VALUE", repeats: true,
                help: "Override one key of the configuration."),
            .init(
                "check",
                help: "Validate the configuration, the certificate, the token file and the responder, and see that the "
                    + "port is free; say what is wrong and how to mend it. Changes nothing. Exits with 0 when the hub "
                    + "can start, 1 when it cannot."),
            .init("room", value: "ROOM", help: "With pair: the room that the puck stands in."),
            .init(
                "code", value: "CODE",
                help:
                    "With pair: the puck's own code, which 'puckctl code' prints there, for a puck whose button is held "
                    + "instead of typing a code."),
            .init("all", help: "With revoke: every puck's token."),
            .init("json", help: "With explain: one JSON object instead of text."),
        ],
        notes: [
            "Without a command puckhub serves until it is told to stop. The first start makes a certificate and says "
                + "in the log where it lies and its fingerprint: copy it to every puck.",
            "pair NAME prints a short code and a join line for the puck that is to have that id; 'puckctl join' on the puck "
                + "takes either, once, for ten minutes. revoke NAME (or token revoke NAME) takes its token away, and a hub "
                + "that is running ends its session at once, also when the disk is full: it then says that this is not "
                + "stored yet. revoke --all does it for every puck; a token file that is missing or empty does not. "
                + "token rotate NAME replaces its token without a new pairing.",
            "certificate says which certificate the hub shows, which it will show after a restart when the file was replaced, "
                + "and which pucks believe that one already: each is told over its link. new makes another one, restore puts "
                + "the one before back, forget keeps it no longer.",
            "token add NAME makes a token for the puck with that id and prints it, once, with what belongs into that "
                + "puck's configuration. token list shows who has one.",
            "play PUCK FILE plays a WAV file (mono, 16 kHz, at most two minutes) on a puck of the running hub. CATEGORY "
                + "says who gives way to whom: assistant_response, timer, reminder, announcement (the default), "
                + "notification, filler, music; what is pre-empted goes on afterwards. status prints what the running "
                + "hub is doing and has done, as key=value.",
            "explain says who was asked to answer and why: the candidates of a conversation (of the last one, without a "
                + "name), when each heard the phrase and how well, the rule that decided, and who would have won by the "
                + "other policies. correct says that it should have been another candidate; the hub learns from it.",
            "Signals: SIGTERM and SIGINT end the hub within 200 ms. SIGHUP reads the configuration and the tokens "
                + "again; what needs a restart is said in the log.",
            "Exit status: 0 ended by a signal, or the command or check succeeded; 1 it failed, or the hub could not "
                + "start; 64 wrong command line; 78 wrong configuration.",
            "The log goes to standard error, one event a line as key=value; under systemd with journald's priorities.",
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

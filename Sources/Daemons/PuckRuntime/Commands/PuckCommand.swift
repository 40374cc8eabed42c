import ALSADevice
import CLinux
import LinkTransport
import LinuxIO
import OpusCodec
import PuckBase
import Settings

/// The command `puckd`: reads the command line and does what it says.
public enum PuckCommand {
    static let defaultConfiguration = "/etc/puckd/puckd.conf"

    static let table = OptionTable(
        command: "puckd", summary: "the voice puck's daemon: hears, asks the hub, answers",
        options: [
            .init(
                "config", short: "c", value: "FILE",
                help: "Read the configuration from FILE instead of \(defaultConfiguration). "
                    + "docs/examples/puckd.conf documents every key."),
            .init(
                "set", value: "SECTION.KEY=VALUE", repeats: true,
                help: "Override one key of the configuration; may be given several times."),
            .init(
                "board", value: "NAME",
                help: "The hardware: a file of the boards' folders, without \".conf\", or a path with a slash in it; "
                    + "overrides [puck] board. docs/BOARDS.md lists the boards."),
            .init(
                "detect",
                help: "Say which board this is, and why. Exits with 0 when it is known, 1 when it is not, 2 when "
                    + "several look alike."),
            .init("check-board", value: "FILE", help: "Validate the file of a board."),
            .init("system-root", value: "DIR", help: "Look for hardware below DIR; for tests."),
            .init(
                "check",
                help: "Validate the configuration, open the microphone, the loudspeaker and the GPIO lines, reach the "
                    + "hub and be welcomed; say what is wrong and how to mend it. Exits with 0 when everything works, "
                    + "1 when something does not."),
            .init(
                "list-devices",
                help:
                    "List the sound devices, by the names that the configuration takes, with the USB port of each card."
            ),
            .init(
                "meter",
                help: "Show the microphone's level, the noise floor and the signal-to-noise ratio, live, until "
                    + "interrupted. Speak: the ratio should pass [wake] threshold_db."),
            .init(
                "lights", value: "OUTPUT",
                help: "Where the lights are shown, such as none or terminal; overrides [lights] output."),
            .init(
                "show", value: "STATE",
                help: "Show what the lights look like in a state, until interrupted, or in all of them one after the "
                    + "other: \(ShowLights.names). With --lights=terminal no configuration is needed."),
            .init(
                "talk",
                help: "Start listening as soon as the hub is reached, as if the button had been pressed."),
        ],
        notes: [
            "Signals: SIGTERM and SIGINT end the daemon within 200 ms. SIGHUP reads the configuration again; what needs "
                + "a restart is said in the log. SIGUSR1 is the button: it wakes an idle puck and stops a busy one.",
            "Exit status: 0 ended by a signal, or the check passed; 1 the check failed, or the daemon could not start; "
                + "75 [network] restart wants it started again; 64 wrong command line; 78 wrong configuration.",
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
        if arguments.isSet("version") { return say("puckd \(PuckVersion.text)") }
        if arguments.isSet("list-devices") {
            let root = arguments.value("system-root") ?? ""
            let lines = root.isEmpty ? deviceListLines() : Hardware.devices(root).map { $0.line }
            for line in lines { _ = say(line) }
            return 0
        }
        if let file = arguments.value("check-board") { return BoardCommands.check(file) }
        if arguments.isSet("detect") {
            return BoardCommands.detect(
                configuration: arguments.value("config") ?? defaultConfiguration, overrides: arguments.values("set"),
                root: arguments.value("system-root") ?? "")
        }
        var show: ShowLights?
        if let state = arguments.value("show") {
            show = ShowLights(state)
            guard let show else {
                return fail(
                    "puckd: there are no lights called \"\(state)\"; there are \(ShowLights.names)", ExitStatus.usage)
            }
            if arguments.value("lights") == "terminal" { return show.onTerminal() }
        }
        do throws(SettingsErrors) {
            let settings = try load(arguments)
            if let show { return settings.lights.output == .terminal ? show.onTerminal() : show.onBoard(settings) }
            if arguments.isSet("check") { return PuckCheck(settings).run() }
            if arguments.isSet("meter") { return Meter(settings).run() }
            return serve(settings, arguments)
        } catch {
            return fail(error.description, ExitStatus.configuration)
        }
    }

    private static func load(_ arguments: CommandLineArguments) throws(SettingsErrors) -> PuckSettings {
        var overrides = arguments.values("set")
        if let output = arguments.value("lights") { overrides.append("lights.output=\(output)") }
        if let board = arguments.value("board") { overrides += boardOverrides(board) }
        var settings = try PuckSettings.load(
            path: arguments.value("config") ?? defaultConfiguration, overrides: overrides, hostName: hostName())
        settings.systemRoot = arguments.value("system-root") ?? ""
        return settings
    }

    /// A name, or the path of a board's file: its folder is then the only one.
    private static func boardOverrides(_ board: String) -> [String] {
        guard let slash = board.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ["puck.board=" + board] }
        var name = board[board.utf8.index(after: slash)...]
        if name.hasSuffix(".conf") { name = name.dropLast(5) }
        return ["puck.board=" + name, "puck.board_dir=" + (board[..<slash].isEmpty ? "/" : board[..<slash])]
    }

    private static func serve(_ settings: PuckSettings, _ arguments: CommandLineArguments) -> Int32 {
        SignalDescriptor.ignoreBrokenPipes()
        // Before any other thread starts: only the loop allocates in the long run, and an arena for each other thread that
        // ever did would be pages for nothing.
        _ = mallopt(M_ARENA_MAX, 1)
        let log = Log.background(level: settings.logLevel)
        if !lockTouchedMemory() {
            log.debug("memory.not_locked", [Field("advice", "LimitMEMLOCK=infinity in the unit")])
        }
        let signals: SignalDescriptor
        do throws(SystemError) {
            signals = try SignalDescriptor([.terminate, .interrupt, .hangUp, .user1])
        } catch { return failToServe(error.description, log) }
        let options = PuckDaemon.Options(
            talkAtOnce: arguments.isSet("talk"),
            reread: {
                do throws(SettingsErrors) { return try load(arguments) } catch {
                    log.error("config.invalid", [Field("detail", error.description)])
                    return nil
                }
            })
        do throws(PuckDaemon.StartError) {
            let daemon = try PuckDaemon(settings: settings, log: log, signals: signals, options: options)
            daemon.run()
            log.flush()
            PuckDaemon.liftShutdownLimit()
            return daemon.exitStatus
        } catch {
            return failToServe(error.description, log)
        }
    }

    /// Does not wait for whoever reads the log: the service manager may be about to try again.
    private static func failToServe(_ text: String, _ log: Log) -> Int32 {
        log.flush()
        sayLastWords("puckd: \(text)\n")
        return 1
    }

    static func say(_ text: String, end: String = "\n") -> Int32 {
        var line = text + end
        line.withUTF8 { bytes in _ = write(1, bytes.baseAddress, bytes.count) }
        return 0
    }

    static func fail(_ text: String, _ status: Int32) -> Int32 {
        var line = text + "\n"
        line.withUTF8 { bytes in _ = write(2, bytes.baseAddress, bytes.count) }
        return status
    }
}

extension PuckDaemon.StartError {
    var description: String {
        switch self {
        case .transport(let error): error.message
        case .system(let error): error.description
        case .codec(let error): error.description
        }
    }
}

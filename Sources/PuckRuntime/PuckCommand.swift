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
                "check",
                help: "Validate the configuration, open the microphone, the loudspeaker and the GPIO lines, reach the "
                    + "hub and be welcomed; say what is wrong and how to mend it. Exits with 0 when everything works, "
                    + "1 when something does not."),
            .init("list-devices", help: "List the sound devices, by the names that the configuration takes."),
            .init(
                "meter",
                help: "Show the microphone's level, the noise floor and the signal-to-noise ratio, live, until "
                    + "interrupted. Speak: the ratio should pass [wake] threshold_db."),
            .init(
                "lights", value: "RENDERER",
                help: "Where the lights are shown: none or terminal; overrides [lights] renderer."),
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
        let arguments: CommandLineArguments
        do throws(CommandLineError) {
            arguments = try table.parse(words())
        } catch {
            return fail(error.message, ExitStatus.usage)
        }
        if arguments.isSet("help") { return say(table.help) }
        if arguments.isSet("version") { return say("puckd \(PuckVersion.text)") }
        if arguments.isSet("list-devices") {
            for line in deviceListLines() { _ = say(line) }
            return 0
        }
        do throws(SettingsErrors) {
            let settings = try load(arguments)
            if arguments.isSet("check") { return PuckCheck(settings).run() }
            if arguments.isSet("meter") { return Meter(settings).run() }
            return serve(settings, arguments)
        } catch {
            return fail(error.description, ExitStatus.configuration)
        }
    }

    private static func words() -> [String] {
        do throws(SystemError) { return Array(try commandLineWords().dropFirst()) } catch { return [] }
    }

    private static func load(_ arguments: CommandLineArguments) throws(SettingsErrors) -> PuckSettings {
        var overrides = arguments.values("set")
        if let renderer = arguments.value("lights") { overrides.append("lights.renderer=\(renderer)") }
        return try PuckSettings.load(
            path: arguments.value("config") ?? defaultConfiguration, overrides: overrides, hostName: hostName())
    }

    private static func serve(_ settings: PuckSettings, _ arguments: CommandLineArguments) -> Int32 {
        let log = Log.standardError(level: settings.logLevel)
        SignalDescriptor.ignoreBrokenPipes()
        let signals: SignalDescriptor
        do throws(SystemError) {
            signals = try SignalDescriptor([.terminate, .interrupt, .hangUp, .user1])
        } catch { return fail("puckd: \(error.description)", 1) }
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
            PuckDaemon.liftShutdownLimit()
            return daemon.exitStatus
        } catch {
            return fail("puckd: \(error.description)", 1)
        }
    }

    static func say(_ text: String) -> Int32 {
        var line = text + "\n"
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

import LinuxIO
import Testing

@Suite struct OptionTableTests {
    private let table = OptionTable(
        command: "puckd", summary: "the voice puck", positional: "[WORD...]",
        options: [
            .init(
                "config", short: "c", value: "FILE",
                help: "Read FILE instead of /etc/puckd.conf, and stop with a list of all that is wrong in it."),
            .init("set", value: "SECTION.KEY=VALUE", repeats: true, help: "Override one setting."),
            .init("check", help: "Check the configuration and exit."),
        ],
        notes: ["See docs/CONFIGURATION.md."])

    private func message(_ words: [String]) -> String {
        do throws(CommandLineError) {
            _ = try table.parse(words)
            return ""
        } catch {
            return error.message
        }
    }

    @Test(
        "a value is taken in each usual way",
        arguments: [["--config", "a b"], ["--config=a b"], ["-c", "a b"], ["-ca b"]])
    func valueForms(_ words: [String]) throws {
        let arguments = try table.parse(words)
        #expect(arguments.value("config") == "a b")
        #expect(!arguments.isSet("check"))
    }

    @Test("flags, repeated options and words keep their order")
    func flagsRepeatedOptions() throws {
        let arguments = try table.parse(["x", "--set", "a.b=1", "--check", "-", "--set=c.d=2", "--", "--config"])
        #expect(arguments.positional == ["x", "-", "--config"])
        #expect(arguments.values("set") == ["a.b=1", "c.d=2"])
        #expect(arguments.isSet("check"))
    }

    @Test("an unknown option names the nearest and the help")
    func unknownOptionNames() {
        #expect(
            message(["--confg", "x"])
                == "puckd: unknown option \"--confg\"; did you mean --config?\nTry 'puckd --help'.")
        #expect(message(["--zebra"]) == "puckd: unknown option \"--zebra\"\nTry 'puckd --help'.")
        #expect(message(["-x"]) == "puckd: unknown option \"-x\"\nTry 'puckd --help'.")
    }

    @Test("a missing, surplus or second value is refused")
    func missingSurplusValue() {
        #expect(message(["--config"]).contains("--config needs a value: --config FILE"))
        #expect(message(["--check=yes"]).contains("--check takes no value"))
        #expect(message(["-c", "a", "--config", "b"]).contains("--config is given twice"))
    }

    @Test("words are refused where none are allowed")
    func wordsRefusedWhere() {
        let bare = OptionTable(command: "x", summary: "y", options: [])
        #expect(throws: CommandLineError.self) { try bare.parse(["word"]) }
    }

    @Test("the help page fits into 80 columns")
    func helpPageFits() {
        let expected = """
            puckd - the voice puck

            usage: puckd [OPTION...] [WORD...]

            options:
              -c, --config FILE       Read FILE instead of /etc/puckd.conf, and stop with a
                                      list of all that is wrong in it.
                  --set SECTION.KEY=VALUE
                                      Override one setting. May be given more than once.
                  --check             Check the configuration and exit.
              -h, --help              Print this page and exit.
                  --version           Print the version and exit.

            See docs/CONFIGURATION.md.

            """
        #expect(table.help == expected)
    }
}

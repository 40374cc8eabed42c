import PuckBase

/// What a command understands, as data: `parse` reads a command line by it and `help` prints it.
public struct OptionTable: Sendable {
    public struct Option: Sendable {
        public let long: String
        public let short: Character?
        /// What the value stands for in the help ("FILE"); nil makes the option a flag.
        public let value: String?
        /// May be given more than once.
        public let repeats: Bool
        public let help: String

        /// - Parameters:
        ///   - long: without dashes.
        ///   - help: one or more sentences; wrapped by the table.
        public init(
            _ long: String, short: Character? = nil, value: String? = nil, repeats: Bool = false, help: String
        ) {
            self.long = long
            self.short = short
            self.value = value
            self.repeats = repeats
            self.help = help
        }
    }

    /// One of the words that a program takes first, in a program that does several things.
    public struct Command: Sendable {
        public let name: String
        /// What follows it, as the help shows it ("SECONDS FILE"); empty for nothing.
        public let words: String
        /// Of the table's options those that go with it alone.
        public let options: [String]
        public let help: String

        /// - Parameter help: one or more sentences; wrapped by the table.
        public init(_ name: String, words: String = "", options: [String] = [], help: String) {
            self.name = name
            self.words = words
            self.options = options
            self.help = help
        }

        /// How many words follow it.
        public var wordCount: Int { words.split(separator: " ").count }
    }

    public let command: String
    /// One line, as after the dash of a manual page's NAME.
    public let summary: String
    /// The positional words as the usage line shows them, such as "COMMAND [WORD...]"; empty: none are allowed.
    public let positional: String
    public let commands: [Command]
    public let options: [Option]
    /// Paragraphs after the options.
    public let notes: [String]

    /// `--help` and `--version` are added to every table.
    public init(
        command: String, summary: String, positional: String = "", commands: [Command] = [], options: [Option],
        notes: [String] = []
    ) {
        self.command = command
        self.summary = summary
        self.positional = positional
        self.commands = commands
        self.options =
            options + [
                Option("help", short: "h", help: "Print this page and exit."),
                Option("version", help: "Print the version and exit."),
            ]
        self.notes = notes
    }

    /// - Parameter words: the command line without the command's own name.
    public func parse(_ words: [String]) throws(CommandLineError) -> CommandLineArguments {
        var result = CommandLineArguments()
        var index = 0
        var onlyPositional = false
        while index < words.count {
            let word = words[index]
            index += 1
            if onlyPositional || word == "-" || word.utf8.first != UInt8(ascii: "-") {
                if positional.isEmpty { throw failure("unexpected word \"\(word)\"") }
                result.positional.append(word)
            } else if word == "--" {
                onlyPositional = true
            } else {
                let (option, attached) = try find(word)
                try take(option, attached, words, &index, &result)
            }
        }
        return result
    }

    private func take(
        _ option: Option, _ attached: String?, _ words: [String], _ index: inout Int,
        _ result: inout CommandLineArguments
    ) throws(CommandLineError) {
        var value = attached
        if let placeholder = option.value {
            if value == nil {
                if index == words.count {
                    throw failure("--\(option.long) needs a value: --\(option.long) \(placeholder)")
                }
                value = words[index]
                index += 1
            }
        } else if attached != nil {
            throw failure("--\(option.long) takes no value")
        }
        if !option.repeats, result.isSet(option.long) { throw failure("--\(option.long) is given twice") }
        result.found.append(CommandLineArguments.Found(name: option.long, value: value ?? ""))
    }

    /// The option that `word` names, and the value that hangs on it: `--name`, `--name=value`, `-n` or `-nvalue`.
    private func find(_ word: String) throws(CommandLineError) -> (option: Option, attached: String?) {
        if !word.utf8.starts(with: "--".utf8) {
            let letter = word[word.index(after: word.startIndex)]
            for option in options where option.short == letter {
                let rest = String(word.dropFirst(2))
                return (option, rest.isEmpty ? nil : rest)
            }
            throw failure("unknown option \"-\(letter)\"")
        }
        let body = word.dropFirst(2)
        var name = String(body)
        var attached: String?
        if let equals = body.utf8.firstIndex(of: UInt8(ascii: "=")) {
            name = String(body[..<equals])
            attached = String(body[body.utf8.index(after: equals)...])
        }
        for option in options where option.long == name { return (option, attached) }
        let near = nearest(to: name, in: options.map { $0.long })
        throw failure("unknown option \"--\(name)\"" + (near.map { "; did you mean --\($0)?" } ?? ""))
    }

    private func failure(_ message: String) -> CommandLineError {
        CommandLineError(message: "\(command): \(message)\nTry '\(command) --help'.")
    }
}

/// A command line that was read by an `OptionTable`.
public struct CommandLineArguments: Sendable {
    struct Found: Sendable {
        let name: String
        let value: String
    }

    var found: [Found] = []
    /// The words that are no options, in order.
    public internal(set) var positional: [String] = []

    public func isSet(_ option: String) -> Bool { found.contains { $0.name == option } }

    /// The value of an option that was given; the first one when it repeats.
    public func value(_ option: String) -> String? { values(option).first }

    /// All values of an option, in order.
    public func values(_ option: String) -> [String] { found.filter { $0.name == option }.map { $0.value } }
}

/// The command line is not as the table says.
public struct CommandLineError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Two lines for standard error: what is wrong, and to try `--help`.
    public let message: String
    public var description: String { message }

    /// For what a table cannot know, such as a command's own words.
    public init(message: String) { self.message = message }
}

/// The exit status for a command line or configuration that is wrong, as sysexits.h has it (EX_USAGE, EX_CONFIG).
/// systemd shows both by name.
public enum ExitStatus {
    public static let usage: Int32 = 64
    public static let configuration: Int32 = 78
}

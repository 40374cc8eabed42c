import PuckBase

extension OptionTable {
    /// Columns of a help page.
    static let helpColumns = 80
    /// Where an option's description starts.
    static let helpIndent = 26

    /// The page that `--help` prints, with a final newline.
    public var help: String {
        var page = wrapped("\(command) - \(summary)", indent: 0, hanging: 2) + "\n"
        page += "usage: \(command) [OPTION...]" + (positional.isEmpty ? "" : " " + positional) + "\n\n"
        if !commands.isEmpty {
            page += "commands:\n"
            for command in commands { page += entry("  " + title(command), command.help) }
            page += "\n"
        }
        page += "options:\n"
        for option in options { page += entry(option) }
        for note in notes { page += "\n" + wrapped(note, indent: 0, hanging: 0) }
        return page
    }

    /// What one of the commands does; nil when there is none of that name.
    public func help(of name: String) -> String? {
        guard let found = commands.first(where: { $0.name == name }) else { return nil }
        var page = "usage: \(command) [OPTION...] \(title(found))\n\n" + wrapped(found.help, indent: 0, hanging: 0)
        if found.options.isEmpty { return page }
        page += "\noptions:\n"
        for option in options where found.options.contains(option.long) { page += entry(option) }
        return page
    }

    private func title(_ command: Command) -> String {
        command.words.isEmpty ? command.name : command.name + " " + command.words
    }

    private func entry(_ option: Option) -> String {
        var names = "  " + (option.short.map { "-\($0), " } ?? "    ") + "--" + option.long
        if let value = option.value { names += " " + value }
        let text = option.help + (option.repeats ? " May be given more than once." : "")
        return entry(names, text)
    }

    private func entry(_ names: String, _ text: String) -> String {
        let description = wrapped(text, indent: Self.helpIndent, hanging: Self.helpIndent)
        // A name that reaches into the description's column gets a line of its own.
        if names.count + 2 > Self.helpIndent { return names + "\n" + description }
        return leftAligned(names, Self.helpIndent) + description.dropFirst(Self.helpIndent)
    }

    /// `text` in lines of at most `helpColumns` columns. A word that is longer than a line stays whole.
    private func wrapped(_ text: String, indent: Int, hanging: Int) -> String {
        var page = ""
        var line = String(repeating: " ", count: indent)
        var empty = true
        for word in text.split(separator: " ") {
            if !empty, line.count + 1 + word.count > Self.helpColumns {
                page += line + "\n"
                line = String(repeating: " ", count: hanging)
                empty = true
            }
            line += (empty ? "" : " ") + word
            empty = false
        }
        return page + line + "\n"
    }
}

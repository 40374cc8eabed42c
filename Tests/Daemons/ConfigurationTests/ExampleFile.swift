import LinuxIO
import RepositoryFiles
import Settings

/// A file of the repository that shows a configuration: comments, `key = value`, and `#key = value` for what may be
/// left out.
struct ExampleFile {
    struct Key: Equatable {
        let section: String
        let key: String
        let value: String
        /// Written as `#key = value`.
        let isCommentedOut: Bool

        var name: String { "[\(section)] \(key)" }
    }

    let name: String
    let text: String
    /// In the order of the file.
    let keys: [Key]

    /// - Parameter name: from the repository's top.
    init(_ name: String) throws {
        self.name = name
        text = String(decoding: try readSmallFile(Repository.path(name)), as: UTF8.self)
        var section = ""
        var keys: [Key] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("[") { section = String(line.dropFirst().prefix { $0 != "]" }) }
            guard let key = Self.key(line, section) else { continue }
            keys.append(key)
        }
        self.keys = keys
    }

    /// A comment of prose has a blank after its "#".
    private static func key(_ line: Substring, _ section: String) -> Key? {
        let isCommentedOut = line.hasPrefix("#")
        let body = isCommentedOut ? line.dropFirst() : line
        let halves = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let first = body.first, first.isLetter else { return nil }
        func trimmed(_ part: Substring) -> String {
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        return Key(
            section: section, key: trimmed(halves[0]), value: trimmed(halves[1]), isCommentedOut: isCommentedOut)
    }

    /// The file with everything switched on but the keys named.
    func allUncommented(except left: [String]) -> SettingsDocument {
        var lines = ""
        for key in keys where !left.contains(key.name) { lines += "[\(key.section)]\n\(key.key) = \(key.value)\n" }
        return SettingsDocument(text: lines, name: name)
    }

    /// What the file says about a key, against what the code does; empty when they agree.
    func disagreements(with schema: [SchemaEntry]) -> [String] {
        var found: [String] = []
        for entry in schema {
            let name = "[\(entry.section)] \(entry.key)"
            let shown = keys.filter { $0.name == name }
            if shown.count != 1 { found.append("\(name) is shown \(shown.count) times") }
            guard let key = shown.first else { continue }
            if !key.isCommentedOut { continue }
            guard let defaultText = entry.defaultText else {
                found.append("\(name) is commented out but must be given")
                continue
            }
            if key.value != defaultText { found.append("\(name): shown \(key.value), default \(defaultText)") }
        }
        let known = schema.map { "[\($0.section)] \($0.key)" }
        for key in keys where !known.contains(key.name) { found.append("\(key.name) is shown but unknown") }
        return found
    }
}

enum Repository {
    /// The path of something in the repository that these tests were built from.
    static func path(_ name: String) -> String { RepositoryFiles.url(name).path }
}

import PuckBase

/// One key that a daemon understands, as `SettingsReader` was asked for it.
public struct SchemaEntry: Equatable, Sendable {
    public let section: String
    public let key: String
    /// As it would be written in the file; nil when the key must be given.
    public let defaultText: String?
    /// What may be written, in words.
    public let allowed: String
}

/// Turns layers of configuration into typed values. Ask for every key once, then call `finish`, which throws all
/// problems together: bad values, missing, doubled and unknown keys. Until then a bad value reads as its default.
///
/// The keys that were asked for are the schema: there is no second list of them.
public struct SettingsReader {
    /// Lowest first: a later layer wins.
    private var layers: [SettingsDocument]
    /// The document that a missing key is missing from.
    private let mainName: String
    private var problems: [SettingsProblem] = []
    public private(set) var schema: [SchemaEntry] = []
    /// Sections whose keys are the user's own.
    private var openSections: [String] = []
    /// What the daemon should log at its start, though it runs.
    public private(set) var warnings: [String] = []

    /// - Parameter layers: lowest first: the configuration file, then the command line.
    public init(layers: [SettingsDocument], mainName: String) {
        self.layers = layers
        self.mainName = mainName
    }

    /// Puts a document under all others.
    /// - Parameter sections: the only ones that it may set.
    public mutating func insertLowest(_ document: SettingsDocument, sections: [String]) {
        let names = joined(sections.map { "[" + $0 + "]" })
        var rest = document
        for entry in document.entries where !sections.contains(entry.section) {
            refuse(document, entry, "not in this file; allowed here: \(names)")
            _ = rest.removeSection(entry.section)
        }
        layers.insert(rest, at: 0)
    }

    /// The value of a key in the topmost layer that sets it, through `parse`, which returns nil for a value that is
    /// not allowed.
    public mutating func value<Value>(
        _ section: String, _ key: String, default fallback: Value, written defaultText: String, allowed: String,
        parse: (String) -> Value?
    ) -> Value {
        note(section, key, defaultText, allowed)
        guard let text = text(section, key) else { return fallback }
        if let value = parse(text) { return value }
        refuseValue(section, key, text, allowed)
        return fallback
    }

    /// The same for a key that must be given.
    public mutating func required<Value>(
        _ section: String, _ key: String, placeholder: Value, allowed: String, parse: (String) -> Value?
    ) -> Value {
        note(section, key, nil, allowed)
        guard let text = text(section, key) else {
            refuse(section, key, "missing; allowed: \(allowed)")
            return placeholder
        }
        if let value = parse(text) { return value }
        refuseValue(section, key, text, allowed)
        return placeholder
    }

    /// All keys of a section whose keys are not this program's but name something of the user's, such as a card's
    /// controls. In the order of the lowest layer, with the values of the topmost; an empty value takes a key out.
    public mutating func openSection(_ section: String) -> [SettingsEntry] {
        openSections.append(section)
        var found: [SettingsEntry] = []
        for document in layers {
            for entry in document.entries where entry.section == section {
                if let known = found.firstIndex(where: { $0.key == entry.key }) {
                    found[known] = entry
                } else {
                    found.append(entry)
                }
            }
        }
        return found.filter { !$0.value.isEmpty }
    }

    // Not inlined: `value` is compiled anew for each type, and these parts of it need not be.
    @inline(never)
    func text(_ section: String, _ key: String) -> String? { find(section, key)?.entry.value }

    @inline(never)
    mutating func refuseValue(_ section: String, _ key: String, _ text: String, _ allowed: String) {
        refuse(section, key, "found \"\(text)\"; allowed: \(allowed)")
    }

    /// Whether some layer sets the key.
    public func isSet(_ section: String, _ key: String) -> Bool { find(section, key) != nil }

    /// Whether the key comes out of a file that every user may read.
    func isReadableByOthers(_ section: String, _ key: String) -> Bool {
        find(section, key)?.document.isReadableByOthers ?? false
    }

    /// Records a problem with a key that was read, such as two values that do not go together.
    @inline(never)
    public mutating func refuse(_ section: String, _ key: String, _ message: String) {
        if let (document, entry) = find(section, key) {
            refuse(document, entry, message)
        } else {
            problems.append(
                SettingsProblem(document: mainName, line: 0, section: section, key: key, message: message))
        }
    }

    /// Passes on what another part of the configuration found wrong.
    public mutating func refuse(_ errors: SettingsErrors) { problems += errors.problems }

    public mutating func warn(_ message: String) { warnings.append(message) }

    /// Throws all that is wrong, in the order of the documents' lines.
    public func finish() throws(SettingsErrors) {
        var all: [SettingsProblem] = []
        for document in layers {
            let own = document.problems + problems.filter { $0.document == document.name } + unknown(in: document)
            all += own.sorted { $0.line < $1.line }
        }
        let names = layers.map { $0.name }
        all += problems.filter { !names.contains($0.document) }
        if !all.isEmpty { throw SettingsErrors(all) }
    }

    // MARK: -

    private func find(_ section: String, _ key: String) -> (document: SettingsDocument, entry: SettingsEntry)? {
        for document in layers.reversed() {
            if let entry = document.entry(section, key) { return (document, entry) }
        }
        return nil
    }

    @inline(never)
    private mutating func note(_ section: String, _ key: String, _ defaultText: String?, _ allowed: String) {
        precondition(!schema.contains { $0.section == section && $0.key == key }, "a key is asked for once")
        schema.append(SchemaEntry(section: section, key: key, defaultText: defaultText, allowed: allowed))
    }

    private mutating func refuse(_ document: SettingsDocument, _ entry: SettingsEntry, _ message: String) {
        problems.append(
            SettingsProblem(
                document: document.name, line: entry.line, section: entry.section, key: entry.key, message: message))
    }

    /// Keys that nobody asked for; of an unknown section only the first.
    private func unknown(in document: SettingsDocument) -> [SettingsProblem] {
        var found: [SettingsProblem] = []
        var reported: [String] = []
        for entry in document.entries where !openSections.contains(entry.section) {
            let siblings = schema.filter { $0.section == entry.section }
            if siblings.contains(where: { $0.key == entry.key }) { continue }
            if siblings.isEmpty, reported.contains(entry.section) { continue }
            if siblings.isEmpty { reported.append(entry.section) }
            found.append(
                SettingsProblem(
                    document: document.name, line: entry.line, section: entry.section,
                    key: siblings.isEmpty && !entry.section.isEmpty ? "" : entry.key,
                    message: siblings.isEmpty ? strangeSection(entry) : strangeKey(entry, siblings)))
        }
        return found
    }

    private func strangeSection(_ entry: SettingsEntry) -> String {
        var sections = openSections
        for known in schema where !sections.contains(known.section) { sections.append(known.section) }
        if entry.section.isEmpty { return "\(entry.key) stands before the first [section]; move it into one" }
        if let near = nearest(to: entry.section, in: sections) { return "unknown section; did you mean [\(near)]?" }
        return "unknown section; allowed: " + joined(sections.map { "[" + $0 + "]" })
    }

    private func strangeKey(_ entry: SettingsEntry, _ siblings: [SchemaEntry]) -> String {
        let keys = siblings.map { $0.key }
        if let near = nearest(to: entry.key, in: keys) { return "unknown key; did you mean \(near)?" }
        for other in schema where other.key == entry.key { return "unknown key; it belongs into [\(other.section)]" }
        return "unknown key; allowed: " + joined(keys)
    }
}

/// The words with ", " between them. (`joined(separator:)` on strings costs Embedded Swift more code.)
func joined(_ words: [String]) -> String {
    var text = ""
    for word in words { text += (text.isEmpty ? "" : ", ") + word }
    return text
}

/// One thing that is wrong in a configuration.
public struct SettingsProblem: Equatable, Sendable, CustomStringConvertible {
    /// The file, or "command line".
    public let document: String
    /// Counted from 1; 0 when the problem belongs to no line, as with a missing key.
    public let line: Int
    /// Empty when the line could not be read at all.
    public let section: String
    public let key: String
    /// What was found and what is allowed.
    public let message: String

    public init(document: String, line: Int, section: String = "", key: String = "", message: String) {
        self.document = document
        self.line = line
        self.section = section
        self.key = key
        self.message = message
    }

    /// `FILE:LINE: [section] key: message`, which editors and terminals can jump to.
    public var description: String {
        var text = document + (line > 0 ? ":\(line)" : "") + ": "
        if !section.isEmpty { text += "[" + section + "]" + (key.isEmpty ? "" : " " + key) + ": " }
        return text + message
    }
}

/// All that is wrong in a configuration, so that one start shows every mistake.
public struct SettingsErrors: Error, Equatable, Sendable, CustomStringConvertible {
    /// So many problems are listed; the rest is counted. A wrong file, such as a picture, has thousands.
    public static let longestList = 50

    public let problems: [SettingsProblem]

    public init(_ problems: [SettingsProblem]) { self.problems = problems }

    /// One problem for each line, with no newline at the end.
    public var description: String {
        var text = ""
        for problem in problems.prefix(Self.longestList) {
            text += (text.isEmpty ? "" : "\n") + problem.description
        }
        let more = problems.count - Self.longestList
        return more > 0 ? text + "\nand \(more) more" : text
    }
}

/// A value that must not reach a log: its description hides it.
public struct Secret: Equatable, Sendable, CustomStringConvertible {
    public let value: String

    public init(_ value: String) { self.value = value }

    public var description: String { "(secret)" }
}

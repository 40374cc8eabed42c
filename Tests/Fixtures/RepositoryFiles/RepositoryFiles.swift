import Foundation

/// Files of the repository that the tests were built from.
public enum RepositoryFiles {
    /// The folder that holds Package.swift.
    public static let root: URL = {
        var folder = URL(filePath: #filePath).deletingLastPathComponent()
        while folder.path != "/", !FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path)
        {
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    /// - Parameter path: beneath the root, such as "docs/FAILURES.md".
    public static func url(_ path: String) -> URL { root.appending(path: path) }

    /// The text of a file.
    /// - Throws: when it is missing or no UTF-8.
    public static func text(_ path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }
}

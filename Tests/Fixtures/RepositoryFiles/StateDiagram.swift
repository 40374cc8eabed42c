import Foundation

/// The arrows of a picture in docs/STATE-MACHINES.md.
public struct StateDiagram {
    /// "idle --> candidate", without the beginning, `[*]`.
    public var arrows: Set<String> = []

    /// - Parameter heading: of the section with the picture, such as "A turn on the puck".
    /// - Throws: when the page cannot be read. A missing section has no arrows.
    public init(_ heading: String) throws {
        let section = try RepositoryFiles.text("docs/STATE-MACHINES.md").components(separatedBy: "\n## ")
            .first { $0.hasPrefix(heading + "\n") }
        for line in (section ?? "").split(separator: "\n") where line.contains(" --> ") && !line.contains("[*]") {
            let arrow = line.split(separator: ":")[0].trimmingCharacters(in: .whitespaces)
            arrows.insert(arrow)
        }
    }

    /// Transitions without an arrow.
    public func notDrawn(_ taken: Set<String>) -> [String] { taken.subtracting(arrows).sorted() }
}

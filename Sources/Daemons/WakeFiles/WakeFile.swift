import CLinux
import LinuxIO
import PuckBase
import WakeModel
import WakeWord

/// Why a wake word cannot be used: which file, what is wrong, what to do.
public struct WakeFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    /// No file of that name is there.
    public let isMissing: Bool

    init(_ description: String, isMissing: Bool = false) {
        self.description = description
        self.isMissing = isMissing
    }
}

/// A wake word that was read and checked: its manifest, and its model's plan.
public struct WakeFile {
    /// The manifest's name without ".json": what `[wake] models` calls it.
    public let name: String
    public let manifestPath: String
    public let modelPath: String
    public let manifest: WakeManifest
    public let plan: ModelPlan

    /// Reads NAME.json and the model beside it.
    /// - Parameter path: of the manifest.
    public init(manifestPath path: String) throws(WakeFileError) {
        let (folder, file) = Self.split(path)
        guard file.utf8.count > 5, file.hasSuffix(".json") else {
            throw WakeFileError("\(path): a wake word is named by its manifest, NAME.json")
        }
        name = String(file.dropLast(5))
        manifestPath = path
        let bytes = try Self.read(path, limit: WakeManifest.fileBytes)
        do throws(WakeManifestError) { manifest = try WakeManifest(parsing: bytes) } catch {
            throw WakeFileError("\(path): \(error.description)")
        }
        modelPath = folder + manifest.modelFile
        let model: [UInt8]
        do throws(SystemError) { model = try readSmallFile(modelPath, limit: ModelLimits.fileBytes) } catch {
            throw WakeFileError(
                error.code == ENOENT
                    ? "\(modelPath) is missing: put the model beside \(path), which names it" : error.description)
        }
        do throws(ModelError) { plan = try ModelPlan(model) } catch {
            throw WakeFileError("\(modelPath): \(error.description)")
        }
    }

    /// Bytes of memory that listening for it takes.
    public var memoryBytes: Int { plan.memoryBytes }

    private static func read(_ path: String, limit: Int) throws(WakeFileError) -> [UInt8] {
        do throws(SystemError) { return try readSmallFile(path, limit: limit) } catch {
            throw WakeFileError(error.description, isMissing: error.code == ENOENT)
        }
    }

    /// The folder with its slash, empty for the present one, and the name.
    static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
        let start = path.utf8.index(after: slash)
        return (String(path[..<start]), String(path[start...]))
    }
}

/// The folders in which wake words are looked for; the first that has one wins.
public struct WakeFolders: Equatable, Sendable {
    /// An owner's own words, and those of the package.
    public static let usual = ["/var/lib/puckd/wake", "/usr/share/puckd/wake"]

    public let folders: [String]

    public init(_ folders: [String]) { self.folders = folders }

    /// Where the manifest of this name is; nil when none of the folders has it.
    public func path(of name: String) -> String? {
        for folder in folders {
            let path = "\(folder)/\(name).json"
            var status = stat()
            if stat(path, &status) == 0 { return path }
        }
        return nil
    }

    public func load(_ name: String) throws(WakeFileError) -> WakeFile {
        guard let path = path(of: name) else {
            var list = ""
            for folder in folders { list += (list.isEmpty ? "" : " or ") + folder }
            throw WakeFileError(
                "no \(name).json in \(list): 'puckctl wake add \(name).json' puts one there, 'puckctl wake list' shows "
                    + "those that are; okay_nabu, hey_jarvis, alexa and hey_mycroft come with the package puckd, and "
                    + "scripts/wakewords fetches them",
                isMissing: true)
        }
        return try WakeFile(manifestPath: path)
    }

    /// The names of all wake words, sorted, each once.
    public var names: [String] {
        var found: [String] = []
        for folder in folders {
            for entry in folderEntries(folder) where entry.hasSuffix(".json") && entry.utf8.count > 5 {
                let name = String(entry.dropLast(5))
                if !found.contains(name) { found.append(name) }
            }
        }
        return found.sorted()
    }
}

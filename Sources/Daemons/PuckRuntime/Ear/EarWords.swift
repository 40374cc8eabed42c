import PuckBase
import WakeFiles
import WakeModel
import WakeWord

/// A wake word that is listened for.
struct EarWord {
    let file: WakeFile
    /// What the mean of its outputs must exceed, by `[wake] sensitivity`.
    let cutoff: Double
}

/// What `[wake] models` names: what of it can be listened for, and what is wrong with the rest.
struct EarWords {
    private(set) var words: [EarWord] = []
    /// One for each model that cannot be used, with what to do.
    private(set) var problems: [String] = []

    /// Reads the files.
    init(_ settings: WakeSettings) {
        guard settings.detector == .model else { return }
        let folders = WakeFolders(settings.folders)
        for name in settings.models {
            do throws(WakeFileError) {
                let file = try folders.load(name)
                words.append(
                    EarWord(file: file, cutoff: settings.sensitivity(of: name).cutoff(manifest: file.manifest.cutoff)))
            } catch { problems.append(error.description) }
        }
    }

    /// Of all words, each once: what the hub is told.
    var phrases: [String] {
        var found: [String] = []
        for word in words where !found.contains(word.file.manifest.phrase) { found.append(word.file.manifest.phrase) }
        return found
    }

    /// Bytes that listening takes.
    var memoryBytes: Int { words.reduce(FrontEnd.memoryBytes) { $0 + $1.file.memoryBytes } }
}

import PuckBase
import WakeFiles
import WakeModel
import WakeWord

/// A wake word that is listened for.
struct EarWord {
    let wake: PreparedWake
    /// What the mean of its outputs must exceed, by `[wake] sensitivity`.
    let cutoff: Double
    /// Ends what sounds, instead of beginning a turn, and is listened for only then.
    var isStop = false
}

/// What `[wake] models` names: what of it can be listened for, and what is wrong with the rest.
struct EarWords {
    private(set) var words: [EarWord] = []
    /// One for each model that cannot be used, with what to do.
    private(set) var problems: [String] = []

    /// Has puckctl read the files.
    init(_ settings: WakeSettings) {
        guard settings.detector == .model else { return }
        let stop = settings.stopModel.isEmpty ? [] : [settings.stopModel]
        for name in settings.models + stop {
            do throws(WakeFileError) {
                let wake = try PreparedWake(name, folders: settings.folders, by: PairingSearch.program)
                words.append(
                    EarWord(
                        wake: wake, cutoff: settings.sensitivity(of: name).cutoff(manifest: wake.cutoff),
                        isStop: name == settings.stopModel))
            } catch { problems.append(error.description) }
        }
    }

    /// Of all words, each once: what the hub is told.
    var phrases: [String] {
        var found: [String] = []
        for word in words where !word.isStop && !found.contains(word.wake.phrase) { found.append(word.wake.phrase) }
        return found
    }

    /// Bytes that listening takes.
    var memoryBytes: Int { words.reduce(FrontEnd.memoryBytes) { $0 + $1.wake.model.memoryBytes } }
}

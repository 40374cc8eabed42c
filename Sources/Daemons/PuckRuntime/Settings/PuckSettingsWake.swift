import PuckBase
import Settings
import WakeFiles
import WakeWord

/// `[wake]`: what starts a conversation.
public struct WakeSettings: Equatable, Sendable {
    public enum Detector: String, CaseIterable, Sendable {
        /// The wake words of `models`.
        case model
        /// Speech that is louder than the noise by `thresholdDecibels`.
        case level
        /// The button and `puckctl wake` only.
        case manual
        case none
    }

    /// Where the recording begins that the hub gets.
    public enum Sending: String, CaseIterable, Sendable {
        /// Behind the wake word.
        case after
        /// With the wake word.
        case word
        /// With what was before it, `prerollMilliseconds`.
        case all
    }

    public var detector: Detector
    /// Names of manifests without ".json", 1…8.
    public var models: [String]
    /// Where they are looked for; the first folder that has one wins.
    public var folders: [String]
    /// The name of the model that stops what sounds; empty for none.
    public var stopModel: String
    /// Of all models, unless `sensitivities` has another for one.
    public var sensitivity: Sensitivity
    public var sensitivities: [ModelSensitivity]
    public var sending: Sending
    /// Above the noise floor, dB: what is weaker is not listened to by models; 0: they listen always.
    public var gateDecibels: Double
    /// The name under which the hub knows the level detector and the button.
    public var phrase: String
    /// Above the noise floor, dB.
    public var thresholdDecibels: Double
    /// Quieter than this is never speech, dB full scale.
    public var minimumLevelDecibels: Double
    /// Speech for so long counts as a wake, ms.
    public var onsetMilliseconds: Int
    /// Pauses within a word that do not end it, ms.
    public var hangoverMilliseconds: Int
    /// No second wake for so long, ms.
    public var refractoryMilliseconds: Int
    /// Sent from before the onset, ms.
    public var prerollMilliseconds: Int

    public struct ModelSensitivity: Equatable, Sendable {
        public var model: String
        public var sensitivity: Sensitivity
    }

    init(_ reader: inout SettingsReader) {
        detector = reader.choice("wake", "detector", default: .model)
        models = reader.list(
            "wake", "models", most: WakeListener.mostModels, default: "okay_nabu", of: "names of wake words",
            where: WakeManifest.isName)
        folders = reader.list(
            "wake", "wake_dir", most: 8, default: joinedFolders(), of: "folders"
        ) { !$0.isEmpty }
        stopModel = reader.value(
            "wake", "stop", default: "", written: "", allowed: "a wake word's name, or nothing"
        ) { $0.isEmpty || WakeManifest.isName($0) ? $0 : nil }
        let words = reader.list(
            "wake", "sensitivity", most: WakeListener.mostModels + 1, default: "slightly",
            of: "slightly, moderately, very or a cutoff from 0 to 1, for all or as MODEL:very"
        ) { Self.parse($0) != nil }
        sensitivity = .slightly
        sensitivities = []
        for word in words {
            guard let (model, sensitivity) = Self.parse(word) else { continue }
            if model.isEmpty {
                self.sensitivity = sensitivity
            } else {
                sensitivities.append(ModelSensitivity(model: model, sensitivity: sensitivity))
                if !models.contains(model), model != stopModel {
                    reader.refuse("wake", "sensitivity", "\(model) is not among the models that are listened for")
                }
            }
        }
        sending = reader.choice("wake", "send", default: .after)
        gateDecibels = reader.decimal("wake", "gate_db", default: 6, range: 0...20, unit: "dB")
        phrase = reader.text("wake", "phrase", default: "puck", longestBytes: 64)
        thresholdDecibels = reader.decimal("wake", "threshold_db", default: 10, range: 3...40, unit: "dB")
        minimumLevelDecibels = reader.decimal("wake", "minimum_level_db", default: -55, range: -90...0, unit: "dBFS")
        onsetMilliseconds = reader.integer("wake", "onset_ms", default: 80, range: 20...500, unit: "ms")
        hangoverMilliseconds = reader.integer("wake", "hangover_ms", default: 300, range: 50...2000, unit: "ms")
        refractoryMilliseconds = reader.integer("wake", "refractory_ms", default: 1500, range: 0...10_000, unit: "ms")
        prerollMilliseconds = reader.integer("wake", "preroll_ms", default: 300, range: 0...600, unit: "ms")
        if models.contains(stopModel) || models.count == WakeListener.mostModels && !stopModel.isEmpty {
            reader.refuse("wake", "stop", "\(stopModel) is one model too many, or among models already")
        }
        if detector == .model, models.isEmpty {
            reader.refuse("wake", "models", "empty; name a wake word, or set detector = manual")
        }
    }

    func sensitivity(of model: String) -> Sensitivity {
        sensitivities.first { $0.model == model }?.sensitivity ?? sensitivity
    }

    /// "very", or "okay_nabu:very".
    private static func parse(_ word: String) -> (model: String, sensitivity: Sensitivity)? {
        guard let colon = word.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            return Sensitivity(word).map { ("", $0) }
        }
        let model = String(word[..<colon])
        guard WakeManifest.isName(model) else { return nil }
        return Sensitivity(String(word[word.utf8.index(after: colon)...])).map { (model, $0) }
    }

    /// Whether what differs can be taken over by a puckd that runs.
    func isReloadable(as fresh: WakeSettings) -> Bool {
        if (detector == .model) != (fresh.detector == .model) || detector != fresh.detector { return false }
        var same = fresh
        (same.models, same.folders, same.sensitivity) = (models, folders, sensitivity)
        (same.sensitivities, same.sending, same.stopModel) = (sensitivities, sending, stopModel)
        return self == same
    }
}

private func joinedFolders() -> String { WakeFolders.usual[0] + ", " + WakeFolders.usual[1] }

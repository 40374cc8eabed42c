/// How readily a model wakes its puck.
public enum Sensitivity: Equatable, Sendable {
    /// As the manifest says.
    case slightly
    case moderately
    case very
    /// The cutoff itself, 0…1.
    case cutoff(Double)

    /// "slightly", "moderately", "very", or a probability such as 0.9 or 90%; nil for anything else.
    public init?(_ text: String) {
        switch text {
        case "slightly": self = .slightly
        case "moderately": self = .moderately
        case "very": self = .very
        default:
            guard let value = parseProbability(text) else { return nil }
            self = .cutoff(value)
        }
    }

    /// What the mean of a model's outputs must exceed.
    ///
    /// The words are those of Home Assistant's Voice PE, whose cutoffs for okay_nabu are 0.85, 0.69 and 0.56, for
    /// hey_jarvis 0.97, 0.92 and 0.83: the distance to 1 grows about twofold and threefold. A model with a low cutoff keeps
    /// 80 and 60 % of it.
    public func cutoff(manifest: Double) -> Double {
        switch self {
        case .slightly: manifest
        case .moderately: max(1 - 2 * (1 - manifest), 0.8 * manifest)
        case .very: max(1 - 3 * (1 - manifest), 0.6 * manifest)
        case .cutoff(let value): value
        }
    }
}

/// Why a model cannot be used, in words for its owner.
public struct ModelError: Error, Equatable, CustomStringConvertible {
    public enum Kind: Equatable, Sendable {
        /// Not a TensorFlow Lite file, or not whole: another copy may help.
        case damaged
        /// A file in order, with something in it that this program does not run.
        case unsupported
        /// Larger than this program allows.
        case tooLarge
    }

    public let kind: Kind
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    static func damaged(_ what: String) -> ModelError {
        ModelError(.damaged, "the model file is damaged: \(what); fetch it again")
    }

    static func unsupported(_ what: String) -> ModelError {
        ModelError(.unsupported, "the model cannot be run here: \(what)")
    }

    static func tooLarge(_ what: String) -> ModelError {
        ModelError(.tooLarge, "the model is too large: \(what)")
    }
}

/// What a model may ask for. The models of microWakeWord take a tenth of it or less.
public enum ModelLimits {
    /// Bytes of a file.
    public static let fileBytes = 1 << 20
    /// Bytes of memory that a loaded model takes.
    public static let memoryBytes = 2 << 20
    /// Multiplications, or bytes copied, for one output.
    public static let workUnits = 4 << 20
    static let subgraphs = 4
    /// In each of the subgraphs.
    static let tensors = 512
    static let operators = 512
    /// Of all tensors together: many can share one list of the file.
    static let scales = 65_536
    static let operatorCodes = 128
    static let buffers = 4_096
    static let variables = 128
    static let nameBytes = 256
    static let operands = 64
    static let rank = 5
    static let elements = 1 << 18
}

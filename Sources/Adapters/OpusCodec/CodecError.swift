import COpus

/// libopus refused something.
public struct CodecError: Error, Equatable, Sendable {
    /// libopus's code, negative (opus_defines.h).
    public var code: Int32
    /// What was being done.
    public var operation: Operation

    public enum Operation: String, Sendable {
        case makeEncoder = "making an Opus encoder"
        case configureEncoder = "configuring the Opus encoder"
        case encode = "encoding"
        case makeDecoder = "making an Opus decoder"
        case decode = "decoding"
        case conceal = "concealing a lost packet"
    }

    public var description: String { operation.rawValue + ": " + String(cString: opus_strerror(code)) }

    static func check(_ code: Int32, _ operation: Operation) throws(CodecError) {
        if code < 0 { throw CodecError(code: code, operation: operation) }
    }
}

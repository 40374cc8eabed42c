/// What can go wrong while a loop, a client or a server is set up. Never thrown once it runs: a running link reports
/// a `LinkFailure`.
public enum TransportError: Error, Equatable, Sendable {
    /// A system call failed; `code` is its errno.
    case system(call: String, code: Int32)
    /// libwebsockets did not start; its own lines in the log say why.
    case library(String)
    /// A setting that cannot work: the text says which one and what to write instead.
    case configuration(String)
    /// The address cannot be listened on.
    case cannotListen(address: String, port: UInt16, code: Int32)

    /// One sentence: what is wrong and what to do.
    public var message: String {
        switch self {
        case .system(let call, let code):
            return "\(call) failed: \(systemMessage(code)) (errno \(code))"
        case .library(let what):
            return "\(what); the log lines before this one name the cause"
        case .configuration(let text):
            return text
        case .cannotListen(let address, let port, let code):
            return "cannot listen on \(address) port \(port): \(systemMessage(code)); "
                + "choose another address or port, or stop the program that holds it"
        }
    }
}

/// How much a line of the log matters. libwebsockets itself is only ever heard at `warning` and `error`.
public enum TransportLogLevel: Int, Comparable, Sendable {
    case debug, info, warning, error

    public static func < (a: TransportLogLevel, b: TransportLogLevel) -> Bool { a.rawValue < b.rawValue }
}

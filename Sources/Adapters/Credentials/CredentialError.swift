import CLinux
import COpenSSL
import PuckBase

/// What can be wrong with certificates, keys and tokens.
public enum CredentialError: Error, Equatable, Sendable {
    /// A file could not be read or written; `code` is the errno of `call`.
    case file(path: String, call: String, code: Int32)
    /// A line of a token file cannot be understood.
    case line(path: String, number: Int, problem: String)
    /// Something the caller asked for cannot be: the text says what to write instead.
    case invalid(String)
    /// OpenSSL refused; its own words.
    case library(String)

    /// One sentence: what is wrong and what to do.
    public var message: String {
        switch self {
        case .file(let path, let call, let code):
            let text = strerror(code).map { String(cString: $0) } ?? "error \(code)"
            let advice = storageAdvice(errno: code) ?? "check that the folder exists and belongs to this user"
            return "\(path): \(call) failed: \(text); \(advice)"
        case .line(let path, let number, let problem):
            return "\(path):\(number): \(problem)"
        case .invalid(let text):
            return text
        case .library(let text):
            return "OpenSSL: \(text)"
        }
    }
}

/// The reason on top of OpenSSL's error queue, which is emptied.
func openSSLError(_ doing: String) -> CredentialError {
    let code = ERR_peek_last_error()
    ERR_clear_error()
    guard code != 0 else { return .library("\(doing) failed") }
    var text = [CChar](repeating: 0, count: 256)
    ERR_error_string_n(code, &text, text.count)
    return .library("\(doing) failed: " + text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
}

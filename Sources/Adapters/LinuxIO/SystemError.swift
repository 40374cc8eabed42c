import CLinux

/// A system call that failed: what was tried, on what, and errno.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was being done, as the start of a sentence: "cannot open /etc/puckd.conf".
    public let action: String
    /// errno, as the call left it; 0 when the fault is in the input and no call failed.
    public let code: Int32
    /// What the user can do about it; empty when there is nothing to say.
    public let advice: String

    public init(_ action: String, code: Int32, advice: String = "") {
        self.action = action
        self.code = code
        self.advice = advice
    }

    public var description: String {
        var text = action
        if code != 0 { text += ": " + errorText(code) }
        if !advice.isEmpty { text += "; " + advice }
        return text
    }
}

/// The system's words for an errno value, such as "No such file or directory". Any thread: glibc keeps `strerror`'s
/// buffer per thread since 2.32, and Debian 12 has 2.36.
public func errorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// Repeats a system call that a signal interrupted. Unbounded by intention: each turn consumes a signal.
@inline(__always)
func retryingInterrupted(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || puck_errno() != EINTR { return result }
    }
}

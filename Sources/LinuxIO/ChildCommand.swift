import CLinux
import PuckBase

/// A command of the configuration, run without a shell: its words are its arguments, so that nothing in them can mean
/// anything else. The child gets no input, this process's standard error, and no blocked or ignored signals.
public struct ChildCommand {
    /// Nil once its end has been seen.
    private var process: pid_t?
    private let name: String

    /// - Parameter words: the program (looked for in PATH when it has no slash) and its arguments; at least one.
    public init(_ words: [String]) throws(SystemError) {
        precondition(!words.isEmpty, "a command has at least a name")
        name = words[0]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, 2, 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        sigaddset(&none, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var started: pid_t = 0
        let code = posix_spawnp(&started, words[0], &actions, &attributes, arguments, puck_environment())
        if code != 0 {
            throw SystemError("cannot run \(words[0])", code: code, advice: "give the program's whole path")
        }
        process = started
    }

    /// The status it has ended with (negative: the signal that ended it); nil while it runs, and once that was said.
    /// Never waits.
    public mutating func ended() -> Int32? {
        guard let running = process else { return nil }
        var raw: Int32 = 0
        guard waitpid(running, &raw, WNOHANG) != 0 else { return nil }
        process = nil
        return raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 0 &- (raw & 0x7F)
    }

    /// SIGKILL when it still runs, and waits for the end of that.
    public mutating func end() {
        guard let running = process else { return }
        kill(running, SIGKILL)
        var raw: Int32 = 0
        waitpid(running, &raw, 0)
        process = nil
    }
}

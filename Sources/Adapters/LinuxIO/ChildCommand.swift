import CLinux
import PuckBase

/// A command of the configuration, run without a shell: its words are its arguments, so that nothing in them can mean
/// anything else. The child gets no input, this process's standard error, no blocked or ignored signals, and mostly a
/// process group of its own. Nothing here waits.
public struct ChildCommand {
    /// Nil once its end has been seen.
    private var process: pid_t?
    private let name: String
    private let sharesGroup: Bool

    /// - Parameters:
    ///   - words: the program (looked for in PATH when it has no slash) and its arguments; at least one.
    ///   - output: where its standard output goes; this process's standard error by default.
    ///   - isQuiet: what it says goes nowhere.
    ///   - sharesGroup: it stays in this process's group, and gets the signals that the group gets.
    public init(
        _ words: [String], output: Int32 = 2, isQuiet: Bool = false, sharesGroup: Bool = false
    ) throws(SystemError) {
        precondition(!words.isEmpty, "a command has at least a name")
        name = words[0]
        self.sharesGroup = sharesGroup
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        if isQuiet {
            if output == 2 { posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) }
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        sigaddset(&none, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &none)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (sharesGroup ? 0 : POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(&attributes, Int16(flags))
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

    /// The status it has ended with (negative: the signal that ended it; 127 when that cannot be learned); nil while it
    /// runs, and once that was said.
    public mutating func ended() -> Int32? {
        guard let running = process else { return nil }
        var raw: Int32 = 0
        let found = waitpid(running, &raw, WNOHANG)
        guard found != 0 else { return nil }
        process = nil
        return found < 0 ? 127 : raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 0 &- (raw & 0x7F)
    }

    /// SIGKILL to it and, where it has a group of its own, to what it has started. Its end is seen by `ended`, when the
    /// kernel has let go of it: a process that waits for dead hardware takes its time.
    public func kill() {
        if let process { _ = CLinux.kill(sharesGroup ? process : -process, SIGKILL) }
    }
}

import Foundation
import LinuxIO
import PuckBase

/// A process that the demo started, and ends: by its process id, and only once it is known to be ours and alive.
final class Child {
    let name: String
    let pid: pid_t
    /// As `waitpid` gave it; nil while it runs.
    private(set) var status: Int32?

    /// Starts `executable` with its standard output and error going to files.
    ///
    /// It runs under setpriv(1), which has the kernel kill it when the demo itself is killed: nothing is left behind in
    /// any case. The process id stays the same, since setpriv executes it in place.
    init(
        name: String, executable: String, arguments: [String], environment: [String: String] = [:],
        input: String = "/dev/null", output: String, errors: String
    ) throws(DemoError) {
        self.name = name
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        if errors == output {
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        }
        let words = ["setpriv", "--pdeathsig", "KILL", "--", executable] + arguments
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        variables["JOURNAL_STREAM"] = nil  // or a daemon might write journald's style
        let argv = words.map { strdup($0) } + [nil]
        let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, "setpriv", &actions, nil, argv, envp)
        guard error == 0 else { throw DemoError("cannot start \(name): \(String(cString: strerror(error)))") }
        self.pid = pid
    }

    /// Whether it has ended. Collects it, so that its id is not used again before.
    func hasEnded() -> Bool {
        if status != nil { return true }
        var raw: Int32 = 0
        if waitpid(pid, &raw, WNOHANG) == pid { status = raw }
        return status != nil
    }

    /// 0…255 when it left by itself, nil while it runs and when a signal ended it.
    var exitCode: Int32? { status.flatMap { $0 & 0x7F == 0 ? ($0 >> 8) & 0xFF : nil } }

    var ending: String {
        guard let status else { return "still runs" }
        return exitCode.map { "left with status \($0)" } ?? "was ended by signal \(status & 0x7F)"
    }

    private func signal(_ number: Int32) { if !hasEnded() { kill(pid, number) } }

    /// Ends all of `children`: SIGTERM, and after `grace` seconds SIGKILL. Returns those that had to be killed.
    @discardableResult
    static func end(_ children: [Child], grace: Double = 2) -> [Child] {
        for child in children { child.signal(SIGTERM) }
        wait(for: children, seconds: grace)
        let stubborn = children.filter { !$0.hasEnded() }
        for child in stubborn { child.signal(SIGKILL) }
        wait(for: stubborn, seconds: 2)
        return stubborn
    }

    private static func wait(for children: [Child], seconds: Double) {
        let limit = MonotonicClock.now() + .milliseconds(Int(seconds * 1000))
        while !children.allSatisfy({ $0.hasEnded() }), MonotonicClock.now() < limit { usleep(5000) }
    }
}

/// A program that is run to its end.
enum Tool {
    /// None of them needs more than a moment.
    static let longestSeconds = 10

    /// - Returns: what it wrote to standard output.
    @discardableResult
    static func run(
        _ executable: String, _ arguments: [String], input: URL? = nil, in folder: URL
    ) throws(DemoError) -> String {
        let name = executable.split(separator: "/").last.map(String.init) ?? executable
        let output = folder.appending(path: "\(name).out").path
        let errors = folder.appending(path: "\(name).err").path
        let child = try Child(
            name: name, executable: executable, arguments: arguments, input: input?.path ?? "/dev/null",
            output: output, errors: errors)
        let limit = MonotonicClock.now() + .seconds(longestSeconds)
        while !child.hasEnded() {
            if MonotonicClock.now() > limit || Interruption.came {
                Child.end([child])
                throw DemoError(Interruption.came ? "interrupted" : "\(name) took more than \(longestSeconds) s")
            }
            usleep(2000)
        }
        guard child.exitCode == 0 else {
            let said = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
            throw DemoError("\(name) \(child.ending): \(said.trimmingCharacters(in: .whitespacesAndNewlines))")
        }
        return (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
    }
}

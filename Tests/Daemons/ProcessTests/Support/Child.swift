import Foundation
import LinuxIO

/// Something that was waited for did not come; says what, and what the process had to say instead.
struct Disappointment: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// How long a test waits for something before it is called broken. Generous: the machine may be slow, or run sanitizers.
let patience = Duration.seconds(40)

/// Looks every 5 ms whether `condition` holds. Throws what `complaint` says when it does not in time.
func eventually(_ complaint: @autoclosure () -> String, _ condition: () async throws -> Bool) async throws {
    let limit = ContinuousClock.now + patience
    while try await !condition() {
        if ContinuousClock.now > limit { throw Disappointment(complaint()) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Seconds of computing on a thread of its own: the tests share as many as there are processors, and those who wait for a
/// daemon are to see it when it moves.
func offThePool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}

/// A daemon or tool that a test started. Ended by its process id, once it is known to be ours and alive.
final class Child {
    let name: String
    let pid: pid_t
    /// Standard output and error.
    let outputFile: URL
    /// As `waitpid` gave it; nil while it runs.
    private(set) var waitStatus: Int32?
    /// Lines of the log that `line` has gone past.
    private var linesSeen = 0

    init(_ program: String, _ arguments: [String], name: String, in folder: URL, _ environment: [String: String] = [:])
        throws
    {
        self.name = name
        outputFile = folder.appending(path: "\(name)-\(UUID().uuidString.prefix(8)).log")
        pid = try Spawner.shared.spawn(program, arguments, environment, output: outputFile.path)
    }

    deinit { kill() }

    // MARK: Signals and ends

    func signal(_ number: Int32) { if !hasEnded { Foundation.kill(pid, number) } }

    /// Collects the process as soon as it has ended, so that its id is never used again while we know it.
    var hasEnded: Bool {
        if waitStatus == nil {
            var raw: Int32 = 0
            if waitpid(pid, &raw, WNOHANG) == pid { waitStatus = raw }
        }
        return waitStatus != nil
    }

    /// SIGKILL, and waits for the end of it: no longer than the kernel needs.
    func kill() {
        if hasEnded { return }
        Foundation.kill(pid, SIGKILL)
        var raw: Int32 = 0
        if waitpid(pid, &raw, 0) == pid { waitStatus = raw }
    }

    /// Waits for the end. Negative: the signal that ended it.
    @discardableResult
    func exitStatus() async throws -> Int32 {
        try await eventually("\(name) does not end; it said:\n\(tail)") { hasEnded }
        let status = waitStatus!
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }

    /// SIGTERM; the status it ended with and how long that took.
    func terminate() async throws -> (status: Int32, took: Duration) {
        let start = ContinuousClock.now
        signal(SIGTERM)
        let status = try await exitStatus()
        return (status, ContinuousClock.now - start)
    }

    // MARK: What it says

    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    var tail: String { output.split(separator: "\n").suffix(25).joined(separator: "\n") }

    var log: [LogLine] {
        // The last part is empty, or a line in the making.
        output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().compactMap {
            LogLine.parse(String($0))
        }
    }

    /// Waits for the next line of the log with this event whose fields contain these texts, and goes past it.
    @discardableResult
    func line(_ event: String, _ fields: [String: String] = [:]) async throws -> LogLine {
        var found: LogLine?
        try await eventually("\(name) never logged \(event) \(fields); it said:\n\(tail)") {
            let lines = log
            let match = lines.indices.first { $0 >= linesSeen && lines[$0].matches(event, fields) }
            if let match {
                found = lines[match]
                linesSeen = match + 1
            } else if hasEnded, log.count == lines.count {
                throw Disappointment("\(name) ended before it logged \(event) \(fields); it said:\n\(tail)")
            }
            return match != nil
        }
        return found!
    }

    /// Waits for one of several events, whichever comes first.
    func first(of events: [String]) async throws -> LogLine {
        var found: LogLine?
        try await eventually("\(name) logged none of \(events); it said:\n\(tail)") {
            let lines = log
            if let match = lines.indices.first(where: { $0 >= linesSeen && events.contains(lines[$0].event) }) {
                found = lines[match]
                linesSeen = match + 1
            }
            return found != nil
        }
        return found!
    }

    func hasLogged(_ event: String, _ fields: [String: String] = [:]) -> Bool {
        log.contains { $0.matches(event, fields) }
    }

    /// What comes from now on is news; what was said before is not looked at again.
    func forgetThePast() { linesSeen = log.count }
}

extension LogLine {
    func matches(_ event: String, _ fields: [String: String]) -> Bool {
        self.event == event && fields.allSatisfy { self[$0.key]?.contains($0.value) ?? false }
    }
}

/// Starts processes from a thread that lives as long as the tests do. The kernel kills them when that thread ends
/// (setpriv's --pdeathsig), so nothing is left behind even when the tests are killed; a pool's thread may end earlier.
final class Spawner: @unchecked Sendable {  // Sound: `request` is only touched between the two semaphores.
    static let shared = Spawner()
    /// More than all tests together have open at a time.
    private static let highestDescriptor: Int32 = 511

    private let lock = NSLock()
    private let asked = DispatchSemaphore(value: 0)
    private let answered = DispatchSemaphore(value: 0)
    private var request: () -> Void = {}

    private init() {
        Thread.detachNewThread { [self] in
            while true {
                asked.wait()
                request()
                answered.signal()
            }
        }
    }

    func spawn(
        _ program: String, _ arguments: [String], _ environment: [String: String], output: String
    ) throws -> pid_t {
        var pid: pid_t = 0
        var error: Int32 = 0
        lock.withLock {
            request = { error = Self.start(&pid, program, arguments, environment, output) }
            asked.signal()
            answered.wait()
        }
        guard error == 0 else { throw Disappointment("cannot start \(program): \(String(cString: strerror(error)))") }
        return pid
    }

    private static func start(
        _ pid: inout pid_t, _ program: String, _ arguments: [String], _ environment: [String: String], _ output: String
    ) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Other tests of this process have descriptors open that a daemon must not hold; one that is not open is no
        // error here.
        for descriptor in 3...Self.highestDescriptor { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let words = ["setpriv", "--pdeathsig", "KILL", "--", program] + arguments
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        variables["JOURNAL_STREAM"] = nil  // or a daemon might write journald's style
        let argv = words.map { strdup($0) } + [nil]
        let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        return posix_spawnp(&pid, "setpriv", &actions, nil, argv, envp)
    }
}

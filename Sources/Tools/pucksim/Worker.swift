import Foundation
import Simulator

/// What a worker process says about one plan: one line of JSON.
struct Answer: Codable {
    var checker: String?
    var isLiveness: Bool?
    var line: String?
    var faults: Int
    var hash: UInt64
    /// The worker trapped; said by whoever waited for it.
    var crash: String?
    var counts: [Int]?

    init(_ outcome: Outcome) {
        checker = outcome.violation?.checker.rawValue
        isLiveness = outcome.violation?.checker.isLiveness
        line = outcome.violation?.line
        faults = outcome.faults
        hash = outcome.hash
    }

    init(crash: String) {
        faults = 0
        hash = 0
        self.crash = crash
    }

    var isClean: Bool { checker == nil && crash == nil }

    /// Of the process that reports it: the worst of many counts.
    var status: Int32 { crash != nil ? 127 : checker == nil ? 0 : isLiveness == true ? 128 : 129 }
}

/// A child of this program that runs the plans it is handed, one at a time, so that a trap ends only that one.
final class Worker {
    /// The slowest seed takes about a second; one that takes this long will never end.
    static let patienceSeconds = 300.0

    private var process: Process?
    private var input: FileHandle?
    private var output: FileHandle?
    private var buffer = Data()

    /// The child's half: plans in as lines of options, answers out.
    static func serve() {
        while let line = readLine() {
            guard let options = try? Options(arguments: line.split(separator: " ").map(String.init)) else { exit(2) }
            let answer = Answer(House(options.plan).run())
            guard let data = try? JSONEncoder().encode(answer) else { exit(2) }
            FileHandle.standardOutput.write(data + Data([10]))
        }
    }

    func run(_ plan: Plan) -> Answer {
        do {
            let (process, input) = try start()
            try input.write(contentsOf: Data("replay \(plan.arguments)\n".utf8))
            if let answer = readAnswer(process) { return answer }
            process.waitUntilExit()
            self.process = nil
            let how = process.terminationReason == .uncaughtSignal ? "signal" : "status"
            return Answer(crash: "the run ended by \(how) \(process.terminationStatus)")
        } catch {
            self.process = nil
            return Answer(crash: "the run could not be started: \(error.localizedDescription)")
        }
    }

    private func start() throws -> (Process, FileHandle) {
        if let process, let input { return (process, input) }
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["worker"]
        // Whoever wants to see where it trapped replays the seed.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        let toChild = Pipe()
        let fromChild = Pipe()
        process.standardInput = toChild
        process.standardOutput = fromChild
        try process.run()
        self.process = process
        input = toChild.fileHandleForWriting
        output = fromChild.fileHandleForReading
        buffer = Data()
        return (process, toChild.fileHandleForWriting)
    }

    /// Nil when the child ended, or was ended because it took too long.
    private func readAnswer(_ process: Process) -> Answer? {
        guard let output else { return nil }
        let deadline = Date().addingTimeInterval(Self.patienceSeconds)
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = buffer[..<end]
                buffer = buffer[buffer.index(after: end)...]
                return try? JSONDecoder().decode(Answer.self, from: Data(line))
            }
            var descriptor = pollfd(fd: output.fileDescriptor, events: Int16(POLLIN), revents: 0)
            let left = deadline.timeIntervalSinceNow
            if left <= 0 || poll(&descriptor, 1, Int32(min(left, 60) * 1000)) < 0 {
                process.terminate()
                return nil
            }
            if descriptor.revents == 0 { continue }
            let data = output.availableData
            if data.isEmpty { return nil }
            buffer += data
        }
    }

    /// Ends the child.
    func stop() {
        try? input?.close()
        process?.waitUntilExit()
        process = nil
    }
}

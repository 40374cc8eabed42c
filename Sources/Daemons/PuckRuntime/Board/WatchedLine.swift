import BoardIO
import LinkTransport
import LinuxIO
import PuckBase
import PuckCore

/// An open line as the loop needs it: BoardIO's, or a test's. It is given back with the last copy of this.
struct OpenLine {
    /// Readable while edges wait.
    let descriptor: Int32
    /// For the log.
    let place: String
    let isActive: () throws(LineError) -> Bool
    /// Takes some of the edges that wait, oldest first; none when none does.
    let readEdges: () throws(LineError) -> [Edge]
    /// Why the descriptor hung up.
    let lost: () -> LineError

    typealias Opener = (LineRequest) throws(LineError) -> OpenLine

    /// A line of this machine.
    static func real(_ request: LineRequest) throws(LineError) -> OpenLine {
        let holder = Holder(try InputLine.open(request))
        return OpenLine(
            descriptor: holder.line.descriptor, place: holder.line.place,
            isActive: { () throws(LineError) in try holder.line.isActive() },
            readEdges: { () throws(LineError) in try holder.line.readEdges() },
            lost: { holder.line.lost() })
    }

    /// A line is not copyable, closures over it are.
    private final class Holder {
        let line: InputLine
        init(_ line: consuming InputLine) { self.line = line }
    }
}

/// One line in the loop: opened, watched, and when it is lost opened again, with growing pauses, for as long as it takes.
/// What happens to it goes to `onEvent`. Loop thread only.
final class WatchedLine {
    /// Of edges in one turn of the loop; the kernel keeps 16 for a line. More, and others get their turn first.
    private static let readsPerTurn = 4

    /// The level is read so often though no edge has come. Linux before 6.6 wakes nobody when a chip goes (seen with 6.1:
    /// epoll stays silent, while a read says ENODEV), and an edge may be lost. As often as the keep-alive's pings.
    static let checkEvery = Interval.seconds(5)

    let name: String
    private let request: LineRequest
    private let open: OpenLine.Opener
    private let loop: EventLoop
    private let log: Log
    private let clock: () -> Instant
    /// What it means to the user while the line cannot be read.
    private let consequence: String

    private var line: OpenLine?
    private var handle: AdoptedDescriptor?
    private var openedAt = Instant.zero
    private var hasFailed = false
    private var complaint = Complaint.attempts
    private var backoff = Backoff()
    private var random: SeededGenerator
    /// When to open the line again, or to look whether it is still there.
    private(set) var nextDeadline: Instant?

    var onEvent: (LineEvent, Instant) -> Void = { _, _ in }

    init(
        name: String, request: LineRequest, consequence: String, loop: EventLoop, log: Log,
        clock: @escaping () -> Instant, open: @escaping OpenLine.Opener
    ) {
        self.name = name
        self.request = request
        self.consequence = consequence
        self.loop = loop
        self.log = log
        self.clock = clock
        self.open = open
        random = SeededGenerator(name: name)
    }

    deinit { handle?.remove() }

    var isOpen: Bool { line != nil }

    /// Opens the line, or says why it cannot be and when it is tried again.
    func start() {
        do throws(LineError) {
            let line = try open(request)
            let isActive = try line.isActive()
            try watch(line)
            opened(line, isActive)
        } catch {
            fail(error)
        }
    }

    /// The line's own deadline has come.
    func timePassed() { if line == nil { start() } else { refresh() } }

    /// Reads the level, after the edges that wait.
    func refresh() {
        guard let line else { return }
        nextDeadline = clock() + Self.checkEvery
        do throws(LineError) {
            try drain(line)
            onEvent(.levelRead(isActive: try line.isActive()), clock())
        } catch {
            fail(error)
        }
    }

    private func watch(_ line: OpenLine) throws(LineError) {
        do throws(TransportError) {
            // Sound: the handle is removed before this object goes.
            handle = try loop.adopt(fileDescriptor: line.descriptor) { [unowned(unsafe) self] in happened($0) }
        } catch {
            throw LineError(
                .other, context: "\(line.place) cannot be watched: \(error.message)",
                advice: "It is tried again by itself.")
        }
    }

    private func opened(_ line: OpenLine, _ isActive: Bool) {
        self.line = line
        openedAt = clock()
        nextDeadline = openedAt + Self.checkEvery
        let fields = [Field("line", name), Field("place", line.place), Field("active", isActive)]
        complaint.end()
        if hasFailed { log.notice("gpio.recovered", fields) } else { log.notice("gpio.open", fields) }
        onEvent(.opened(isActive: isActive), openedAt)
    }

    private func happened(_ readiness: Readiness) {
        guard let line else { return }
        do throws(LineError) {
            if readiness.contains(.readable) { try drain(line) }
            if readiness.contains(.error) || readiness.contains(.hangUp) { throw line.lost() }
        } catch {
            fail(error)
        }
    }

    private func drain(_ line: OpenLine) throws(LineError) {
        for _ in 0..<Self.readsPerTurn {
            let edges = try line.readEdges()
            if edges.isEmpty { return }
            let now = clock()
            // A time to come is of another clock (Linux before 5.7): then the edge is as old as this reading.
            for edge in edges { onEvent(.edge(isActive: edge.isActive, at: min(edge.time, now)), now) }
        }
    }

    private func fail(_ error: LineError) {
        let now = clock()
        // A line that stayed for a while begins the row of pauses anew; one that comes and goes does not.
        if line != nil, now - openedAt >= Backoff.stableAfter { backoff.reset() }
        handle?.remove()
        handle = nil
        line = nil
        hasFailed = true
        let pause = backoff.nextPause(using: &random)
        nextDeadline = now + pause
        defer { onEvent(.lost, now) }
        guard complaint.take(error.context, now: now) != nil else { return }
        log.error(
            "gpio.failed",
            [
                Field("line", name), Field("detail", error.context), Field("advice", error.advice),
                Field("meanwhile", consequence), Field("retry_ms", pause.wholeMilliseconds),
            ])
    }
}

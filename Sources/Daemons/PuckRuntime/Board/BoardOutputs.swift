import BoardIO
import LinuxIO
import PuckBase
import PuckWire

/// A line that is held and driven: BoardIO's, or a test's. It is given back with the last copy of this.
struct DrivenLine {
    /// For the log.
    let place: String
    let set: (Bool) throws(LineError) -> Void

    typealias Opener = (LineRequest) throws(LineError) -> DrivenLine

    /// A line of this machine.
    static func real(_ request: LineRequest) throws(LineError) -> DrivenLine {
        let holder = Holder(try OutputLine.open(request))
        return DrivenLine(place: holder.line.place, set: { (on) throws(LineError) in try holder.line.set(on) })
    }

    /// A line is not copyable, closures over it are.
    private final class Holder {
        let line: OutputLine
        init(_ line: consuming OutputLine) { self.line = line }
    }
}

/// The board's power lines and its amplifier. On: power in the configured order, then, once sound can be played, the
/// amplifier. Off: the amplifier first, then power in the opposite order; an amplifier that is on while its source
/// comes or goes is heard. Loop thread only.
///
/// A line that is busy, or whose chip goes, is said and tried again for ever, with growing pauses.
final class BoardOutputs {
    private struct Output {
        let name: String
        let request: LineRequest
        var line: DrivenLine?
        var hasFailed = false
        var complaint = Complaint.attempts
        var backoff = Backoff()
        /// When it is opened again, or looked at; nil before it is first switched on.
        var due: Instant?
    }

    private var outputs: [Output]
    private let log: Log
    private let clock: () -> Instant
    private let open: DrivenLine.Opener
    private var random = SeededGenerator(name: "outputs")

    /// Nil when nothing is wired.
    init?(
        _ settings: GPIOSettings, log: Log, clock: @escaping () -> Instant = MonotonicClock.now,
        open: @escaping DrivenLine.Opener = DrivenLine.real
    ) {
        outputs = settings.powerRequests.map { Output(name: $0.name, request: $0.request) }
        if let amplifier = settings.amplifierRequest {
            outputs.append(Output(name: Self.amplifier, request: amplifier))
        }
        if outputs.isEmpty { return nil }
        self.log = log
        self.clock = clock
        self.open = open
    }

    /// Power, and time for what it feeds to come up, for a command that needs the board and ends; `powerDown` takes it
    /// away. What fails is a line on standard error. Nil when there is nothing to switch.
    static func powered(_ settings: GPIOSettings) -> BoardOutputs? {
        if settings.power.isEmpty { return nil }
        let outputs = BoardOutputs(settings, log: Log.standardError(level: .error))
        outputs?.powerUp()
        if settings.powerSettleMilliseconds > 0 { sleepMilliseconds(settings.powerSettleMilliseconds) }
        return outputs
    }

    private static let amplifier = "amplifier"

    /// Everything but the amplifier.
    func powerUp() {
        for i in outputs.indices where outputs[i].name != Self.amplifier { switchOn(i) }
    }

    func amplifierOn() {
        for i in outputs.indices where outputs[i].name == Self.amplifier { switchOn(i) }
    }

    func amplifierOff() {
        for i in outputs.indices where outputs[i].name == Self.amplifier { switchOff(i) }
    }

    /// Gives everything back, the last first.
    func powerDown() {
        for i in outputs.indices.reversed() { switchOff(i) }
    }

    var nextDeadline: Instant? {
        var next: Instant?
        for output in outputs { next = earliest(next, output.due) }
        return next
    }

    /// One that is wired does not work.
    var isDegraded: Bool { outputs.contains { $0.due != nil && $0.line == nil } }

    /// For `puckctl status`.
    func describe(_ json: inout JSONWriter) {
        var last = ""
        for output in outputs where output.due != nil && output.name != last {
            last = output.name
            // Of several power lines the worst counts.
            let isBroken = outputs.contains { $0.name == last && $0.due != nil && $0.line == nil }
            json.set(named: last, isBroken ? "failed" : "on")
        }
    }

    func timePassed() {
        let now = clock()
        for i in outputs.indices {
            if let due = outputs[i].due, due <= now { switchOn(i) }
        }
    }

    /// Opens the line where it is not open, and makes it active; on an open one that also shows whether its chip is
    /// still there.
    private func switchOn(_ i: Int) {
        do throws(LineError) {
            if let line = outputs[i].line {
                try line.set(true)
                outputs[i].due = clock() + WatchedLine.checkEvery
                return outputs[i].backoff.reset()
            }
            let line = try open(outputs[i].request)
            try line.set(true)
            outputs[i].line = line
            outputs[i].due = clock() + WatchedLine.checkEvery
            let fields = [Field("line", outputs[i].name), Field("place", line.place)]
            outputs[i].complaint.end()
            if outputs[i].hasFailed { log.notice("gpio.recovered", fields) } else { log.notice("gpio.on", fields) }
        } catch {
            outputs[i].line = nil
            outputs[i].hasFailed = true
            let pause = outputs[i].backoff.nextPause(using: &random)
            let now = clock()
            outputs[i].due = now + pause
            guard outputs[i].complaint.take(error.context, now: now) != nil else { return }
            log.error(
                "gpio.failed",
                [
                    Field("line", outputs[i].name), Field("detail", error.context), Field("advice", error.advice),
                    Field("retry_ms", pause.wholeMilliseconds),
                ])
        }
    }

    private func switchOff(_ i: Int) {
        outputs[i].due = nil
        guard let line = outputs[i].line else { return }
        // A chip that has gone has nothing left to switch off.
        do throws(LineError) { try line.set(false) } catch {}
        outputs[i].line = nil
    }
}

import CLinux
import PuckBase
import Synchronization

/// The thread that watches the others: it looks at their pulses, wakes the loop so that an idle one has something to
/// beat for, tells the service manager that all is well, and names in the log whoever stands still, before the manager
/// ends the process.
///
/// Costs one wake-up of two threads in a quarter of the manager's watchdog time, or in 5 s when there is none.
public final class ThreadWatch {
    /// Without a watchdog: how often it looks, and from when on a thread stands still.
    static let lookEvery = Interval.seconds(5)
    static let limit = Interval.seconds(10)
    static let stackBytes = 64 * 1024

    /// Readable when the loop is to call `turned`. Owned by this object.
    public var turnDescriptor: Int32 { turn.descriptor }

    private let turn: EventDescriptor
    private let stopEvent: EventDescriptor
    private let loopPulse = Pulse()
    /// The manager was told that a thread stood still, and it does not any more.
    private let isStatusStale = StaleStatus()
    private var thread: Thread?

    /// Starts at once. Whoever owns the pulses keeps them until after `stop`.
    /// - Parameter threads: the audio threads, say, each with its name for the log; the loop is added.
    public init(_ threads: [(name: String, pulse: Pulse)], manager: ServiceManager?, log: Log) throws(SystemError) {
        let turn = try EventDescriptor()
        let stopEvent = try EventDescriptor()
        self.turn = turn
        self.stopEvent = stopEvent
        let all = threads + [(name: "loop", pulse: loopPulse)]
        thread = try Thread(name: "watch", stackBytes: Self.stackBytes) { [isStatusStale] in
            Self.run(all, manager, log, turn, stopEvent, isStatusStale)
        }
    }

    deinit {
        stop()
        loopPulse.destroy()
    }

    /// Loop thread: it has come round.
    /// - Returns: whether the service manager is to be told the status again, since this object had told it another.
    public func turned() -> Bool {
        turn.drain()
        loopPulse.beat()
        return isStatusStale.value.exchange(false, ordering: .acquiringAndReleasing)
    }

    /// Ends the thread and waits for it, which takes no time. A second call does nothing.
    public func stop() {
        stopEvent.signal()
        thread?.join()
    }

    private final class StaleStatus: Sendable {
        let value = Atomic<Bool>(false)
    }

    private static func run(
        _ threads: [(name: String, pulse: Pulse)], _ manager: ServiceManager?, _ log: Log, _ turn: EventDescriptor,
        _ stopEvent: EventDescriptor, _ isStatusStale: StaleStatus
    ) {
        let watchdog = manager?.watchdog
        // Four looks in the manager's time: one may come late, and what stands still is known half-way.
        let every = watchdog.map { max(.milliseconds(10), Interval(nanoseconds: $0.nanoseconds / 4)) } ?? Self.lookEvery
        let limit = watchdog.map { Interval(nanoseconds: $0.nanoseconds / 2) } ?? Self.limit
        var watch = PulseWatch(count: threads.count, limit: limit, now: MonotonicClock.now())
        var findings: [PulseWatch.Finding] = []
        turn.signal()
        while true {
            waitReadable(stopEvent.descriptor, milliseconds: Int(every.wholeMilliseconds))
            if stopEvent.drain() > 0 { return }
            findings.removeAll(keepingCapacity: true)
            let isWell = watch.look(threads.map { $0.pulse.reading }, now: MonotonicClock.now(), into: &findings)
            if isWell, watchdog != nil { manager?.allIsWell() }
            for finding in findings {
                switch finding {
                case .stuck(let index, let time):
                    let name = threads[index].name
                    let advice =
                        (watchdog == nil ? "restart" : "the service manager restarts")
                        + " the service if it does not go on"
                    log.error(
                        "thread.stuck",
                        [Field("thread", name), Field("for_ms", time.wholeMilliseconds), Field("advice", advice)])
                    manager?.status("the \(name) thread stands still")
                case .recovered(let index, let time):
                    log.notice(
                        "thread.recovered",
                        [Field("thread", threads[index].name), Field("after_ms", time.wholeMilliseconds)])
                    isStatusStale.value.store(true, ordering: .releasing)
                }
            }
            turn.signal()
        }
    }
}

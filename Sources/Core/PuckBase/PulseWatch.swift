/// Whether the threads of a daemon go on, judged by how often each of them has beaten: a thread beats when it has got
/// something done, and rests when it waits for work that need not come. Pure; whoever looks brings the time.
public struct PulseWatch: Sendable {
    /// One thread at one look.
    public struct Reading: Equatable, Sendable {
        public var beats: Int
        public var isResting: Bool

        public init(beats: Int, isResting: Bool) {
            self.beats = beats
            self.isResting = isResting
        }
    }

    public enum Finding: Equatable, Sendable {
        /// The thread of this number stands still, for at least so long.
        case stuck(Int, Interval)
        /// It goes on, after so long.
        case recovered(Int, Interval)
    }

    private struct Thread: Sendable {
        var beats: Int
        var aliveAt: Instant
        /// Since the last `true` of `look`.
        var hasBeaten = false
        var isReported = false
    }

    /// Without a beat for so long a thread stands still.
    public let limit: Interval
    private var threads: [Thread]

    /// - Parameters:
    ///   - count: threads, numbered from 0.
    ///   - limit: without a beat for so long a thread stands still.
    ///   - now: from when on the first beats are awaited.
    public init(count: Int, limit: Interval, now: Instant) {
        self.limit = limit
        threads = [Thread](repeating: Thread(beats: 0, aliveAt: now), count: count)
    }

    /// Takes one reading of every thread.
    /// - Returns: whether each of them has beaten, or rested, since the last time that this was true: then, and only
    ///   then, the service manager may be told that all is well.
    public mutating func look(_ readings: [Reading], now: Instant, into findings: inout [Finding]) -> Bool {
        precondition(readings.count == threads.count, "a reading of every thread")
        for i in threads.indices {
            let reading = readings[i]
            if reading.isResting || reading.beats != threads[i].beats {
                if threads[i].isReported { findings.append(.recovered(i, now - threads[i].aliveAt)) }
                threads[i] = Thread(beats: reading.beats, aliveAt: now, hasBeaten: true)
            } else if !threads[i].isReported, now - threads[i].aliveAt >= limit {
                threads[i].isReported = true
                findings.append(.stuck(i, now - threads[i].aliveAt))
            }
        }
        for thread in threads where !thread.hasBeaten { return false }
        for i in threads.indices { threads[i].hasBeaten = false }
        return true
    }
}

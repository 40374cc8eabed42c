/// Where in what a device was given the silence lies that kept it running while a play was dry: those frames are not the
/// ring's, so they must not be counted as samples of it that are still to be heard.
///
/// Plain values over memory of its own, for the playback thread.
struct BridgedSilence {
    /// Stretches that are remembered; the oldest is forgotten. A device holds at most a second, and between two
    /// stretches lies at least one block of 20 ms, as each is one itself.
    static var mostRuns: Int { @_noLocks @_noAllocation get { 32 } }

    private struct Run {
        var start: Int64 = 0
        var end: Int64 = 0
    }

    private let runs: UnsafeMutablePointer<Run>
    private var newest = 0
    /// Frames that the device was given so far.
    private var written: Int64 = 0

    init() {
        runs = .allocate(capacity: Self.mostRuns)
        runs.initialize(repeating: Run(), count: Self.mostRuns)
    }

    func destroy() { runs.deallocate() }

    @_noLocks @_noAllocation
    mutating func wroteSound(_ frames: Int) { written &+= Int64(truncatingIfNeeded: frames) }

    @_noLocks @_noAllocation
    mutating func wroteSilence(_ frames: Int) {
        if runs[newest].end != written {
            newest = newest &+ 1 == Self.mostRuns ? 0 : newest &+ 1
            runs[newest] = Run(start: written, end: written)
        }
        written &+= Int64(truncatingIfNeeded: frames)
        runs[newest].end = written
    }

    /// How many of the last `frames` that were written are such silence.
    @_noLocks @_noAllocation
    func count(inLast frames: Int) -> Int {
        let from = written &- Int64(truncatingIfNeeded: frames)
        var silent: Int64 = 0
        var i = 0
        while i < Self.mostRuns {
            silent &+= max(0, runs[i].end &- max(from, runs[i].start))
            i &+= 1
        }
        return Int(truncatingIfNeeded: silent)
    }
}

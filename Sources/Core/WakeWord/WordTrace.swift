import PuckAudio

/// Where a word that a model has heard was, and how loud: what arbitration and the recording need of it.
public struct HeardWord: Equatable, Sendable {
    /// Ring position at which it began.
    public var onset: Int64
    /// Nothing of what was said after the word lies before it; less than `WordTrace.mostTailMilliseconds` of the word lie
    /// behind it.
    public var end: Int64
    /// The speaker has paused, and `end` is where: nothing of the word lies behind it.
    public var hasPaused: Bool
    /// dB relative to full scale: the word, and the room.
    public var levelDecibels: Float
    public var noiseDecibels: Float
    /// As `OnsetEnvelope` makes it, around `onset`.
    public var envelope: [Int8]
}

/// The course of the level over the last 2.5 seconds, from which the word is found when a model has heard it: a model says
/// that there was one, and neither where it began nor where it ended. Also the room's noise.
///
/// `hear` neither locks nor allocates.
public struct WordTrace: ~Copyable {
    /// A detection comes so much later than the word's last sound, at most: the measured 99th percentile (docs/WAKE.md).
    public static let latestDetectionMilliseconds = 360
    /// And so much at least, which is before its end: the measured first percentile. Slow speakers are heard early.
    public static let earliestDetectionMilliseconds = -260
    /// Of a word that is followed without a pause so much may be recorded.
    public static let mostTailMilliseconds = latestDetectionMilliseconds - earliestDetectionMilliseconds

    /// 2.56 s in steps of 5 ms.
    static var steps: Int { @_noLocks @_noAllocation get { 512 } }
    static let stepSamples = OnsetEnvelope.stepSamples
    /// A stop within a word, and a pause between the two words of a phrase, are shorter.
    static let longestGap = 250 / 5
    /// Silence for so long is a pause after the word, and no stop at the beginning of what follows.
    static let pause = 120 / 5
    static let longestWord = 1_500 / 5
    static let shortestWord = 400 / 5
    /// Speech is this far above the noise, as for the end of an utterance.
    static let aboveNoiseDecibels: Float = 6
    /// What is so much weaker than the word's peak is its echo.
    static let rangeDecibels: Float = 30

    private let energies: UnsafeMutablePointer<Int64>
    private var filled = 0
    private var next = 0
    /// Of the end of the newest step.
    private var position: Int64 = 0
    private var floor = NoiseFloor()

    public init() {
        energies = .allocate(capacity: Self.steps)
        energies.initialize(repeating: 0, count: Self.steps)
    }

    deinit { energies.deallocate() }

    /// The room, dB relative to full scale.
    public var noiseDecibels: Float { @_noLocks @_noAllocation get { floor.decibels } }

    /// What comes next does not follow what was heard. The room is the same.
    @_noLocks @_noAllocation
    public mutating func restart() { (filled, next) = (0, 0) }

    /// Takes the next 10 ms: 160 samples.
    /// - Parameter end: the position behind them.
    @_noLocks @_noAllocation
    public mutating func hear(_ samples: UnsafePointer<Int16>, end: Int64) {
        let first = Level.energy(UnsafeBufferPointer(start: samples, count: 80))
        let second = Level.energy(UnsafeBufferPointer(start: samples + 80, count: 80))
        put(first)
        put(second)
        position = end
        // Exact zeros are no room.
        if first > 0 && second > 0 { floor.observe(levelDecibels: Level.decibels(energy: first &+ second, count: 160)) }
    }

    @_noLocks @_noAllocation
    private mutating func put(_ energy: Int64) {
        energies[next] = energy
        next = next &+ 1 == Self.steps ? 0 : next &+ 1
        filled = min(filled &+ 1, Self.steps)
    }

    /// The energy of a step, counted backwards from the newest, 0.
    private func energy(_ back: Int) -> Int64 { energies[(next - 1 - back + 2 * Self.steps) % Self.steps] }

    /// The word that was heard just now, at the end of what `hear` took.
    public func word() -> HeardWord {
        let count = filled
        let noise = floor.isSettled ? floor.decibels : Level.floorDecibels
        // Over 20 ms, a period of the lowest voice and more: newest first.
        var levels = [Float](repeating: Level.floorDecibels, count: count)
        for i in 0..<count {
            var sum: Int64 = 0
            for k in i..<min(i + 4, count) { sum += energy(k) }
            levels[i] = Level.decibels(energy: sum, count: (min(i + 4, count) - i) * Self.stepSamples)
        }
        let reach = min(count, Self.longestWord)
        let peak = levels[..<reach].max() ?? Level.floorDecibels
        let gate = min(max(noise + Self.aboveNoiseDecibels, peak - Self.rangeDecibels), peak - 1)
        let last = (0..<reach).first { levels[$0] > gate } ?? 0
        let hasPaused = last >= Self.pause
        let latest = Self.latestDetectionMilliseconds / 5
        let end = hasPaused ? min(last, latest) : min(latest, count)
        let first = beginning(levels, from: last, gate: gate, reach: reach)
        var sum: Int64 = 0
        let stop = min(end, max(0, first - 1))
        for i in stop...max(stop, first - 1) where i < count { sum += energy(i) }
        let level = Level.decibels(energy: sum, count: max(1, first - stop) * Self.stepSamples)
        return HeardWord(
            onset: position - Int64(first * Self.stepSamples),
            end: position - Int64(end * Self.stepSamples), hasPaused: hasPaused,
            levelDecibels: max(level, noise), noiseDecibels: noise, envelope: envelope(first))
    }

    /// Where the word began, in steps before the present: the first of those above the gate, with gaps that are none.
    private func beginning(_ levels: [Float], from last: Int, gate: Float, reach: Int) -> Int {
        var first = last
        var i = last
        while i < reach, i - first <= Self.longestGap {
            if levels[i] > gate { first = i }
            i += 1
        }
        if i < reach || first < reach - 1 || reach < 2 { return min(first + 1, max(1, levels.count)) }
        // Somebody has spoken before without a pause: where it was weakest.
        var weakest = min(Self.shortestWord, reach - 1)
        for k in weakest..<reach where levels[k] < levels[weakest] { weakest = k }
        return max(1, weakest)
    }

    /// From 60 ms before the onset to 100 ms after it.
    private func envelope(_ first: Int) -> [Int8] {
        let start = first + OnsetEnvelope.leadSamples / Self.stepSamples
        guard start <= filled else { return [] }
        var levels: [Int8] = []
        levels.reserveCapacity(OnsetEnvelope.mostSteps)
        for k in 0..<min(OnsetEnvelope.mostSteps, start) {
            levels.append(Int8(Level.decibels(energy: energy(start - 1 - k), count: Self.stepSamples).rounded()))
        }
        return levels
    }
}

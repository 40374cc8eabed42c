import WakeModel

/// Several models over one front end: what they say about consecutive sound of 16 kHz.
///
/// All memory is taken as models are added; `hear` neither locks nor allocates.
public struct WakeListener: ~Copyable {
    /// Models that can be listened for at a time.
    public static let mostModels = 8

    /// What one model said last.
    public struct Outcome: Equatable, Sendable {
        /// 0…255; nil when the last 10 ms completed none.
        public var output: UInt8?
        public var verdict = WakeJudge.Verdict.nothing
        public var score: Float = 0
        public var best: Float = 0

        @_noLocks @_noAllocation
        init() {}
    }

    private struct Word: ~Copyable {
        var model: StreamingModel
        var judge: WakeJudge
        var outcome = Outcome()
        var isAwake = true
    }

    private var frontEnd = FrontEnd()
    private let words: UnsafeMutablePointer<Word>
    public private(set) var count = 0

    /// Hears nothing until models are added.
    public init() { words = .allocate(capacity: Self.mostModels) }

    deinit {
        words.deinitialize(count: count)
        words.deallocate()
    }

    /// Adds a model; at most `mostModels`.
    public mutating func add(_ prepared: PreparedModel, cutoff: Double, window: Int, refractoryMilliseconds: Int = 1500)
    {
        precondition(count < Self.mostModels, "too many models")
        (words + count).initialize(
            to: Word(
                model: StreamingModel(prepared),
                judge: WakeJudge(
                    cutoff: cutoff, window: window, samplesInOutput: prepared.rows * FrontEnd.stepSamples,
                    refractoryMilliseconds: refractoryMilliseconds)))
        count += 1
    }

    /// Forgets all sound.
    public mutating func reset() {
        frontEnd.reset()
        for i in 0..<count {
            words[i].model.reset()
            words[i].judge.reset()
        }
    }

    /// Has a model sleep, which costs nothing, or wakes it as new.
    @_noLocks @_noAllocation
    public mutating func setAwake(_ model: Int, _ isAwake: Bool) {
        if words[model].isAwake == isAwake { return }
        words[model].isAwake = isAwake
        words[model].model.reset()
        words[model].judge.reset()
        words[model].outcome = Outcome()
    }

    /// Takes the next 10 ms of sound: `FrontEnd.stepSamples`.
    /// - Returns: whether some model has an output or a verdict: see `outcome`.
    @_noLocks @_noAllocation
    public mutating func hear(_ samples: UnsafePointer<Int16>) -> Bool {
        guard let features = frontEnd.step(samples) else { return false }
        var isNews = false
        var i = 0
        while i < count {
            if words[i].isAwake, let output = words[i].model.step(features) {
                let verdict = words[i].judge.take(output)
                words[i].outcome.output = output
                words[i].outcome.verdict = verdict
                words[i].outcome.score = words[i].judge.score
                words[i].outcome.best = words[i].judge.best
                isNews = true
            } else {
                words[i].outcome.output = nil
                words[i].outcome.verdict = .nothing
            }
            i &+= 1
        }
        return isNews
    }

    /// Of the model with this number, in the order in which they were added.
    @_noLocks @_noAllocation
    public func outcome(_ model: Int) -> Outcome { words[model].outcome }
}

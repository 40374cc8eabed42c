/// What a model's outputs come to: the mean of the last few against the cutoff, as microWakeWord defines a detection.
/// Plain values; neither locks nor allocates.
public struct WakeJudge: Sendable {
    public enum Verdict: Equatable, Sendable {
        case nothing
        /// The mean has just exceeded the cutoff.
        case heard
        /// It came to half of the cutoff and more, and did not exceed it within two seconds: `best` is how far it came.
        case missed
    }

    /// Two seconds: no wake word is longer.
    static var missSamples: Int { @_noLocks @_noAllocation get { 32_000 } }

    private var outputs = SIMD64<UInt8>(repeating: 0)
    private let size: Int
    private var next = 0
    private var filled = 0
    private var sum = 0
    /// The sum must exceed it.
    private let threshold: Int
    private let samplesInOutput: Int
    private let refractorySamples: Int
    private var sinceHeard: Int
    private var isArmed = true
    private var missAge = -1
    private var highest = 0

    /// - Parameters:
    ///   - cutoff: 0…1.
    ///   - window: outputs, 1…`WakeManifest.longestWindow`.
    ///   - samplesInOutput: from one output to the next.
    ///   - refractoryMilliseconds: after a detection nothing is heard for so long.
    public init(cutoff: Double, window: Int, samplesInOutput: Int, refractoryMilliseconds: Int = 1500) {
        size = min(max(window, 1), WakeManifest.longestWindow)
        // Outputs are whole numbers: their sum exceeds a fraction when it exceeds what is whole of it.
        threshold = Int((min(max(cutoff, 0), 1) * 256 * Double(size)).rounded(.down))
        self.samplesInOutput = samplesInOutput
        refractorySamples = refractoryMilliseconds * 16
        sinceHeard = refractorySamples
    }

    /// The mean of the window, 0…1; 0 until it is full.
    public var score: Float {
        @_noLocks @_noAllocation get { filled < size ? 0 : Float(sum) / Float(256 &* size) }
    }

    /// The highest score since the last verdict other than `nothing`; of such a verdict itself until the next output.
    public var best: Float { @_noLocks @_noAllocation get { Float(highest) / Float(256 &* size) } }

    /// Forgets what the window holds.
    @_noLocks @_noAllocation
    public mutating func reset() {
        (filled, next, sum, missAge, highest) = (0, 0, 0, -1, 0)
    }

    /// Takes the model's next output.
    @_noLocks @_noAllocation
    public mutating func take(_ output: UInt8) -> Verdict {
        if filled == size { sum &-= Int(truncatingIfNeeded: outputs[next]) } else { filled &+= 1 }
        outputs[next] = output
        sum &+= Int(truncatingIfNeeded: output)
        next = next &+ 1 == size ? 0 : next &+ 1
        sinceHeard = min(sinceHeard &+ samplesInOutput, refractorySamples)
        if missAge < 0 { highest = 0 }
        if filled < size { return .nothing }
        if sum > threshold {
            highest = max(highest, sum)
            if !isArmed || sinceHeard < refractorySamples { return .nothing }
            (isArmed, sinceHeard, missAge) = (false, 0, -1)
            return .heard
        }
        isArmed = true
        return judgeMiss()
    }

    @_noLocks @_noAllocation
    private mutating func judgeMiss() -> Verdict {
        if missAge < 0 {
            if sum &* 2 < threshold || sinceHeard < refractorySamples { return .nothing }
            missAge = 0
        }
        highest = max(highest, sum)
        missAge &+= samplesInOutput
        if missAge < Self.missSamples { return .nothing }
        missAge = -1
        return .missed
    }
}

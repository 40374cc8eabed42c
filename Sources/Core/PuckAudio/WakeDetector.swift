import PuckBase

/// What a wake detector found.
public struct WakeFinding: Equatable, Sendable {
    /// Ring position at which the word began.
    public var onset: Int64
    /// dB relative to full scale: the word, and the room before it.
    public var levelDecibels: Float
    public var noiseDecibels: Float
    /// 0…1.
    public var confidence: Float
    /// Where the recording begins, when the word's end is known; nil for the preroll before `onset`.
    public var recordFrom: Int64?
    /// So much of what is recorded may be the word itself, ms: no sign that somebody says something.
    public var wordMilliseconds: Int

    @_noLocks @_noAllocation
    public init(
        onset: Int64, levelDecibels: Float, noiseDecibels: Float, confidence: Float, recordFrom: Int64? = nil,
        wordMilliseconds: Int = 0
    ) {
        self.onset = onset
        self.recordFrom = recordFrom
        self.wordMilliseconds = wordMilliseconds
        self.levelDecibels = levelDecibels
        self.noiseDecibels = noiseDecibels
        self.confidence = confidence
    }
}

/// Something that listens to every sample and now and then says "there was the word".
///
/// `process` is called with consecutive blocks of 16 kHz mono audio. A detector whose `process` carries `@_noLocks` and
/// `@_noAllocation` (the level detector) runs on the capture thread and costs no wake-up; one that runs a model follows
/// the ring on a thread of its own, woken by the level gate (docs/DECISIONS.md, 5).
public protocol WakeDetector {
    /// - Parameters:
    ///   - samples: the next block, 16 kHz mono; any length.
    ///   - position: ring position of the first sample of the block.
    /// - Returns: a finding at most once a wake; the detector rearms itself.
    mutating func process(_ samples: UnsafeBufferPointer<Int16>, at position: Int64) -> WakeFinding?
}

/// Hears anything that is louder than the room: a speech gate over the measured noise floor. It knows no words; it
/// serves rooms where any speech means the puck, and tests.
///
/// Works in frames of 10 ms. Speech is found when the level has been above noise + threshold for `onset` in the sum of a
/// leaky count (a frame below takes two frames back, so that single clicks die out); the onset is where that count left
/// zero. It rearms after `hangover` below the threshold, at the earliest `refractory` after the last finding.
///
/// What is no sound teaches nothing: exact zeros, the frames beside them, and the first `settling` of a device that was
/// started, while its supply and its filters settle. For a device that gates its noise, zeros are the silent room. Nothing is found before 200 ms of sound have told the room's noise.
public struct LevelWakeDetector: WakeDetector, Sendable {
    /// Defaults and ranges are documented in docs/examples/puckd.conf, section [wake].
    public struct Parameters: BitwiseCopyable, Equatable, Sendable {
        public var thresholdDecibels: Float
        public var minimumLevelDecibels: Float
        public var onsetMilliseconds: Int
        public var hangoverMilliseconds: Int
        public var refractoryMilliseconds: Int
        /// The device gates its noise: exact zeros are the silence that it delivers, and sound may begin at any time.
        public var zerosAreSilence: Bool
        /// Of `gate`.
        public var gateDecibels: Float

        public init(
            thresholdDecibels: Float = 10, minimumLevelDecibels: Float = -55, onsetMilliseconds: Int = 80,
            hangoverMilliseconds: Int = 300, refractoryMilliseconds: Int = 1500, zerosAreSilence: Bool = false,
            gateDecibels: Float = 6
        ) {
            self.gateDecibels = gateDecibels
            self.thresholdDecibels = thresholdDecibels
            self.minimumLevelDecibels = minimumLevelDecibels
            self.onsetMilliseconds = onsetMilliseconds
            self.hangoverMilliseconds = hangoverMilliseconds
            self.refractoryMilliseconds = refractoryMilliseconds
            self.zerosAreSilence = zerosAreSilence
        }
    }

    /// 10 ms at 16 kHz.
    static var frameLength: Int { @_noLocks @_noAllocation get { 160 } }

    private enum State: Sendable {
        /// Nobody speaks. → rising when a frame is above the threshold.
        case quiet
        /// Frames above the threshold are being counted. → speech at `onset`, → quiet when the count is back at 0.
        case rising
        /// Found and reported. → quiet after the hangover and the refractory time.
        case speech
    }

    private let parameters: Parameters
    private var state = State.quiet
    /// The frame in progress.
    private var frameEnergy: Int64 = 0
    private var frameFill = 0
    /// Since the count left zero.
    private var onset: Int64 = 0
    private var noiseAtOnset: Float = 0
    private var energy: Int64 = 0
    private var energySamples = 0
    private var aboveMilliseconds = 0
    private var belowMilliseconds = 0
    private var sinceFindingMilliseconds = 0

    private var floor = NoiseFloor()
    private var quietSpeech: QuietSpeech
    /// For those who need not listen to silence.
    public private(set) var gate: SoundGate
    /// Frames of sound that are still left out.
    private var settlingFrames: Int
    /// The frame before, which counts once the next one is sound too.
    private var heldDecibels: Float?
    private var isAfterZeros = true
    /// Of the last whole frame, for meters.
    public private(set) var levelDecibels: Float = -90
    public var noiseDecibels: Float { @_noLocks @_noAllocation get { floor.decibels } }

    /// Speech comes, and is quieter than `minimumLevelDecibels`: see `QuietSpeech`.
    public var hearsTooLittle: Bool { @_noLocks @_noAllocation get { quietSpeech.isFound } }

    /// - Parameters:
    ///   - parameters: thresholds and times.
    ///   - settlingMilliseconds: of sound that is left out, after a device was opened.
    @_noLocks @_noAllocation
    public init(_ parameters: Parameters, settlingMilliseconds: Int = 0) {
        self.parameters = parameters
        quietSpeech = QuietSpeech(parameters)
        gate = SoundGate(thresholdDecibels: parameters.gateDecibels)
        settlingFrames = settlingMilliseconds / 10
    }

    /// The device was stopped and started again: what comes next is left out for so long.
    @_noLocks @_noAllocation
    public mutating func settle(milliseconds: Int) {
        settlingFrames = milliseconds / 10
        heldDecibels = nil
        if case .rising = state { state = .quiet }
    }

    /// The mute switch was open in between: the room is learned anew. What is known of the microphone stays.
    @_noLocks @_noAllocation
    public mutating func restart() {
        let known = quietSpeech
        self = LevelWakeDetector(parameters)
        quietSpeech = known
    }

    @_noLocks @_noAllocation
    public mutating func process(_ samples: UnsafeBufferPointer<Int16>, at position: Int64) -> WakeFinding? {
        guard let base = samples.baseAddress else { return nil }
        var finding: WakeFinding?
        var i = 0
        while i < samples.count {
            let count = min(Self.frameLength &- frameFill, samples.count &- i)
            frameEnergy &+= Level.energy(UnsafeBufferPointer(start: base + i, count: count))
            frameFill &+= count
            i &+= count
            if frameFill == Self.frameLength {
                let end = position &+ Int64(truncatingIfNeeded: i)
                if let found = finishFrame(end: end) { finding = found }
            }
        }
        return finding
    }

    @_noLocks @_noAllocation
    private mutating func finishFrame(end: Int64) -> WakeFinding? {
        let frameEnergy = self.frameEnergy
        self.frameEnergy = 0
        frameFill = 0
        levelDecibels = Level.decibels(energy: frameEnergy, count: Self.frameLength)
        let noise = floor.decibels
        let isSettled = floor.isSettled
        if !learn(isZero: frameEnergy == 0 && !parameters.zerosAreSilence) || !isSettled { return nil }
        gate.observe(levelDecibels: levelDecibels, noiseDecibels: noise)
        let reference = state == .quiet ? noise : noiseAtOnset
        quietSpeech.observe(levelDecibels: levelDecibels, noiseDecibels: noise)
        let above =
            levelDecibels > max(reference + parameters.thresholdDecibels, quietSpeech.minimumDecibels)
        return step(above: above, noise: noise, frameEnergy: frameEnergy, end: end)
    }

    /// The room's noise, from this frame.
    /// - Returns: whether the device has settled.
    @_noLocks @_noAllocation
    private mutating func learn(isZero: Bool) -> Bool {
        if isZero {
            isAfterZeros = true
            heldDecibels = nil
            return settlingFrames == 0
        }
        if settlingFrames > 0 {
            settlingFrames &-= 1
            return false
        }
        if let heldDecibels { floor.observe(levelDecibels: heldDecibels) }
        // Part of the first frame after zeros is zeros.
        heldDecibels = isAfterZeros ? nil : levelDecibels
        isAfterZeros = false
        return true
    }

    @_noLocks @_noAllocation
    private mutating func step(above: Bool, noise: Float, frameEnergy: Int64, end: Int64) -> WakeFinding? {
        switch state {
        case .quiet:
            guard above else { return nil }
            state = .rising
            onset = end &- Int64(truncatingIfNeeded: Self.frameLength)
            noiseAtOnset = noise
            energy = frameEnergy
            energySamples = Self.frameLength
            aboveMilliseconds = 10
            return nil
        case .rising:
            energy &+= frameEnergy
            energySamples &+= Self.frameLength
            aboveMilliseconds = above ? aboveMilliseconds &+ 10 : aboveMilliseconds &- 20
            if aboveMilliseconds <= 0 { state = .quiet }
            guard aboveMilliseconds >= parameters.onsetMilliseconds else { return nil }
            state = .speech
            belowMilliseconds = 0
            sinceFindingMilliseconds = 0
            return makeFinding()
        case .speech:
            // What is speech is judged by the present noise too, or a fan switched on would hold the state for ever.
            let stillAbove = above && levelDecibels > noise + parameters.thresholdDecibels
            belowMilliseconds = stillAbove ? 0 : belowMilliseconds &+ 10
            sinceFindingMilliseconds &+= 10
            if belowMilliseconds >= parameters.hangoverMilliseconds,
                sinceFindingMilliseconds >= parameters.refractoryMilliseconds
            {
                state = .quiet
            }
            return nil
        }
    }

    @_noLocks @_noAllocation
    private func makeFinding() -> WakeFinding {
        let level = Level.decibels(energy: energy, count: energySamples)
        // At the threshold one half, 20 dB above it certain: there is no word model behind it to be surer.
        let confidence = 0.5 + (level - noiseAtOnset - parameters.thresholdDecibels) / 40
        return WakeFinding(
            onset: onset, levelDecibels: level, noiseDecibels: noiseAtOnset,
            confidence: min(1, max(0, confidence)))
    }
}

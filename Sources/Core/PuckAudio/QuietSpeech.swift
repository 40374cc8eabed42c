/// Finds a microphone that is too quiet: what rises clearly out of the room, for as long as a word, again and again,
/// and yet stays below the least level that counts as speech. A microphone without amplification is like that: speech at
/// a metre comes at −70…−60 dBFS from a bare I2S microphone, whose own noise lies near −90.
///
/// One such sound may be a rustle, and louder speech may come from the next room of a quiet house; so three are needed
/// with nothing louder between them, each 5 dB clearer than a wake word must be. Then the least level is lowered to
/// 12 dB (the range of a voice) below the loudest of them, and a single sound above the configured level ends it.
///
/// Fed with one level for each 10 ms; runs on the capture thread.
public struct QuietSpeech: BitwiseCopyable, Sendable {
    static var wordsNeeded: Int { @_noLocks @_noAllocation get { 3 } }
    static var clearerDecibels: Float { @_noLocks @_noAllocation get { 5 } }
    static var rangeDecibels: Float { @_noLocks @_noAllocation get { 12 } }
    /// 5 dB above what 16 bits can hold.
    static var leastDecibels: Float { @_noLocks @_noAllocation get { -85 } }

    private let parameters: LevelWakeDetector.Parameters
    private var words = 0
    private var loudest: Float = -90
    // Of the word in progress.
    private var isWord = false
    private var above = 0
    private var below = 0
    private var age = 0
    private var loud = 0
    private var peak: Float = -90

    @_noLocks @_noAllocation
    public init(_ parameters: LevelWakeDetector.Parameters) { self.parameters = parameters }

    /// Speech comes, and is too quiet to count.
    public var isFound: Bool { @_noLocks @_noAllocation get { words >= Self.wordsNeeded } }

    /// What speech must exceed, dB relative to full scale.
    public var minimumDecibels: Float {
        @_noLocks @_noAllocation get {
            isFound
                ? min(parameters.minimumLevelDecibels, max(Self.leastDecibels, loudest - Self.rangeDecibels))
                : parameters.minimumLevelDecibels
        }
    }

    @_noLocks @_noAllocation
    public mutating func observe(levelDecibels level: Float, noiseDecibels noise: Float) {
        let isClear = level > noise + parameters.thresholdDecibels + Self.clearerDecibels
        if above == 0 && !isWord {
            if !isClear { return }
            (below, age, loud, peak) = (0, 0, 0, -90)
        }
        age &+= 10
        peak = max(peak, level)
        if level > parameters.minimumLevelDecibels { loud &+= 10 }
        if isWord {
            below = isClear ? 0 : below &+ 10
            if below >= parameters.hangoverMilliseconds, age >= parameters.refractoryMilliseconds { endWord() }
        } else {
            above = isClear ? above &+ 10 : max(0, above &- 20)
            isWord = above >= parameters.onsetMilliseconds
        }
    }

    @_noLocks @_noAllocation
    private mutating func endWord() {
        isWord = false
        above = 0
        if loud >= parameters.onsetMilliseconds {
            words = 0
            loudest = -90
        } else {
            words = min(words &+ 1, Self.wordsNeeded)
            loudest = max(loudest, peak)
        }
    }
}

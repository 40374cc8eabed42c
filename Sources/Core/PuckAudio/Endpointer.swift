/// Decides when a person has finished speaking: a speech gate with hangover, a limit for saying nothing and a limit for
/// saying too much. Counts packets of 20 ms, so that it is exact in media time and needs no clock.
public struct Endpointer: Equatable, Sendable {
    public struct Parameters: Equatable, Sendable {
        public var hangoverMilliseconds: Int
        public var noSpeechMilliseconds: Int
        public var utteranceLimitMilliseconds: Int
        /// Speech is this far above the noise; lower than the wake threshold, since word ends are soft.
        public var thresholdDecibels: Float

        public init(
            hangoverMilliseconds: Int = 700, noSpeechMilliseconds: Int = 5000,
            utteranceLimitMilliseconds: Int = 15_000, thresholdDecibels: Float = 7
        ) {
            self.hangoverMilliseconds = hangoverMilliseconds
            self.noSpeechMilliseconds = noSpeechMilliseconds
            self.utteranceLimitMilliseconds = utteranceLimitMilliseconds
            self.thresholdDecibels = thresholdDecibels
        }
    }

    public enum Endpoint: Equatable, Sendable {
        /// Speech, then silence for the hangover.
        case endOfSpeech
        /// Nobody spoke.
        case noSpeech
        /// The utterance limit was reached while somebody spoke.
        case tooLong
    }

    /// Less speech than this does not count as having spoken (a click, a chair).
    static let leastSpeechMilliseconds = 100
    /// Whoever has said the wake word may wait for so long before the rest, though the word's own end was heard.
    static let afterWordMilliseconds = 2000
    static let packetMilliseconds = 20

    private let parameters: Parameters
    private var floor: NoiseFloor
    private var noiseAtStartDecibels: Float
    private var elapsedMilliseconds = 0
    private var speechMilliseconds = 0
    private var silenceMilliseconds = 0
    /// The beginning that may be the wake word.
    private let wordMilliseconds: Int
    /// Speech in it: the end of the word, or a command that followed without a pause.
    private var doubtfulMilliseconds = 0

    /// - Parameters:
    ///   - parameters: limits and threshold.
    ///   - noiseDecibels: the room before the word, from the wake detector; nil when nobody measured it.
    ///   - wordMilliseconds: so much of the beginning may be the end of the wake word. What is heard there is a command
    ///     only when nothing else comes.
    public init(_ parameters: Parameters, noiseDecibels: Float?, wordMilliseconds: Int = 0) {
        self.parameters = parameters
        self.wordMilliseconds = wordMilliseconds
        floor = NoiseFloor()
        noiseAtStartDecibels = noiseDecibels ?? .infinity
    }

    /// Speech heard so far.
    public var hasHeardSpeech: Bool { speechMilliseconds >= Self.leastSpeechMilliseconds }

    /// Whether the person is in the middle of it: has spoken, and has not paused for half of the hangover.
    public var isSpeaking: Bool {
        hasHeardSpeech && silenceMilliseconds * 2 < parameters.hangoverMilliseconds
    }

    /// Takes the level of the next packet.
    public mutating func observe(packetLevelDecibels level: Float) -> Endpoint? {
        // Exact zeros are no room. Two 10 ms frames' worth, since that is what the floor counts in.
        if level > Level.floorDecibels {
            floor.observe(levelDecibels: level)
            floor.observe(levelDecibels: level)
        }
        elapsedMilliseconds += Self.packetMilliseconds
        // The louder of the two rooms: a fan that starts in mid-sentence must not keep the microphone open. Before the
        // floor has settled only the one from before the word is known.
        let noise =
            noiseAtStartDecibels.isFinite
            ? (floor.isSettled
                ? max(noiseAtStartDecibels, min(floor.decibels, noiseAtStartDecibels + 20)) : noiseAtStartDecibels)
            : floor.decibels
        if level > noise + parameters.thresholdDecibels {
            if elapsedMilliseconds <= wordMilliseconds {
                doubtfulMilliseconds += Self.packetMilliseconds
            } else {
                speechMilliseconds += Self.packetMilliseconds
            }
            silenceMilliseconds = 0
        } else {
            silenceMilliseconds += Self.packetMilliseconds
        }
        if hasHeardSpeech {
            if silenceMilliseconds >= parameters.hangoverMilliseconds { return .endOfSpeech }
        } else if doubtfulMilliseconds >= Self.leastSpeechMilliseconds,
            silenceMilliseconds >= max(parameters.hangoverMilliseconds, Self.afterWordMilliseconds)
        {
            return .endOfSpeech
        } else if elapsedMilliseconds >= parameters.noSpeechMilliseconds {
            return .noSpeech
        }
        return elapsedMilliseconds >= parameters.utteranceLimitMilliseconds ? .tooLong : nil
    }

    public static func == (a: Endpointer, b: Endpointer) -> Bool {
        a.parameters == b.parameters && a.elapsedMilliseconds == b.elapsedMilliseconds
            && a.speechMilliseconds == b.speechMilliseconds && a.silenceMilliseconds == b.silenceMilliseconds
    }
}

import PuckBase
import PuckWire

/// The numbers that the configuration can set. A change applies to what begins after it.
public struct HubPolicy: Equatable, Sendable {
    /// Failure policy L2: 80…120 ms, 100 by default; values outside are brought to the nearer end.
    public var arbitrationWindow: Interval {
        didSet { arbitrationWindow = min(max(arbitrationWindow, .milliseconds(80)), .milliseconds(120)) }
    }
    public var arbitrationPolicy: ArbitrationPolicy
    /// Pucks that win ties, the most preferred first.
    public var preferred: [String]
    /// Failure policy L4: no uplink packet this long after a grant ends the conversation.
    public var firstAudio: Interval
    /// The longest utterance that is listened to; the puck's own limit is 15 s.
    public var utteranceLimit: Interval
    /// How long an utterance waits for a puck whose link broke in the middle of it. The puck can bring back one second
    /// (FAILURES.md L7), and needs a moment to connect.
    public var uplinkResume: Interval
    /// How far the downlink may be ahead of what the loudspeaker played (PROTOCOL.md, keep-alive): 200 ms … 2 s.
    public var downlinkAhead: Interval {
        didSet { downlinkAhead = min(max(downlinkAhead, .milliseconds(200)), .seconds(2)) }
    }

    public init() {
        arbitrationWindow = .milliseconds(100)
        arbitrationPolicy = .nearest
        preferred = []
        firstAudio = .milliseconds(500)
        utteranceLimit = .seconds(30)
        uplinkResume = .seconds(2)
        downlinkAhead = .seconds(2)
    }

    /// The most packets of one utterance that are kept.
    public var utterancePackets: Int { Self.packets(in: utteranceLimit) }
    public var aheadPackets: Int { Self.packets(in: downlinkAhead) }

    private static func packets(in time: Interval) -> Int {
        max(1, Int(time.wholeMilliseconds / Int64(WireLimits.packetMilliseconds)))
    }
}

/// Bounds that are not configured, one place for all of them.
public enum HubLimits {
    /// A connection that says nothing is closed.
    public static let helloWithin = Interval.seconds(5)
    public static let pingEvery = Interval.seconds(5)
    /// Nothing at all for this long: the socket is half-open.
    public static let silentFor = Interval.seconds(10)
    /// A puck in good order sends about 5 control messages a second while it plays.
    public static let controlsPerSecond = 200
    /// Audio that may still arrive after the hub has ended a conversation, or said `listen_stop`: on a line that stalls
    /// the puck may have spoken all of its 15 s before it learns of the end, and has done nothing wrong.
    public static let drainedPackets = 800
    /// NTP's clock filter keeps eight samples (RFC 5905, 10).
    public static let clockSamples = 8
    /// A candidate this soon after a decision about its phrase and group belongs to the same wake.
    public static let lateWithin = Interval.seconds(1)
    /// An onset longer ago than this is no onset: the phrase, the window and a bad network are shorter together.
    public static let oldestOnsetMilliseconds = 5_000.0
    /// What a puck's own loudspeaker costs it in SNR at usual volumes; given back to it in arbitration.
    public static let ownLoudspeakerDecibels = 6.0
    /// A winner that drops before it has sent so much is replaced by the runner-up (failure policy L5): 1 s.
    public static let provenPackets = 50
    /// A loser stands by for 2 s (PROTOCOL.md §7); what is left of them here is for the way of its grant.
    public static let standbyFor = Interval.milliseconds(1_800)
    /// A winner whose link broke has so long to come back before the runner-up is asked.
    public static let runnerUpAfter = Interval.milliseconds(300)
    /// Decisions that are remembered for `late`; the oldest is forgotten first.
    public static let rememberedWakes = 256
    /// Decisions that are kept to be explained; the oldest is dropped first.
    public static let decisionRecords = 1_000
    /// The puck keeps 50 unacknowledged packets, so an acknowledgement every 10 leaves it four to lose.
    public static let packetsPerAck = 10
    /// After `listen_stop` the puck ends its uplink.
    public static let stopWithin = Interval.seconds(2)
    /// From the end of the utterance to the first packet of the answer, and between two of its pieces.
    public static let answerWithin = Interval.seconds(15)
    /// Added to the audio that is still to be played before the play is given up. Longer than `silentFor`: a puck of which
    /// nothing at all is heard is away, and gets the rest when it is back.
    public static let playedSlack = silentFor + .seconds(1)
    /// A reported position may be so far ahead of the clock, and run a quarter faster than it: twice what a puck holds,
    /// for a loudspeaker that swallows it, and a device at a wrong rate.
    public static let playedHeadStart = Interval.seconds(5)
    /// What a puck may have missed is kept so long and so much (PROTOCOL.md §8), and a puck that is away is remembered
    /// as long.
    public static let replayKept = Interval.seconds(30)
    public static let replayBytes = 512 * 1024
    public static let replayMessages = 4_096
    /// Bytes of the stream that may be on their way to a puck: three quarters of the socket's queue (LinkTransport), so
    /// that the stream alone never fills it. Half a second of the largest packets; acknowledged every 200 ms.
    public static let streamWindow = 48 * 1024
    /// More than any control of the stream has on the wire: ids of at most 64 bytes, and the names around them.
    public static let streamControlBytes = 512
    /// Control messages of the stream: so many at once, and then one every 16 ms. In any second at most 86 go out; with the
    /// 96 that the window lets be under way on a line that stalls, and the 10 outside the stream, a puck gets fewer than
    /// the 200 a second that it must take (PROTOCOL.md §8).
    public static let streamControlBurst = 24
    public static let streamControlPause = Interval.milliseconds(16)
    /// Plays that wait for one loudspeaker.
    public static let queuedPlays = 8
    /// RFC 6716, 3.4.
    public static let opusPacketBytes = 1_275
    public static let pcmPacketBytes = 2 * WireLimits.samplesPerPacket
}

import PuckAudio
import PuckBase
import PuckWire

/// What happened to a puck, in the past tense: the only way anything gets into `Puck`.
public enum PuckEvent: Equatable, Sendable {
    // The link.
    case started
    /// Started without a hub: not paired yet.
    case startedUnpaired
    /// There is a hub now, or another one, or this puck has another name there.
    case hubChanged
    case socketOpened
    /// - reason: one word for the log.
    /// - reachedHub: a hub with the right certificate had answered: it is where it should be, whatever it said.
    /// - isHub: it refused as a hub does that has no place, or does not know the token.
    case socketClosed(reason: String, reachedHub: Bool = false, isHub: Bool = false)
    /// The answers to `searchForHub`.
    case hubsFound([HubCandidate])
    case controlReceived(HubControl, sequence: SerialNumber)
    /// A downlink packet; the runtime holds its bytes until `playPacket` says that they are wanted.
    /// - sentAt: the hub's clock at sending, as the header tells it (milliseconds, wrapping).
    case audioReceived(type: MessageType, sequence: SerialNumber, byteCount: Int, sentAt: UInt32)
    /// What `PuckEffect.keepTrust` named is stored.
    case trustKept([String])
    case malformedReceived(WireError)
    /// The hub said what we did wrong and is about to close.
    case errorReceived(WireError)
    /// A message found the socket's queue full: the hub does not read.
    case sendQueueOverflowed
    /// An interface came up or an address changed: what failed a moment ago may work now.
    case networkChanged

    // The microphone.
    /// - phrase: which of the wake words; empty for `Puck.Identity.phrase`.
    case wakeHeard(WakeFinding, onset: Instant, envelope: [Int8] = [], phrase: String = "")
    /// The next 20 ms were encoded into the runtime's slot for the window's next sequence number.
    case packetEncoded(levelDecibels: Float)
    /// Samples of the running utterance were lost before they could be encoded.
    case captureGap(samples: Int64)
    case captureLost
    case captureRestored
    case captureOverrun(missingSamples: Int64)

    // The person.
    case talkRequested(position: Int64)
    case stopRequested
    case muteRequested(Bool)
    /// The mute switch is on (or cannot be read), or off again.
    case muteSwitched(Bool)
    case volumeRequested(Int)
    /// What somebody had set before a restart: no news to show or play.
    case volumeRestored(Int)

    /// The button has been down for long, and still is.
    case longPressed
    /// A long press has ended before it became a very long one.
    case longPressEnded
    /// The button is still down after so long that pairing is meant; follows `longPressed`.
    case veryLongPressed
    /// A command asks for pairing.
    case pairingRequested
    /// A hub has taken this puck in, or somebody has had enough.
    case pairingEnded(PairingEnd)

    // The board.
    /// Something without which the puck still serves is broken (true), or nothing of that kind is any more.
    case degradedChanged(Bool)

    // The loudspeaker.
    /// An earcon sounds until then, its echo included: what is heard meanwhile wakes nobody.
    case earconStarted(until: Instant)
    /// How many samples of the active play have been heard since its `startPlayback`, pauses left out.
    case playbackAdvanced(samples: Int64)
    /// The active play ran dry before its end: silence until more comes.
    case playbackStarved
    /// All of a finished play has been heard.
    case playbackDrained
    case playbackLost
    case playbackRestored

    /// A deadline has come.
    case timePassed
}

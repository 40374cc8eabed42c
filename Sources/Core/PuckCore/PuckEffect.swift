import PuckAudio
import PuckBase
import PuckWire

/// What is to be done, in the imperative: plain data that the runtime (or the simulator) carries out in order.
public enum PuckEffect: Equatable, Sendable {
    /// - to: nil for the configured hub.
    case openSocket(to: HubAddress?)
    case closeSocket
    case send(PuckControl)
    /// Tell the hub what it did wrong; `closeSocket` follows.
    case sendError(WireError)
    /// Send the uplink packet with this sequence number out of its slot.
    case sendPacket(SerialNumber)

    /// Follow the ring and encode. `onset`: where the word began; the runtime adds the preroll. With `preroll` false it
    /// starts at `onset` itself (a button was pressed: nothing before it was meant for us).
    case startEncoding(onset: Int64, preroll: Bool)
    case stopEncoding

    /// A new play takes the active lane; whatever was there is gone. Nothing sounds before `delayMilliseconds` of it have
    /// been collected, or all of it.
    case startPlayback(codec: DownStart.Codec, delayMilliseconds: Int)
    /// Collect so much before going on, when the active play runs dry.
    case setPlayoutDelay(milliseconds: Int)
    /// The packet of this very event belongs to the active play: decode and queue it for the loudspeaker.
    case playPacket(SerialNumber, byteCount: Int)
    /// Nothing more comes for the active play: play out what is queued, then report `playbackDrained`.
    case finishPlayback
    /// Be silent now; what is queued of the active play is thrown away.
    case stopPlayback
    /// Be silent now, and keep what is queued: the active play goes to the paused lane, whose play is thrown away.
    case pausePlayback
    /// The paused play takes the active lane, and goes on with the sample at which it was paused.
    case resumePlayback
    /// What is paused is thrown away.
    case dropPausedPlayback
    case playEarcon(Earcon)
    case setVolume(Int)
    /// Ask the network which hubs there are, and report `hubsFound` with all answers, none where nobody can be asked.
    case searchForHub
    /// The hub was reached there and not where the configuration says: store it, so that a restart finds it again.
    case keepHub(HubAddress)
    /// The hub's new token: store it so that neither a crash nor a power cut loses both, then use it.
    case keepToken(String)
    /// The certificates that the hub wants to be believed: store them like a token, then report `trustKept`.
    case keepTrust([String])
    /// While muted not one sample leaves the capture thread.
    case setMuted(Bool)

    /// Look for a hub that takes this puck in; report `pairingEnded` when one has.
    case beginPairing
    /// Stop looking.
    case endPairing(PairingEnd)

    case showLights(Lights)
    case log(LogRecord)
}

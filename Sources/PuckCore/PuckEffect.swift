import PuckAudio
import PuckBase
import PuckWire

/// What is to be done, in the imperative: plain data that the runtime (or the simulator) carries out in order.
public enum PuckEffect: Equatable, Sendable {
    case openSocket
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

    case startPlayback(codec: DownStart.Codec)
    /// Decode the packet in the slot for this sequence number and queue it for the loudspeaker.
    case playPacket(SerialNumber, byteCount: Int)
    /// Nothing more comes: play out what is queued, then report `playbackDrained`.
    case finishPlayback
    /// Be silent now; what is queued is thrown away.
    case stopPlayback
    case playEarcon(Earcon)
    case setVolume(Int)
    /// While muted not one sample leaves the capture thread.
    case setMuted(Bool)

    case showLights(Lights)
    case log(LogRecord)
}

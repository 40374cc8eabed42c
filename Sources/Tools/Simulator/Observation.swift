import HubCore
import PuckAudio
import PuckBase
import PuckCore
import PuckWire

/// What can be seen of a run from outside the machines: what they were told and what they did. Checkers and traces
/// know nothing else. Numbers: pucks from 0, connections, recordings and answers through the whole run.
enum Observation {
    // Lives.
    case puckStarted(Int)
    case puckEnded(Int)
    case puckFroze(Int)
    case puckThawed(Int)
    case hubStarted(Int)
    case hubEnded
    case hubFroze
    case hubThawed

    // A puck's socket.
    case socketWanted(Int)
    /// As `socketWanted`, to an address that a search has found.
    case candidateWanted(Int)
    case socketOpened(Int, Int)
    /// The puck closed it.
    case socketDropped(Int)
    /// The puck was told that it is gone.
    case socketLost(Int, String)
    case puckSent(Int, Int, PuckControl)
    case puckSentAudio(Int, Int, SerialNumber, Sound, newest: SerialNumber)
    case puckRefused(Int, Int, WireError)
    case puckHeard(Int, Int, HubControl, SerialNumber)
    case puckHeardAudio(Int, Int, SerialNumber, AnswerPacket)
    case puckHeardError(Int, Int, WireError)
    case puckQueueFull(Int, Int)
    case networkChanged(Int)
    case hubSearched(Int)
    case hubKept(Int)
    case hubMoved(Int)

    // The hub's connections.
    case connectionOpened(Int, Int)
    /// By either side, as the hub knows it.
    case connectionClosed(Int)
    case hubSent(Int, HubControl, SerialNumber)
    case hubSentAudio(Int, SerialNumber, AnswerPacket)
    case hubRefused(Int, WireError)
    case hubHeard(Int, PuckControl)
    case hubHeardAudio(Int, SerialNumber, Sound)
    case hubHeardError(Int, WireError)
    case hubQueueFull(Int)

    // Conversations on the hub.
    case kept(String, Sound)
    case answerWanted(String, playID: UInt32, answer: Int)
    case produced(answer: Int, count: Int, isComplete: Bool)
    case answerFailed(answer: Int)
    /// Nobody needs its packets any more.
    case answerForgotten(playID: UInt32)
    case forgotten(String)
    /// Who was asked, and among whom.
    indirect case decided(ArbitrationDecision)

    // Plays that somebody asked for on the hub.
    case playPrepared(puck: Int, playID: UInt32, DownStart.Category, answer: Int)
    case playRefused(puck: Int)
    case playCancelled(playID: UInt32)

    // A puck's devices.
    /// The detector has found a wake word; the puck may believe it.
    case wakeFound(Int, confidence: Float, isPerson: Bool)
    case recordingStarted(Int, Int32)
    case recordingStopped(Int, Int32)
    case encoded(Int, Sound)
    case captureGap(Int, Int64)
    case captureWorks(Int, Bool)
    case playbackWorks(Int, Bool)
    case playStarted(Int, DownStart)
    case played(Int, AnswerPacket)
    case playFinishing(Int)
    case playDrained(Int)
    case playStopped(Int)
    case playStarved(Int)
    case playPaused(Int)
    case playResumed(Int)
    case pausedPlayDropped(Int)
    case earcon(Int, Earcon)
    case lights(Int, Lights)
    case muted(Int, Bool)
    case volume(Int, Int)

    case puckLogged(Int, LogRecord)
    case hubLogged(LogRecord)

    // The house.
    /// The puck that was a copy of this one's card is off, and whether this one had its place all the same.
    case copyEnded(Int, hasPlace: Bool)
    case faultStruck(Fault)
    case personActed(Act)
    case healed
    case forged(Int, Int)
    case probed(Int, Int)
    case probeSucceeded(Int)
}

import PuckBase
import PuckWire

/// What the interpreter shall do, in order.
public enum HubEffect: Equatable, Sendable {
    /// Control message; the sequence number is 0 unless the operation belongs to the downlink stream.
    case send(ConnectionID, HubControl, SerialNumber)
    /// Packet number `packet` (from 0) of the answer `playID`.
    case sendAudio(ConnectionID, playID: UInt32, packet: Int, SerialNumber)
    /// Send the error message, then close. Nothing more is heard from this connection.
    case fail(ConnectionID, WireError)
    case close(ConnectionID, reason: String)
    /// The audio message of this very event belongs to the conversation: decode and keep it. At most
    /// `HubPolicy.utterancePackets` times a conversation.
    case hear(conversationID: String)
    /// The utterance is complete: make an answer, told by `HubEvent.answerReady` or `.answerFailed`.
    case answer(conversationID: String, playID: UInt32)
    /// The conversation is over: free its utterance. Comes exactly once for each conversation.
    case forget(conversationID: String)
    /// A play that `playRequested` asked for has this number: prepare its packets, told by `HubEvent.answerReady`.
    case preparePlay(request: UInt32, playID: UInt32)
    /// `playRequested` cannot be done: the puck is not there, or has too much to play already.
    case refusePlay(request: UInt32, reason: String)
    /// Nobody needs the packets of this play any more, neither the loudspeaker nor a replay: free them. Comes exactly
    /// once for each `answer` and `preparePlay`.
    case forgetAnswer(playID: UInt32)
    case log(LogRecord)
}

typealias LogField = LogRecord.Field

extension LogRecord.Field {
    /// In milliseconds; the key says so by ending in `_ms`.
    init(_ key: StaticStringKey, _ interval: Interval) { self.init(key, interval.milliseconds) }
}

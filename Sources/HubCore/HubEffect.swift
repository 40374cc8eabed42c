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
    /// The conversation is over: free its utterance and its answer. Comes exactly once for each conversation.
    case forget(conversationID: String)
    case log(LogRecord)
}

typealias LogField = LogRecord.Field

extension LogRecord.Field {
    /// In milliseconds; the key says so by ending in `_ms`.
    init(_ key: StaticStringKey, _ interval: Interval) { self.init(key, interval.milliseconds) }
}

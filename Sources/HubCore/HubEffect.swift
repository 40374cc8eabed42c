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
    case log(LogEntry)
}

/// One structured log line, `event` with its fields in order.
public struct LogEntry: Equatable, Sendable {
    public enum Level: Sendable { case error, warning, notice, info, debug }

    public var level: Level
    /// Dotted, from the general to the particular: `session.open`.
    public var event: String
    public var fields: [LogField]

    public init(_ level: Level, _ event: String, _ fields: [LogField]) {
        self.level = level
        self.event = event
        self.fields = fields
    }

    /// The value of the first field of that name.
    public func value(_ key: String) -> String? {
        for field in fields where field.key == key { return field.value }
        return nil
    }
}

/// A named value of a log line. Durations are in milliseconds and end in `_ms`.
public struct LogField: Equatable, Sendable {
    public var key: String
    public var value: String

    public init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
    public init(_ key: String, _ value: Int) { self.init(key, "\(value)") }
    public init(_ key: String, _ interval: Interval) { self.init(key, fixed(interval.milliseconds, 1)) }
}

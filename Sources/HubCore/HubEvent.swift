import PuckBase
import PuckWire

/// One connection of the hub, numbered by the transport; a number is never used twice within a run.
public struct ConnectionID: Hashable, Comparable, Sendable {
    public var number: UInt32
    public init(_ number: UInt32) { self.number = number }
    public static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.number < b.number }
}

/// What happened, as the hub's machine is told. Events about a connection that the machine has already closed are
/// ignored: the transport may deliver what was under way.
public enum HubEvent: Equatable, Sendable {
    /// The upgrade succeeded with the token that is stored under `tokenName`.
    case connectionOpened(ConnectionID, tokenName: String)
    case connectionClosed(ConnectionID, reason: String)
    case received(ConnectionID, PuckControl)
    /// One audio message. The bytes stay with the interpreter; `HubEffect.hear` tells it to keep them.
    case receivedAudio(ConnectionID, MessageType, SerialNumber, byteCount: Int)
    /// A message that the wire or the codec refuses.
    case receivedMalformed(ConnectionID, WireError)
    /// The puck's own error message; it closes after it.
    case receivedError(ConnectionID, WireError)
    /// The responder has the first `packetCount` packets of an answer. May come again with a larger count; `isComplete`
    /// says that no more follow. A count of 0 that is complete means: no answer.
    case answerReady(conversationID: String, playID: UInt32, packetCount: Int, isComplete: Bool)
    case answerFailed(conversationID: String, reason: String)
    /// Tokens that are no longer stored, or not as they were.
    case tokensRevoked([String])
    /// The daemon ends.
    case stopping
    /// `nextDeadline` has come.
    case timePassed
}

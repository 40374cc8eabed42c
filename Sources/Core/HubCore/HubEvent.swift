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
    /// - peer: its numeric address, for people and to tell two pucks with one id apart.
    case connectionOpened(ConnectionID, tokenName: String, peer: String = "")
    case connectionClosed(ConnectionID, reason: String)
    case received(ConnectionID, PuckControl)
    /// One audio message. The bytes stay with the interpreter; `HubEffect.hear` tells it to keep them.
    case receivedAudio(ConnectionID, MessageType, SerialNumber, byteCount: Int)
    /// A message that the wire or the codec refuses.
    case receivedMalformed(ConnectionID, WireError)
    /// The puck's own error message; it closes after it.
    case receivedError(ConnectionID, WireError)
    /// More packets of an answer, or of a requested play, exist: the bytes of each, in order. `isComplete` says that no
    /// more follow. An answer that is complete without any packet means: no answer.
    case answerReady(playID: UInt32, sizes: [UInt16], isComplete: Bool)
    case answerFailed(playID: UInt32, reason: String)
    /// Somebody wants something played on a puck, outside any conversation.
    case playRequested(request: UInt32, puckID: String, category: DownStart.Category)
    /// Ends a play, or an answer.
    case playCancelled(playID: UInt32)
    /// A token that is to replace the one of this puck, for which `connectionForToken` named the connection.
    case tokenMade(ConnectionID, token: String)
    /// Certificates that this puck is to believe, for which `connectionForTrust` named the connection.
    case trustMade(ConnectionID, [String])
    /// Tokens that are no longer stored, or not as they were.
    case tokensRevoked([String])
    /// The daemon ends.
    case stopping
    /// `nextDeadline` has come.
    case timePassed
}

extension HubEvent {
    /// Whose event it is, when it is a connection's.
    var connection: ConnectionID? {
        switch self {
        case .connectionOpened(let id, _, _), .connectionClosed(let id, _), .received(let id, _),
            .receivedAudio(let id, _, _, _), .receivedMalformed(let id, _), .receivedError(let id, _),
            .tokenMade(let id, _), .trustMade(let id, _):
            id
        case .answerReady, .answerFailed, .playRequested, .playCancelled, .tokensRevoked, .stopping, .timePassed: nil
        }
    }

    /// Whether it can leave a window of any group complete: a puck that falls silent, or begins to play, is no longer
    /// waited for. A deadline that does so says it itself.
    var touchesAnyWindow: Bool {
        switch self {
        case .connectionOpened, .connectionClosed, .received, .receivedAudio, .receivedMalformed, .receivedError,
            .timePassed, .tokenMade, .trustMade:
            false
        case .answerReady, .answerFailed, .playRequested, .playCancelled, .tokensRevoked, .stopping: true
        }
    }
}

import PuckBase
import PuckWire

/// A message that the protocol forbids where it comes, as a broken or hostile peer might send it.
enum Forgery: Int, CaseIterable {
    // To a puck.
    case secondWelcome
    case streamGap
    case acknowledgementAhead
    /// The last message of the stream once more: to be dropped without a word.
    case repeatedStreamMessage
    /// In place of the next welcome.
    case replayOfAnotherEpoch
    case replayFromAnotherPlace

    // To the hub.
    case secondHello
    case playedAhead
    case foreignPhrase
    case audioWithoutGrant
    case audioGap

    var replacesWelcome: Bool { self == .replayOfAnotherEpoch || self == .replayFromAnotherPlace }

    var goesToHub: Bool {
        switch self {
        case .secondWelcome, .streamGap,
            .acknowledgementAhead, .repeatedStreamMessage, .replayOfAnotherEpoch,
            .replayFromAnotherPlace:
            false
        case .secondHello, .playedAhead, .foreignPhrase, .audioWithoutGrant, .audioGap: true
        }
    }
}

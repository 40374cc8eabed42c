extension Conversation {
    enum State: Equatable, Sendable {
        /// Granted, nothing heard yet. → receiving (packet 0), ended (first-audio deadline: degraded; the puck gives up:
        /// cancelled).
        case waitingForAudio
        /// → answering (endpoint), stopping (utterance limit), ended (cancelled, gap; away for too long, or nothing for
        /// 500 ms of its first second while somebody stands by: degraded).
        case receiving
        /// `listen_stop` was said. → answering (endpoint), ended (cancelled, gap; deadline: degraded).
        case stopping(packetsSince: Int)
        /// The responder works. → speaking (first packets), ended (no answer: done; failure or deadline: failed; the puck's
        /// up_end "cancelled": cancelled).
        case answering
        /// The answer is with the puck's playout, deadline included. → ended (all played: done; failure, no progress:
        /// failed; "stop", here or there: cancelled).
        case speaking
        case ended(Outcome)
    }

    /// Why a conversation ended degraded, for `puckhub status` (FAILURES.md L4, L9).
    enum Degradation: Sendable {
        /// The link was lost, and what was said could not go on.
        case linkLost
        /// The winner sent nothing, or stopped sending in its first second.
        case silentWinner
        /// The puck lost audio of its own.
        case gap
        /// The puck did not end the utterance when it was told to.
        case unended
    }

    enum Outcome: String, Sendable { case done, cancelled, failed, degraded }
}

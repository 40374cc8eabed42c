/// Deliberate bugs, one at a time, that show whether the simulator notices (`make test-mutants`). Each is a patch of
/// this folder and its name; `scripts/mutate` makes a copy of the sources that has them all, and this file. The sources
/// themselves have none.
public enum Mutation: String, CaseIterable, Sendable {
    // The link.
    case backoffWithoutCap, backoffNeverReset, triesGoOn, offlineTooEarly, greetingWithoutDeadline
    // The stream.
    case duplicateAccepted, replayStartsLate, epochForgotten, replayNotCompared, logWithoutBounds
    case streamWithoutWindow, errorKeepsStream
    // Utterances.
    case acknowledgementAheadAccepted, windowOfSixty, resumedFromWrongPacket, endNotRepeated, utteranceKeptLong
    // The microphone.
    case deafAfterLoss
    // Two pucks with one card.
    case rivalsFight, duplicateHurries
    // A television.
    case doubtNeverRises, doubtWithoutBound, doubtUntold
    // Plays.
    case pacingTooFar, positionIgnored, pausedPlayLost, stallDropsPaused, staleEndAccepted, restartFromBeginning
    // The group.
    case secondGrant, staleAnswerKept, floorNotTold, floorIgnored
    // Who answers.
    case orderOfArrival, runnerUpLate, worstAsked, failureUntold

    /// The one to run with. Set once, before anything runs.
    nonisolated(unsafe) public static var active: Mutation?

    public static func `is`(_ mutation: Mutation) -> Bool { active == mutation }
}

import PuckBase
import PuckWire

// A winner that sends nothing, or drops before it has sent a second of audio: the runner-up is asked, once
// (FAILURES.md L4–L6). And what people and their tools ask about decisions.

extension Hub {
    /// Asks who is next for every conversation that failed early in this step.
    mutating func askRunnersUp(now: Instant, into effects: inout [HubEffect]) {
        while !failedEarly.isEmpty {
            let failed = failedEarly.removeFirst()
            let isInTime = now - failed.grantedAt <= HubLimits.standbyFor
            if !failed.isRunnerUp, isInTime, let next = failed.others.first(where: { stillStandsBy($0, failed) }) {
                grantRunnerUp(next, failed, now: now, into: &effects)
            } else if failed.isRunnerUp || !failed.others.isEmpty {
                giveUp(failed, now: now, into: &effects)
            }
        }
    }

    /// Connected as it was when it brought its candidate, able, and not in a conversation of its own.
    private func stillStandsBy(_ candidate: Candidate, _ failed: Conversation) -> Bool {
        guard let live = sessions[candidate.connection]?.live else { return false }
        return live.isAble(phrase: failed.key.phrase, group: failed.key.group)
            && !conversations.contains { $0.puckID == candidate.puckID }
    }

    private mutating func grantRunnerUp(
        _ next: Candidate, _ failed: Conversation, now: Instant, into effects: inout [HubEffect]
    ) {
        var decision = ArbitrationDecision(
            decidedAt: now, waited: now - failed.grantedAt, phrase: failed.key.phrase, group: failed.key.group,
            policy: policy.arbitrationPolicy, candidates: [next] + failed.others.filter { $0.puckID != next.puckID },
            rule: .runnerUp, conversationID: nil,
            winners: ArbitrationPolicy.allCases.map { Ranking(failed.others, by: $0).candidates[0].puckID })
        decision.inPlaceOf = .init(puckID: failed.puckID, conversationID: failed.id)
        decision.conversationID = grant(
            next, others: [], key: failed.key, inPlaceOf: failed.puckID, now: now, into: &effects)
        counters.runnersUp += 1
        record(decision, into: &effects)
    }

    /// Nobody could be heard: the pucks that still answer say so. Those that failed do not count among them: what they
    /// are sent they may say when they wake up, long after.
    private mutating func giveUp(_ failed: Conversation, now: Instant, into effects: inout [HubEffect]) {
        for puckID in residents[failed.group] ?? [] where puckID != failed.puckID && puckID != failed.inPlaceOf {
            guard pucks[known: puckID].connection != nil else { continue }
            withPuck(puckID, now: now, into: &effects) { puck, _, effects in
                puck.stream.send(.earcon(name: "failed"), now: now, into: &effects)
            }
        }
    }

    /// The decision about a conversation; the last one for nil. Nil when it is not, or no longer, known.
    public func decision(about conversationID: String?) -> ArbitrationDecision? {
        for i in (0..<decisions.count).reversed() {
            if conversationID.map({ decisions[i].conversationID == $0 }) ?? true { return decisions[i] }
        }
        return nil
    }

    /// Who would win the same wake with what has been learned since.
    public func winnerNow(_ decision: ArbitrationDecision) -> String? {
        let candidates = decision.candidates.map {
            var candidate = $0
            candidate.gainDecibels = earshot.gain(of: $0.puckID)
            candidate.correctedDecibels = earshot.correction(of: $0.puckID)
            return candidate
        }
        return ArbitrationDecision.order(candidates, by: decision.policy).first?.puckID
    }

    /// "It should have been that one": shifts what was learned, and notes it in the record. The same said twice counts
    /// once.
    /// - Returns: false when the conversation is not known, or the puck was no candidate of it.
    public mutating func correct(_ conversationID: String, to puckID: String) -> Bool {
        for i in (0..<decisions.count).reversed() where decisions[i].conversationID == conversationID {
            guard let winner = decisions[i].winner?.puckID,
                decisions[i].candidates.contains(where: { $0.puckID == puckID })
            else { return false }
            let before = decisions[i].correctedTo ?? winner
            decisions[i].correctedTo = puckID
            if before == puckID { return true }
            // Who changes their mind takes the first word back.
            if before != winner { earshot.correct(right: winner, wrong: before) }
            if puckID != winner { earshot.correct(right: puckID, wrong: winner) }
            return true
        }
        return false
    }
}

import HubCore
import PuckBase
import PuckWire

/// One decision in words, and as JSON: `puckhub explain`.
struct Explanation {
    private let decision: ArbitrationDecision
    private let earshot: Earshot
    private let winnerNow: String
    private let age: Interval

    init(_ decision: ArbitrationDecision, in hub: Hub, now: Instant) {
        self.decision = decision
        earshot = hub.earshot
        winnerNow = hub.winnerNow(decision) ?? ""
        age = now - decision.decidedAt
    }

    /// Of the earliest candidate: the others are told relative to it.
    private var earliest: Double { decision.candidates.map { $0.onset.milliseconds }.min() ?? 0 }

    var text: String {
        var lines = [
            "conversation \(decision.conversationID ?? "none"), \(age.wholeMilliseconds / 1000) s ago: "
                + "\"\(decision.phrase)\" in \(decision.group), decided \(fixed(decision.waited.milliseconds, 0)) ms after "
                + (decision.inPlaceOf.map { "the grant of \($0.conversationID) to \($0.puckID)" }
                    ?? "the first candidate"),
            "",
            leftAligned("puck", 17) + "  heard after        SNR     level      gain     score  confidence",
        ]
        lines += decision.candidates.map { row($0) }
        for late in decision.late {
            lines.append(
                leftAligned(late.puckID, 17) + "  too late: \(fixed(late.after.milliseconds, 0)) ms after the decision")
        }
        lines += ["", Self.reason(decision)]
        if decision.candidates.count > 1 {
            lines.append("by the other policies: " + otherWinners.joined(separator: ", "))
        }
        if let right = decision.correctedTo { lines.append("corrected: it should have been \(right)") }
        if let winner = decision.winner?.puckID, winnerNow != winner || decision.correctedTo != nil {
            let takesGains = decision.policy == .nearest || decision.policy == .energy
            lines.append(
                takesGains && decision.rule != .button
                    ? "with the gains as they are now \(winnerNow) would win"
                    : "\(winnerNow) would win again: here gains play no part")
        }
        return lines.joined(separator: "\n")
    }

    private func row(_ c: Candidate) -> String {
        let after = "\(fixed(c.onset.milliseconds - earliest, 1)) ±\(fixed(c.onset.errorMilliseconds, 1)) ms"
        let mark = c.onset.isCorrected ? " " : "*"
        var line =
            leftAligned(c.puckID, 17) + "  " + leftAligned(after + mark, 16) + right(c.wake.snrDecibels, 5) + " dB "
            + right(c.wake.levelDecibels, 6) + " dB " + right(c.gainDecibels(by: decision.policy), 6) + " dB "
            + right(c.score, 6) + " dB  "
            + fixed(c.wake.confidence, 2)
        if let cues = c.cues {
            line += "  (early \(fixed(cues.earlyDecibels, 1)) dB, roughness \(fixed(cues.roughnessDecibels, 1)) dB)"
        }
        if c.handicapDecibels != 0 { line += "  (was playing: +\(fixed(c.handicapDecibels, 0)) dB)" }
        if !c.onset.isCorrected { line += "  (* its clock was unknown: time of arrival)" }
        var now = c
        now.gainDecibels = earshot.gain(of: c.puckID)
        now.correctedDecibels = earshot.correction(of: c.puckID)
        let gain = now.gainDecibels(by: decision.policy)
        if gain != c.gainDecibels(by: decision.policy) {
            let corrected = now.correctedDecibels
            line += "  (gain now \(fixed(gain, 1)) dB"
            line += corrected == 0 ? ")" : ", \(fixed(corrected, 1)) of it from corrections)"
        }
        return line
    }

    private func right(_ value: Double, _ width: Int) -> String {
        let text = fixed(value, 1)
        return String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }

    private var otherWinners: [String] {
        zip(ArbitrationPolicy.allCases, decision.winners).filter { $0.0 != decision.policy }
            .map { "\($0.0.rawValue) \($0.1)" }
    }

    /// One sentence that says who answers and why.
    static func reason(_ decision: ArbitrationDecision) -> String {
        guard let winner = decision.winner?.puckID else {
            return "nobody: another phrase had won the group while this one was being decided"
        }
        let second = decision.candidates.count > 1 ? decision.candidates[1].puckID : ""
        let why =
            switch decision.rule {
            case .onlyCandidate: decision.late.isEmpty ? "nobody else heard it" : "nobody else had reported it in time"
            case .button: "its button was pressed"
            case .nearest:
                (decision.candidates[0].cues == nil ? "level and onset" : "level, onset and reverberation")
                    + " together put it \(margin(decision)) dB ahead of \(second)"
            case .earliestOnset: "it heard the phrase first, by more than the tie band and both clocks' errors"
            case .loudest: "it heard it louder than \(second), gains taken out"
            case .highestSNR:
                "it heard it clearer than \(second)"
                    + (decision.policy == .onset ? ", and nobody could tell who heard it first" : "")
            case .highestConfidence: "its detector was surer than that of \(second), all else being equal"
            case .preferred: "it is preferred to \(second), all else being equal"
            case .wonLast: "it had the last conversation here, all else being equal"
            case .earlierArrival: "its message came first"
            case .lowestPuckID: "nothing told it from \(second) but the name"
            case .groupBusy: "the group was busy"
            case .runnerUp:
                "\(decision.inPlaceOf?.puckID ?? "the winner") sent nothing, or dropped within its first second"
            }
        return "\(winner) answers (\(decision.rule.rawValue), policy \(decision.policy.rawValue)): \(why)"
    }

    private static func margin(_ decision: ArbitrationDecision) -> String {
        fixed(decision.candidates[0].score - decision.candidates[1].score, 1)
    }

    /// One JSON object. The last candidates are left out, and counted, when it would be longer.
    func json(atMost limit: Int) -> String {
        var count = decision.candidates.count
        var bytes = json(count)
        while bytes.count > limit, count > 1 {
            count -= 1
            bytes = json(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func json(_ count: Int) -> [UInt8] {
        var root = JSONWriter()
        root.set("conversation_id", decision.conversationID ?? "")
        root.set("phrase", decision.phrase)
        root.set("group", decision.group)
        root.set("policy", decision.policy.rawValue)
        root.set("rule", decision.rule.rawValue)
        root.set("winner", decision.winner?.puckID ?? "")
        root.set("waited_ms", Self.rounded(decision.waited.milliseconds))
        root.set("age_ms", age.wholeMilliseconds)
        if let right = decision.correctedTo { root.set("corrected_to", right) }
        if let failed = decision.inPlaceOf {
            root.set("in_place_of", failed.puckID)
            root.set("in_place_of_conversation", failed.conversationID)
        }
        let late = decision.late.map {
            var member = JSONWriter()
            member.set("puck_id", $0.puckID)
            member.set("after_ms", Self.rounded($0.after.milliseconds))
            return member
        }
        root.set("late", late)
        root.set("candidates", decision.candidates.prefix(count).map { member($0) })
        if count < decision.candidates.count { root.set("left_out", decision.candidates.count - count) }
        var others = JSONWriter()
        for (policy, winner) in zip(ArbitrationPolicy.allCases, decision.winners) {
            others.set(named: policy.rawValue, winner)
        }
        root.set("winner_by_policy", others)
        root.set("winner_now", winnerNow)
        return root.serialized()
    }

    private func member(_ c: Candidate) -> JSONWriter {
        var member = JSONWriter()
        member.set("puck_id", c.puckID)
        member.set("wake_id", c.wake.wakeID)
        member.set("onset_after_ms", Self.rounded(c.onset.milliseconds - earliest))
        member.set("onset_error_ms", Self.rounded(c.onset.errorMilliseconds))
        member.set("clock_known", c.onset.isCorrected)
        member.set("snr_db", Self.rounded(c.wake.snrDecibels))
        member.set("level_db", Self.rounded(c.wake.levelDecibels))
        member.set("gain_db", Self.rounded(c.gainDecibels))
        member.set("gain_used_db", Self.rounded(c.gainDecibels(by: decision.policy)))
        member.set("gain_now_db", Self.rounded(earshot.gain(of: c.puckID)))
        member.set("corrected_db", Self.rounded(earshot.correction(of: c.puckID)))
        member.set("score_db", Self.rounded(c.score))
        member.set("handicap_db", c.handicapDecibels)
        if let cues = c.cues {
            member.set("early_db", Self.rounded(cues.earlyDecibels))
            member.set("roughness_db", Self.rounded(cues.roughnessDecibels))
        }
        member.set("confidence", Self.rounded(c.wake.confidence))
        return member
    }

    /// To the thousandth: more digits mean nothing here, and are long.
    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}

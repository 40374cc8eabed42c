import HubCore
import PuckBase
import PuckWire

/// What the control socket is asked (`puckhub status`, `play`, `explain`, …): one line in, one reply out.
public final class HubRequests<Outside: HubOutside> {
    private let interpreter: HubInterpreter<Outside>
    private let tokens: HubTokens<Outside>
    private let longestReplyBytes: Int

    /// Of the adapters that answer them: `pair PUCK [ROOM] [code=CODE]`, without the first word, and `certificate`.
    public var onPair: ([String]) -> String = { _ in "error: this hub does not pair" }
    public var onCertificate: () -> String = { "error: this hub has no certificate" }

    public init(_ interpreter: HubInterpreter<Outside>, _ tokens: HubTokens<Outside>, longestReplyBytes: Int) {
        self.interpreter = interpreter
        self.tokens = tokens
        self.longestReplyBytes = longestReplyBytes
    }

    public func answer(_ request: String) -> String {
        let words = request.split(separator: " ", maxSplits: 3)
        switch (words.first, words.count) {
        case ("status", 1): return status()
        case ("play", 4):
            guard let category = DownStart.Category(rawValue: String(words[2])) else {
                return "error: \"\(words[2])\" is no category; there are \(PlayCategories.text)"
            }
            return play(String(words[3]), on: String(words[1]), category)
        case ("explain", 2...3):
            return explain(words.count == 3 ? String(words[2]) : nil, isJSON: words[1] == "json")
        case ("pair", 2...4): return onPair(words.dropFirst().map(String.init))
        case ("rotate", 2):
            if let problem = tokens.issue(to: String(words[1])) { return "error: " + problem }
            return
                "\(words[1]) has been sent a new token; the old one ends when the new one is used, at its next connection"
        case ("certificate", 1): return onCertificate()
        case ("revoke", 2): return tokens.revoke(String(words[1]))
        case ("revoke-all", 1): return tokens.revoke(nil)
        case ("correct", 3): return correct(String(words[1]), to: String(words[2]))
        default:
            return "error: unknown command \"\(request)\"; known are status, play PUCK CATEGORY FILE, "
                + "explain text|json [CONVERSATION], correct CONVERSATION PUCK, pair PUCK [ROOM] [code=CODE], rotate PUCK, "
                + "revoke PUCK, revoke-all, certificate"
        }
    }

    private func play(_ file: String, on puckID: String, _ category: DownStart.Category) -> String {
        do throws(OutsideError) {
            let sound = try interpreter.outside.sound(inFile: file)
            return interpreter.speech.request(sound) {
                interpreter.process(.playRequested(request: 0, puckID: puckID, category: category))
            }
        } catch {
            return "error: \(error.message)"
        }
    }

    private func explain(_ conversationID: String?, isJSON: Bool) -> String {
        guard let decision = interpreter.hub.decision(about: conversationID) else {
            return conversationID.map {
                "error: no decision about \"\($0)\" is known; the last 1,000 since the hub was started are"
            }
                ?? "error: nothing has been decided yet"
        }
        let explanation = Explanation(decision, in: interpreter.hub, now: interpreter.outside.now)
        return isJSON ? explanation.json(atMost: longestReplyBytes) : explanation.text
    }

    private func correct(_ conversationID: String, to puckID: String) -> String {
        guard let decision = interpreter.hub.decision(about: conversationID) else {
            return explain(conversationID, isJSON: false)
        }
        if decision.late.contains(where: { $0.puckID == puckID }) {
            return "error: \"\(puckID)\" reported too late to be chosen, which no correction changes; "
                + "a longer [arbitration] window_ms (up to 120) may"
        }
        guard interpreter.correct(conversationID, to: puckID) else {
            return "error: \"\(puckID)\" was no candidate of \"\(conversationID)\"; "
                + "'puckhub explain \(conversationID)' shows who was"
        }
        interpreter.outside.log(
            .notice, "arbitration.corrected", [Field("conversation", conversationID), Field("puck", puckID)])
        if let problem = interpreter.learned.keep(interpreter.hub.earshot) {
            return explain(conversationID, isJSON: false) + "\nnot kept over a restart of the hub: \(problem)"
        }
        return explain(conversationID, isJSON: false)
    }

    private func status() -> String {
        let counters = interpreter.hub.counters
        return
            "sessions=\(interpreter.hub.sessionCount) microphones_down=\(interpreter.hub.pucksWithout { $0.captureOK })"
            + " loudspeakers_down=\(interpreter.hub.pucksWithout { $0.playbackOK }) conversations=\(interpreter.hub.conversationsInProgress)"
            + " runners_up_total=\(counters.runnersUp) conversations_total=\(counters.conversations) degraded_total=\(counters.degraded)"
            + " links_lost_total=\(counters.linksLost) silent_winners_total=\(counters.silentWinners)"
            + " gaps_total=\(counters.gaps) unended_total=\(counters.unended)"
            + " uplinks_resumed_total=\(counters.uplinksResumed) streams_replayed_total=\(counters.streamsReplayed)"
            + " streams_restarted_total=\(counters.streamsRestarted)" + duplicates()
    }

    /// A line for each puck whose id and token another one uses as well.
    private func duplicates() -> String {
        var text = ""
        for (name, holder, refused) in interpreter.hub.duplicates(now: interpreter.outside.now) {
            text +=
                "\nduplicate_puck=\(name) connected_from=\(holder) refused_from=\(refused): two pucks have its id and "
                + "token; pair one of them again"
        }
        return text
    }
}

public enum PlayCategories {
    /// For people, in the order of the protocol.
    public static let text = "assistant_response, filler, timer, reminder, notification, announcement, music"
}

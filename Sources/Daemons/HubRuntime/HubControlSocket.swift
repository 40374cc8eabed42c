import HubCore
import LinuxIO
import PuckBase
import PuckWire

// The running hub's control socket: `puckhub play`, `status`, `explain` and `correct`.

extension HubDaemon {
    /// One line in, one reply out.
    func answer(_ request: String) -> String {
        let words = request.split(separator: " ", maxSplits: 3)
        switch (words.first, words.count) {
        case ("status", 1): return status()
        case ("play", 4):
            guard let category = DownStart.Category(rawValue: String(words[2])) else {
                return "error: \"\(words[2])\" is no category; there are \(RunningHubCommand.categories)"
            }
            return play(String(words[3]), on: String(words[1]), category)
        case ("explain", 2...3):
            return explain(words.count == 3 ? String(words[2]) : nil, isJSON: words[1] == "json")
        case ("pair", 2...4): return offerPairing(words.dropFirst().map(String.init))
        case ("rotate", 2):
            if let problem = issueToken(to: String(words[1])) { return "error: " + problem }
            return
                "\(words[1]) has been sent a new token; the old one ends when the new one is used, at its next connection"
        case ("certificate", 1): return certificateReport()
        case ("revoke", 2): return revoke(String(words[1]))
        case ("revoke-all", 1): return revoke(nil)
        case ("correct", 3): return correct(String(words[1]), to: String(words[2]))
        default:
            return "error: unknown command \"\(request)\"; known are status, play PUCK CATEGORY FILE, "
                + "explain text|json [CONVERSATION], correct CONVERSATION PUCK, pair PUCK [ROOM] [code=CODE], rotate PUCK, "
                + "revoke PUCK, revoke-all, certificate"
        }
    }

    private func play(_ file: String, on puckID: String, _ category: DownStart.Category) -> String {
        do throws(HubStartError) {
            requestedPlay = try Responder.readWave(file)
        } catch {
            return "error: \(error.message)"
        }
        playReply = ""
        process(.playRequested(request: 0, puckID: puckID, category: category))
        return playReply
    }

    private func explain(_ conversationID: String?, isJSON: Bool) -> String {
        guard let decision = hub.decision(about: conversationID) else {
            return conversationID.map {
                "error: no decision about \"\($0)\" is known; the last 1,000 since the hub was started are"
            }
                ?? "error: nothing has been decided yet"
        }
        let explanation = Explanation(decision, in: hub, now: MonotonicClock.now())
        return isJSON ? explanation.json(atMost: ControlSocket.longestReplyBytes) : explanation.text
    }

    private func correct(_ conversationID: String, to puckID: String) -> String {
        guard let decision = hub.decision(about: conversationID) else {
            return explain(conversationID, isJSON: false)
        }
        if decision.late.contains(where: { $0.puckID == puckID }) {
            return "error: \"\(puckID)\" reported too late to be chosen, which no correction changes; "
                + "a longer [arbitration] window_ms (up to 120) may"
        }
        guard hub.correct(conversationID, to: puckID) else {
            return "error: \"\(puckID)\" was no candidate of \"\(conversationID)\"; "
                + "'puckhub explain \(conversationID)' shows who was"
        }
        log.notice("arbitration.corrected", [Field("conversation", conversationID), Field("puck", puckID)])
        if let problem = learned.keep(hub.earshot, log) {
            return explain(conversationID, isJSON: false) + "\nnot kept over a restart of the hub: \(problem)"
        }
        return explain(conversationID, isJSON: false)
    }

    private func status() -> String {
        let counters = hub.counters
        return "sessions=\(hub.sessionCount) microphones_down=\(hub.pucksWithout { $0.captureOK })"
            + " loudspeakers_down=\(hub.pucksWithout { $0.playbackOK }) conversations=\(hub.conversationsInProgress)"
            + " runners_up_total=\(counters.runnersUp) conversations_total=\(counters.conversations) degraded_total=\(counters.degraded)"
            + " links_lost_total=\(counters.linksLost) silent_winners_total=\(counters.silentWinners)"
            + " gaps_total=\(counters.gaps) unended_total=\(counters.unended)"
            + " uplinks_resumed_total=\(counters.uplinksResumed) streams_replayed_total=\(counters.streamsReplayed)"
            + " streams_restarted_total=\(counters.streamsRestarted)" + duplicates()
    }

    /// A line for each puck whose id and token another one uses as well.
    private func duplicates() -> String {
        var text = ""
        for (name, holder, refused) in hub.duplicates(now: MonotonicClock.now()) {
            text +=
                "\nduplicate_puck=\(name) connected_from=\(holder) refused_from=\(refused): two pucks have its id and "
                + "token; pair one of them again"
        }
        return text
    }
}

/// The commands that ask the running hub: `play`, `status`, `explain`, `correct` and `token rotate`.
struct RunningHubCommand {
    static let categories = "assistant_response, filler, timer, reminder, notification, announcement, music"

    private let request: String

    /// - Parameters:
    ///   - words: the positional words of the command line.
    ///   - folder: what a relative file name is relative to.
    ///   - isJSON: `--json`.
    /// Nil when they are none of these commands.
    init?(_ words: [String], folder: String, isJSON: Bool) {
        switch (words.first, words.count) {
        case ("status", 1): request = "status"
        case ("play", 3), ("play", 4):
            let file = words[2].hasPrefix("/") ? words[2] : folder + "/" + words[2]
            request = "play \(words[1]) \(words.count == 4 ? words[3] : "announcement") \(file)"
        case ("explain", 1): request = "explain \(isJSON ? "json" : "text")"
        case ("explain", 2): request = "explain \(isJSON ? "json" : "text") \(words[1])"
        case ("token", 3) where words[1] == "rotate": request = "rotate \(words[2])"
        case ("correct", 3): request = "correct \(words[1]) \(words[2])"
        default: return nil
        }
    }

    /// The exit status.
    func run(_ settings: HubSettings) -> Int32 {
        guard !settings.controlSocket.isEmpty else {
            return fail("puckhub: [control] socket is empty: the running hub cannot be asked", ExitStatus.configuration)
        }
        do throws(SystemError) {
            let reply = try ControlClient.ask(request, at: settings.controlSocket)
            if reply.utf8.starts(with: "error: ".utf8) {
                return fail("puckhub: " + String(reply.dropFirst(7)), HubCommand.runtimeFailure)
            }
            return say(reply)
        } catch {
            return fail("puckhub: \(error.description)", HubCommand.runtimeFailure)
        }
    }
}

import HubCore
import LinuxIO
import PuckBase
import PuckWire

// The running hub's control socket: `puckhub play` and `puckhub status`.

extension HubDaemon {
    /// One line in, one reply out.
    func answer(_ request: String) -> String {
        let words = request.split(separator: " ", maxSplits: 3)
        switch (words.first, words.count) {
        case ("status", 1): return status()
        case ("play", 4):
            guard let category = DownStart.Category(rawValue: String(words[2])) else {
                return "error: \"\(words[2])\" is no category; there are \(PlayCommand.categories)"
            }
            return play(String(words[3]), on: String(words[1]), category)
        default: return "error: unknown command \"\(request)\"; known are status, play PUCK CATEGORY FILE"
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

    private func status() -> String {
        let counters = hub.counters
        return "sessions=\(hub.sessionCount) conversations=\(hub.conversationsInProgress)"
            + " conversations_total=\(counters.conversations) degraded_total=\(counters.degraded)"
            + " uplinks_resumed_total=\(counters.uplinksResumed) streams_replayed_total=\(counters.streamsReplayed)"
            + " streams_restarted_total=\(counters.streamsRestarted)"
    }
}

/// `puckhub play PUCK FILE [CATEGORY]` and `puckhub status`: asks the running hub.
struct PlayCommand {
    static let categories = "assistant_response, filler, timer, reminder, notification, announcement, music"

    private let request: String

    /// - Parameters:
    ///   - words: the positional words of the command line.
    ///   - folder: what a relative file name is relative to.
    /// Nil when they are neither command.
    init?(_ words: [String], folder: String) {
        switch (words.first, words.count) {
        case ("status", 1): request = "status"
        case ("play", 3), ("play", 4):
            let file = words[2].hasPrefix("/") ? words[2] : folder + "/" + words[2]
            request = "play \(words[1]) \(words.count == 4 ? words[3] : "announcement") \(file)"
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

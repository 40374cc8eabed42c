import LinuxIO

/// The commands that ask the running hub: `play`, `status`, `explain`, `correct` and `token rotate`.
struct RunningHubCommand {
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

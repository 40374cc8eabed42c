import CLinux
import LinuxIO
import PuckBase

/// `puckctl doctor`: what the running daemon says of itself and its devices, and what `puckd --check` says of the rest.
/// Without a daemon the check opens the devices as well.
struct Doctor {
    enum Verdict: String {
        case good = "OK"
        case doubtful = "warn"
        case bad = "FAIL"
    }

    struct Finding: Equatable {
        var verdict: Verdict
        let what: String
        let text: String
    }

    let socket: String
    /// `--config`.
    let configuration: String?

    /// More than a hub that does not answer takes the check.
    private static let checkLimit = Interval.seconds(60)

    /// The exit status: 0 unless something failed.
    func run(asJSON: Bool) -> Int32 {
        var status: StatusReply?
        var findings: [Finding] = []
        do throws(SystemError) {
            status = StatusReply(try ControlClient.ask("status", at: socket))
            if let status {
                findings = Self.daemon(status)
            } else {
                findings = [Finding(verdict: .bad, what: "daemon", text: String(StatusReply.unreadable.dropFirst(9)))]
            }
        } catch {
            if ExitCode.of(error) == ExitCode.notPermitted {
                return Command.fail("puckctl: \(error.description)", ExitCode.notPermitted)
            }
            findings = [Finding(verdict: .bad, what: "daemon", text: Self.absent(error))]
        }
        findings += check(status)
        let said = asJSON ? Self.json(findings) : findings.map { Self.line($0) }.joined(separator: "\n")
        if !Command.put(said + "\n", 1) { return ExitCode.nobodyListens }
        return findings.contains { $0.verdict == .bad } ? 1 : 0
    }

    private static func absent(_ error: SystemError) -> String {
        error.description
            + ". Start it: 'systemctl enable --now puckd'; 'journalctl -u puckd -n 20' says why it ended"
    }

    static func line(_ finding: Finding) -> String {
        leftAligned(finding.verdict.rawValue, 5) + leftAligned(finding.what, 14) + finding.text
    }

    static func json(_ findings: [Finding]) -> String {
        let lines = findings.map { finding in
            "{\"verdict\":\"\(finding.verdict == .good ? "ok" : finding.verdict == .bad ? "fail" : "warn")\",\"what\":"
                + quoted(finding.what) + ",\"text\":" + quoted(finding.text) + "}"
        }
        return "[" + lines.joined(separator: ",") + "]"
    }

    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte < 0x20 ? 0x20 : byte)
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: What the daemon knows

    static func daemon(_ status: StatusReply) -> [Finding] {
        var found: [Finding] = []
        func add(_ verdict: Verdict, _ what: String, _ text: String) {
            found.append(Finding(verdict: verdict, what: what, text: text))
        }
        let up = status.number("uptime_s").map { StatusScreen.duration(seconds: $0) } ?? "?"
        add(.good, "daemon", "puckd \(status["version"] ?? "?") runs, for \(up)")
        if status.isSet("connected") {
            add(.good, "link", StatusScreen.roundTrip(status) ?? "up; no round trip has been measured yet")
        } else if status.filled("hub") != nil {
            let reason = status.filled("link_error") ?? "the line about the hub says why"
            add(.doubtful, "link", "down: \(status["link"] ?? "?"); " + reason)
        }
        device("microphone", "capture", status, add)
        let overruns = status.number("overruns") ?? 0
        if overruns > 0 {
            add(
                .doubtful, "microphone",
                StatusScreen.plural(overruns, "overrun") + " since the start, \(status["missed_ms"] ?? "?") ms missed: "
                    + "something keeps the processor; see that the log's capture.open says real-time, and raise "
                    + "[capture] buffer_ms")
        }
        if let advice = status.filled("microphone_advice") { add(.doubtful, "microphone", advice) }
        if let steps = status.number("wake_doubt"), steps > 0 {
            add(
                .doubtful, "wake word",
                "is doubted (\(steps) of 4 steps): turns followed each other and did not end by themselves, as with a "
                    + "television. The button works as ever; it passes within \(steps * 5) minutes of quiet")
        }
        device("loudspeaker", "playback", status, add)
        let underruns = status.number("underruns") ?? 0
        if underruns > 0 {
            add(
                .doubtful, "loudspeaker",
                StatusScreen.plural(underruns, "underrun") + " since the start: raise [playback] buffer_ms")
        }
        switch status["mixer"] {
        case "ok": add(.good, "mixer", "every control stands where [mixer] sets it")
        case "differs":
            add(
                .doubtful, "mixer",
                (status.filled("mixer_differs") ?? "?") + ": another program may have changed it, which "
                    + "'journalctl -u puckd' says as mixer.restored and mixer.contested")
        case .some: add(.doubtful, "mixer", status.filled("mixer_differs") ?? "the card's controls cannot be read")
        case nil: break
        }
        if status["volume"] == "0" { add(.doubtful, "loudspeaker", "the volume is 0: 'puckctl volume 40'") }
        if status.isSet("muted") {
            let causes = status["muted_by"] ?? ""
            add(
                .doubtful, "mute",
                "the microphone is closed by \(StatusScreen.named(causes))"
                    + (causes == "person" ? ": 'puckctl unmute' opens it" : ""))
        }
        for (key, name) in StatusScreen.boardParts where status[key] != nil {
            let isBroken = status[key] == "failed"
            add(
                isBroken ? .bad : .good, name,
                isBroken ? "the running puckd cannot use it: 'journalctl -u puckd' says why" : status[key] ?? "")
        }
        return found
    }

    private static func device(
        _ what: String, _ key: String, _ status: StatusReply, _ add: (Verdict, String, String) -> Void
    ) {
        let format = StatusScreen.format(status, key)
        if status[key] == "down" {
            add(.bad, what, status.filled(key + "_error") ?? "it does not work; see the log")
        } else if let format {
            add(.good, what, format)
        } else {
            add(.doubtful, what, "puckd is still opening it; ask again")
        }
        if let faults = status[key + "_faults"], faults != "none", status[key] != "down" {
            add(.doubtful, what, "it works, but has failed since the start: \(faults)")
        }
    }

    // MARK: The check

    private func check(_ status: StatusReply?) -> [Finding] {
        let isRunning = status != nil
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            return [Finding(verdict: .bad, what: "check", text: "no pipe: \(errorText(puck_errno()))")]
        }
        for end in ends { _ = puck_fcntl(end, F_SETFD, Int(FD_CLOEXEC)) }
        defer { close(ends[0]) }
        let (user, home) = Self.daemonsUser(socket)
        var words = user
        words += Self.environment(of: status?.number("pid"), home: home) + [Self.daemonProgram(), "--check"]
        if let configuration { words += ["--config", configuration] }
        var child: ChildCommand
        do throws(SystemError) { child = try ChildCommand(words, output: ends[1]) } catch {
            close(ends[1])
            return [Finding(verdict: .bad, what: "check", text: error.description)]
        }
        close(ends[1])
        let (text, isWhole) = Self.read(ends[0])
        if !isWhole {
            child.kill()
            return [Finding(verdict: .bad, what: "check", text: "'puckd --check' did not end within a minute")]
        }
        var ended: Int32?
        while ended == nil {
            ended = child.ended()
            // Its output has ended, so it is about to.
            if ended == nil { _ = poll(nil, 0, 5) }
        }
        let found = Self.findings(of: text, isRunning: isRunning)
        if found.isEmpty {
            let reason =
                ended == ExitStatus.configuration
                ? "the configuration is wrong: see above"
                : "'\(words.joined(separator: " "))' ended with \(ended ?? 127)"
            return [Finding(verdict: .bad, what: "check", text: reason)]
        }
        return found
    }

    private static func read(_ descriptor: Int32) -> (text: String, isWhole: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        let end = MonotonicClock.now() + checkLimit
        while true {
            let left = (end - MonotonicClock.now()).wholeMilliseconds
            if left <= 0 { return ("", false) }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, Int32(left)) <= 0 { continue }
            let count = CLinux.read(descriptor, &buffer, buffer.count)
            if count <= 0 { return (String(decoding: bytes, as: UTF8.self), true) }
            bytes += buffer[..<count]
        }
    }

    /// The lines of `puckd --check`: verdict in 5 columns, what in 14, text.
    /// - Parameter isRunning: what the daemon holds is the daemon's to judge.
    static func findings(of text: String, isRunning: Bool) -> [Finding] {
        var found: [Finding] = []
        for line in text.split(separator: "\n") where line.utf8.count > 19 {
            let verdict: Verdict
            if line.hasPrefix("ok   ") {
                verdict = .good
            } else if line.hasPrefix("note ") {
                verdict = .doubtful
            } else if line.hasPrefix("FAIL ") {
                verdict = .bad
            } else {
                continue
            }
            var what = line.dropFirst(5).prefix(14)
            while what.last == " " { what.removeLast() }
            if isRunning,
                ["microphone", "loudspeaker", "control", "mixer"].contains(String(what)) || line.hasSuffix(heldByPuckd)
            {
                continue
            }
            found.append(Finding(verdict: verdict, what: String(what), text: String(line.dropFirst(19))))
        }
        return found
    }

    private static let heldByPuckd = "a puckd is running here"

    /// Beside this program, as the package puts it.
    private static func daemonProgram() -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "puckd" }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "puckd" }
        return String(path[...slash]) + "puckd"
    }
}

import CLinux
import LinuxIO
import PuckBase

/// `puckctl watch`: asks again and again. What comes and goes between two looks is not seen.
struct Watch {
    /// Four times a second: as fast as a person reads, and a daemon hardly notices.
    static let everyMilliseconds: Int32 = 250
    /// What moves by itself: shown, but no change that is worth a line.
    static let restless = [
        "uptime_s", "level_db", "noise_db", "periods", "link_s", "retry_ms", "rtt_ms", "rtt_min_ms", "clock_error_ms",
        "signal_dbm", "wake_heard_ms",
    ]

    let socket: String

    func run() -> Int32 {
        let isTerminal = isatty(1) == 1
        SignalDescriptor.ignoreBrokenPipes()
        do throws(SystemError) {
            let signals = try SignalDescriptor([.interrupt, .terminate])
            var last: StatusReply?
            var lastPage = ""
            while true {
                let reply: String
                do throws(SystemError) { reply = try ControlClient.ask("status", at: socket) } catch {
                    return ended(error, wasThere: last != nil)
                }
                guard let status = StatusReply(reply) else {
                    return Command.fail(StatusReply.unreadable, ExitCode.unreachable)
                }
                let page = isTerminal ? Self.screen(status, isFirst: last == nil) : Self.changes(from: last, to: status)
                if !page.isEmpty, page != lastPage || !isTerminal, !Command.put(page, 1) { return 0 }
                lastPage = page
                last = status
                var entry = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&entry, 1, Self.everyMilliseconds)
                if signals.next() != nil { return 0 }
            }
        } catch { return Command.fail("puckctl: \(error.description)", ExitCode.unreachable) }
    }

    private func ended(_ error: SystemError, wasThere: Bool) -> Int32 {
        Command.fail(
            wasThere
                ? "puckctl: the daemon has gone: \(error.description)" : "puckctl: \(error.description)",
            ExitCode.of(error))
    }

    /// Over what stood there before: ECMA-48's home, erase to the end of each line and of the page.
    static func screen(_ status: StatusReply, isFirst: Bool) -> String {
        var page = isFirst ? "\u{1B}[2J\u{1B}[H" : "\u{1B}[H"
        for line in StatusScreen.text(status).split(separator: "\n", omittingEmptySubsequences: false) {
            page += line + "\u{1B}[K\n"
        }
        return page + "\u{1B}[J"
    }

    /// A line with the time of day and what is new; empty when nothing is.
    static func changes(from last: StatusReply?, to status: StatusReply, secondOfDay: Int = WallClock.secondOfDay())
        -> String
    {
        var line = ""
        for member in status.members where !restless.contains(member.key) {
            if let last, last[member.key] == member.text { continue }
            line += " \(member.key)=" + (member.text.isEmpty || member.text.contains(" ") ? member.raw : member.text)
        }
        for member in last?.members ?? [] where status[member.key] == nil && !restless.contains(member.key) {
            line += " \(member.key)=gone"
        }
        if line.isEmpty { return "" }
        let time = [secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60]
        return time.map { padded(Int64($0), 2, with: "0") }.joined(separator: ":") + line + "\n"
    }
}

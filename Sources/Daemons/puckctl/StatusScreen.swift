import PuckBase

/// The status for people: one screen, what it does first.
enum StatusScreen {
    static let labelColumns = 13

    static func text(_ status: StatusReply) -> String {
        var page = head(status) + "\n\n"
        for line in lines(status) {
            page += leftAligned(line.label, labelColumns) + line.text + "\n"
        }
        return page
    }

    private static func head(_ status: StatusReply) -> String {
        var text = status["puck"] ?? "?"
        if let room = status["room"], room != text { text += " in " + room }
        if let board = status.filled("board") { text += ", board " + board }
        text += ", puckd " + (status["version"] ?? "?")
        if let up = status.number("uptime_s") { text += ", up " + duration(seconds: up) }
        return text
    }

    private static func lines(_ status: StatusReply) -> [(label: String, text: String)] {
        var lines: [(label: String, text: String)] = [("Puck", doing(status))]
        lines.append(("Hub", hub(status)))
        if let error = status.filled("link_error") { lines.append(("", error)) }
        if let trip = roundTrip(status) { lines.append(("", trip)) }
        let causes = status["muted_by"] ?? ""
        lines.append(("Mute", status.isSet("muted") ? "on, by " + named(causes) : "off"))
        if let volume = status["volume"] { lines.append(("Volume", volume + " %")) }
        device("Microphone", "capture", status, &lines)
        lines.append(("", levels(status)))
        lines.append(("", microphoneCounts(status)))
        if let wake = wakeWords(status) { lines.append(("Wake word", wake)) }
        device("Loudspeaker", "playback", status, &lines)
        lines.append(
            (
                "",
                plural(status.number("underruns"), "underrun") + ", "
                    + plural(status.number("broken_packets"), "broken packet")
            ))
        if let mixer = mixer(status) { lines.append(("Mixer", mixer)) }
        if let wifi = wireless(status) { lines.append(("Wi-Fi", wifi)) }
        if let gateway = status["gateway"] {
            let answers = status["gateway_answers"] ?? "unknown"
            lines.append(
                (
                    "Network",
                    gateway == "none"
                        ? "no IPv4 default route"
                        : "gateway \(gateway), answers: \(answers)"
                            + (status["network"] == "wedged" ? "; neither the hub nor the gateway answers" : "")
                ))
        }
        if let parts = board(status) { lines.append(("Board", parts)) }
        lines.append(("Software", software(status)))
        return lines
    }

    /// Nil where the board sets no control.
    private static func mixer(_ status: StatusReply) -> String? {
        guard let state = status["mixer"] else { return nil }
        let differs = status.filled("mixer_differs") ?? "?"
        return state == "ok" ? "as the board sets it" : state == "differs" ? "differs: " + differs : differs
    }

    private static func doing(_ status: StatusReply) -> String {
        var text = status["phase"] ?? "?"
        if status.isSet("recording") { text += ", recording for puckctl" }
        if status.isSet("playing_file") { text += ", playing for puckctl" }
        if status.isSet("pairing") { text += ", waiting to be paired" }
        if let showing = status["showing"] { text += "; lights show " + showing }
        return text
    }

    private static func hub(_ status: StatusReply) -> String {
        guard let place = status["hub"] else { return "none: 'puckctl join' pairs this puck with one" }
        let time = status.number("link_s").map { duration(seconds: $0) } ?? "?"
        if status.isSet("connected") { return "\(place), connected for \(time)" }
        switch status["link"] {
        case "waiting":
            let next = status.number("retry_ms").map { ", next attempt in \(fixed(Double($0) / 1000, 1)) s" } ?? ""
            return "\(place), not reached for \(time)\(next)"
        default: return "\(place), \(status["link"] ?? "?"), not reached for \(time)"
        }
    }

    /// Nil before the first exchange.
    static func roundTrip(_ status: StatusReply) -> String? {
        guard let last = status["rtt_ms"], let least = status["rtt_min_ms"], let error = status["clock_error_ms"] else {
            return nil
        }
        return "round trip \(last) ms (least of the last 8: \(least) ms), clock within \(error) ms"
    }

    private static func device(
        _ label: String, _ key: String, _ status: StatusReply, _ lines: inout [(label: String, text: String)]
    ) {
        if status[key] == "down" {
            lines.append((label, "does not work: " + (status.filled(key + "_error") ?? "see the log")))
        } else {
            lines.append((label, format(status, key) ?? "not open yet"))
        }
        if let faults = status[key + "_faults"], faults != "none" {
            lines.append(("", "faults since the start: " + faults.split(separator: ",").joined(separator: ", ")))
        }
    }

    /// Without "capture " or "playback ", which the label says.
    static func format(_ status: StatusReply, _ key: String) -> String? {
        guard let format = status.filled(key + "_format") else { return nil }
        return format.hasPrefix(key + " ") ? String(format.dropFirst(key.utf8.count + 1)) : format
    }

    private static func levels(_ status: StatusReply) -> String {
        "level \(status["level_db"] ?? "?") dB, room \(status["noise_db"] ?? "?") dB"
    }

    private static func microphoneCounts(_ status: StatusReply) -> String {
        plural(status.number("overruns"), "overrun") + ", \(status["missed_ms"] ?? "?") ms missed, "
            + plural(status.number("suspends"), "suspend")
    }

    /// Nil of a daemon that is older than wake words.
    private static func wakeWords(_ status: StatusReply) -> String? {
        guard let detector = status["wake_detector"] else { return nil }
        guard detector == "model" else {
            return detector == "level" ? "any loud sound (detector = level)" : "none, only the button"
        }
        var text = status.filled("wake_models") ?? "none, only the button"
        if let last = status.filled("last_wake") { text += "; last \(last), \(status["last_wake_score"] ?? "?")" }
        text += "; " + plural(status.number("near_misses"), "near miss", "near misses")
        if let missed = status.number("wake_missed_ms"), missed > 0 { text += ", \(missed) ms not listened to" }
        if let error = status.filled("wake_error") { text += "; " + error }
        return text
    }

    private static func wireless(_ status: StatusReply) -> String? {
        guard let interface = status["wifi"], let signal = status.number("signal_dbm") else { return nil }
        let quality = signal >= -60 ? "good" : signal >= weakSignal ? "fair" : "weak"
        return "\(interface), \(signal) dBm (\(quality)), power saving \(status["power_save"] ?? "unknown")"
    }

    /// dBm; below it 802.11's rates fall to where speech stutters.
    static let weakSignal = -75

    private static func board(_ status: StatusReply) -> String? {
        var parts: [String] = []
        for (key, name) in boardParts {
            if let state = status[key] { parts.append("\(name) \(state)") }
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    static let boardParts = [
        ("button", "button"), ("mute_switch", "mute switch"), ("power", "power"), ("amplifier", "amplifier"),
        ("lights", "lights"),
    ]

    private static func software(_ status: StatusReply) -> String {
        var parts = ["puckd " + (status["version"] ?? "?")]
        for (key, name) in [("alsa", "ALSA"), ("libwebsockets", "libwebsockets"), ("openssl", "OpenSSL")] {
            if let version = status[key] { parts.append("\(name) \(version)") }
        }
        // It names itself.
        if let opus = status["opus"] { parts.append(opus) }
        return parts.joined(separator: ", ")
    }

    static func named(_ causes: String) -> String {
        var text = ""
        for cause in causes.split(separator: ",") {
            text += text.isEmpty ? "" : " and "
            switch cause {
            case "person": text += "a person"
            case "switch": text += "the mute switch"
            case "hub": text += "the hub"
            default: text += cause
            }
        }
        return text.isEmpty ? "nobody" : text
    }

    static func plural(_ count: Int?, _ word: String, _ words: String? = nil) -> String {
        let several = words ?? word + "s"
        guard let count else { return "? " + several }
        return "\(count) " + (count == 1 ? word : several)
    }

    /// The two largest units.
    static func duration(seconds: Int) -> String {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        if minutes > 0 { return "\(minutes) min \(seconds % 60) s" }
        return "\(seconds) s"
    }
}

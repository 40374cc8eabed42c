import PuckBase

/// The table that follows the timeline, and the checks below it.
enum Report {
    static func table(_ course: Course, speechEndSeconds: Double) -> [String] {
        var lines = [""]
        let width = max(12, (course.pucks.map { $0.count }.max() ?? 0) + 2)
        func row(_ title: String, _ cell: (String) -> String?) {
            lines.append(
                "  " + leftAligned(title, 30)
                    + course.pucks.map { rightAligned(cell($0) ?? "–", width) }.joined())
        }
        row("") { $0 }
        row("signal to noise, dB") { course.snr($0).map { fixed($0, 1) } }
        row("first sound to candidate, ms") { course.onsetAge($0).map { fixed($0, 0) } }
        row("candidate to verdict, ms") { course.verdictAfter($0).map { fixed($0, 1) } }
        row("verdict") { course.verdict($0) }
        lines.append("")
        for (title, value, note) in measures(course, speechEndSeconds) {
            lines.append(
                "  " + leftAligned(title, 30) + rightAligned(value, width) + (note.isEmpty ? "" : "   " + note))
        }
        return lines
    }

    /// As the hub said it, indented.
    static func explanation(_ text: String) -> [String] {
        text.isEmpty
            ? []
            : [""] + text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  " + $0 }
    }

    private static func measures(_ course: Course, _ speechEnd: Double) -> [(String, String, String)] {
        var rows: [(String, String, String)] = []
        for happening in course.happenings {
            switch happening.event {
            case .decided(_, let waited, let rule):
                guard !rows.contains(where: { $0.0 == "wake to grant" }) else { break }
                let grant = course.winner.flatMap { course.verdictAfter($0) }
                rows.append(
                    (
                        "wake to grant", grant.map { fixed($0, 1) + " ms" } ?? "–",
                        "\(fixed(waited, 1)) ms after the hub had the first candidate; rule: \(rule)"
                    ))
            case .firstAudio(_, let after):
                rows.append(("grant to first packet at hub", fixed(after, 1) + " ms", ""))
            case .answerStarted(_, let after, _):
                let heard = course.winner.flatMap { course.first($0, where: { $0 == .playStarted }) }
                rows.append(
                    (
                        "end of speech to answer",
                        heard.map { fixed((course.seconds(of: $0) - speechEnd) * 1000, 0) + " ms" } ?? "–",
                        "of it 700 ms to be sure that nobody goes on; the hub's part \(fixed(after, 1)) ms"
                    ))
            case .heard(_, let packets, let bytes) where packets > 0:
                let seconds = Double(packets) * 0.02
                rows.append(
                    (
                        "uplink, Opus", fixed(Double(bytes) * 8 / seconds / 1000, 1) + " kbit/s",
                        "\(packets) packets; with message headers "
                            + fixed(Double(bytes + 9 * packets) * 8 / seconds / 1000, 1) + " kbit/s"
                    ))
            default: break
            }
        }
        return rows
    }

    static func verdict(_ checks: [Check], paint: Paint) -> [String] {
        [""]
            + checks.map { check in
                let mark = check.passed ? paint(.green, "✓") : paint(.red, "✗")
                return "  \(mark) \(leftAligned(check.title, 50)) \(paint(.dim, check.finding))"
            }
    }

    static func rightAligned(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// Colours for a terminal, or none.
struct Paint {
    enum Colour: String {
        case dim = "2"
        case bold = "1"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "34"
        case magenta = "35"
        case cyan = "36"
    }

    var isOn: Bool

    func callAsFunction(_ colour: Colour, _ text: String) -> String {
        isOn && !text.isEmpty ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }
}

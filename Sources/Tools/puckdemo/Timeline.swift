import PuckBase

/// The picture of a course at a moment: one lane a puck. Lines of text, made anew for each frame; pure, so that tests
/// can look at it.
struct Timeline {
    static let labelWidth = 16
    /// The axis begins a little before the sentence.
    static let firstSecond = -0.5

    let sentence: String
    /// How loud each 20 ms of the sentence is, RMS; from where the speech begins.
    let levels: [Double]
    /// How long saying it takes.
    let speechSeconds: Double
    /// Characters in a line.
    let width: Int
    let paint: Paint

    private static let legend = "◆ wakes  ✔ granted  ✘ cancelled  ━ sends  ┤ ends  ∿ waits  ▆ answers"

    /// The sentence, the hangover, the sentence again, and a little.
    private var lastSecond: Double { 2 * speechSeconds + 2.2 }

    /// 50, 100, 150 … ms, so that the axis fits into the line.
    var secondsPerColumn: Double {
        let columns = Double(max(20, width - Self.labelWidth - 1))
        return max(1, ((lastSecond - Self.firstSecond) / columns / 0.05).rounded(.up)) * 0.05
    }

    private var columns: Int { Int((lastSecond - Self.firstSecond) / secondsPerColumn) + 1 }
    private func column(_ seconds: Double) -> Int {
        Int(((seconds - Self.firstSecond) / secondsPerColumn).rounded(.down))
    }

    /// - Parameter now: seconds of the sentence.
    func lines(_ course: Course, now: Double) -> [String] {
        var lines = ["", said(sentence, by: "you", from: 0, lasting: speechSeconds, now: now, .bold)]
        if let winner = course.winner, let start = course.first(winner, where: { $0 == .playStarted }) {
            let begin = course.seconds(of: start)
            lines.append(said(sentence, by: winner, from: begin, lasting: speechSeconds + 1, now: now, .green))
        } else {
            lines.append("")
        }
        lines += ["", axis(), label("you") + voice(now: now)]
        for puck in course.pucks {
            lines.append(label(puck, lights: lights(of: puck, course, at: now)) + lane(puck, course, now: now))
            lines.append(label("") + paint(.dim, clipped(notes(on: puck, course))))
        }
        lines.append(label("hub") + paint(.dim, clipped(hubNotes(course))))
        lines.append(label("") + paint(.dim, clipped(Self.legend)))
        return lines
    }

    private func clipped(_ text: String) -> String { String(text.prefix(max(10, width - Self.labelWidth - 1))) }

    private func label(_ name: String, lights: String? = nil) -> String {
        let lamp = lights.map { paint(Self.look(of: $0).colour, $0 == "idle" ? "○" : "●") } ?? " "
        return "  \(lamp) " + leftAligned(String(name.prefix(Self.labelWidth - 5)), Self.labelWidth - 4)
    }

    /// The words, as far as they have been said in `colour` and the rest dim; a window on them when they are many.
    private func said(
        _ text: String, by who: String, from begin: Double, lasting seconds: Double, now: Double, _ colour: Paint.Colour
    ) -> String {
        let characters = Array("“" + text + "”")
        let room = max(20, width - Self.labelWidth - 1)
        let share = min(1, max(0, (now - begin) / max(0.1, seconds)))
        let spoken = Int((share * Double(characters.count)).rounded())
        let first = min(max(0, spoken - room / 2), max(0, characters.count - room))
        let window = characters[first..<min(characters.count, first + room)]
        let border = min(max(first, spoken), window.endIndex)
        return label(who) + paint(colour, String(window[..<border])) + paint(.dim, String(window[border...]))
    }

    private func axis() -> String {
        var marks = [Character](repeating: " ", count: columns + 4)
        for second in 0...max(0, Int(lastSecond)) {
            for (i, character) in "\(second)".enumerated() where column(Double(second)) + i < marks.count {
                marks[column(Double(second)) + i] = character
            }
        }
        return label("") + paint(.dim, clipped(String(marks.prefix(columns)) + " s"))
    }

    private func voice(now: Double) -> String {
        let loudest = max(1, levels.max() ?? 1)
        var text = ""
        for i in 0..<columns {
            let begin = Self.firstSecond + Double(i) * secondsPerColumn
            if begin > now { break }
            let frames = max(0, Int(begin / 0.02))..<max(0, Int((begin + secondsPerColumn) / 0.02))
            let level = levels[frames.clamped(to: levels.indices)].max() ?? 0
            let height = Int((7 * (level / loudest).squareRoot()).rounded(.up))
            text.append(begin < 0 || level == 0 ? " " : Array("▁▂▃▄▅▆▇█")[min(7, height)])
        }
        return text
    }

    // MARK: Lanes

    /// A state of the lights, as a colour and a stroke.
    static func look(of lights: String) -> (colour: Paint.Colour, glyph: Character) {
        switch lights {
        case "candidate": (.yellow, "┄")
        case "listening": (.cyan, "━")
        case "thinking": (.magenta, "∿")
        case "speaking": (.green, "▆")
        case "muted", "offline", "error": (.red, "!")
        default: (.dim, "·")
        }
    }

    private func lights(of puck: String, _ course: Course, at now: Double) -> String {
        var state = "idle"
        for happening in course.happenings where happening.source == puck && course.seconds(of: happening) <= now {
            if case .lights(let next) = happening.event { state = next }
        }
        return state
    }

    private func lane(_ puck: String, _ course: Course, now: Double) -> String {
        let marks = marks(on: puck, course)
        var text = ""
        for i in 0..<columns {
            let end = Self.firstSecond + Double(i + 1) * secondsPerColumn
            if end - secondsPerColumn > now { break }
            if let mark = marks[i] {
                text += paint(mark.colour, String(mark.glyph))
            } else {
                let look = Self.look(of: lights(of: puck, course, at: min(end, now)))
                text += paint(look.colour, String(look.glyph))
            }
        }
        return text
    }

    /// Wake, verdict and end of speech stand in the column of their moment, or in the next free one.
    private func marks(on puck: String, _ course: Course) -> [Int: (glyph: Character, colour: Paint.Colour)] {
        var marks: [Int: (glyph: Character, colour: Paint.Colour)] = [:]
        for happening in course.happenings where happening.source == puck {
            let mark: (glyph: Character, colour: Paint.Colour)
            switch happening.event {
            case .candidate: mark = ("◆", .yellow)
            case .granted: mark = ("✔", .green)
            case .cancelled: mark = ("✘", .red)
            case .uplinkEnded: mark = ("┤", .cyan)
            case .trouble: mark = ("!", .red)
            default: continue
            }
            var place = column(course.seconds(of: happening))
            while marks[place] != nil { place += 1 }
            marks[place] = mark
        }
        return marks
    }

    private func notes(on puck: String, _ course: Course) -> String {
        var notes: [String] = []
        if let snr = course.snr(puck) { notes.append("◆ \(fixed(snr, 1)) dB") }
        if let verdict = course.verdict(puck), let after = course.verdictAfter(puck) {
            notes.append("\(verdict == "granted" ? "✔ granted" : "✘ \(verdict)") after \(fixed(after, 1)) ms")
        }
        for happening in course.happenings where happening.source == puck {
            switch happening.event {
            case .uplinkEnded(let packets, let reason):
                notes.append("┤ \(reason), \(fixed(Double(packets) * 0.02, 1)) s sent")
            case .playDone(let milliseconds): notes.append("▆ said \(fixed(Double(milliseconds) / 1000, 1)) s")
            default: break
            }
        }
        return notes.joined(separator: "  ")
    }

    private func hubNotes(_ course: Course) -> String {
        course.happenings.compactMap { happening -> String? in
            guard happening.source == Happening.hub else { return nil }
            switch happening.event {
            case .decided(let winner, _, _): return "takes \(winner)"
            case .heard(_, let packets, _): return "heard \(fixed(Double(packets) * 0.02, 1)) s"
            case .answerStarted(_, let after, _): return "answers after \(fixed(after, 1)) ms"
            case .conversationEnded(_, _, let outcome): return outcome
            default: return nil
            }
        }.joined(separator: "  ")
    }
}

import Foundation
import PuckBase

/// Standard output and error, unbuffered, so that a line is seen when it is written.
enum Output {
    static func write(_ text: String, to descriptor: Int32 = 1) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return }
            sent += max(0, count)
        }
    }

    static func line(_ text: String) { write(text + "\n") }
}

/// Where the course is shown while it happens.
protocol Screen: AnyObject {
    /// Once for each happening, in order of time.
    func show(_ happening: Happening, in course: Course)
    /// Often.
    /// - Parameter now: seconds of the sentence; nil before it is known when that begins.
    func tick(_ course: Course, now: Double?)
    func end(_ course: Course, now: Double?)
}

/// One line an event.
final class PlainScreen: Screen {
    private let sentence: String
    private let speechSeconds: Double
    private var announced = 0

    init(sentence: String, speechSeconds: Double) {
        self.sentence = sentence
        self.speechSeconds = speechSeconds
    }

    func show(_ happening: Happening, in course: Course) {
        if let text = Self.words(for: happening.event) {
            let seconds = course.sentenceBegins == nil ? nil : course.seconds(of: happening)
            say(seconds, happening.source, text)
        }
    }

    func tick(_ course: Course, now: Double?) {
        guard let now else { return }
        if announced == 0, now >= 0 {
            say(0, "you", "“\(sentence)”")
            announced = 1
        } else if announced == 1, now >= speechSeconds {
            say(speechSeconds, "you", "end of the sentence")
            announced = 2
        }
    }

    func end(_ course: Course, now: Double?) {}

    private func say(_ seconds: Double?, _ source: String, _ text: String) {
        let time = seconds.map { fixed($0, 3) + " s" } ?? "–"
        Output.line(Report.rightAligned(time, 10) + "  " + leftAligned(source, 13) + text)
    }

    static func words(for event: Happening.Event) -> String? {
        switch event {
        case .linkUp: "connected"
        case .lights(let state): "lights: \(state)"
        case .candidate(let snr, _): "hears somebody, \(fixed(snr, 1)) dB above the noise"
        case .granted: "granted"
        case .cancelled(let reason): "cancelled: \(reason)"
        case .uplinkEnded(let packets, let reason): "stops sending after \(packets) packets: \(reason)"
        case .playStarted: "answer begins"
        case .playDone(let milliseconds): "answer ends, \(milliseconds) ms played"
        case .listening(let port): "listens on port \(port)"
        case .decided(let winner, let waited, let rule):
            "decides for \(winner) after \(fixed(waited, 1)) ms (\(rule))"
        case .firstAudio(let puck, let after): "first packet from \(puck), \(fixed(after, 1)) ms after the grant"
        case .heard(let puck, let packets, let bytes): "has heard \(puck) out: \(packets) packets, \(bytes) bytes"
        case .answerStarted(let puck, let after, _): "answers \(puck) after \(fixed(after, 1)) ms"
        case .conversationEnded(_, _, let outcome): "conversation over: \(outcome)"
        case .trouble(let text): "! \(text)"
        }
    }
}

/// The timeline, drawn over itself.
final class LiveScreen: Screen {
    private let timeline: Timeline
    private var linesDrawn = 0

    init(timeline: Timeline) {
        self.timeline = timeline
        Output.write("\u{1B}[?25l")  // no cursor
    }

    deinit { Output.write("\u{1B}[?25h") }

    func show(_ happening: Happening, in course: Course) {}

    func tick(_ course: Course, now: Double?) { draw(timeline.lines(course, now: now ?? Timeline.firstSecond)) }

    func end(_ course: Course, now: Double?) { tick(course, now: now) }

    private func draw(_ lines: [String]) {
        var frame = linesDrawn > 0 ? "\u{1B}[\(linesDrawn)A" : ""
        for line in lines { frame += "\r" + line + "\u{1B}[K\n" }
        linesDrawn = lines.count
        Output.write(frame)
    }

    /// Characters in a line of the terminal on standard output; nil when there is none.
    static var terminalWidth: Int? {
        var size = winsize()
        guard isatty(1) == 1 else { return nil }
        return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col >= 40 ? Int(size.ws_col) : 80
    }
}

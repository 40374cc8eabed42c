import Foundation
import LinuxIO
import PuckBase

/// One run, from speech to verdict.
final class Demonstration {
    /// All of it, ends included, stays below half a minute.
    static let longestSeconds = 27

    private let household: Household
    private let screen: any Screen
    private let mixes: [RoomMix]
    private var course: Course
    private let limit = MonotonicClock.now() + .seconds(longestSeconds)

    init(options: Options, folder: URL) throws(DemoError) {
        household = try Household(folder: folder, options: options, positions: Position.flat)
        let spoken = try Speech.speakAll(options.sentence, in: folder)
        // Noise until the answer has been said; a microphone that falls dead silent would be taken for broken.
        let after = Double(spoken.sentence.count) / Double(RoomMix.rate) + 4
        mixes = household.positions.map {
            RoomMix(voice: spoken.voice, sentence: spoken.sentence, word: spoken.word, at: $0, secondsAfter: after)
        }
        course = Course(pucks: household.positions.map { $0.name })
        let voice = spoken.voice
        let speech = spoken.word..<spoken.sentence.upperBound
        let seconds = Double(speech.count) / Double(RoomMix.rate)
        // What a terminal could take for a command is not shown.
        let sentence = String(
            "\(Speech.wakeWord), \(options.sentence)".map {
                $0.isNewline || $0.unicodeScalars.contains { $0.value < 32 } ? " " : $0
            })
        if !options.isPlain, let width = LiveScreen.terminalWidth {
            screen = LiveScreen(
                timeline: Timeline(
                    sentence: sentence, levels: RoomMix.levels(of: Array(voice[speech])), speechSeconds: seconds,
                    width: width, paint: Paint(isOn: true)))
        } else {
            screen = PlainScreen(sentence: sentence, speechSeconds: seconds)
        }
    }

    /// Runs it. Whatever happens, nothing is left running.
    /// - Returns: the checks, all of them.
    func run() throws(DemoError) -> [Check] {
        do throws(DemoError) {
            try household.startHub()
            try wait(for: "the hub to listen", seconds: 6) { course.listeningPort != nil }
            try household.startPucks(hubPort: course.listeningPort!, mixes: mixes)
            try wait(for: "the pucks to connect", seconds: 8) { course.linkedPucks.count == mixes.count }
            let begin = MonotonicClock.now() + .milliseconds(200)
            try household.releaseMicrophones(at: begin.nanoseconds)
            let lead = Double(mixes[0].word) / Double(RoomMix.rate)
            course.sentenceBegins = Double(begin.nanoseconds) / 1e9 + lead
        } catch {
            _ = household.end()
            throw explained(error)
        }
        let problem = waitForTheEnd()
        let explanation = explain()
        let stubborn = household.end()
        readLogs()
        screen.end(course, now: now)
        if Interruption.came { throw DemoError("interrupted") }
        let recordings = try recordings()
        let within = household.positions.filter { $0.isInEarshot }.map { $0.name }
        var checks = Verdict.checks(course, recordings, inEarshot: within)
        checks.append(
            Check(
                title: "all five daemons ran through and ended well", passed: problem == nil && stubborn.isEmpty,
                finding: ([problem].compactMap { $0 } + stubborn).joined(separator: "; ")))
        let speechEnd = course.winner.flatMap { winner in course.pucks.firstIndex(of: winner) }.map {
            Double(mixes[$0].speech.upperBound - mixes[0].word) / Double(RoomMix.rate)
        }
        for line in Report.table(course, speechEndSeconds: speechEnd ?? 0) { Output.line(line) }
        for line in Report.explanation(explanation.text) { Output.line(line) }
        checks.append(
            Check(
                title: "the hub explains why", passed: explanation.text.contains("\(course.winner ?? "?") answers ("),
                finding: explanation.problem ?? "puckhub explain \(course.conversationEnd?.id ?? "")"))
        return checks
    }

    /// From here on a failure is a finding, not the end: the checks still say what went wrong.
    private func waitForTheEnd() -> String? {
        do throws(DemoError) {
            try wait(for: "the answer to be said", seconds: Double(Self.longestSeconds)) { course.isOver }
            // Whoever should be silent now has time to fail at it.
            let silence = MonotonicClock.now() + .milliseconds(300)
            try wait(for: "silence", seconds: 2) { MonotonicClock.now() > silence }
            return nil
        } catch { return error.message }
    }

    /// `puckhub explain`, while there still is a hub.
    private func explain() -> (text: String, problem: String?) {
        guard let conversation = course.conversationEnd?.id else { return ("", "there was no conversation") }
        do throws(DemoError) {
            return (try household.explanation(conversation), nil)
        } catch { return ("", error.message) }
    }

    private var now: Double? {
        course.sentenceBegins.map { Double(MonotonicClock.now().nanoseconds) / 1e9 - $0 }
    }

    private func wait(for what: String, seconds: Double, until condition: () -> Bool) throws(DemoError) {
        let patience = min(limit, MonotonicClock.now() + .milliseconds(Int(seconds * 1000)))
        while true {
            readLogs()
            screen.tick(course, now: now)
            if condition() { return }
            if Interruption.came { throw DemoError("interrupted while waiting for \(what)") }
            if let fallen = household.fallen { throw DemoError("\(fallen.name) \(fallen.ending), before its time") }
            if MonotonicClock.now() > patience { throw DemoError("gave up waiting for \(what)") }
            usleep(20_000)
        }
    }

    private func readLogs() {
        var happenings: [Happening] = []
        for log in household.logs {
            for line in log.lines() {
                if let parsed = LogLine.parse(line), let happening = Happening(parsed, from: log.source) {
                    happenings.append(happening)
                }
            }
        }
        for happening in happenings.sorted(by: { $0.seconds < $1.seconds }) {
            course.append(happening)
            screen.show(happening, in: course)
        }
    }

    private func explained(_ error: DemoError) -> DemoError {
        let words = household.logs.flatMap { log in log.lastLines.suffix(3).map { "  \(log.source): \($0)" } }
        return DemoError(([error.message] + words).joined(separator: "\n"))
    }

    private func recordings() throws(DemoError) -> Recordings {
        var recordings = Recordings(microphones: [:], speakers: [:], heard: nil, sent: nil)
        for (position, mix) in zip(household.positions, mixes) {
            recordings.microphones[position.name] = mix
            recordings.speakers[position.name] = try recorded(household.speaker(position.name))
        }
        if let conversation = course.conversationEnd?.id {
            recordings.heard = try recorded(household.heard(conversation))
            recordings.sent = try recorded(household.sent(conversation))
        }
        return recordings
    }

    /// Nil when nothing was recorded.
    private func recorded(_ file: URL) throws(DemoError) -> [Int16]? {
        FileManager.default.fileExists(atPath: file.path) ? try readWAV(file) : nil
    }
}

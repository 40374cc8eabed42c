import LinuxIO
import Testing

@testable import puckdemo

/// A run as the daemons log it.
private let log: [(String, String)] = [
    ("hub", "ts=90.000000 level=notice event=hub.listening address=127.0.0.1 port=40001"),
    ("kitchen", "ts=90.500000 level=notice event=link.up session=1 resume=none after_ms=80"),
    ("hall", "ts=90.510000 level=notice event=link.up session=2 resume=none after_ms=90"),
    ("kitchen", "ts=90.500100 level=info event=lights state=idle"),
    ("kitchen", "ts=100.100000 level=info event=wake.candidate wake_id=1 snr_db=38.5 onset_age_ms=82.0"),
    ("kitchen", "ts=100.100100 level=info event=lights state=candidate"),
    ("hall", "ts=100.112000 level=info event=wake.candidate wake_id=1 snr_db=29.1 onset_age_ms=82.0"),
    (
        "hub",
        "ts=100.112900 level=info event=arbitration.decided winner=kitchen conversation=c-1 candidates=kitchen:38.5 waited_ms=12.0 rule=highest_snr"
    ),
    ("kitchen", "ts=100.113500 level=info event=wake.granted wake_id=1 conversation=c-1"),
    ("kitchen", "ts=100.113600 level=info event=lights state=listening"),
    ("hall", "ts=100.113700 level=info event=wake.cancelled wake_id=1 reason=lost"),
    (
        "hub",
        "ts=100.114100 level=info event=conversation.first_audio conversation=c-1 puck=kitchen grant_to_first_ms=1.1"
    ),
    ("kitchen", "ts=102.700000 level=info event=uplink.end conversation=c-1 reason=endpoint packets=150"),
    (
        "hub",
        "ts=102.701000 level=info event=uplink.end conversation=c-1 puck=kitchen packets=150 bytes=9000 reason=endpoint"
    ),
    (
        "hub",
        "ts=102.710000 level=info event=answer.start conversation=c-1 puck=kitchen end_to_answer_ms=9.0 play_id=1 packets=150"
    ),
    ("kitchen", "ts=102.711000 level=info event=play.start play_id=1 category=assistant_response conversation=c-1"),
    ("hall", "ts=103.000000 level=warning event=capture.overrun missing=320"),
    ("kitchen", "ts=105.900000 level=info event=play.done play_id=1 played_ms=3000"),
    ("hub", "ts=105.901000 level=info event=conversation.end conversation=c-1 puck=kitchen outcome=done"),
    ("hub", "ts=105.902000 level=info event=something.else"),
]

private func makeCourse(upTo seconds: Double = .infinity) -> Course {
    var course = Course(pucks: ["kitchen", "hall"])
    course.sentenceBegins = 100
    for (source, text) in log {
        guard let line = LogLine.parse(text), let happening = Happening(line, from: source),
            happening.seconds <= seconds
        else { continue }
        course.append(happening)
    }
    return course
}

@Suite("From logs to the course of events")
struct CourseTests {
    @Test("lines of the daemons become happenings; others are left out")
    func happenings() {
        #expect(makeCourse().happenings.count == log.count - 1)
        #expect(LogLine.parse("Connecting to the hub …") == nil)
        let incomplete = LogLine.parse("ts=1.000000 level=info event=wake.candidate wake_id=1")!
        #expect(Happening(incomplete, from: "kitchen") == nil)
    }

    @Test("grants, verdicts and measures are read off")
    func questions() {
        let course = makeCourse()
        #expect(course.listeningPort == 40001)
        #expect(course.linkedPucks == ["kitchen", "hall"])
        #expect(course.grants == ["kitchen"])
        #expect(course.winner == "kitchen")
        #expect(course.verdict("hall") == "lost")
        #expect(course.snr("hall") == 29.1)
        #expect(abs((course.verdictAfter("kitchen") ?? 0) - 13.5) < 0.001)
        #expect(course.conversationEnd?.outcome == "done")
    }

    @Test("it is over when the hub has closed the turn and the loudspeaker is done")
    func over() {
        #expect(!makeCourse(upTo: 105.8).isOver)
        #expect(!makeCourse(upTo: 105.9).isOver)
        #expect(makeCourse().isOver)
    }

    @Test("a warning in a log is a happening of its own")
    func trouble() {
        #expect(makeCourse().happenings.contains { $0.event == .trouble("capture.overrun missing=320") })
    }

    @Test("lines come out whole, however the file grows")
    func follower() {
        var follower = LogFollower()
        #expect(follower.take(Array("one\ntw".utf8)) == ["one"])
        #expect(follower.take(Array("o\n\nthree".utf8)) == ["two", ""])
        #expect(follower.take([]) == [])
        #expect(follower.take(Array("\n".utf8)) == ["three"])
        #expect(follower.take([UInt8](repeating: 65, count: 9000)) == [])
        #expect(follower.take(Array("x\n".utf8)) == ["x"])
    }
}

@Suite("Timeline")
struct TimelineTests {
    private func timeline(width: Int = 80, sentence: String = "Puck, how are you?") -> Timeline {
        Timeline(
            sentence: sentence, levels: [Double](repeating: 100, count: 100), speechSeconds: 2, width: width,
            paint: Paint(isOn: false))
    }

    @Test("shows the sentence, a lane for each puck and the hub, as far as time has come")
    func lanes() {
        let lines = timeline().lines(makeCourse(), now: 6)
        let kitchen = lines.first { $0.contains("kitchen  ") && $0.contains("◆") } ?? ""
        #expect(kitchen.contains("✔"))
        #expect(kitchen.contains("━"))
        #expect(kitchen.contains("┤"))
        #expect(lines.contains { $0.contains("hall") && $0.contains("✘") })
        #expect(lines.contains { $0.contains("◆ 38.5 dB") && $0.contains("✔ granted after 13.5 ms") })
        #expect(lines.contains { $0.contains("hub") && $0.contains("takes kitchen") })
        let early = timeline().lines(makeCourse(upTo: 100), now: 0)
        #expect(!early.contains { $0.contains("kitchen") && $0.contains("◆") })
    }

    @Test("keeps its number of lines and the terminal's width", arguments: [40, 80, 200])
    func size(_ width: Int) {
        let long = String(repeating: "and again ", count: 40)
        let timeline = timeline(width: width, sentence: long)
        let counts = Set([-0.5, 0, 1, 2.5, 3, 8].map { timeline.lines(makeCourse(), now: $0).count })
        #expect(counts.count == 1)
        for now in [-0.5, 1, 3, 8] {
            for line in timeline.lines(makeCourse(), now: now) { #expect(line.count <= width) }
        }
    }

    @Test("plain words say the same in lines")
    func plain() {
        let words = makeCourse().happenings.compactMap { PlainScreen.words(for: $0.event) }
        #expect(words.contains("decides for kitchen after 12.0 ms (highest_snr)"))
        #expect(words.contains("cancelled: lost"))
    }
}

@Suite("Verdict")
struct VerdictTests {
    private let mix = RoomMix(voice: [Int16](repeating: 0, count: 3200), at: Position.flat[0], secondsAfter: 0.1)

    private func recordings(hall: [Int16]? = nil, kitchen: [Int16]) -> Recordings {
        var speakers = ["kitchen": kitchen]
        speakers["hall"] = hall
        return Recordings(
            microphones: ["kitchen": mix, "hall": mix], speakers: speakers, heard: nil, sent: [0, 3, 4, 0])
    }

    private func failed(_ course: Course, _ recordings: Recordings) -> [String] {
        Verdict.checks(course, recordings, inEarshot: course.pucks).filter { !$0.passed }.map { $0.title }
    }

    @Test("without a recording at the hub, exactly the two checks on it fail")
    func unheard() {
        let names = failed(makeCourse(), recordings(kitchen: [9, 0, 0, 3, 4, 0]))
        #expect(names == ["what the hub decoded is what was said", "the whole sentence arrived"])
    }

    @Test("a second voice, a second grant and a wrong sample are each found")
    func found() {
        let good: [Int16] = [9, 0, 0, 3, 4, 0]
        #expect(failed(makeCourse(), recordings(hall: [0, 1], kitchen: good)).contains("the others stayed silent"))
        #expect(
            failed(makeCourse(), recordings(kitchen: [9, 0, 3, 5, 0]))
                .contains("the loudspeaker played exactly what the hub sent"))
        var twice = makeCourse()
        let line = LogLine.parse("ts=100.200000 level=info event=wake.granted wake_id=2 conversation=c-2")!
        twice.append(Happening(line, from: "hall")!)
        #expect(failed(twice, recordings(kitchen: good)).contains("exactly one grant"))
    }

    @Test("when nothing happened at all, every check that needs something fails")
    func nothing() {
        let empty = Course(pucks: ["kitchen", "hall"])
        #expect(failed(empty, Recordings(microphones: [:], speakers: [:], heard: nil, sent: nil)).count == 7)
    }
}

@Suite("Options")
struct OptionTests {
    @Test("are read in both spellings")
    func read() throws {
        let options = try Options(arguments: ["--say", "-x 1", "--bin=b", "--plugin", "p", "--keep=k", "--plain"])
        #expect(options.sentence == "-x 1")
        #expect(options.binaries == "b")
        #expect(options.plugin == "p")
        #expect(options.keep == "k")
        #expect(options.isPlain)
    }

    @Test(
        "what cannot be meant is refused with a way out",
        arguments: [["--sai", "x"], ["--say"], ["--say", " …"], ["x"]])
    func misuse(_ arguments: [String]) {
        #expect(throws: Options.Misuse.self) { try Options(arguments: arguments) }
    }

    @Test("the token is found in what puckhub prints")
    func token() {
        let token = String(repeating: "aB3-_", count: 8) + "xyz"
        #expect(Household.token(in: "token for kitchen: \(token)\nput it into …") == token)
        #expect(Household.token(in: "no such thing") == nil)
    }
}

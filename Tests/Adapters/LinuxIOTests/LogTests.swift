import CLinux
import PuckBase
import Testing

@testable import LinuxIO

@Suite struct LogTests {
    private func line(_ fields: [Field], style: Log.Style = .plain) -> String {
        Log.line(.info, "capture.open", fields, style: style, now: Instant(nanoseconds: 12_345_678_901))
    }

    @Test("a plain line carries time, level, event and fields in order")
    func plainLineCarries() {
        let text = line([
            Field("device", "hw:1"), Field("rate", 16000), Field("gain", -1.5, digits: 1), Field("ok", true),
        ])
        #expect(text == "ts=12.345679 level=info event=capture.open device=hw:1 rate=16000 gain=-1.5 ok=yes")
    }

    @Test("a journal line carries the priority and no time")
    func journalLineCarries() {
        #expect(line([Field("rate", 8000)], style: .journal) == "<6>event=capture.open rate=8000")
    }

    @Test("a value that could break the line is quoted and escaped")
    func valueCouldBreak() {
        let nasty = "a b=\"c\\\"\n\r\t\u{1b}[0m\u{85}\u{2028}é"
        let text = line([Field("v", nasty), Field("empty", "")])
        let escaped = #"v="a b=\"c\\\"\n\r\t\u001b[0m\u0085\u2028é" empty="""#
        #expect(text == "ts=12.345679 level=info event=capture.open " + escaped)
    }

    @Test("what was written reads back unchanged")
    func whatWrittenReads() throws {
        var generator = SeededGenerator(seed: 7)
        let alphabet: [Unicode.Scalar] = ["a", " ", "=", "\"", "\\", "\n", "\u{7}", "\u{2029}", "ü", "🔊", "u", "<"]
        for _ in 0..<500 {
            var value = ""
            for _ in 0..<Int(generator.next() % 12) {
                value.unicodeScalars.append(alphabet[Int(generator.next() % UInt64(alphabet.count))])
            }
            for style in [Log.Style.plain, .journal] {
                let text = line([Field("first", value), Field("last", 1)], style: style)
                #expect(!text.unicodeScalars.contains("\n"))
                let parsed = try #require(LogLine.parse(text), "\(text)")
                #expect(parsed["first"] == value)
                #expect(parsed["last"] == "1")
                #expect(parsed.level == .info && parsed.event == "capture.open")
                #expect((parsed.seconds == nil) == (style == .journal))
            }
        }
    }

    @Test("an overlong value is cut at a character")
    func overlongValueCut() throws {
        let parsed = try #require(LogLine.parse(line([Field("v", String(repeating: "é", count: 400))])))
        #expect(parsed["v"] == String(repeating: "é", count: 256) + "…")
    }

    @Test(
        "a line that is not of this log is refused",
        arguments: [
            "", "hello", "level=info", "event=x", "level=loud event=x", "level=info event=x y",
            "level=info event=x y=\"",
            "level=info event=x y=\"\\q\"", "level=info event=x  y=1", "level=info event=x y= z=1",
            "ts=a level=info event=x",
            "<9>event=x", "level=info event=x y=a\"b",
        ])
    func strangeLine(_ text: String) {
        #expect(LogLine.parse(text) == nil)
    }

    @Test("fields of a level that is off are not even built")
    func fieldsLevelOff() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let log = Log(level: .notice, style: .journal, descriptor: ends[1])
        nonisolated(unsafe) var built = 0
        func costly() -> [Field] {
            built += 1
            return []
        }
        log.debug("a", costly())
        log.info("b", costly())
        log.notice("c", costly())
        log.error("d", costly())
        close(ends[1])
        var buffer = [UInt8](repeating: 0, count: 100)
        let size = read(ends[0], &buffer, buffer.count)
        #expect(String(decoding: buffer.prefix(max(size, 0)), as: UTF8.self) == "<5>event=c\n<3>event=d\n")
        #expect(built == 2)
    }

    @Test("a closed pipe loses the line and nothing else")
    func closedPipeLoses() throws {
        SignalDescriptor.ignoreBrokenPipes()
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        Log(level: .info, descriptor: ends[1]).info("lost")
        close(ends[1])
    }
}

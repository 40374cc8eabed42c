import PuckBase
import PuckCore
import Testing

@testable import PuckRuntime

@Suite("Lines of the link")
struct LinkLinesTests {
    @Test("a hub that is away for a day causes some 150 lines, also when the reason changes each time")
    func day() {
        var lines = LinkLines()
        var logged: [LogRecord] = []
        for attempt in 0..<2880 {
            let record = LogRecord(.notice, "link.failed", [.init("reason", attempt % 2 == 0 ? "refused" : "timeout")])
            if let line = lines.take(record, now: Instant.zero + .seconds(30 * attempt)) { logged.append(line) }
        }
        #expect((144...154).contains(logged.count))
        #expect(logged.last?.fields.contains { $0.key == "left_out" && $0.value == "19" } == true)
    }

    @Test("a change of the link is always logged")
    func changes() {
        var lines = LinkLines()
        for _ in 0..<100 {
            #expect(lines.take(LogRecord(.notice, "link.up"), now: .zero) != nil)
            #expect(lines.take(LogRecord(.warning, "link.disconnected"), now: .zero) != nil)
        }
    }
}

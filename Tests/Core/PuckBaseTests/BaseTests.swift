import Testing

@testable import PuckBase

@Suite("Serial numbers (RFC 1982)")
struct SerialNumberTests {
    @Test("order survives the wrap from 65535 to 0")
    func wrap() {
        let last = SerialNumber(65_535)
        #expect(last.isBefore(.zero))
        #expect(!SerialNumber.zero.isBefore(last))
        #expect(last.distance(to: SerialNumber(4)) == 5)
        #expect(last.next == .zero)
    }

    @Test("numbers half a circle apart have no order")
    func opposite() {
        #expect(!SerialNumber(0).isBefore(SerialNumber(32_768)))
        #expect(!SerialNumber(32_768).isBefore(SerialNumber(0)))
    }

    @Test("no number is before itself")
    func itself() { #expect(!SerialNumber(7).isBefore(SerialNumber(7))) }
}

@Suite("Backoff (FAILURES.md L20)")
struct BackoffTests {
    @Test("the row is 1, 2, 4, 8, 16, 30, 30 … seconds")
    func row() {
        let seconds = (0..<8).map { Backoff.nominalPause(attempt: $0).wholeMilliseconds / 1000 }
        #expect(seconds == [1, 2, 4, 8, 16, 30, 30, 30])
    }

    @Test("each pause is within 10 % of the row, and the jitter differs from puck to puck")
    func jitter() {
        var pauses = Set<Int64>()
        for seed in 0..<200 as Range<UInt64> {
            var backoff = Backoff()
            var generator = SeededGenerator(seed: seed)
            for attempt in 0..<8 {
                let pause = backoff.nextPause(using: &generator).nanoseconds
                let nominal = Backoff.nominalPause(attempt: attempt).nanoseconds
                #expect(abs(pause - nominal) <= nominal / 10)
                if attempt == 0 { pauses.insert(pause) }
            }
        }
        #expect(pauses.count > 190)
    }

    @Test("reset starts the row again")
    func reset() {
        var backoff = Backoff()
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<6 { _ = backoff.nextPause(using: &generator) }
        backoff.reset()
        let pause = backoff.nextPause(using: &generator)
        #expect(pause <= .milliseconds(1100))
    }
}

@Suite("Deadlines")
struct DeadlineTests {
    enum Key: Int, CaseIterable { case a, b, c }

    @Test("the earliest comes first, and each only once")
    func order() {
        var table = Deadlines<Key>()
        #expect(table.next == nil)
        table[.a] = Instant(nanoseconds: 30)
        table[.b] = Instant(nanoseconds: 10)
        table[.c] = Instant(nanoseconds: 50)
        #expect(table.next == Instant(nanoseconds: 10))
        let now = Instant(nanoseconds: 30)
        let taken = (0..<3).map { _ in table.takeExpired(at: now) }
        #expect(taken == [.b, .a, nil])
        #expect(table.next == Instant(nanoseconds: 50))
    }
}

@Suite("Rate window")
struct RateWindowTests {
    @Test("admits its limit in each second and nothing more")
    func limit() {
        var window = RateWindow(limit: 3)
        var admitted = 0
        for millisecond in 0..<2000 where window.admit(now: Instant(nanoseconds: Int64(millisecond) * 1_000_000)) {
            admitted += 1
        }
        #expect(admitted == 6)
    }
}

@Suite("Bounded queue")
struct BoundedQueueTests {
    @Test("a full queue refuses, or drops its oldest, as the caller says")
    func full() {
        var queue = BoundedQueue<Int>(capacity: 2)
        let accepted = [1, 2, 3].map { queue.append($0) }
        #expect(accepted == [true, true, false])
        let dropped = queue.appendDroppingOldest(3)
        #expect(dropped == 1)
        let rest = (0..<3).map { _ in queue.popFirst() }
        #expect(rest == [2, 3, nil])
    }
}

@Suite("Text")
struct TextTests {
    @Test("fixed-point numbers round half away from zero and keep their sign")
    func fixedPoint() {
        #expect(fixed(1.25, 1) == "1.3")
        #expect(fixed(-0.04, 1) == "0.0")
        #expect(fixed(-2.5, 0) == "-3")
        #expect(fixed(7, 0) == "7")
        #expect(fixed(.nan, 1) == "nan")
        #expect(fixed(0.05, 2) == "0.05")
    }
}

@Suite("Complaints")
struct ComplaintTests {
    private static func time(_ seconds: Int) -> Instant { .zero + .seconds(seconds) }

    @Test("what is said once is said when it changes, and again after it was gone")
    func once() {
        var complaint = Complaint.once
        #expect(complaint.take("two cards", now: Self.time(0)) == 0)
        for second in 1...3600 { #expect(complaint.take("two cards", now: Self.time(second)) == nil) }
        #expect(complaint.take("three cards", now: Self.time(3601)) == 0)
        #expect(complaint.take("three cards", now: Self.time(3602)) == nil)
        complaint.end()
        #expect(complaint.take("three cards", now: Self.time(3603)) == 0)
    }

    @Test("attempts are said five times in a row, then once in ten minutes, with how many were left out")
    func attempts() {
        var complaint = Complaint.attempts
        var said: [(second: Int, left: Int)] = []
        for second in stride(from: 0, to: 3600, by: 10) {
            if let left = complaint.take("no such device", now: Self.time(second)) { said.append((second, left)) }
        }
        #expect(said.map { $0.second } == [0, 10, 20, 30, 40, 640, 1240, 1840, 2440, 3040])
        #expect(said.map { $0.left } == [0, 0, 0, 0, 0] + [Int](repeating: 59, count: 5))
        #expect(complaint.take("busy", now: Self.time(3600)) == 0, "another cause is news at once")
    }
}

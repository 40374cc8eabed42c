import CLinux
import Foundation
import PuckBase
import Testing

@testable import LinuxIO

@Suite struct BackgroundWriterTests {
    /// Generous: until then a wait is called broken.
    private static let patience = Interval.seconds(20)

    /// F_SETPIPE_SZ of linux/fcntl.h, which the C library shows to GNU sources only.
    private let setPipeSize: Int32 = 1031

    private static func writer(_ descriptor: Int32) -> BackgroundWriter {
        BackgroundWriter(descriptor: descriptor) { "dropped \($0)\n" }
    }

    private func append(_ text: String, to writer: BackgroundWriter) {
        var text = text
        text.withUTF8 { writer.append($0) }
    }

    /// Reads all that comes until the writer has nothing left.
    private func lines(_ descriptor: Int32, of writer: BackgroundWriter) -> [String] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let limit = MonotonicClock.now() + Self.patience
        while MonotonicClock.now() < limit {
            let isDone = writer.flush(within: .milliseconds(0))
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, isDone ? 0 : 10) == 1 {
                let count = read(descriptor, &chunk, chunk.count)
                if count <= 0 { break }
                bytes += chunk[..<count]
            } else if isDone {
                break
            }
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0) }
    }

    enum Kind: String, CaseIterable { case pipe, stream, terminal }

    /// Both ends of something that holds little and is read by nobody.
    private func ends(_ kind: Kind) throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        switch kind {
        case .pipe:
            try #require(Foundation.pipe(&ends) == 0)
            _ = puck_fcntl(ends[1], setPipeSize, 4096)
        case .stream:
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        case .terminal:
            var (reading, writing): (Int32, Int32) = (-1, -1)
            try #require(openpty(&reading, &writing, nil, nil, nil) == 0)
            var settings = termios()
            tcgetattr(writing, &settings)
            cfmakeraw(&settings)
            tcsetattr(writing, TCSANOW, &settings)
            ends = [reading, writing]
        }
        return (ends[0], ends[1])
    }

    @Test(
        "whoever appends never waits for the reader, who then gets what was kept, in order, and the number of the rest",
        arguments: Kind.allCases, [false, true])
    func nobodyReads(_ kind: Kind, isNonBlocking: Bool) throws {
        let (reading, writing) = try ends(kind)
        // Somebody who shares the descriptor may have done so.
        if isNonBlocking { _ = puck_fcntl(writing, F_SETFL, Int(O_NONBLOCK)) }
        let writer = Self.writer(writing)
        let count = 40_000
        for i in 0..<count { append("line \(i) of a log that nobody reads just now\n", to: writer) }
        #expect(!writer.flush(within: .milliseconds(20)))
        // Each line is there, or counted where it is missing.
        var next = 0
        var dropped = 0
        for line in lines(reading, of: writer) {
            if line.hasPrefix("dropped ") {
                let count = Int(line.dropFirst("dropped ".count)) ?? 0
                dropped += count
                next += count
            } else {
                #expect(line == "line \(next) of a log that nobody reads just now")
                next += 1
            }
        }
        #expect(next == count)
        #expect(dropped > 0)
        // From here on all is as before.
        append("again\n", to: writer)
        #expect(lines(reading, of: writer) == ["again"])
        #expect(puck_fcntl(writing, F_GETFL, 0) & O_NONBLOCK == (isNonBlocking ? O_NONBLOCK : 0))
        close(reading)
    }

    @Test("what cannot be written is counted, and said before the next line that can")
    func refused() throws {
        // A disk that is full, and is not any more: the same descriptor leads elsewhere then.
        let descriptor = puck_open("/dev/full", O_WRONLY, 0)
        try #require(descriptor >= 0)
        let writer = Self.writer(descriptor)
        for i in 0..<3 { append("line \(i)\n", to: writer) }
        #expect(writer.flush(within: Self.patience))
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        try #require(dup2(ends[1], descriptor) == descriptor)
        append("room again\n", to: writer)
        #expect(lines(ends[0], of: writer) == ["dropped 3", "room again"])
        // And a reader that has gone for good.
        close(ends[0])
        for i in 0..<3 { append("line \(i)\n", to: writer) }
        #expect(writer.flush(within: Self.patience))
    }
}

import BoardIO
import CLinux
import Foundation
import LinuxIO
import PuckBase
import Settings
import Testing

@testable import PuckRuntime

/// Output lines that write down what happens to them, on a clock that the test holds.
@Suite struct BoardOutputsTests {
    private final class Bench {
        var now = Instant.zero + .seconds(100)
        var happened: [String] = []
        /// Offsets that cannot be opened, or are lost.
        var broken: Set<Int> = []
        var outputs: BoardOutputs!

        init(_ overrides: String...) throws {
            let set = ["gpio.chip=c"] + overrides.map { "gpio." + $0 }
            var reader = SettingsReader(layers: [SettingsDocument(overrides: set)], mainName: "test")
            let settings = GPIOSettings(&reader)
            try reader.finish()
            outputs = BoardOutputs(
                settings, log: Log(level: .error, descriptor: -1), clock: { [unowned self] in now },
                open: { [unowned self] request throws(LineError) in try open(request) })
        }

        private func open(_ request: LineRequest) throws(LineError) -> DrivenLine {
            let name = "\(request.offset)\(request.isActiveLow ? "'" : "")"
            if broken.contains(request.offset) {
                happened.append("no \(name)")
                throw LineError(.busy, context: "busy", advice: "wait")
            }
            return DrivenLine(place: name) { [unowned self] on throws(LineError) in
                if broken.contains(request.offset) { throw LineError(.lost, context: "gone", advice: "wait") }
                happened.append("\(name) \(on ? "on" : "off")")
            }
        }

        func taken() -> [String] {
            defer { happened = [] }
            return happened
        }
    }

    @Test("power comes in its order and goes in the opposite one, the amplifier last and first")
    func order() throws {
        let bench = try Bench("power=7, 5", "amplifier=16", "power_active=low")
        bench.outputs.powerUp()
        #expect(bench.taken() == ["7' on", "5' on"])
        bench.outputs.amplifierOn()
        #expect(bench.taken() == ["16 on"])
        bench.outputs.amplifierOff()
        bench.outputs.powerDown()
        #expect(bench.taken() == ["16 off", "5' off", "7' off"])
        #expect(bench.outputs.nextDeadline == nil)
    }

    @Test("what cannot be had is tried again with growing pauses, and the rest works")
    func busy() throws {
        let bench = try Bench("power=7, 5")
        bench.broken = [7]
        bench.outputs.powerUp()
        #expect(bench.taken() == ["no 7", "5 on"])
        var pauses: [Int64] = []
        var triedAt = bench.now
        while pauses.count < 3 {
            bench.now = try #require(bench.outputs.nextDeadline)
            bench.outputs.timePassed()
            if bench.taken().contains("no 7") {
                pauses.append((bench.now - triedAt).wholeMilliseconds)
                triedAt = bench.now
            }
        }
        #expect(pauses == pauses.sorted() && pauses[0] < 1_200, "\(pauses)")
        bench.broken = []
        bench.now = bench.now + .seconds(40)
        bench.outputs.timePassed()
        #expect(bench.taken().contains("7 on"))
    }

    @Test("a chip that goes is noticed within 5 s, and its line is driven again when it is back")
    func lost() throws {
        let bench = try Bench("amplifier=16")
        bench.outputs.amplifierOn()
        bench.broken = [16]
        bench.now = try #require(bench.outputs.nextDeadline)
        #expect(bench.now - .seconds(105) == .zero)
        bench.outputs.timePassed()
        bench.broken = []
        bench.now = try #require(bench.outputs.nextDeadline)
        bench.outputs.timePassed()
        #expect(bench.taken() == ["16 on", "16 on"])
    }

    @Test("without lines there is nothing")
    func none() throws { #expect(try Bench().outputs == nil) }
}

/// What outlasts a restart, in a folder of the test's own, on a clock that it holds.
@Suite struct KeptStateTests {
    private final class Clock { var now = Instant.zero + .seconds(1) }

    private func inFolder(_ body: (String, (String) -> KeptState, Clock) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "/puck-state-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let clock = Clock()
        try body(
            folder, { KeptState(folder: $0, log: Log(level: .error, descriptor: -1), clock: { clock.now }) }, clock)
    }

    @Test("what people set is there at the next start, written once it has rested for 2 s")
    func kept() throws {
        try inFolder { folder, make, clock in
            let state = make(folder)
            state.load()
            #expect(state.volumePercent == nil && !state.isMuted)
            state.noteVolume(10)
            state.begin(volumePercent: 80)
            state.noteVolume(80)
            #expect(state.nextDeadline == nil, "nothing has been changed by anybody")
            state.noteVolume(70)
            clock.now = clock.now + .seconds(1)
            state.noteVolume(55)
            state.noteMute(true)
            clock.now = clock.now + .milliseconds(1_900)
            state.timePassed()
            #expect(!FileManager.default.fileExists(atPath: folder + "/state.conf"))
            clock.now = clock.now + .milliseconds(100)
            state.timePassed()
            let next = make(folder)
            next.load()
            #expect(next.volumePercent == 55 && next.isMuted && state.nextDeadline == nil)
        }
    }

    @Test("the end writes what has not rested yet")
    func end() throws {
        try inFolder { folder, make, _ in
            let state = make(folder)
            state.begin(volumePercent: 80)
            state.noteVolume(0)
            state.save()
            let next = make(folder)
            next.load()
            #expect(next.volumePercent == 0 && !next.isMuted)
        }
    }

    @Test("a file that is broken is as good as missing", arguments: ["\0", "[state]\nvolume = 900\nmuted = yes", "x"])
    func broken(_ text: String) throws {
        try inFolder { folder, make, _ in
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/state.conf"))
            let state = make(folder)
            state.load()
            #expect(state.volumePercent == nil && !state.isMuted)
        }
    }

    @Test("a folder that is missing keeps nothing and stops nothing")
    func noFolder() throws {
        try inFolder { folder, make, _ in
            for path in ["", folder + "/missing"] {
                let state = make(path)
                state.load()
                state.begin(volumePercent: 80)
                state.noteVolume(1)
                state.save()
                #expect(state.volumePercent == 1 && state.nextDeadline == nil)
            }
        }
    }
}

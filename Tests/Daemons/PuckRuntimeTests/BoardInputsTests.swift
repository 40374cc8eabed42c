import AudioRing
import BoardIO
import CLinux
import LinkTransport
import LinuxIO
import PuckBase
import PuckCore
import PuckWire
import Settings
import Testing

@testable import PuckRuntime

extension BoardInputs {
    /// What the status says of them.
    fileprivate var described: String {
        var json = JSONWriter()
        describe(&json)
        return String(decoding: json.serialized(), as: UTF8.self)
    }
}

/// Lines made of socket pairs, in a real event loop, on a clock that the test holds.
private final class InputBench {
    /// One opened line: what the daemon sees of it, and the other end. It hangs up when the chip goes.
    final class Wire {
        var ends: [Int32] = [-1, -1]
        var isActive: Bool
        /// The chip has gone, and nobody is told.
        var isGone = false

        init(isActive: Bool) {
            self.isActive = isActive
            precondition(
                socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        }

        deinit { for end in ends where end >= 0 { close(end) } }

        func hangUp() {
            close(ends[1])
            ends[1] = -1
        }
    }

    let loop: EventLoop
    let ring = AudioRing()
    var now = Instant.zero + .seconds(100)
    /// By offset: what an attempt to open the line comes to.
    var outcomes: [Int: Result<Bool, LineError>] = [17: .success(false), 22: .success(false)]
    var wires: [Int: Wire] = [:]
    var attempts: [Int: Int] = [:]
    var events: [PuckEvent] = []
    var deadlineMoves = 0
    var inputs: BoardInputs!

    init(button: Bool = true, mute: Bool = true) throws {
        loop = try EventLoop { _, _ in }
        inputs = BoardInputs(
            try Self.settings(button: button, mute: mute), loop: loop, log: Log(level: .error, descriptor: -1),
            clock: { [unowned self] in now }, open: { [unowned self] request throws(LineError) in try open(request) },
            ring: ring, onDeadlineMoved: { [unowned self] in deadlineMoves += 1 }
        ) { [unowned self] in events.append($0) }
    }

    static func settings(button: Bool, mute: Bool) throws -> GPIOSettings {
        var reader = SettingsReader(
            layers: [
                SettingsDocument(
                    overrides: ["gpio.chip=pinctrl-test"] + (button ? ["gpio.button=17"] : [])
                        + (mute ? ["gpio.mute=22"] : []))
            ], mainName: "test")
        let settings = GPIOSettings(&reader)
        try reader.finish()
        return settings
    }

    private func open(_ request: LineRequest) throws(LineError) -> OpenLine {
        attempts[request.offset, default: 0] += 1
        let wire = Wire(isActive: try outcomes[request.offset]!.get())
        wires[request.offset] = wire
        let gone = LineError(.lost, errno: ENODEV, context: "gone", advice: "wait")
        // The closures alone keep the wire, as they keep a real line.
        return OpenLine(
            descriptor: wire.ends[0], place: "line \(request.offset)",
            isActive: { () throws(LineError) in
                if wire.isGone { throw gone }
                return wire.isActive
            },
            readEdges: { () throws(LineError) in
                var edge = Edge(isActive: false, time: .zero)
                let size = recv(wire.ends[0], &edge, MemoryLayout<Edge>.size, 0)
                if size > 0 { return [edge] }
                if size == 0 { throw gone }
                return []
            }, lost: { gone })
    }

    /// The line changes now, or did at `time`.
    func change(_ offset: Int, to isActive: Bool, at time: Instant? = nil) {
        var edge = Edge(isActive: isActive, time: time ?? now)
        wires[offset]?.isActive = isActive
        _ = send(wires[offset]!.ends[1], &edge, MemoryLayout<Edge>.size, 0)
    }

    /// Lets the loop see what there is, then time go by to `milliseconds` from now, stopping at each deadline.
    func pass(_ milliseconds: Int) {
        settle()
        let end = now + .milliseconds(milliseconds)
        while let due = inputs.nextDeadline, due <= end {
            now = max(now, due)
            inputs.timePassed()
            settle()
        }
        now = end
    }

    private func settle() {
        for _ in 0..<3 {
            loop.setDeadline(1)
            loop.turn()
        }
    }
}

@Suite("The board's inputs")
struct BoardInputsTests {
    @Test("a press in the loop becomes a wake at the microphone's position, a long one mutes and a very long one pairs")
    func presses() throws {
        let bench = try InputBench(mute: false)
        bench.inputs.start()
        bench.change(17, to: true)
        bench.pass(100)
        bench.change(17, to: false)
        bench.pass(100)
        #expect(bench.events == [.talkRequested(position: bench.ring.producer.position)])
        bench.change(17, to: true)
        bench.pass(1000)
        bench.change(17, to: false)
        bench.pass(100)
        #expect(bench.events.suffix(2) == [.longPressed, .longPressEnded])
        bench.change(17, to: true)
        bench.pass(6000)
        bench.change(17, to: false)
        bench.pass(100)
        #expect(bench.events.suffix(2) == [.longPressed, .veryLongPressed] && bench.events.count == 5)
        #expect(bench.deadlineMoves > 0)
    }

    @Test("many edges in one turn are taken in their order, by their own times")
    func burst() throws {
        let bench = try InputBench(mute: false)
        bench.inputs.start()
        let start = bench.now
        for (level, milliseconds) in [(true, 0), (false, 100), (true, 300), (false, 400)] {
            bench.change(17, to: level, at: start + .milliseconds(milliseconds))
        }
        bench.now = start + .milliseconds(1000)
        bench.pass(100)
        #expect(bench.events.count == 2)
    }

    @Test("edges that are stamped by another clock count from when they are read")
    func wallClock() throws {
        let bench = try InputBench(mute: false)
        bench.inputs.start()
        bench.change(17, to: true, at: Instant(nanoseconds: 1_700_000_000_000_000_000))
        bench.pass(100)
        bench.change(17, to: false, at: Instant(nanoseconds: 1_700_000_000_100_000_000))
        bench.pass(100)
        #expect(bench.events.count == 1)
    }

    @Test("the mute switch decides before anything else, and follows its line")
    func mute() throws {
        let bench = try InputBench()
        bench.outcomes[22] = .success(true)
        bench.inputs.start()
        #expect(bench.events == [.muteSwitched(true)])
        #expect(bench.inputs.unmuteRefusal == "the mute switch is on")
        bench.change(22, to: false)
        bench.pass(100)
        #expect(bench.events == [.muteSwitched(true), .muteSwitched(false)])
        #expect(bench.inputs.unmuteRefusal == nil)
        #expect(bench.inputs.described == #"{"button":"ok","mute_switch":"off"}"#)
    }

    @Test("a line that hangs up is a fault, is tried again with growing pauses, and works when it is back")
    func hangUp() throws {
        let bench = try InputBench()
        bench.inputs.start()
        bench.pass(60_000)
        let busy = LineError(.busy, errno: EBUSY, holder: "x", context: "busy", advice: "free it")
        bench.outcomes = [17: .failure(busy), 22: .failure(busy)]
        for wire in bench.wires.values { wire.hangUp() }
        bench.pass(0)
        #expect(bench.events == [.muteSwitched(true)], "a switch that cannot be read mutes")
        #expect(bench.inputs.described == #"{"button":"failed","mute_switch":"failed"}"#)
        // 1, 2, 4, 8 … s, each ±10 %.
        bench.pass(600)
        #expect(bench.attempts == [17: 1, 22: 1])
        bench.pass(16_500 - 600)
        #expect(bench.attempts == [17: 5, 22: 5])
        bench.outcomes = [17: .success(false), 22: .success(false)]
        bench.pass(18_000)
        #expect(bench.attempts == [17: 6, 22: 6])
        #expect(bench.events == [.muteSwitched(true), .muteSwitched(false)])
        bench.change(17, to: true)
        bench.pass(100)
        bench.change(17, to: false)
        bench.pass(100)
        #expect(bench.events.count == 3)
    }

    @Test("a chip that goes without a word is missed within 5 s, and a lost edge found")
    func silence() throws {
        let bench = try InputBench()
        bench.inputs.start()
        bench.wires[22]?.isActive = true
        bench.pass(5000)
        #expect(bench.events == [.muteSwitched(true)])
        bench.wires[17]?.isGone = true
        bench.pass(5000)
        #expect(bench.inputs.described == #"{"button":"failed","mute_switch":"on"}"#)
        bench.pass(1200)
        #expect(bench.inputs.described == #"{"button":"ok","mute_switch":"on"}"#)
    }

    @Test("a line that comes and goes does not begin the pauses anew, one that stayed does")
    func flapping() throws {
        let bench = try InputBench(mute: false)
        bench.inputs.start()
        func hangUp() -> Int64 {
            bench.wires[17]?.hangUp()
            bench.pass(0)
            return (bench.inputs.nextDeadline! - bench.now).wholeMilliseconds
        }
        #expect((900...1100).contains(hangUp()))
        bench.pass(1200)
        #expect((1800...2200).contains(hangUp()))
        bench.pass(20_000)
        #expect((900...1100).contains(hangUp()))
    }

    @Test("a press that a hang-up cuts short is none, and neither is a button found down")
    func cutShort() throws {
        let bench = try InputBench(mute: false)
        bench.inputs.start()
        bench.change(17, to: true)
        bench.pass(100)
        bench.wires[17]?.hangUp()
        bench.outcomes[17] = .success(true)
        bench.pass(5000)
        bench.change(17, to: false)
        bench.pass(5000)
        #expect(bench.attempts[17] == 2 && bench.events == [])
    }

    @Test("nothing wired, nothing opened")
    func nothing() throws {
        let bench = try InputBench(button: false, mute: false)
        #expect(bench.inputs == nil && bench.attempts == [:])
    }
}

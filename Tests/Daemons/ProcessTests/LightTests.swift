import Foundation
import LinuxIO
import RepositoryFiles
import Testing

@Suite("Processes: lights", .fewAtATime)
struct LightTests {
    private static let plain = ["gpio.chip=pinctrl-test", "lights.output=gpio", "lights.lines=5,6"]

    @Test("Plain LEDs shine while the hub listens, are dark when nothing happens, and at the end")
    func plainLEDs() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            _ = try await house.hub()
            let puck = try await house.puck(
                set: Self.plain + ["lights.active=low", "endpoint.utterance_limit_ms=60000"])
            try await puck.line("lights.open", ["count": "2", "place": "line 5 of 'pinctrl-test'"])
            #expect(board.text("5.request") == "puckd active-low output\n")
            try await puck.line("lights", ["state": "idle"])
            try await eventually("idle is dark") { board.text("5") == "1\n" && board.text("6") == "1\n" }
            try await house.wake(puck)
            try await puck.line("lights", ["state": "listening"])
            try await eventually("listening shines") { board.text("5") == "0\n" && board.text("6") == "0\n" }
            #expect(try await house.control("status").output.contains("lights=ok"))
            _ = try await puck.terminate()
            #expect(board.text("5") == "1\n" && board.text("6") == "1\n")
        }
    }

    @Test("Lights that are taken away are reported, do not stop a conversation, and come back by themselves")
    func unplugged() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            try board.write("spi0 CS1", to: "6.holder")
            _ = try await house.hub()
            let puck = try await house.puck(set: Self.plain)
            let busy = try await puck.line("lights.failed", ["detail": "in use by 'spi0 CS1'"])
            #expect(busy["advice"]?.contains("gpioinfo") == true && busy["meanwhile"] != nil)
            try await puck.line("link.up")
            try await house.converse(puck)
            try board.remove("6.holder")
            try await puck.line("lights.recovered")
            try board.unplug()
            puck.signal(SIGUSR1)
            try await puck.line("lights.failed", ["detail": "the chip is gone"])
            #expect(try await house.control("status").output.contains("lights=failed"))
            try board.plug(2)
            try await puck.line("lights.recovered")
        }
    }

    @Test("A button that cannot be read shows as degraded, until it can")
    func degraded() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            try board.write("somebody", to: "17.holder")
            _ = try await house.hub()
            let puck = try await house.puck(set: ["gpio.chip=pinctrl-test", "gpio.button=17"])
            try await puck.line("lights", ["state": "degraded"])
            try board.remove("17.holder")
            try await puck.line("gpio.recovered")
            try await puck.line("lights", ["state": "idle"])
        }
    }

    @Test("A chain at two lines gets whole frames, bit by bit")
    func bitBanged() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            try board.write("", to: "trace")
            let puck = try await house.puck(
                token: House.anyToken,
                set: ["gpio.chip=pinctrl-test", "lights.output=dotstar", "lights.lines=6,5", "lights.count=3"])
            try await puck.line("lights.open", ["count": "3"])
            // Starting breathes, so that frames keep coming.
            try await eventually("frames should come") { Self.bytes(board).count > 4 * (8 + 12 + 1) }
            let bytes = Self.bytes(board)
            let frame = bytes.prefix(8 + 12 + 1)
            #expect(frame.prefix(4).allSatisfy { $0 == 0 } && frame.suffix(5).allSatisfy { $0 == 0 })
            for light in 0..<3 {
                let four = Array(frame.dropFirst(4 + 4 * light).prefix(4))
                #expect(four[0] & 0xE0 == 0xE0 && four[1] > 0 && four[1] == four[2] && four[2] == four[3])
            }
        }
    }

    /// What the chips of a chain have read: the data's level whenever the clock (line 6) rose.
    private static func bytes(_ board: Board) -> [UInt8] {
        var bytes: [UInt8] = []
        var (data, count, byte): (UInt8, Int, UInt8) = (0, 0, 0)
        for line in board.text("trace").split(separator: "\n") {
            switch line {
            case "5 0": data = 0
            case "5 1": data = 1
            case "6 1":
                byte = byte << 1 | data
                count += 1
                if count % 8 == 0 { bytes.append(byte) }
            default: break
            }
        }
        return bytes
    }

    @Test("The kernel's LEDs follow the state, and the night")
    func kernelLEDs() async throws {
        try await House.run { house in
            try FileManager.default.createDirectory(at: house.file("led"), withIntermediateDirectories: false)
            for (name, text) in [("max_brightness", "255"), ("brightness", "7"), ("trigger", "[heartbeat]")] {
                try house.write(text + "\n", to: "led/" + name)
            }
            func shown() -> String {
                (try? String(contentsOf: house.file("led/brightness"), encoding: .utf8)) ?? ""
            }
            _ = try await house.hub()
            let puck = try await house.puck(
                set: [
                    "lights.output=sysfs", "lights.device=\(house.file("led").path)",
                    "endpoint.utterance_limit_ms=60000",
                ])
            try await puck.line("link.up")
            try await eventually("idle is dark") { shown() == "0\n" }
            try await house.wake(puck)
            try await eventually("listening shines") { shown() == "255\n" }
            #expect(try await house.control("night", "on").status == 0)
            try await eventually("the night dims") { Int(shown().dropLast()).map { (1..<60).contains($0) } ?? false }
            #expect(try await house.control("night", "off").status == 0)
            try await eventually("the day does not") { shown() == "255\n" }
            #expect(try await house.control("night", "maybe").status == 64)
        }
    }

    @Test("docs/LIGHTS.md shows what puckd shows")
    func documented() async throws {
        try await House.run { house in
            let result = try await house.run("puckd", ["--show", "all", "--lights=terminal"])
            #expect(result.status == 0)
            let page = try RepositoryFiles.text("docs/LIGHTS.md")
            #expect(page.contains("```\n" + result.output + "```\n"), "write into docs/LIGHTS.md:\n\(result.output)")
        }
    }

    @Test("--show names the states when it does not know one, and what is missing when there are no lights")
    func show() async throws {
        try await House.run { house in
            let unknown = try await house.run("puckd", ["--show", "party", "--lights=terminal"])
            #expect(unknown.status == 64 && unknown.output.contains("no lights called \"party\"; there are starting,"))
            let arguments = try await house.configurePuck(token: House.anyToken)
            let dark = try await house.run("puckd", arguments + ["--show", "idle"])
            #expect(dark.status == 78 && dark.output.contains("--lights=terminal"), "\(dark.output)")
            let missing = try await house.run(
                "puckd",
                arguments + ["--show", "idle", "--set", "lights.output=apa102", "--set", "lights.device=/dev/null"])
            #expect(missing.status == 1 && missing.output.contains("no SPI device"), "\(missing.output)")
        }
    }

    @Test("--show drives the board's lights until it is told to end, and leaves them dark")
    func showOnBoard() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            let arguments = try await house.configurePuck(token: House.anyToken, set: Self.plain)
            let show = try house.start("puckd", arguments + ["--show", "listening"], name: "show", devices: true)
            try await eventually("it should shine") { board.text("5") == "1\n" && board.text("6") == "1\n" }
            let (status, _) = try await show.terminate()
            #expect(status == 0 && board.text("5") == "0\n" && board.text("6") == "0\n")
        }
    }

    @Test("puckd --check says what lights there are, and what is wrong with them")
    func check() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            _ = try await house.hub()
            let arguments = try await house.configurePuck(set: Self.plain)
            let good = try await house.run("puckd", arguments + ["--check"], devices: true)
            #expect(good.output.contains("ok   lights        line 5 of 'pinctrl-test', line 6"), "\(good.output)")
            let other = try await house.configurePuck(
                set: ["gpio.chip=pinctrl-test", "lights.output=gpio", "lights.lines=99"])
            let none = try await house.run("puckd", other + ["--check"], devices: true)
            #expect(
                none.status == 1 && none.output.contains("FAIL lights        GPIO chip 'pinctrl-test' has no line 99"))
        }
    }
}

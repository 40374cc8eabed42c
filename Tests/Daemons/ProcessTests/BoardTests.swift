import Foundation
import LinuxIO
import Testing

@Suite("Processes: a button and a mute switch", .fewAtATime)
struct BoardTests {
    private static let button = ["gpio.chip=pinctrl-test", "gpio.button=17"]
    private static let both = button + ["gpio.mute=22"]
    /// As a person presses, with a contact that bounces: low is pressed. Each ends with a rest, which the next one waits
    /// for.
    private static let press = "0 2 1 3 0 120 1 2 0 4 1 100 1"
    private static let longPress = "0 1000 1 100 1"
    private static let veryLongPress = "0 5500 1 100 1"

    @Test("A press wakes, the next one stops")
    func press() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            try board.write("GPIO17", to: "17.name")
            _ = try await house.hub()
            let puck = try await house.puck(set: Self.button + ["endpoint.utterance_limit_ms=60000"])
            try await puck.line("gpio.open", ["line": "button", "place": "line 17 ('GPIO17') of 'pinctrl-test'"])
            #expect(board.text("17.request") == "puckd active-low pull-up\n")
            try await puck.line("link.up")
            try board.write(Self.press, to: "17")
            try await puck.line("button.pressed", ["press": "short"])
            try await puck.line("wake.granted")
            try board.write(Self.press, to: "17")
            try await puck.line("button.pressed", ["press": "short"])
            try await puck.line("uplink.end", ["reason": "cancelled"])
        }
    }

    @Test("A long press mutes and the next one unmutes; the mute outlasts a restart")
    func longPress() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            let arguments = try await house.configurePuck(token: House.anyToken, set: Self.button)
            let first = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await first.line("gpio.open", ["line": "button"])
            try board.write(Self.longPress, to: "17")
            try await first.line("lights", ["state": "muted"])
            try await first.line("button.pressed", ["press": "long_end"])
            #expect(try await house.control("status").output.contains("muted=yes"))
            first.signal(SIGTERM)
            #expect(try await first.exitStatus() == 0)
            let second = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await second.line("lights", ["state": "muted"])
            #expect(!second.hasLogged("lights", ["state": "volume"]), "nobody has turned the volume")
            try await second.line("gpio.open", ["line": "button"])
            try board.write(Self.longPress, to: "17")
            try await second.line("lights", ["state": "starting"])
            #expect(try await house.control("status").output.contains("muted=no"))
        }
    }

    @Test("A very long press begins pairing, which a short one ends; a command begins and ends it as well")
    func pairing() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            // Its hub wants no puck just now, and that is no reason to give up.
            _ = try await house.hub(tls: true)
            let arguments = try house.configureUnpaired(extra: "[hub]\nhost = 127.0.0.1\nport = \(house.port())")
            let settings = Self.button.flatMap { ["--set", $0] }
            let puck = try house.start("puckd", arguments + settings, name: "kitchen", devices: true)
            try await puck.line("gpio.open", ["line": "button"])
            #expect(try await house.join(try await house.offer().code).status == 0)
            try await puck.line("lights", ["state": "idle"])
            try board.write(Self.veryLongPress, to: "17")
            try await puck.line("button.pressed", ["press": "very_long"])
            try await puck.line("pairing.began", ["ends_in_s": "600"])
            try await puck.line("lights", ["state": "pairing"])
            let status = try await house.control("status").output
            #expect(status.contains("pairing=yes") && status.contains("muted=no"), "\(status)")
            try board.write(Self.press, to: "17")
            try await puck.line("pairing.ended", ["reason": "cancelled"])
            #expect(!puck.hasLogged("wake.candidate") && !puck.hasLogged("wake.ignored"))
            #expect(try await house.control("pairing", "on").status == 0)
            try await puck.line("pairing.began")
            #expect(try await house.control("pairing", "off").status == 0)
            try await puck.line("pairing.ended", ["reason": "cancelled"])
            let wrong = try await house.control("pairing", "maybe")
            #expect(wrong.status == 64 && wrong.output.contains("on or off"), "\(wrong)")
        }
    }

    @Test("While the mute switch is on nothing opens the microphone: no button, no word, no command")
    func mute() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            _ = try await house.hub()
            let puck = try await house.puck(set: Self.both)
            try await puck.line("link.up")
            #expect(try await house.control("status").output.contains("muted=no"))
            try board.write("0", to: "22")
            try await puck.line("mute.switched", ["muted": "yes"])
            try await puck.line("lights", ["state": "muted"])
            #expect(try await house.control("status").output.contains("muted=yes"))
            #expect(try await house.control("status").output.contains("button=ok mute_switch=on"))
            let refused = try await house.control("unmute")
            #expect(refused.status == 1 && refused.output.contains("the mute switch is on"), "\(refused)")
            try board.write(Self.press, to: "17")
            try await puck.line("wake.ignored", ["reason": "muted"])
            try board.write(Self.longPress, to: "17")
            try await puck.line("mute.kept")
            #expect(try await house.control("status").output.contains("muted=yes"))
            // A bounce on the way off, then off.
            try board.write("1 3 0 2 1", to: "22")
            try await puck.line("mute.switched", ["muted": "no"])
            try board.write(Self.press, to: "17")
            try await puck.line("wake.granted")
        }
    }

    @Test("A puck that is started with its mute switch on is muted from the start")
    func mutedAtStart() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            try board.write("1", to: "22")
            let set = Self.both + ["gpio.mute_active=high", "gpio.mute_bias=pull-down"]
            let puck = try await house.puck(token: House.anyToken, set: set)
            try await puck.line("gpio.open", ["line": "mute", "active": "yes"])
            try await puck.line("mute.switched", ["muted": "yes"])
            #expect(board.text("22.request") == "puckd active-high pull-down\n")
            #expect(try await house.control("status").output.contains("muted=yes"))
        }
    }

    @Test(
        "A chip that disappears is reported, mutes, and is found again under another number",
        arguments: ["", "silent"])
    func unplugged(how: String) async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            // Without its descriptors' hanging up, as under Linux before 6.6.
            if !how.isEmpty { try board.write("", to: how) }
            _ = try await house.hub()
            let puck = try await house.puck(set: Self.both)
            try await puck.line("link.up")
            #expect(try await house.control("status").output.contains("button=ok mute_switch=off"))
            try board.unplug()
            try await puck.line("mute.switched", ["muted": "yes", "readable": "no"])
            try await eventually("both lines should have failed:\n\(puck.tail)") {
                puck.hasLogged("gpio.failed", ["line": "mute", "detail": "the chip is gone"])
                    && puck.hasLogged("gpio.failed", ["line": "button", "detail": "the chip is gone"])
            }
            let refused = try await house.control("unmute")
            #expect(refused.status == 1 && refused.output.contains("cannot be read"), "\(refused)")
            try await puck.line("gpio.failed", ["detail": "no GPIO chip is called 'pinctrl-test'"])
            try board.plug(3)
            try await puck.line("mute.switched", ["muted": "no"])
            try await eventually("both lines should be back:\n\(puck.tail)") {
                puck.hasLogged("gpio.recovered", ["line": "mute"])
                    && puck.hasLogged("gpio.recovered", ["line": "button"])
            }
            try board.write(Self.press, to: "17", chip: 3)
            try await puck.line("wake.granted")
        }
    }

    @Test("A line that somebody else holds is named with its holder, and taken when it is free")
    func busy() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            try board.write("spi0 CS1", to: "17.holder")
            let puck = try await house.puck(token: House.anyToken, set: Self.button)
            let line = try await puck.line("gpio.failed", ["line": "button", "detail": "in use by 'spi0 CS1'"])
            #expect(line["advice"]?.contains("gpioinfo") == true && line["meanwhile"] != nil)
            try board.remove("17.holder")
            try await puck.line("gpio.recovered", ["line": "button"])
            try board.write(Self.press, to: "17")
            try await puck.line("button.pressed", ["press": "short"])
        }
    }

    @Test("A chip that does not exist is no reason not to work")
    func noSuchChip() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip("pinctrl-other")
            _ = try await house.hub()
            let puck = try await house.puck(set: ["gpio.chip=no-such-chip, nor-this", "gpio.button=17"])
            let line = try await puck.line(
                "gpio.failed", ["detail": "no GPIO chip is called 'no-such-chip' or 'nor-this'"])
            #expect(line["advice"]?.contains("There is: 'pinctrl-other'") == true)
            try await puck.line("link.up")
            try await house.converse(puck)
        }
    }

    struct Fault: CustomTestStringConvertible {
        var chip = "pinctrl-test"
        var line = 17
        var file: String?
        let complaint: [String]
        var testDescription: String { complaint[0] }
    }

    @Test(
        "puckd --check names a line that does not work, and how to mend it",
        arguments: [
            Fault(
                chip: "no-such-chip", complaint: ["no GPIO chip", "'pinctrl-test'", "gpiodetect"]),
            Fault(line: 54, complaint: ["has no line 54: it has 54, 0 to 53", "gpioinfo"]),
            Fault(file: "17.holder", complaint: ["in use by 'x'", "Stop that program"]),
            Fault(file: "denied", complaint: ["/dev/gpiochip0", "Permission denied", "group 'gpio'"]),
        ])
    func checkFault(_ fault: Fault) async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            if let file = fault.file { try board.write("x", to: file) }
            _ = try await house.hub()
            let arguments = try await house.configurePuck(
                set: ["gpio.chip=\(fault.chip)", "gpio.button=\(fault.line)"])
            let result = try await house.run("puckd", arguments + ["--check"], devices: true)
            #expect(result.status == 1, "\(result.output)")
            for word in ["FAIL button"] + fault.complaint { #expect(result.output.contains(word), "\(result.output)") }
        }
    }

    @Test("puckd --check shows the lines that work, and finds nothing wrong with those of a running puckd")
    func checkGood() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            _ = try await house.hub()
            let arguments = try await house.configurePuck(set: Self.both)
            let alone = try await house.run("puckd", arguments + ["--check"], devices: true)
            #expect(alone.status == 0, "\(alone.output)")
            #expect(
                alone.output.contains("ok   button        line 17 of 'pinctrl-test': active low, pull-up, now inactive")
            )
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("gpio.open", ["line": "button"])
            let beside = try await house.run("puckd", arguments + ["--check"], devices: true)
            #expect(beside.status == 0 && beside.output.contains("note button"), "\(beside.output)")
        }
    }

    @Test("SIGHUP says that other lines need a restart")
    func reread() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            let puck = try await house.puck(token: House.anyToken, set: Self.button)
            try await puck.line("gpio.open")
            let old = try String(contentsOf: house.file("kitchen.conf"), encoding: .utf8)
            try house.write(old + "[gpio]\nmute = 22\n", to: "kitchen.conf")
            puck.signal(SIGHUP)
            try await puck.line("config.restart_needed", ["detail": "[gpio]"])
        }
    }
}

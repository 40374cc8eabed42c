import Foundation
import Settings
import Testing

@testable import PuckRuntime

@Suite struct PuckSettingsTests {
    /// The least that a puck needs, and no board's file.
    private static let least = "[hub]\nhost = hub.local\ntoken = correct-horse\n[puck]\nboard_dir = /nonexistent\n"

    private func read(
        _ document: SettingsDocument, _ overrides: String...
    ) throws -> (settings: PuckSettings, schema: [SchemaEntry]) {
        var reader = SettingsReader(
            layers: [document, SettingsDocument(overrides: overrides)], mainName: document.name)
        let settings = try PuckSettings.read(&reader, hostName: "puck-kitchen")
        return (settings, reader.schema)
    }

    private func read(_ text: String) throws -> PuckSettings {
        try read(SettingsDocument(text: Self.least + text, name: "f")).settings
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch let errors as SettingsErrors {
            return errors.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test("the example shows exactly the keys that puckd knows, with their defaults")
    func example() throws {
        let example = try ExampleFile("docs/examples/puckd.conf")
        let boards = "puck.board_dir=" + Repository.path("boards")
        // Neither token: a puck that nobody has paired.
        let schema = try read(
            example.allUncommented(except: ["[hub] token_file", "[hub] token"]), boards
        ).schema
        #expect(example.disagreements(with: schema) == [])
    }

    @Test("the example as it stands reads as the defaults")
    func exampleIsDefaults() throws {
        let example = try ExampleFile("docs/examples/puckd.conf")
        let asItStands = example.keys.filter { !$0.isCommentedOut }.map(\.name)
        #expect(asItStands == [])
        let all = try read(
            example.allUncommented(except: [
                "[hub] token_file", "[hub] token", "[hub] certificate_name", "[puck] board", "[puck] board_dir",
            ]),
            "hub.host=hub.local", "hub.token=correct-horse", "puck.board_dir=/nonexistent"
        ).settings
        let least = try read("")
        #expect(all.capture == least.capture && all.playback == least.playback)
        #expect(all.wake == least.wake && all.endpoint == least.endpoint && all.opus == least.opus)
        #expect(all.earcons == least.earcons && all.lights == least.lights && all.gpio == least.gpio)
        #expect(all.logLevel == .info && all.controlSocketPath == "/run/puckd/control")
    }

    @Test("a puck is named after its host, and its group after its room")
    func derivedDefaults() throws {
        let settings = try read("room = kitchen")
        #expect(settings.identity.id == "puck-kitchen")
        #expect(settings.identity.group == "kitchen")
        #expect(settings.hub.certificateName == "hub.local")
        #expect(settings.hub.token.value == "correct-horse")
        #expect(settings.warnings == [])
    }

    @Test(
        "a host name becomes an id",
        arguments: [
            ("Kitchen.local", "kitchen"), ("pi zero", "pi-zero"), ("", "puck"), (".x", "puck"), ("a_b-9", "a_b-9"),
            ("é", "--"), ("0123456789012345678901234567890123456789", "01234567890123456789012345678901"),
        ])
    func idOfHost(_ hostName: String, _ id: String) {
        #expect(IdentitySettings.id(hostName: hostName) == id)
    }

    @Test("every board's file is read, and keeps to what a board may say")
    func boards() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Repository.path("boards"))
        #expect(names.contains("generic.conf"))
        for name in names where name.hasSuffix(".conf") {
            let board = "puck.board=" + name.dropLast(5)
            let least = SettingsDocument(text: Self.least, name: "f")
            _ = try read(least, board, "puck.board_dir=" + Repository.path("boards"))
        }
    }

    @Test("the generic board is nothing but defaults")
    func genericBoard() throws {
        let least = SettingsDocument(text: Self.least, name: "f")
        let board = try read(least, "puck.board=generic", "puck.board_dir=" + Repository.path("boards")).settings
        let bare = try read("")
        #expect(board.capture == bare.capture && board.playback == bare.playback)
        #expect(board.opus == bare.opus && board.lights == bare.lights && board.gpio == bare.gpio)
    }

    @Test("a board that is named must exist, and its name cannot leave the folder")
    func missingBoard() {
        let expected =
            "f:6: [puck] board: no zero.conf in /nonexistent; 'puckd --detect' names this machine's, or set board_dir"
        #expect(problems("board = zero") == [expected])
        #expect(problems("board = ../x").first?.hasPrefix("f:6: [puck] board: found \"../x\"; allowed:") == true)
    }

    @Test("an interface that is taken down is brought up again, and no shell is promised")
    func networkCommands() throws {
        #expect(try read("[network]\nreconnect = nmcli  device reapply wlan0").network.reconnect.count == 4)
        #expect(problems("[network]\ninterface_down = x").first?.contains("given alone") == true)
        #expect(problems("[network]\nreboot = sh -c 'reboot'").first?.contains("no quotes") == true)
    }

    @Test("a card that is named by a number is warned of")
    func numberedCards() throws {
        for device in ["hw:1", "plughw:0,0"] { #expect(CaptureSettings.isNumbered(device)) }
        for device in ["default", "hw:CARD=Lite", "sysdefault:CARD=1", "mic"] {
            #expect(!CaptureSettings.isNumbered(device))
        }
    }

    @Test("values that do not go together are refused")
    func contradictions() {
        let text = "[capture]\nchannels = 2\nchannel = 2\nperiod_ms = 30\nbuffer_ms = 40"
        let expected = [
            "f:8: [capture] channel: found 2; allowed: 0…1, since channels = 2",
            "f:10: [capture] buffer_ms: found 40; allowed: 60 ms or more, two periods",
        ]
        #expect(problems(text) == expected)
    }

    @Test("the channel is a number or the mix of all")
    func channel() throws {
        #expect(try read("[capture]\nchannel = mix").capture.channel == .mix)
        #expect(try read("[capture]\nchannel = 3").capture.channel == .index(3))
        #expect(problems("[capture]\nchannel = 8") == ["f:7: [capture] channel: found \"8\"; allowed: 0…7, or mix"])
    }

    @Test("lights are wired as their output needs it, and what is missing is said with its line")
    func lights() throws {
        let chip = "[gpio]\nchip = c\nbutton = 17\n"
        let plain = try read(chip + "[lights]\noutput = gpio\nlines = 5, 6\nactive = low")
        guard case .lines(let lines) = plain.lights.wiring(chipLabels: plain.gpio.chipLabels) else {
            Issue.record("two plain LEDs")
            return
        }
        #expect(lines.map(\.offset) == [5, 6] && lines.allSatisfy { $0.isActiveLow && $0.chipLabels == ["c"] })
        let chain = try read("[lights]\noutput = apa102\ndevice = /dev/spidev0.1\ncount = 12\norder = rgb").lights
        #expect(
            chain.wiring(chipLabels: [])
                == .spi(device: "/dev/spidev0.1", hertz: 4_000_000, count: 12, order: .rgb))
        #expect(try read("[lights]\nnight = 22:00-07:00").lights.night?.from == 22 * 60)
        #expect(try read("").lights.wiring(chipLabels: []) == nil)
    }

    @Test(
        "lights that cannot be are refused",
        arguments: [
            ("output = apa102", "f: [lights] device: apa102 needs one"),
            ("output = sysfs", "f: [lights] device: sysfs needs the LEDs' names"),
            ("output = gpio\nlines =", "f:8: [lights] lines: gpio needs one for each light"),
            ("output = dotstar\nlines = 5", "f:8: [lights] lines: dotstar needs two"),
            ("output = gpio\nlines = 5", "f:8: [lights] lines: given without [gpio] chip"),
            ("output = gpio\nlines = 5\n[gpio]\nchip = c\nbutton = 5", "f:8: [lights] lines: 5 is the button's"),
            ("lines = 5, 5", "f:7: [lights] lines: found \"5, 5\"; allowed: at most 64 different line numbers"),
            ("night = 22-7", "f:7: [lights] night: found \"22-7\"; allowed: two times such as 22:00-07:00"),
            ("count = 513", "f:7: [lights] count: found \"513\"; allowed: 1…512"),
        ])
    func badLights(_ text: String, _ expected: String) {
        let found = problems("[lights]\n" + text)
        #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
    }

    @Test("a line is a number, a polarity and a bias on a chip that goes by its label")
    func gpio() throws {
        let gpio = try read("[gpio]\nchip = pinctrl-bcm2711 , pinctrl-rp1\nbutton = 17\nbutton_active = high").gpio
        #expect(gpio.chipLabels == ["pinctrl-bcm2711", "pinctrl-rp1"])
        #expect(gpio.button.offset == 17 && gpio.button.active == .high && gpio.button.bias == .pullUp)
        #expect(gpio.mute.offset == nil)
        let request = gpio.button.request(chipLabels: gpio.chipLabels)
        #expect(request?.isActiveLow == false && request?.offset == 17)
        #expect(gpio.mute.request(chipLabels: gpio.chipLabels) == nil)
        let nothing = try read("").gpio
        #expect(nothing.chipLabels == [] && nothing.button.offset == nil && nothing.button.active == .low)
    }

    @Test(
        "lines that cannot be meant are refused",
        arguments: [
            ("chip = a,,b", "f:7: [gpio] chip: found \"a,,b\"; allowed: at most 8 labels"),
            ("chip = 01234567890123456789012345678901", "f:7: [gpio] chip: found \"0123"),
            (
                "chip = c\nbutton = 1024",
                "f:8: [gpio] button: found \"1024\"; allowed: a line's number, 0…1023, or empty"
            ),
            ("chip = c\nbutton = GPIO17", "f:8: [gpio] button: found \"GPIO17\"; allowed:"),
            (
                "chip = c\nbutton_bias = up",
                "f:8: [gpio] button_bias: found \"up\"; allowed: pull-up, pull-down, disabled"
            ),
            ("mute_active = yes", "f:7: [gpio] mute_active: found \"yes\"; allowed: low, high"),
            ("button = 17", "f:7: [gpio] button: given without chip; name the chip by its label"),
            ("chip = c\nbutton = 17\nmute = 17", "f:9: [gpio] mute: found 17, which is the button's line"),
        ])
    func wrongLine(_ lines: String, _ expected: String) {
        let found = problems("[gpio]\n" + lines)
        #expect(found.count == 1 && found.first?.hasPrefix(expected) == true, "\(found)")
    }

    @Test("a link without TLS is warned of, but for the loopback")
    func insecure() throws {
        let least = SettingsDocument(text: Self.least, name: "f")
        let warned = try read(least, "hub.insecure=yes").settings.warnings
        #expect(warned == ["[hub] insecure: the token and the voice travel unencrypted to hub.local"])
        #expect(try read(least, "hub.insecure=yes", "hub.host=127.0.0.1").settings.warnings == [])
    }

    @Test("a missing file says what to do")
    func missingFile() {
        let errors = #expect(throws: SettingsErrors.self) {
            try PuckSettings.load(path: "/nonexistent/puckd.conf", hostName: "x")
        }
        let expected =
            "/nonexistent/puckd.conf: No such file or directory; "
            + "write it after docs/examples/puckd.conf, or name another with --config FILE"
        #expect(errors?.description == expected)
    }
}

import ALSADevice
import Foundation
import LinuxIO
import Settings
import Testing

@testable import PuckRuntime

@Suite struct BoardFileTests {
    /// The boards of the repository, without ".conf".
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: Repository.path("boards"))) ?? []
        return files.filter { $0.hasSuffix(".conf") }.map { String($0.dropLast(5)) }.sorted()
    }()

    private func read(_ name: String) throws -> (board: BoardDescription, hardware: HardwareSettings) {
        let path = Repository.path("boards/\(name).conf")
        let (board, settings) = try BoardDescription.read(path, name: name)
        var reader = SettingsReader(layers: [], mainName: path)
        reader.insertLowest(settings, sections: PuckSettings.boardSections)
        let hardware = HardwareSettings(&reader)
        hardware.check(board: board, &reader)
        try reader.finish()
        return (board, hardware)
    }

    /// What `--check-board` finds in a file with this text.
    private func problems(_ text: String) -> [String] {
        let folder = NSTemporaryDirectory() + "/puck-board-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/b.conf"))
            let (board, settings) = try BoardDescription.read(folder + "/b.conf", name: "b")
            var reader = SettingsReader(layers: [], mainName: folder + "/b.conf")
            reader.insertLowest(settings, sections: PuckSettings.boardSections)
            HardwareSettings(&reader).check(board: board, &reader)
            try reader.finish()
            return []
        } catch let errors as SettingsErrors {
            return errors.problems.map { $0.description.replacingOccurrences(of: folder + "/", with: "") }
        } catch { return ["\(error)"] }
    }

    @Test("there is a file for every board of the table")
    func all() {
        let expected = [
            "adafruit-voice-bonnet", "aiy-voice-bonnet", "aiy-voice-hat", "anker-s330", "generic", "generic-gpio",
            "jabra-speak-410", "respeaker-2mic-v1", "respeaker-2mic-v2", "respeaker-4mic", "respeaker-lite",
            "respeaker-usb-4mic", "respeaker-xvf3800", "satellite1",
        ]
        #expect(Self.names == expected)
    }

    @Test("zeros are no fault where a board's own mute is nothing that puckd sees, and nowhere else")
    func zeros() throws {
        let without = try Self.names.filter { try read($0).hardware.capture.zeroMilliseconds == 0 }
        #expect(without == ["anker-s330", "jabra-speak-410", "respeaker-lite"])
    }

    @Test("a board's file is right, has a title, and is in the documentation", arguments: names)
    func valid(_ name: String) throws {
        let (board, hardware) = try read(name)
        #expect(!board.title.isEmpty && board.title.count <= 60)
        #expect(board.isRecognisable != name.hasPrefix("generic"))
        let text = String(decoding: try readSmallFile(Repository.path("boards/\(name).conf")), as: UTF8.self)
        if !name.hasPrefix("generic") { #expect(text.contains("\n# Sources:\n"), "each fact with its source") }
        for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        let page = String(decoding: try readSmallFile(Repository.path("docs/BOARDS.md")), as: UTF8.self)
        #expect(page.contains("| `\(name)` |"))
        // A card goes by its id: numbers change.
        for device in [hardware.capture.device, hardware.playback.device] {
            #expect(device == "default" || device == "hw:CARD=$CARD")
        }
        if !hardware.playback.volumeControl.isEmpty {
            #expect(hardware.mixer.value(of: hardware.playback.volumeControl) != nil, "what 100 % is")
        }
    }

    @Test("puckd starts with each of them", arguments: names)
    func beneath(_ name: String) throws {
        let main = SettingsDocument(text: "[hub]\nhost = h\ntoken = correct-horse\n", name: "f")
        let set = ["puck.board=" + name, "puck.board_dir=/nonexistent, " + Repository.path("boards")]
        var reader = SettingsReader(layers: [main, SettingsDocument(overrides: set)], mainName: "f")
        let settings = try PuckSettings.read(&reader, hostName: "x")
        #expect(settings.board.name == name && settings.board.title.isEmpty == false)
    }

    @Test("what the field's table says of the boards is in their files")
    func facts() throws {
        let v2 = try read("respeaker-2mic-v2")
        #expect(v2.hardware.mixer.value(of: "HP DAC Playback Volume") == .percent(100))
        #expect(v2.hardware.mixer.value(of: "Line DAC Playback Volume") == .percent(100))
        #expect(v2.hardware.mixer.value(of: "PGA Capture Volume") == .percent(80))
        #expect(v2.hardware.gpio.button.offset == 17 && v2.hardware.gpio.button.active == .low)
        let four = try read("respeaker-4mic")
        #expect(four.hardware.gpio.power == [5] && four.hardware.gpio.powerActive == .high)
        #expect(four.hardware.capture.channels == 4 && four.hardware.capture.format == .s32)
        let hat = try read("aiy-voice-hat")
        #expect(hat.hardware.capture.rateHertz == 48_000 && hat.hardware.playback.volumeControl == "")
    }

    @Test(
        "mistakes are told with their line and what is allowed",
        arguments: [
            ("[board]\ntitel = x", "b.conf:2: [board] titel: unknown key; did you mean title?"),
            (
                "[board]\n\ni2c = wm8960",
                "b.conf:3: [board] i2c: found \"wm8960\"; allowed: at most 8 chips such as wm8960@1a with commas between them"
            ),
            (
                "[board]\nusb = 2886:18",
                "b.conf:2: [board] usb: found \"2886:18\"; allowed: at most 8 USB ids such as 2886:0018, as lsusb shows them,"
                    + " with commas between them"
            ),
            (
                "[hub]\nhost = h",
                "b.conf:2: [hub] host: not in this file; allowed here: [capture], [playback], [opus], [lights], [gpio], [mixer]"
            ),
            (
                "[mixer]\nHP Playback Volume = 120%",
                "b.conf:2: [mixer] HP Playback Volume: found \"120%\"; allowed: on, off, 0…100%, such as -6.5dB, a whole "
                    + "number, or the control's word"
            ),
            ("[mixer]\nA = 1\nA = 2", "b.conf:3: [mixer] A: given twice, first on line 2; keep one of the two"),
            (
                "[capture]\ndevice = hw:CARD=$CARD",
                "b.conf:2: [capture] device: names $CARD, but board 'b' has no card; name the card itself"
            ),
            (
                "[capture]\nformat = S8",
                "b.conf:2: [capture] format: found \"S8\"; allowed: any, S16_LE, S24_LE, S24_3LE, S32_LE"
            ),
            (
                "[gpio]\nchip = c\nbutton = 5\npower = 4, 5",
                "b.conf:4: [gpio] power: found 5, which is the button's line; each use needs a line of its own"
            ),
            (
                "[gpio]\namplifier = 16",
                "b.conf:2: [gpio] amplifier: given without chip; name the chip by its label, as gpiodetect shows it in brackets"
            ),
            ("[gpio]\npower = 5,\nchip = c", "b.conf:2: [gpio] power: found \"5,\"; allowed: at most 8 lines' numbers"),
            ("hello", "b.conf:1: found \"hello\"; allowed: [section], key = value, # comment"),
        ])
    func mistakes(_ text: String, _ expected: String) {
        let found = problems(text)
        #expect(found.count == 1 && found.first?.hasPrefix(expected) == true, "\(found)")
    }

    @Test("all mistakes of a file are told at once, those of [board] too")
    func several() {
        #expect(problems("[board]\nhat =\nusb = x\ni2c = y\n").count == 2)
    }

    @Test("puckd.conf changes, adds and takes out what the board sets of the mixer")
    func mixerLayers() throws {
        let board = SettingsDocument(text: "[mixer]\nA = 100%\nB = on\nC = 3", name: "board")
        let main = SettingsDocument(text: "[mixer]\nB = off\nC =\nD = -6.5 dB\nE = Left", name: "f")
        var reader = SettingsReader(layers: [board, main], mainName: "f")
        let mixer = MixerSettings(&reader)
        try reader.finish()
        let expected: [MixerSettings.Setting] = [
            .init(control: "A", value: .percent(100)), .init(control: "B", value: .isOn(false)),
            .init(control: "D", value: .decibels(-6.5)), .init(control: "E", value: .item("Left")),
        ]
        #expect(mixer.settings == expected)
    }
}

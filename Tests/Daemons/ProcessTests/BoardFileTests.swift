import Foundation
import LinuxIO
import RepositoryFiles
import Testing

@Suite("Processes: a board's file", .fewAtATime)
struct BoardFileTests {
    private static let boards: String = {
        RepositoryFiles.url("boards").path
    }()

    /// A card called seeed2micvoicec, as a ReSpeaker 2-Mics HAT v2 has it, but for one control that its driver lacks.
    private func card(in house: House) throws {
        try house.write(
            """
            integer 2 0 127 -6350 50: PCM Playback Volume
            integer 2 0 118 -5900 50 mutes: HP DAC Playback Volume
            integer 2 0 118 -5900 50 mutes: Line DAC Playback Volume
            boolean 2: HP Playback Switch
            integer 2 0 9: Line Playback Volume
            boolean 2: Line Playback Switch
            integer 2 0 119: PGA Capture Volume
            boolean 2: PGA Capture Switch

            """, to: "seeed2micvoicec.controls")
        let plugin = try Build.plugin.get().replacingOccurrences(of: "_pcm_", with: "_ctl_")
        let old = try String(contentsOf: house.file("asound.conf"), encoding: .utf8)
        try house.write(
            old + """
                ctl_type.puckfake { lib "\(plugin)" }
                ctl.hw {
                    @args [ CARD ]
                    @args.CARD { type string }
                    type puckfake
                    file { @func concat strings [ "\(house.folder.path)/" $CARD ".controls" ] }
                }
                pcm.hw {
                    @args [ CARD DEV ]
                    @args.CARD { type string }
                    @args.DEV { type integer default 0 }
                    type puckfake
                    infile "\(house.file("kitchen.wav").path)"
                    loop yes
                    channels 2
                    outfile "\(house.speaker().path)"
                }

                """, to: "asound.conf")
        // The board's devices, not the house's.
        let configuration = try String(contentsOf: house.file("kitchen.conf"), encoding: .utf8)
        let kept = configuration.split(separator: "\n", omittingEmptySubsequences: false).filter {
            !$0.hasPrefix("device = ") && !$0.hasPrefix("volume = ")
        }
        try house.write(kept.joined(separator: "\n"), to: "kitchen.conf")
    }

    private func written(_ house: House) -> [String] {
        let log = try? String(contentsOf: house.file("seeed2micvoicec.controls.log"), encoding: .utf8)
        return (log ?? "").split(separator: "\n").map(String.init)
    }

    @Test("A board's mixer is set, its power and amplifier are switched in order, its button wakes, its volume is kept")
    func board() async throws {
        try await House.run { house in
            let gpio = try Board(in: house)
            try gpio.chip("pinctrl-bcm2711")
            try gpio.write("", to: "trace")
            _ = try await house.hub()
            let set = ["gpio.power=5, 6", "gpio.amplifier=16", "lights.output=none", "puck.board_dir=" + Self.boards]
            let arguments = try await house.configurePuck(set: set) + ["--board", "respeaker-2mic-v2"]
            try card(in: house)
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            let refused = try await puck.line("mixer.refused", ["detail": "no control 'HP Playback Volume'"])
            #expect(refused["advice"]?.contains("amixer -D hw:CARD=seeed2micvoicec controls") == true)
            try await puck.line("mixer.set", ["device": "hw:CARD=seeed2micvoicec", "controls": "8"])
            // The microphone's thread has a time of its own.
            try await eventually("sound and amplifier should be on:\n\(puck.tail)") {
                puck.hasLogged("gpio.on", ["line": "amplifier", "place": "line 16 of 'pinctrl-bcm2711'"])
                    && puck.hasLogged(
                        "capture.open", ["format": "hw:CARD=seeed2micvoicec: 16000 Hz, 2 channels, S16_LE"])
            }
            let start = [
                "PCM Playback Volume = 127 127", "HP DAC Playback Volume = 118 118",
                "Line DAC Playback Volume = 118 118", "HP Playback Switch = 1 1", "Line Playback Volume = 9 9",
                "Line Playback Switch = 1 1", "PGA Capture Volume = 95 95", "PGA Capture Switch = 1 1",
                // 80 %: 3.9 dB less.
                "PCM Playback Volume = 120 120",
            ]
            #expect(written(house) == start)
            #expect(gpio.text("trace") == "\n5 0\n5 1\n6 0\n6 1\n16 0\n16 1\n")
            try await puck.line("link.up")
            try gpio.write("0 120 1", to: "17")
            try await puck.line("button.pressed", ["press": "short"])
            try await puck.line("wake.granted")
            #expect(try await house.control("volume", "50").status == 0)
            #expect(written(house).last == "PCM Playback Volume = 103 103")
            #expect(try await house.control("mute").status == 0)
            #expect(try await puck.terminate().0 == 0)
            #expect(gpio.text("trace").hasSuffix("16 1\n16 0\n6 0\n5 0\n"))

            let again = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await again.line("link.up")
            let status = try await house.control("status").output
            #expect(status.contains("volume=50") && status.contains("muted=yes"), "\(status)")
            #expect(written(house).last == "PCM Playback Volume = 103 103")
        }
    }

    @Test("A power line that somebody holds is said, and taken when it is free")
    func busyPower() async throws {
        try await House.run { house in
            let gpio = try Board(in: house)
            try gpio.chip()
            try gpio.write("sdmode", to: "16.holder")
            let set = ["gpio.chip=pinctrl-test", "gpio.amplifier=16", "gpio.amplifier_active=low"]
            let puck = try await house.puck(token: House.anyToken, set: set)
            try await puck.line("gpio.failed", ["line": "amplifier", "detail": "in use by 'sdmode'"])
            try gpio.remove("16.holder")
            try await puck.line("gpio.recovered", ["line": "amplifier"])
            #expect(gpio.text("16") == "0\n")
        }
    }

    @Test("A board without a mixer that answers has its volume in software, and says so once")
    func noMixer() async throws {
        try await House.run { house in
            let set = ["playback.volume_control=Master", "playback.control_device=hw:CARD=none"]
            let puck = try await house.puck(token: House.anyToken, set: set)
            try await puck.line("volume.in_software", ["detail": "mixer of 'hw:CARD=none'"])
            #expect(try await house.control("volume", "30").status == 0)
            #expect(try await house.control("status").output.contains("volume=30"))
            #expect(puck.log.filter { $0.event == "volume.in_software" }.count == 1)
        }
    }

    @Test("puckd --check counts the controls, and tries power lines and amplifier")
    func check() async throws {
        try await House.run { house in
            let gpio = try Board(in: house)
            try gpio.chip("pinctrl-rp1")
            _ = try await house.hub()
            try gpio.write("", to: "trace")
            let set = ["gpio.power=5, 6", "gpio.power_settle_ms=20", "gpio.amplifier=16", "lights.output=none"]
            let arguments =
                try await house.configurePuck(set: set) + ["--board", Self.boards + "/respeaker-2mic-v2.conf"]
            try card(in: house)
            let result = try await house.run("puckd", arguments + ["--check"], devices: true)
            for line in [
                "ok   power         line 5 of 'pinctrl-rp1': active high, on until the end",
                "ok   power         line 6 of", "ok   amplifier     line 16 of",
                "note mixer         card 'hw:CARD=seeed2micvoicec' has no control 'HP Playback Volume'",
                "ok   mixer         hw:CARD=seeed2micvoicec: 8 of 9 controls are there",
            ] { #expect(result.output.contains(line), "\(result.output)") }
            #expect(result.status == 0 && written(house) == [])
            #expect(gpio.text("trace") == "\n5 0\n5 1\n6 0\n6 1\n16 0\n6 0\n5 0\n", "on for the whole of it")
        }
    }

    @Test("--show and --meter switch the board's power on, and off again", arguments: ["--show", "--meter"])
    func poweredCommand(_ command: String) async throws {
        try await House.run { house in
            let gpio = try Board(in: house)
            try gpio.chip()
            try gpio.write("", to: "trace")
            let set = [
                "gpio.chip=pinctrl-test", "gpio.power=5, 6", "gpio.power_active=low", "lights.output=gpio",
                "lights.lines=22",
            ]
            let arguments = try await house.configurePuck(token: House.anyToken, set: set)
            let words = command == "--show" ? [command, "listening"] : [command]
            let running = try house.start("puckd", arguments + words, name: "command", devices: true)
            let on = "\n5 1\n5 0\n6 1\n6 0\n"
            try await eventually("power should come first") { gpio.text("trace").hasPrefix(on) }
            if command == "--show" { try await eventually("then the light") { gpio.text("22") == "1\n" } }
            if command == "--meter" { try await eventually("no level") { running.tail.contains("SNR") } }
            #expect(try await running.terminate().0 == 0)
            #expect(gpio.text("trace").hasSuffix("6 1\n5 1\n"), "\(gpio.text("trace"))")
        }
    }

    @Test("--show says which power line cannot be had, and shows what it can")
    func unpowered() async throws {
        try await House.run { house in
            let gpio = try Board(in: house)
            try gpio.chip()
            try gpio.write("spi0 CS1", to: "5.holder")
            let set = ["gpio.chip=pinctrl-test", "gpio.power=5", "lights.output=gpio", "lights.lines=22"]
            let arguments = try await house.configurePuck(token: House.anyToken, set: set)
            let show = try house.start("puckd", arguments + ["--show", "listening"], name: "show", devices: true)
            try await eventually("the light") { gpio.text("22") == "1\n" }
            #expect(show.tail.contains("in use by 'spi0 CS1'"), "\(show.tail)")
            _ = try await show.terminate()
        }
    }

    @Test("puckd --detect names the board on its first line, with a status for each answer")
    func detect() async throws {
        try await House.run { house in
            func machine(_ chip: String) throws -> String {
                for (path, text) in [
                    ("proc/asound/card0/id", "seeed2micvoicec"), ("sys/bus/i2c/devices/\(chip)/name", ""),
                ] {
                    let file = house.file("machine-\(chip)/" + path)
                    try FileManager.default.createDirectory(
                        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                    let name = chip.hasSuffix("18") ? "tlv320aic3104" : "wm8960"
                    try Data((text.isEmpty ? name : text).utf8).write(to: file)
                }
                return house.file("machine-\(chip)").path
            }
            let words = ["--detect", "--set", "puck.board_dir=" + Self.boards, "--system-root"]
            let found = try await house.run("puckd", words + [try machine("1-0018")])
            #expect(found.status == 0 && found.output.hasPrefix("respeaker-2mic-v2\n"), "\(found.output)")
            #expect(found.output.contains("here: I2C chip tlv320aic3104@18"))
            let alike = try await house.run("puckd", words + [try machine("1-001a")])
            #expect(alike.status == 2 && alike.output.hasPrefix("ambiguous\n"), "\(alike.output)")
            #expect(alike.output.contains("adafruit-voice-bonnet: Adafruit Voice Bonnet"))
            let other = try await house.run("puckd", words + ["/nonexistent"])
            #expect(other.status == 1 && other.output.hasPrefix("unknown\n"), "\(other.output)")
        }
    }

    @Test("puckd --check-board says what is wrong, where, and what could be better")
    func checkBoard() async throws {
        try await House.run { house in
            try house.write("[capture]\nrate = fast\n[gpoi]\nbutton = 1\n", to: "new.conf")
            let wrong = try await house.run("puckd", ["--check-board", house.file("new.conf").path])
            #expect(wrong.status == 78)
            #expect(wrong.output.contains("new.conf:2: [capture] rate: found \"fast\"; allowed: 8000…192000 Hz"))
            #expect(wrong.output.contains("new.conf:4: [gpoi] button: not in this file"), "\(wrong.output)")
            try house.write("[capture]\nrate = 48000\n", to: "new.conf")
            let right = try await house.run("puckd", ["--check-board", house.file("new.conf").path])
            #expect(right.status == 0 && right.output.contains("new.conf: ok"))
            #expect(right.output.contains("note: 'puckd --detect' cannot find it"))
            let missing = try await house.run("puckd", ["--check-board", "nothing.conf"])
            #expect(missing.status == 78 && missing.output.contains("No such file"))
        }
    }
}

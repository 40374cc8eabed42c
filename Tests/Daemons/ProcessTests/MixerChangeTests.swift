import Foundation
import LinuxIO
import Testing

@Suite("Processes: other programs change the mixer", .fewAtATime)
struct MixerChangeTests {
    private static let volume = "PCM Playback Volume"
    private static let headphones = "HP Playback Switch"
    private static let gain = "Capture Volume"
    private static let set = [
        "mixer.\(volume)=100%", "mixer.\(headphones)=on", "mixer.\(gain)=80%", "playback.volume_control=\(volume)",
        "playback.control_device=hw:CARD=board",
    ]

    /// A card of these controls, and a puck that sets them.
    private static func arguments(_ house: House) async throws -> [String] {
        let arguments = try await house.configurePuck(token: House.anyToken, set: set)
        try house.write(
            """
            integer 2 0 127 -6350 50: \(volume)
            boolean 2: \(headphones)
            integer 1 0 100: \(gain)

            """, to: "board.controls")
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

                """, to: "asound.conf")
        return arguments
    }

    private static func written(_ house: House) -> [String] {
        let log = try? String(contentsOf: house.file("board.controls.log"), encoding: .utf8)
        return (log ?? "").split(separator: "\n").map(String.init)
    }

    /// What another program writes: `amixer`, `alsactl restore`, `alsamixer`.
    private static func other(_ lines: String..., in house: House) throws {
        let handle = try FileHandle(forWritingTo: house.file("board.controls.log"))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
        try handle.close()
    }

    private static func start(_ house: House) async throws -> Child {
        let puck = try house.start("puckd", try await arguments(house), name: "kitchen", devices: true)
        try await puck.line("mixer.set", ["controls": "3"])
        try await eventually("no sound:\n\(puck.tail)") {
            puck.hasLogged("capture.open") && puck.hasLogged("playback.open")
        }
        return puck
    }

    @Test("What alsactl restores too late is set again, and status and doctor show what is")
    func restored() async throws {
        try await House.run { house in
            let puck = try await Self.start(house)
            try Self.other("\(Self.headphones) = 0 0", "\(Self.gain) = 12", in: house)
            let line = try await puck.line("mixer.restored")
            #expect(line["detail"] == "\(Self.headphones) was off off, not on; \(Self.gain) was 12, not 80")
            #expect(Self.written(house).suffix(2) == ["\(Self.headphones) = 1 1", "\(Self.gain) = 80"])
            let status = try await house.control("status").output
            #expect(status.contains("mixer=ok mixer_differs=\"\" volume_control=100"), "\(status)")
            #expect(!puck.hasLogged("volume.turned"))
        }
    }

    @Test("A program that sets a control back each time is given up after three attempts, which is said once")
    func contested() async throws {
        try await House.run { house in
            let puck = try await Self.start(house)
            for _ in 0..<3 {
                try Self.other("\(Self.headphones) = 0 0", in: house)
                try await puck.line("mixer.restored")
            }
            try Self.other("\(Self.headphones) = 0 0", in: house)
            let line = try await puck.line("mixer.contested", ["detail": "\(Self.headphones) is off off, not on"])
            #expect(line["advice"]?.contains("sets it back each time") == true)
            // Another control is not given up with it.
            try Self.other("\(Self.gain) = 3", in: house)
            try await puck.line("mixer.restored", ["detail": "\(Self.gain) was 3, not 80"])
            #expect(puck.log.filter { $0.event == "mixer.contested" }.count <= 1)
            let status = try await house.control("status").output
            #expect(
                status.contains("mixer=differs mixer_differs=\"\(Self.headphones) is off off, not on\""), "\(status)")
            let words = [
                "--socket", house.file("kitchen.control").path, "doctor", "--config", house.file("kitchen.conf").path,
            ]
            let doctor = try await house.run("puckctl", words, devices: true)
            #expect(doctor.output.contains("warn mixer         \(Self.headphones) is off off, not on"), "\(doctor)")
        }
    }

    @Test("What a person turns is the volume from then on, after a restart, too; nothing is turned back")
    func turned() async throws {
        try await House.run { house in
            let puck = try await Self.start(house)
            try await eventually("the volume is never set") { Self.written(house).last == "\(Self.volume) = 127 127" }
            let before = Self.written(house).count
            // −12 dB, with a balance.
            try Self.other("\(Self.volume) = 103 90", in: house)
            try await puck.line("volume.turned", ["control": Self.volume, "percent": "50"])
            let status = try await house.control("status").output
            #expect(status.contains("volume=50") && status.contains("volume_control=50"), "\(status)")
            #expect(Self.written(house).count == before + 1, "puckd has turned it: \(Self.written(house))")
            #expect(try await house.control("volume", "100").status == 0)
            #expect(Self.written(house).last == "\(Self.volume) = 127 127")
            try Self.other("\(Self.volume) = 0 0", in: house)
            try await puck.line("volume.turned", ["percent": "0"])
            try Self.other("\(Self.volume) = 103 103", in: house)
            try await puck.line("volume.turned", ["percent": "50"])
            #expect(try await puck.terminate().0 == 0)
            let state = try String(contentsOf: house.file("kitchen.state/state.conf"), encoding: .utf8)
            #expect(state.contains("volume = 50"), "\(state)")
            #expect(!puck.hasLogged("mixer.restored") && !puck.hasLogged("mixer.contested"))
        }
    }

    @Test("A control that is not there is said once, however often the card comes back or its mixer changes")
    func missing() async throws {
        try await House.run { house in
            let arguments =
                try await Self.arguments(house) + ["--set", "mixer.No Such Switch=on", "--set", "log.level=debug"]
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("mixer.refused", ["detail": "No Such Switch"])
            try await eventually("no sound:\n\(puck.tail)") {
                puck.hasLogged("capture.open") && puck.hasLogged("playback.open")
            }
            for _ in 0..<2 {
                try house.fault("badfd")
                try await puck.line("capture.failed")
                try await puck.line("mixer.set", ["controls": "2"])
                try Self.other("\(Self.headphones) = 0 0", in: house)
                try await puck.line("mixer.restored")
            }
            for event in ["mixer.refused", "mixer.unread"] {
                #expect(puck.log.filter { $0.event == event }.count == 1, "\(event):\n\(puck.tail)")
            }
        }
    }
}

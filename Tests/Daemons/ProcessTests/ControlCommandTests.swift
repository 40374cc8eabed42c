import Foundation
import LinuxIO
import RepositoryFiles
import Testing

/// The other commands of `puckctl`, with the real puckd.
@Suite("Processes: puckctl", .fewAtATime)
struct ControlCommandTests {
    private static func file(_ path: String) throws -> String {
        try RepositoryFiles.text(path)
    }

    @Test("The status is one JSON object whose every key the manual explains, and a screen")
    func status() async throws {
        try await House.run { house in
            let board = try Board(in: house)
            try board.chip()
            _ = try await house.hub()
            let puck = try await house.puck(
                set: ["gpio.chip=pinctrl-test", "gpio.button=17", "gpio.mute=22", "gpio.power=5", "gpio.amplifier=6"])
            try await puck.line("link.up")
            // The first ping comes 5 s after the welcome, and only then is there a round trip.
            var status: [String: Any] = [:]
            let limit = ContinuousClock.now + patience
            repeat {
                let said = try await house.control("status", "--json")
                #expect(said.status == 0)
                status = try #require(
                    try JSONSerialization.jsonObject(with: Data(said.output.utf8)) as? [String: Any])
                try await Task.sleep(for: .milliseconds(50))
            } while status["rtt_ms"] == nil && ContinuousClock.now < limit
            #expect(status["connected"] as? Bool == true && status["link"] as? String == "up")
            #expect(status["hub"] as? String == "ws://127.0.0.1:\(house.port())")
            let last = try #require(status["rtt_ms"] as? Double)
            let least = try #require(status["rtt_min_ms"] as? Double)
            let error = try #require(status["clock_error_ms"] as? Double)
            #expect(last >= least && error >= least / 2 - 0.01)
            #expect(status["button"] as? String == "ok" && status["power"] as? String == "on")
            for key in ["alsa", "opus", "libwebsockets", "openssl", "version", "capture_format", "playback_format"] {
                #expect((status[key] as? String)?.isEmpty == false, "\(key)")
            }
            let manual = try Self.file("docs/man/puckctl.1.in")
            for key in status.keys { #expect(manual.contains(".It Cm \(key) "), "puckctl(1) does not explain \(key)") }
            let screen = try await house.control("status", "--socket=\(house.file("kitchen.control").path)")
            #expect(screen.status == 64, "given twice")
            let page = try await house.run("puckctl", ["-s", house.file("kitchen.control").path, "status"])
            #expect(page.status == 0 && page.output.contains("Mute         off\n"), "\(page)")
            #expect(try await house.control("mute").status == 0)
            #expect(try await house.control("status").output.contains("muted=yes muted_by=person "))
        }
    }

    @Test("watch has a line for each change, and ends by Ctrl-C and when the daemon has gone")
    func watch() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await eventually("no microphone:\n\(puck.tail)") { puck.hasLogged("capture.open") }
            let words = ["--socket", house.file("kitchen.control").path, "watch"]
            let watch = try house.start("puckctl", words, name: "watch")
            let other = try house.start("puckctl", words, name: "other")
            try await eventually("it says nothing") { watch.output.contains("phase=idle") }
            #expect(try await house.control("volume", "33").status == 0)
            try await eventually("no change is seen: \(watch.output)") {
                watch.output.split(separator: "\n").dropFirst().contains { $0.contains(" volume=33") }
            }
            #expect(!watch.output.contains("level_db") && !watch.output.contains("\u{1B}"))
            try await eventually("the other sees nothing") { other.output.contains("volume=33") }
            other.signal(SIGINT)
            #expect(try await other.exitStatus() == 0)
            puck.kill()
            #expect(try await watch.exitStatus() == 69)
            #expect(watch.output.contains("puckctl: the daemon has gone: "), "\(watch.tail)")
            let nobody = try await house.control("watch")
            #expect(nobody.status == 69 && nobody.output.contains("is the daemon running"), "\(nobody)")
        }
    }

    @Test("watch redraws a terminal's screen, and only when something is new")
    func watchOnTerminal() async throws {
        try await House.run { house in
            let puck = try await house.puck(token: House.anyToken)
            try await eventually("no microphone:\n\(puck.tail)") { puck.hasLogged("capture.open") }
            let command = "exec \(try Build.program("puckctl")) -s \(house.file("kitchen.control").path) watch"
            let watch = try house.help(["script", "-qefc", command, "/dev/null"])
            try await eventually("it draws nothing: \(watch.tail)") { watch.output.contains("Volume       100 %") }
            #expect(watch.output.contains("\u{1B}[2J\u{1B}[Hkitchen"))
            #expect(try await house.control("volume", "33").status == 0)
            try await eventually("it is not redrawn") { watch.output.contains("Volume       33 %") }
            puck.kill()
            try await eventually("it goes on: \(watch.tail)") { watch.output.contains("the daemon has gone") }
        }
    }

    @Test("lights shows a state for a while, never over an open microphone, and says which there are")
    func lights() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let puck = try await house.puck(set: ["lights.output=terminal", "endpoint.utterance_limit_ms=10000"])
            try await puck.line("link.up")
            try await eventually("not idle:\n\(puck.tail)") { puck.hasLogged("lights", ["state": "idle"]) }
            #expect(try await house.control("lights", "pairing").status == 0)
            try await puck.line("lights", ["state": "pairing"])
            #expect(try await house.control("status").output.contains("showing=pairing"))
            #expect(try await house.control("lights", "auto").status == 0)
            try await puck.line("lights", ["state": "idle"])
            #expect(try await house.control("lights", "error").status == 0)
            try await puck.line("lights", ["state": "error"])
            // After 10 s by itself.
            try await puck.line("lights", ["state": "idle"])
            #expect(try await house.control("lights", "muted").status == 0)
            try await puck.line("lights", ["state": "muted"])
            try await house.wake(puck)
            #expect(try await house.control("lights", "idle").status == 0)
            #expect(try await house.control("status").output.contains("showing=listening"))
            let wrong = try await house.control("lights", "speakign")
            #expect(wrong.status == 64 && wrong.output.contains("did you mean speaking?"), "\(wrong)")
            #expect(wrong.output.contains("starting, idle, candidate, listening"), "\(wrong)")
            let dark = try await house.puck("hall", set: ["lights.output=none"])
            try await dark.line("puckd.start")
            let none = try await house.control("lights", "idle", puck: "hall")
            #expect(none.status == 1 && none.output.contains("[lights] output"), "\(none)")
        }
    }

    @Test("The doctor is content with a puck that works, and leaves its devices and its session alone")
    func healthy() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let puck = try await house.puck()
            try await puck.line("link.up")
            for event in ["capture.open", "playback.open"] {
                try await eventually("no \(event):\n\(puck.tail)") { puck.hasLogged(event) }
            }
            let words = ["doctor", "--config", house.file("kitchen.conf").path]
            let arguments = ["--socket", house.file("kitchen.control").path] + words
            let said = try await house.run("puckctl", arguments, devices: true)
            #expect(said.status == 0 && !said.output.contains("FAIL"), "\(said.output)")
            for line in ["OK   daemon", "OK   link", "OK   microphone", "OK   loudspeaker", "OK   hub"] {
                #expect(said.output.contains(line), "\(line) is not in\n\(said.output)")
            }
            try await hub.line("session.close", ["reason": "probe"])
            #expect(!puck.hasLogged("link.disconnected"))
            let json = try await house.run("puckctl", arguments + ["--json"], devices: true)
            let list = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: String]]
            #expect(list?.contains { $0["what"] == "hub" && $0["verdict"] == "ok" } == true, "\(json)")
            #expect(try await house.control("mute").status == 0)
            let muted = try await house.run("puckctl", arguments, devices: true)
            #expect(muted.status == 0 && muted.output.contains("'puckctl unmute' opens it"), "\(muted.output)")
        }
    }

    @Test("The doctor names what is broken, with or without a daemon, and what to do")
    func sick() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let arguments = try await house.configurePuck(set: ["capture.device=nosuch"])
            let doctor = [
                "--socket", house.file("kitchen.control").path, "doctor", "--config", house.file("kitchen.conf").path,
            ]
            let alone = try await house.run("puckctl", doctor, devices: true)
            #expect(alone.status == 1 && alone.output.contains("FAIL daemon"), "\(alone.output)")
            #expect(alone.output.contains("systemctl enable --now puckd"), "\(alone.output)")
            for line in ["OK   microphone", "OK   hub"] { #expect(alone.output.contains(line), "\(alone.output)") }
            let puck = try house.start("puckd", arguments, name: "kitchen", devices: true)
            try await puck.line("capture.failed")
            let said = try await house.run("puckctl", doctor, devices: true)
            #expect(said.status == 1, "\(said.output)")
            #expect(
                said.output.contains("FAIL microphone    capture device 'nosuch' cannot be opened"), "\(said.output)")
            #expect(!said.output.contains("OK   microphone"), "\(said.output)")
            try house.write("[hub]\nhots = h\n", to: "wrong.conf")
            let wrong = try await house.run(
                "puckctl", ["-s", house.file("none").path, "doctor", "-c", house.file("wrong.conf").path])
            #expect(wrong.status == 1 && wrong.output.contains("wrong.conf:2: [hub] hots"), "\(wrong)")
            #expect(wrong.output.contains("FAIL check         the configuration is wrong"), "\(wrong)")
        }
    }

    @Test("The shell completes every command that the help lists, their words and their options")
    func completion() async throws {
        try await House.run { house in
            let script = RepositoryFiles.url("scripts/puckctl.bash").path
            func complete(_ words: String...) async throws -> Set<String> {
                let list = words.map { "'\($0)'" }.joined(separator: " ")
                let command =
                    "PATH=\(Build.folder.path):$PATH; source \(script); COMP_WORDS=(\(list)); "
                    + "COMP_CWORD=\(words.count - 1); _\(words[0]); printf '%s\\n' \"${COMPREPLY[@]}\""
                let shell = try Child("bash", ["-c", command], name: "bash", in: house.folder)
                #expect(try await shell.exitStatus() == 0, "\(shell.tail)")
                return Set(shell.output.split(separator: "\n").map(String.init))
            }
            let help = try await house.run("puckctl", ["--help"]).output
            let section = try #require(
                help.components(separatedBy: "\ncommands:\n").last?.components(separatedBy: "\n\n")[0])
            let listed = section.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
                .map { String($0.dropFirst(2).prefix { $0 != " " }) }
            #expect(listed.count >= 14, "\(listed)")
            #expect(try await complete("puckctl", "") == Set(listed))
            #expect(try await complete("puckctl", "wa") == ["wake", "watch"])
            #expect(try await complete("puckctl", "--so") == ["--socket"])
            #expect(try await complete("puckctl", "help", "do") == ["doctor"])
            #expect(try await complete("puckctl", "lights", "").isSuperset(of: ["auto", "speaking", "pairing"]))
            #expect(try await complete("puckctl", "lights", "sp") == ["speaking"])
            #expect(try await complete("puckctl", "-s", "/x", "night", "o") == ["on", "off"])
            #expect(try await complete("puckctl", "pairing", "") == ["on", "off"])
            #expect(try await complete("puckctl", "status", "--") == ["--json", "--plain"])
            try house.write("", to: "song.wav")
            #expect(try await complete("puckctl", "play", house.file("so").path) == [house.file("song.wav").path])
            #expect(
                try await complete("puckctl", "record", "5", house.file("so").path) == [house.file("song.wav").path])
            #expect(try await complete("puckctl", "record", "").isEmpty)
            #expect(try await complete("puckd", "--detec") == ["--detect"])
            #expect(try await complete("puckhub", "tok").isSubset(of: ["token"]))
        }
    }
}

import Foundation
import LinuxIO
import Testing
import WAVFile

@testable import puckctl

@Suite("puckctl: its command line, files and doctor")
struct CommandsTests {
    @Test("What is right becomes the daemon's line")
    func requests() throws {
        #expect(try Commands.request(["wake"]) == "wake")
        #expect(try Commands.request(["volume", "+40"]) == "volume 40")
        #expect(try Commands.request(["record", "5", "a b.wav"]) == "record 5")
        #expect(try Commands.request(["lights", "auto"]) == "lights auto")
    }

    @Test(
        "What is wrong is said before any daemon is asked",
        arguments: [
            ([], "no command; there are status"), (["wkae"], "did you mean wake?"), (["zzzzzzzz"], "there are status"),
            (["wake", "now"], "wake takes nothing, or list"), (["volume"], "volume takes N"),
            (["volume", "101"], "from 0 to 100"), (["night", "maybe"], "on, off or auto"),
            (["pairing", "1"], "on or off"), (["record", "5"], "SECONDS FILE"),
            (["record", "0", "f"], "from 1 to 3600"),
            (["lights", "speakign"], "did you mean speaking?"), (["lights", "x"], "listening, thinking, speaking"),
        ] as [([String], String)])
    func misuse(_ words: [String], _ complaint: String) {
        let error = #expect(throws: CommandLineError.self) { try Commands.request(words) }
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
        #expect(error?.message.hasSuffix("\nTry 'puckctl --help'.") == true)
    }

    @Test("Every command has a page of its own, with its options")
    func pages() throws {
        for command in Commands.all {
            let page = try #require(Commands.table.help(of: command.name))
            #expect(page.hasPrefix("usage: puckctl [OPTION...] \(command.name)"))
            for option in command.options { #expect(page.contains("--\(option)")) }
            #expect(Commands.table.help.contains("\n  \(command.name)"))
        }
        #expect(Commands.table.help(of: "nothing") == nil)
    }

    @Test("A file of 16,000 Hz and one channel is played as it is; channels are mixed, rates converted")
    func conversion() {
        let samples: [Int16] = [1, -2, 32_767, -32_768, 5]
        #expect(PlayCommand.converted(WAVFile(rate: 16_000, channels: 1, samples: samples)) == samples)
        let stereo = WAVFile(rate: 16_000, channels: 2, samples: [100, 300, -32_768, -32_768, 7, 8, 9])
        #expect(PlayCommand.converted(stereo) == [200, -32_768, 7])
        for rate in [8000, 44_100, 48_000] {
            let second = [Int16](repeating: 8000, count: rate)
            let converted = PlayCommand.converted(WAVFile(rate: rate, channels: 1, samples: second))
            #expect((15_990...16_010).contains(converted.count), "\(rate): \(converted.count)")
            // Behind the filter's beginning the level is the file's.
            #expect(converted[4000..<12_000].allSatisfy { (7990...8010).contains($0) }, "\(rate)")
        }
    }

    @Test("The doctor takes the daemon's word for what the daemon holds, and the check's for the rest")
    func doctor() throws {
        let check = """
            ok   configuration puck 'kitchen' in 'kitchen'
            FAIL microphone    busy. Stop it.
            note button        line 17: a puckd is running here
            note wi-fi         wlan0: signal -80 dBm, which is weak
            FAIL hub           wss://h:1: nobody listens there
            a line that is none
            """
        let running = Doctor.findings(of: check, isRunning: true)
        #expect(running.map { $0.what } == ["configuration", "wi-fi", "hub"])
        #expect(running.map { $0.verdict } == [.good, .doubtful, .bad])
        #expect(Doctor.findings(of: check, isRunning: false).count == 5)
        #expect(Doctor.line(running[2]) == "FAIL hub           wss://h:1: nobody listens there")
        #expect(
            Doctor.json([running[0]])
                == #"[{"verdict":"ok","what":"configuration","text":"puck 'kitchen' in 'kitchen'"}]"#)
    }

    @Test("The check gets the daemon's sound variables, and none of the caller's")
    func environment() throws {
        let environ = Array("PATH=/bin\0HOME=/var/lib/puckd\0ALSA_CONFIG_PATH=/etc/a=b.conf\0TOKEN=x\0".utf8)
        #expect(Doctor.variables(in: environ) == ["HOME=/var/lib/puckd", "ALSA_CONFIG_PATH=/etc/a=b.conf"])
        let service = Doctor.environment(of: nil, home: "/nonexistent")
        #expect(service.first == "env" && service.last == "HOME=/nonexistent")
        for name in ["XDG_RUNTIME_DIR", "PULSE_SERVER", "ALSA_CONFIG_PATH"] {
            let at = try #require(service.firstIndex(of: name))
            #expect(service[at - 1] == "-u")
        }
        #expect(Doctor.environment(of: nil, home: nil) == [], "the caller's own user")
        // A daemon that runs: its own, as the kernel shows them.
        let own = Doctor.environment(of: Int(getpid()), home: "/nonexistent")
        #expect(own.first == "env" && !own.contains("HOME=/nonexistent"))
        #expect(Doctor.environment(of: 0, home: nil, root: "/nonexistent") == [], "it may not be read")
    }

    @Test("The doctor shows how the mixer stands")
    func mixer() throws {
        for (json, line) in [
            (#"{"mixer":"ok","mixer_differs":""}"#, "OK   mixer         every control stands where [mixer] sets it"),
            (
                #"{"mixer":"differs","mixer_differs":"Switch is off, not on"}"#,
                "warn mixer         Switch is off, not on: "
            ),
            (#"{"mixer":"missing","mixer_differs":"mixer of 'x': gone"}"#, "warn mixer         mixer of 'x': gone"),
        ] {
            let status = try #require(StatusReply(json))
            let lines = Doctor.daemon(status).map { Doctor.line($0) }
            #expect(lines.contains { $0.hasPrefix(line) }, "\(lines)")
        }
    }

    @Test("The doctor says of a running daemon what is broken, closed or odd, and what to do")
    func daemon() throws {
        let status = try #require(
            StatusReply(
                #"{"version":"1","uptime_s":60,"connected":false,"hub":"ws://h:1","link":"waiting","capture":"down","#
                    + #""capture_error":"gone. Plug it in.","playback":"ok","playback_format":"playback x","#
                    + #""playback_faults":"busy:1","overruns":2,"missed_ms":40,"underruns":1,"volume":0,"muted":true,"#
                    + #""muted_by":"person","button":"failed","lights":"ok"}"#))
        let lines = Doctor.daemon(status).map { Doctor.line($0) }
        for (start, part) in [
            ("OK   daemon", "puckd 1 runs, for 1 min 0 s"), ("warn link", "down: waiting"),
            ("FAIL microphone", "gone. Plug it in."), ("warn microphone", "2 overruns since the start, 40 ms missed"),
            ("OK   loudspeaker", "x"), ("warn loudspeaker", "busy:1"), ("warn loudspeaker", "buffer_ms"),
            ("warn loudspeaker", "the volume is 0"), ("warn mute", "'puckctl unmute' opens it"),
            ("FAIL button", "journalctl"), ("OK   lights", "ok"),
        ] {
            #expect(
                lines.contains { $0.hasPrefix(start) && $0.contains(part) }, "\(start) … \(part) is not in \(lines)")
        }
    }
}

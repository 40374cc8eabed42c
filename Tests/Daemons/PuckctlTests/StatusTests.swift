import Testing

@testable import puckctl

@Suite("puckctl: the status")
struct StatusTests {
    private static let well = StatusReply(
        #"{"puck":"kitchen","room":"kitchen","board":"generic","uptime_s":93784,"phase":"idle","connected":true,"#
            + #""muted":false,"muted_by":"","pairing":false,"volume":40,"recording":false,"playing_file":false,"#
            + #""showing":"idle","level_db":-52.5,"noise_db":-61.0,"overruns":1,"missed_ms":20,"periods":12,"#
            + #""underruns":0,"broken_packets":0,"suspends":0,"capture":"ok","capture_faults":"lost:1,zeros:3","#
            + #""capture_error":"","capture_format":"capture hw:0: 16000 Hz","playback":"down","#
            + #""playback_faults":"busy:2","playback_error":"it is \"busy\". Stop it.","playback_format":"","#
            + #""hub":"wss://hub:7443","link":"up","link_s":75,"rtt_ms":2.1,"rtt_min_ms":1.8,"clock_error_ms":0.95,"#
            + #""button":"ok","wifi":"wlan0","signal_dbm":-67,"power_save":"on","version":"0.1.0","alsa":"1.2.8","#
            + #""opus":"libopus 1.3.1"}"#)

    @Test("is read in its order, whatever its texts hold")
    func parsing() throws {
        let status = try #require(Self.well)
        #expect(status.members.first?.key == "puck" && status.members.last?.key == "opus")
        #expect(status["connected"] == "yes" && status.isSet("connected") && !status.isSet("muted"))
        #expect(status.number("signal_dbm") == -67 && status.number("level_db") == nil && status["level_db"] == "-52.5")
        #expect(status["playback_error"] == #"it is "busy". Stop it."#)
        #expect(status.filled("muted_by") == nil && status["muted_by"] == "" && status["nothing"] == nil)
        #expect(StatusReply(#"{"a":"\u001b[2J"}"#)?["a"] == " [2J", "no escape reaches a terminal")
    }

    @Test(
        "that is cut, or is none, is not read",
        arguments: [
            "", "{", "{}", #"{"a":1"#, #"{"a":"b}"#, #"{"a":}"#, #"{"a"}"#, #"{"a":1}x"#, "phase=idle", #"{"a":"\"#,
        ])
    func broken(_ text: String) { #expect(StatusReply(text) == nil) }

    @Test("as plain text is one line of words, and quotes what is none")
    func plain() throws {
        let plain = try #require(Self.well).plain
        #expect(
            plain.hasPrefix("puck=kitchen room=kitchen board=generic uptime_s=93784 phase=idle connected=yes muted=no"))
        #expect(plain.contains(#" muted_by="" "#) && plain.contains(#" playback_error="it is \"busy\". Stop it." "#))
        #expect(!plain.contains("\n"))
    }

    @Test("fits a screen, with units and what went wrong")
    func screen() throws {
        let text = StatusScreen.text(try #require(Self.well))
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.count <= 24, "\(lines.count) lines")
        #expect(lines[0] == "kitchen, board generic, puckd 0.1.0, up 1 d 2 h")
        for line in [
            "Puck         idle; lights show idle", "Hub          wss://hub:7443, connected for 1 min 15 s",
            "             round trip 2.1 ms (least of the last 8: 1.8 ms), clock within 0.95 ms",
            "Mute         off", "Volume       40 %", "Microphone   hw:0: 16000 Hz",
            "             faults since the start: lost:1, zeros:3", "             1 overrun, 20 ms missed, 0 suspends",
            #"Loudspeaker  does not work: it is "busy". Stop it."#,
            "Wi-Fi        wlan0, -67 dBm (fair), power saving on", "Board        button ok",
            "Software     puckd 0.1.0, ALSA 1.2.8, libopus 1.3.1",
        ] {
            #expect(lines.contains(line), "\(line) is not in\n\(text)")
        }
    }

    @Test("says who muted, and why there is no hub")
    func troubles() throws {
        let muted = try #require(
            StatusReply(
                #"{"muted":true,"muted_by":"person,switch","hub":"wss://h:1","link":"waiting","link_s":4000,"#
                    + #""retry_ms":1500,"connected":false}"#))
        let text = StatusScreen.text(muted)
        #expect(text.contains("Mute         on, by a person and the mute switch\n"), "\(text)")
        #expect(text.contains("Hub          wss://h:1, not reached for 1 h 6 min, next attempt in 1.5 s\n"), "\(text)")
        let alone = try #require(StatusReply(#"{"link":"unpaired"}"#))
        #expect(StatusScreen.text(alone).contains("Hub          none: 'puckctl join' pairs"))
    }

    @Test("that changes is a line of what is new, and no line for what moves by itself")
    func changes() throws {
        func line(_ old: String?, _ new: String) throws -> String {
            Watch.changes(
                from: old.flatMap { StatusReply($0) }, to: try #require(StatusReply(new)), secondOfDay: 45_296)
        }
        #expect(try line(nil, #"{"phase":"idle","uptime_s":3,"muted_by":""}"#) == "12:34:56 phase=idle muted_by=\"\"\n")
        #expect(try line(#"{"phase":"idle","uptime_s":3}"#, #"{"phase":"idle","uptime_s":4}"#) == "")
        #expect(
            try line(#"{"phase":"idle","hub":"x"}"#, #"{"phase":"speaking"}"#)
                == "12:34:56 phase=speaking hub=gone\n")
    }
}

import PuckBase
import Testing

@testable import PuckWire

private func message(_ header: [UInt8], _ payload: [UInt8] = []) -> [UInt8] { header + payload }

private func parseHeader(_ bytes: [UInt8]) throws -> MessageHeader {
    try bytes.withUnsafeBytes { raw in try MessageHeader.parse(raw) }
}

private func parsePuck(_ json: String) throws -> PuckControl {
    try Array(json.utf8).withUnsafeBytes { raw in try PuckControl.parse(raw) }
}

private func parseHub(_ json: String, _ type: MessageType = .control) throws -> HubControl {
    try Array(json.utf8).withUnsafeBytes { raw in try HubControl.parse(raw, type: type) }
}

@Suite("Message header")
struct HeaderTests {
    @Test("is nine little-endian bytes: type, seq, ts_ms, len")
    func layout() throws {
        var bytes = [UInt8](repeating: 0, count: 9)
        let header = MessageHeader(
            type: .uplinkOpus, sequence: SerialNumber(0x0201), timestampMilliseconds: 0x0605_0403, length: 0)
        bytes.withUnsafeMutableBytes { header.write(to: $0) }
        #expect(bytes == [0xA2, 1, 2, 3, 4, 5, 6, 0, 0])
        #expect(try parseHeader(bytes) == header)
    }

    @Test("short, over-long, lying and unknown messages are refused with their code")
    func refused() {
        let cases: [([UInt8], WireError.Code)] = [
            ([], .badLength),
            ([0xA2, 0, 0], .badLength),
            ([0xA2, 0, 0, 0, 0, 0, 0, 5, 0, 1, 2], .badLength),
            ([0xA2, 0, 0, 0, 0, 0, 0, 0, 0, 1], .badLength),
            ([0x42, 0, 0, 0, 0, 0, 0, 0, 0], .badType),
            ([0xA2, 0, 0, 0, 0, 0, 0, 1, 8] + [UInt8](repeating: 0, count: 2049), .badLength),
        ]
        for (bytes, code) in cases {
            #expect { try parseHeader(bytes) } throws: { ($0 as? WireError)?.code == code }
        }
    }
}

@Suite("Control messages")
struct ControlTests {
    static let puck: [PuckControl] = [
        .trusts([String(repeating: "0f", count: 32)]),
        .hello(
            Hello(
                puckID: "kitchen", room: "r", group: "g", software: "s", phrases: ["puck"],
                trusts: [String](repeating: String(repeating: "a", count: 64), count: 4))),
        .hello(Hello(puckID: "kitchen", room: "Küche", group: "down", software: "1.0", phrases: ["puck"])),
        .hello(
            Hello(
                puckID: "k", room: "r", group: "g", software: "1", phrases: [],
                resume: .init(epoch: .max, sequence: SerialNumber(65_535)))),
        .hello(Hello(puckID: "k", room: "r", group: "g", software: "1", phrases: [], isProbe: true)),
        .hello(
            Hello(
                puckID: "k", room: "r", group: "g", software: "1", phrases: [],
                plays: [
                    .init(playID: .max, positionMilliseconds: 0, hasEnded: true),
                    .init(playID: 1, positionMilliseconds: 7, hasEnded: false),
                ])),
        .wakeCandidate(
            WakeCandidate(
                wakeID: .max, phrase: "puck", onsetMilliseconds: 12345.625, snrDecibels: 21.5, levelDecibels: -30,
                noiseDecibels: -51.5, confidence: 0.75)),
        .wakeCandidate(
            WakeCandidate(
                wakeID: 8, phrase: "puck", onsetMilliseconds: 12345.625, snrDecibels: 21.5, levelDecibels: -30,
                noiseDecibels: -51.5, confidence: 0.75, envelope: [-120, -30, -9, 0] + Array(repeating: -55, count: 28))
        ),
        .uplinkEnd(UplinkEnd(conversationID: "c1", lastSequence: SerialNumber(99), reason: .endpoint)),
        .played(
            Played(sequence: SerialNumber(3), playID: 9, positionMilliseconds: 60, bufferedMilliseconds: 1000)),
        .status(
            PuckStatus(
                phase: "idle", muted: false, volume: 80, xruns: 1, gapMilliseconds: 20, captureOK: true,
                playbackOK: false, uptimeSeconds: 5)),
        .ping(Ping(t0: 1.5)), .pong(Pong(t0: 1.5, t1: 2.25, t2: 2.5)),
    ]

    static let hub: [HubControl] = [
        .trust([String](repeating: String(repeating: "9", count: 64), count: 4)),
        .welcome(
            Welcome(
                session: 1, epoch: 0xFFFF_FFFF, resume: .fresh, from: SerialNumber(65_535), pingMilliseconds: 5000,
                replayMilliseconds: 0)),
        .grant(wakeID: .max, conversationID: "c-1"), .cancel(wakeID: 2, reason: .late),
        .uplinkAck(conversationID: "c-1", next: SerialNumber(10)),
        .listenStop(conversationID: "c-1", reason: "limit"), .set(volume: 10, muted: nil),
        .set(volume: nil, muted: true), .ping(Ping(t0: 3)), .pong(Pong(t0: 1, t1: 2, t2: 3)),
        .phase(conversationID: "c-1", phase: .thinking), .downStart(DownStart(playID: 4, conversationID: "c-1")),
        .downStop(playID: 4, reason: .done), .downPause(playID: 4), .downResume(playID: 4),
        .earcon(name: "failed"),
    ]

    @Test("certificates to believe are 1 to 4 fingerprints of 64 hexadecimal digits in lower case")
    func fingerprints() {
        let good = String(repeating: "a", count: 64)
        let five = [String](repeating: "\"\(good)\"", count: 5).joined(separator: ",")
        for list in ["", "\"\(good)a\"", "\"\(good.dropLast())\"", "\"\(good.uppercased())\"", five, "1"] {
            #expect(throws: WireError.self, "\(list)") { try parseHub("{\"op\":\"trust\",\"sha256\":[\(list)]}") }
        }
    }

    @Test("what a puck writes, a hub reads back", arguments: puck)
    func puckRoundTrip(_ control: PuckControl) throws {
        let back = try control.payload().withUnsafeBytes { raw in try PuckControl.parse(raw) }
        #expect(back == control)
    }

    @Test("what a hub writes, a puck reads back", arguments: hub)
    func hubRoundTrip(_ control: HubControl) throws {
        let type: MessageType = control.isStreamed ? .streamControl : .control
        let payload = control.payload()
        #expect(try payload.withUnsafeBytes { raw in try HubControl.parse(raw, type: type) } == control)
        let wrong: MessageType = control.isStreamed ? .control : .streamControl
        #expect(throws: WireError.self) {
            try payload.withUnsafeBytes { raw in try HubControl.parse(raw, type: wrong) }
        }
    }

    @Test("a control that is longer than any on the wire is written whole")
    func longControl() throws {
        // Each character is six on the wire.
        let phrases = (0..<16).map { String(repeating: "\u{1}", count: 49 + $0) }
        let hello = PuckControl.hello(
            Hello(puckID: "den", room: "home", group: "home", software: "test", phrases: phrases))
        let payload = hello.payload()
        #expect(payload.count > WireLimits.payloadBytes)
        let again = try payload.withUnsafeBytes { try PuckControl.parse($0) }
        #expect(again == hello)
    }

    @Test(
        "a number is written in few digits and read back as the very same",
        arguments: [
            (0, "0.0"), (3, "3.0"), (-0.5, "-0.5"), (1043.25, "1043.25"), (88120.007, "88120.007"),
            (1_234_567_890_123.456, "1234567890123.456"), (0.001, "0.001"),
        ])
    func number(value: Double, text: String) throws {
        let payload = HubControl.ping(Ping(t0: value)).payload()
        #expect(String(decoding: payload, as: UTF8.self) == "{\"op\":\"ping\",\"t0\":\(text)}")
        #expect(try payload.withUnsafeBytes { try HubControl.parse($0, type: .control) } == .ping(Ping(t0: value)))
    }

    @Test(
        "a number that no few digits name is written in full",
        arguments: [0.1 + 0.2, 1.0 / 3, -2e-308, 1e300, 9.1e15, .pi, .leastNonzeroMagnitude])
    func longNumber(value: Double) throws {
        let payload = HubControl.ping(Ping(t0: value)).payload()
        #expect(try payload.withUnsafeBytes { try HubControl.parse($0, type: .control) } == .ping(Ping(t0: value)))
    }

    @Test("text with quotes, backslashes, control characters and other scripts comes back as it was")
    func escapedText() throws {
        let text = "\"a\\b\"\u{1}\u{1F}\n\t/ äß 語 🎙"
        let control = HubControl.earcon(name: text)
        #expect(try control.payload().withUnsafeBytes { try HubControl.parse($0, type: .streamControl) } == control)
    }

    @Test("a status that says nothing of the loudspeaker is from a puck that has nothing to complain of")
    func statusWithoutLoudspeaker() throws {
        let parsed = try parsePuck(
            #"{"op":"status","phase":"idle","muted":false,"volume":8,"xruns":0,"gap_ms":0,"capture_ok":true,"uptime_s":6}"#
        )
        guard case .status(let status) = parsed else {
            Issue.record("\(parsed)")
            return
        }
        #expect(status.playbackOK)
    }

    @Test("unknown operations and unknown members are ignored, so that versions can grow")
    func growth() throws {
        #expect(try parsePuck(#"{"op":"sing"}"#) == .unknown("sing"))
        #expect(try parsePuck(#"{"op":"ping","t0":1,"mood":"fine"}"#) == .ping(Ping(t0: 1)))
        #expect(try parseHub(#"{"op":"dance"}"#) == .unknown("dance", isStreamed: false))
        #expect(try parseHub(#"{"op":"dance"}"#, .streamControl) == .unknown("dance", isStreamed: true))
    }

    @Test(
        "malformed control messages are BAD_CONTROL, and the reason names the member",
        arguments: [
            ("", "JSON"), ("[]", "object"), ("{\"op\":\"ping\"", "JSON"), (#"{"t0":1}"#, "op"), (#"{"op":7}"#, "op"),
            (#"{"op":"ping"}"#, "t0"), (#"{"op":"ping","t0":"x"}"#, "t0"), (#"{"op":"ping","t0":1,"t0":2}"#, "JSON"),
            (#"{"op":"played","seq":65536,"play_id":1,"position_ms":0,"buffered_ms":0}"#, "seq"),
            (#"{"op":"played","seq":-1,"play_id":1,"position_ms":0,"buffered_ms":0}"#, "seq"),
            (#"{"op":"up_end","conversation_id":"c","last_seq":1,"reason":"bored"}"#, "bored"),
            (
                #"{"op":"hello","proto":1,"puck_id":"../etc","room":"r","version":"1","codecs":["opus"],"phrases":[]}"#,
                "puck_id"
            ),
            (
                #"{"op":"hello","proto":1,"puck_id":"a","room":"r","version":"1","codecs":["mp3"],"phrases":[]}"#,
                "codec"
            ),
            (
                #"{"op":"wake_candidate","wake_id":1,"phrase":"p","start_ts":0,"snr_db":9,"level_db":1e300,"#
                    + #""noise_db":-50,"confidence":1}"#, "level_db"
            ),
            (
                #"{"op":"status","phase":"dancing","muted":false,"volume":8,"xruns":0,"gap_ms":0,"capture_ok":true,"#
                    + #""uptime_s":6}"#, "dancing"
            ),
            (hello(phrases: Array(repeating: "p", count: 17)), "phrases"),
            (hello(phrases: [String(repeating: "p", count: 65)]), "64 bytes"),
            (candidate(envelope: "-30"), "envelope_db"), (candidate(envelope: "[-30,1]"), "-120 to 0"),
            (candidate(envelope: "[-121]"), "-120 to 0"), (candidate(envelope: "[-30.5]"), "-120 to 0"),
            (candidate(envelope: "[\"-30\"]"), "-120 to 0"),
            (candidate(envelope: "[-30" + String(repeating: ",-30", count: 32) + "]"), "at most 32"),
            ("{\"op\":\"\u{0}\"}", "JSON"), (#"{"op":"\ud800"}"#, "JSON"),
        ])
    func malformed(_ json: String, _ hint: String) {
        #expect { try parsePuck(json) } throws: {
            guard let error = $0 as? WireError else { return false }
            return error.code == .badControl && error.detail.contains(hint)
        }
    }

    @Test("another protocol version is said as VERSION")
    func version() {
        #expect { try parsePuck(#"{"op":"hello","proto":2}"#) } throws: { ($0 as? WireError)?.code == .version }
    }

    @Test("ten thousand mangled messages are refused or read, never trapped on")
    func mangled() {
        var generator = SeededGenerator(seed: 42)
        let originals = Self.puck.map { $0.payload() } + Self.hub.map { $0.payload() }
        var (fromPuck, fromHub, streamed, refused) = (0, 0, 0, 0)
        for _ in 0..<10_000 {
            var bytes = originals[Int(generator.next() % UInt64(originals.count))]
            for _ in 0...(generator.next() % 3) {
                let at = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 6 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: at)
                // Most bytes at random end as no JSON: a digit in place of a digit gets further.
                default: if (0x30...0x39).contains(bytes[at]) { bytes[at] = 0x30 + UInt8(generator.next() % 10) }
                }
            }
            bytes.withUnsafeBytes { raw in
                switch try? PuckControl.parse(raw) {
                case nil: refused += 1
                case .unknown: break
                default: fromPuck += 1
                }
                switch try? HubControl.parse(raw, type: .control) {
                case nil, .unknown: break
                default: fromHub += 1
                }
                switch try? HubControl.parse(raw, type: .streamControl) {
                case nil, .unknown: break
                default: streamed += 1
                }
                _ = WireError.parse(payload: raw)
            }
        }
        // Of each kind some are still what they were: the readers were not turned away at the door.
        for count in [fromPuck, fromHub, streamed] { #expect(count > 100, "\((fromPuck, fromHub, streamed))") }
        #expect(refused > 1_000)
    }
}

@Suite("Error messages")
struct WireErrorTests {
    @Test("carry their code and text, cut at a character's border")
    func roundTrip() {
        let error = WireError(.badControl, "member \"t0\" is missing")
        #expect(error.payload().withUnsafeBytes { WireError.parse(payload: $0) } == error)
        let long = WireError(.internal, String(repeating: "ü", count: 400) + "x")
        let payload = long.payload()
        #expect(payload.count <= 516)
        #expect(payload.withUnsafeBytes { WireError.parse(payload: $0) }.detail.allSatisfy { $0 == "ü" })
        let shifted = WireError(.internal, "x" + String(repeating: "ü", count: 400))
        #expect(!shifted.payload().withUnsafeBytes { WireError.parse(payload: $0) }.detail.contains("\u{FFFD}"))
    }
}

/// A hello with these phrases.
private func hello(phrases: [String]) -> String {
    #"{"op":"hello","proto":1,"puck_id":"a","room":"r","version":"1","codecs":["opus"],"phrases":["#
        + phrases.map { "\"\($0)\"" }.joined(separator: ",") + "]}"
}

/// A wake candidate with this JSON for an envelope.
private func candidate(envelope: String) -> String {
    #"{"op":"wake_candidate","wake_id":1,"phrase":"p","start_ts":0,"snr_db":9,"level_db":-30,"#
        + #""noise_db":-50,"confidence":1,"envelope_db":"# + envelope + "}"
}

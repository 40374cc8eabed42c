/// The generator of the scripts: the same seed is the same hub (SplitMix64).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    mutating func isLucky(oneIn count: Int) -> Bool { below(count) == 0 }

    /// Small as a rule, now and then around the sizes at which buffers end.
    mutating func size() -> Int {
        switch below(8) {
        case 0: 0
        case 1...3: below(130)
        case 4: 120 + below(16)
        case 5: 4080 + below(40)
        case 6: 16_370 + below(40)
        default: below(40_000)
        }
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

extension RogueHub {
    /// More than a hub has to say, and the close code for it; nil where a client gives up before it could say so.
    public static var floods: [(name: String, acts: [Act], closeCode: Int?)] {
        let many = { (frame: [UInt8]) in Array(repeatElement(frame, count: 16_000 / frame.count).joined()) }
        let ping = frame(0x89, [])
        let longPing = frame(0x89, [UInt8](repeating: 1, count: 125))
        let begun = Array("HTTP/1.1 101 Switching Protocols\r\n".utf8)
        return [
            ("pings", [.upgrade, .sayAgain(many(ping), times: 200)], 1008),
            ("pings of 125 bytes", [.upgrade, .sayAgain(many(longPing), times: 200)], 1008),
            ("a ping in each TLS record", [.upgrade, .sayAgain(ping, times: 80_000)], 1008),
            ("pongs", [.upgrade, .sayAgain(many(frame(0x8A, [])), times: 200)], 1008),
            ("empty fragments", [.upgrade, .say(frame(0x02, [])), .sayAgain(many(frame(0x00, [])), times: 200)], 1008),
            ("tiny messages", [.upgrade, .sayAgain(many(frame(0x82, [1])), times: 200)], 1008),
            ("headers", [.say(begun), .sayAgain(many(Array("X-Filler: 0123456789\r\n".utf8)), times: 2000)], nil),
            ("one header", [.say(begun), .sayAgain([UInt8](repeating: 0x61, count: 16_000), times: 2000)], nil),
            ("interim answers", [.sayAgain(many(Array("HTTP/1.1 100 Wait\r\n\r\n".utf8)), times: 2000)], nil),
        ]
    }

    /// What the hub of this seed says to one client.
    public static func anything(seed: UInt64) -> [Act] {
        var dice = Dice(seed: seed)
        var acts = beginning(&dice)
        if dice.isLucky(oneIn: 20) { acts = acts.flatMap { dripped($0, &dice) } }
        acts.append(dice.isLucky(oneIn: 6) ? .listen : dice.isLucky(oneIn: 20) ? .ignore : .hangUp)
        return acts
    }

    private static func dripped(_ act: Act, _ dice: inout Dice) -> [Act] {
        guard case .say(let bytes) = act, bytes.count < 5000 else { return [act] }
        return [.drip(bytes)]
    }

    private static func beginning(_ dice: inout Dice) -> [Act] {
        switch dice.below(16) {
        case 0: return [.raw(dice.bytes(dice.size()))]
        case 1: return [.say(dice.bytes(dice.size()))]
        case 2: return [.say(mangled(acceptance(of: "dGhlIHNhbXBsZSBub25jZQ=="), &dice))]
        case 3: return [.say(answer(&dice))]
        case 4:
            return [.sayAgain(Array("HTTP/1.1 1\(dice.below(100)) Wait\r\n\r\n".utf8), times: 1 + dice.below(3000))]
        case 5:
            let line = Array("X-\(dice.below(1000)): ".utf8) + [UInt8](repeating: 0x61, count: dice.below(4000))
            let end: [UInt8] = dice.isLucky(oneIn: 3) ? [] : [13, 10]
            return [.say(Array("HTTP/1.1 101 Yes\r\n".utf8)), .sayAgain(line + end, times: 1 + dice.below(500))]
        case 6: return [.upgrade, .say(dice.bytes(dice.size()))]
        case 7:
            return [.upgrade] + oversized[dice.below(oversized.count)].acts
        case 8:
            let ping = frame(0x89, dice.bytes(dice.below(126)))
            return [.upgrade, .say(Array(repeatElement(ping, count: 1 + dice.below(5000)).joined()))]
        case 9: return [.upgrade, .say(Array(frames(&dice).dropLast(1 + dice.below(20))))]
        case 10: return [.upgrade, .say(frames(&dice)), .raw(dice.bytes(dice.size()))]
        case 11:
            // A close, of whatever code and length, with more behind it.
            let close = frame(0x88, dice.bytes(dice.below(130)))
            return [.upgrade, .say(close + frames(&dice) + dice.bytes(dice.size()))]
        default:
            return [.upgrade] + (0...dice.below(4)).map { _ in .say(frames(&dice)) }
        }
    }

    /// Some frames, of which each may be one that nobody may send.
    private static func frames(_ dice: inout Dice) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...dice.below(12) {
            let usual: [UInt8] = [0x82, 0x82, 0x82, 0x02, 0x00, 0x80, 0x81, 0x01, 0x88, 0x89, 0x8A, 0x08, 0x09]
            let random = UInt8(truncatingIfNeeded: dice.next())
            let first = dice.isLucky(oneIn: 8) ? random : usual[dice.below(usual.count)]
            var claims: UInt64?
            if dice.isLucky(oneIn: 12) { claims = dice.next() >> UInt64(dice.below(64)) }
            var one = frame(first, dice.bytes(dice.isLucky(oneIn: 4) ? dice.size() : dice.below(200)), claims: claims)
            if dice.isLucky(oneIn: 10) { one[1] |= 0x80 }  // says that it is masked
            bytes += one
        }
        return bytes
    }

    private static func mangled(_ text: String, _ dice: inout Dice) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0...dice.below(6) {
            let place = dice.below(bytes.count)
            switch dice.below(3) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: dice.next())
            case 1: bytes.remove(at: place)
            default: bytes.insert(contentsOf: dice.bytes(1 + dice.below(300)), at: place)
            }
        }
        return bytes
    }

    /// HTTP, as somebody else's server might speak it.
    private static func answer(_ dice: inout Dice) -> [UInt8] {
        let statuses = ["101", "200", "204", "301", "302", "400", "401", "404", "426", "500", "503", "999", "-1", ""]
        var text = "HTTP/1.\(dice.below(3)) \(statuses[dice.below(statuses.count)]) Whatever\r\n"
        let headers = [
            "Upgrade: websocket", "Upgrade: h2c", "Connection: Upgrade", "Connection: close", "Content-Length: 5",
            "Content-Length: -1", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked",
            "Sec-WebSocket-Accept: AAAA", "Sec-WebSocket-Protocol: puck.v1", "Sec-WebSocket-Protocol: puck.v9, x",
            "Sec-WebSocket-Extensions: permessage-deflate", "Location: http://127.0.0.1:1/", "Location: ////",
            "WWW-Authenticate: Basic", "Set-Cookie: a=b", ": empty", "no colon",
        ]
        for _ in 0..<dice.below(8) { text += headers[dice.below(headers.count)] + "\r\n" }
        if !dice.isLucky(oneIn: 4) { text += "\r\n" }
        return Array(text.utf8) + dice.bytes(dice.isLucky(oneIn: 2) ? dice.size() : 0)
    }
}

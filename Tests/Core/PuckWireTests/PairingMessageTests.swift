import PuckWire
import Testing

@Suite("Messages of pairing")
struct PairingMessageTests {
    private func read(_ text: String) throws -> PairingRequest {
        try Array(text.utf8).withUnsafeBytes { try PairingRequest.parse($0) }
    }

    private func answer(_ text: String) throws -> PairingReply {
        try Array(text.utf8).withUnsafeBytes { try PairingReply.parse($0) }
    }

    @Test("each reads back, and fits into a message")
    func roundTrips() throws {
        let key = (0..<384).map { UInt8(truncatingIfNeeded: $0) }
        for request in [
            PairingRequest.begin(key: key), .proof([UInt8](repeating: 1, count: 32)), .secret("0123456789abcdefABCDE_"),
        ] {
            let bytes = request.payload()
            #expect(bytes.count <= 4096)
            #expect(try bytes.withUnsafeBytes { try PairingRequest.parse($0) } == request)
        }
        let token = "0123456789012345678901234567890123456789-_A"
        for reply in [
            PairingReply.challenge(salt: [0, 255], key: key),
            .done(Pairing(proof: [1, 2], puckID: "kitchen", room: "cellar", token: token, unixSeconds: 4_000_000_000)),
            .done(Pairing(proof: [], puckID: "kitchen", room: nil, token: token)),
            .refused(.wrong, text: "no"),
        ] {
            let bytes = reply.payload()
            #expect(bytes.count <= 4096)
            #expect(try bytes.withUnsafeBytes { try PairingReply.parse($0) } == reply)
        }
    }

    @Test("what is no message of pairing, is too long, or would break a configuration file, is refused")
    func refusals() {
        let long = String(repeating: "ab", count: 385)
        for text in [
            "", "[]", "{}", #"{"op":"hello"}"#, #"{"op":"pair_begin","proto":1}"#,
            #"{"op":"pair_begin","proto":1,"key":""}"#,
            #"{"op":"pair_begin","proto":1,"key":"abc"}"#, #"{"op":"pair_begin","proto":1,"key":"zz"}"#,
            #"{"op":"pair_begin","proto":2,"key":"ab"}"#, #"{"op":"pair_begin","proto":1,"key":"\#(long)"}"#,
            #"{"op":"pair_proof"}"#, #"{"op":"pair_secret","proto":1,"secret":7}"#,
        ] {
            #expect(throws: WireError.self, "\(text)") { try read(text) }
        }
        for text in [
            #"{"op":"pair_done","puck_id":"kitchen\nhost = evil","token":"0123456789"}"#,
            #"{"op":"pair_done","puck_id":"kitchen","room":"a b","token":"0123456789"}"#,
            #"{"op":"pair_done","puck_id":"kitchen","token":"01234 56789"}"#,
            #"{"op":"pair_done","puck_id":"kitchen","token":"0123456789\n[puck]"}"#,
            #"{"op":"pair_done","puck_id":"kitchen","token":";23456789"}"#,
            #"{"op":"pair_done","puck_id":"","token":"0123456789"}"#, #"{"op":"pair_challenge","salt":"ab"}"#,
        ] {
            #expect(throws: WireError.self, "\(text)") { try answer(text) }
        }
    }
}

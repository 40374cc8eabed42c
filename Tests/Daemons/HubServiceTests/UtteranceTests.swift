import PuckBase
import PuckWire
import Testing

@testable import HubService

private typealias SilentTurn = Turn<SilentDecoder>

@Suite("A turn's audio")
struct TurnTests {
    private static func at(_ milliseconds: Int) -> Instant { Instant.zero + .milliseconds(milliseconds) }

    /// Hears `packets` of PCM at once.
    private func hear(_ packets: Int, at milliseconds: Int, _ turn: SilentTurn) throws(WireError) {
        let bytes = [UInt8](repeating: 0, count: 640)
        var failure: WireError?
        for _ in 0..<packets where failure == nil {
            bytes.withUnsafeBytes { packet in
                do throws(WireError) {
                    try turn.hear(.uplinkPCM, packet, now: Self.at(milliseconds))
                } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }

    @Test("three seconds may come at once, and not a packet more")
    func burst() throws {
        let turn = SilentTurn(id: "c", grantedAt: Self.at(0))
        try hear(150, at: 0, turn)
        let error = #expect(throws: WireError.self) { try hear(1, at: 0, turn) }
        #expect(error?.code == .rateLimit)
    }

    @Test("a hub that stood still after the grant takes all that was said meanwhile")
    func stoodStill() throws {
        let turn = SilentTurn(id: "c", grantedAt: Self.at(0))
        try hear(300, at: 5000, turn)
    }

    @Test("an utterance with its preroll, a lost second and a network that kept eight more is plausible")
    func interrupted() throws {
        let turn = SilentTurn(id: "c", grantedAt: Self.at(0))
        try hear(50, at: 0, turn)
        for packet in 1...100 { try hear(1, at: packet * 20, turn) }
        try hear(50, at: 3000, turn)
        try hear(400, at: 11_000, turn)
        for packet in 1...500 { try hear(1, at: 11_000 + packet * 20, turn) }
    }

    @Test("a packet of stereo Opus is refused, the same in mono is not")
    func stereo() throws {
        // 20 ms of silence: TOC byte and nothing behind it (RFC 6716, 3.1: configuration 31, code 0).
        let turn = SilentTurn(id: "c", grantedAt: Self.at(0))
        try [UInt8]([0xF8, 0xFF, 0xFE]).withUnsafeBytes { packet in
            try turn.hear(.uplinkOpus, packet, now: Self.at(0))
        }
        let error = #expect(throws: WireError.self) {
            try [UInt8]([0xFC, 0xFF, 0xFE]).withUnsafeBytes { packet in
                try turn.hear(.uplinkOpus, packet, now: Self.at(20))
            }
        }
        #expect(error?.code == .unexpected && error?.detail.contains("mono") == true)
    }

    @Test("three times real time is refused, twice is not")
    func sustained() throws {
        let turn = SilentTurn(id: "c", grantedAt: Self.at(0))
        for step in 0...100 { try hear(2, at: step * 20, turn) }
        #expect(throws: WireError.self) { for step in 101...400 { try hear(3, at: step * 20, turn) } }
    }
}

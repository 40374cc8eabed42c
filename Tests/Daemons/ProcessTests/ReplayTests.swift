import CLinux
import Foundation
import Testing

@Suite("Processes: much is played to a puck that is away", .fewAtATime)
struct ReplayTests {
    /// More control messages than a puck takes in a second, were all of them sent.
    private static let plays = 150

    @Test(
        "150 plays of music while the puck was away: it comes back once, refuses nothing, and the last one is heard whole"
    )
    func away() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(tls: true, port: proxy.port)
            try await puck.line("link.up")
            let sound = Sound.speech(seconds: 0.1, seed: 7)
            try Sound.write(sound, to: house.file("tiny.wav"))
            proxy.refuse()
            proxy.cut()
            try await hub.line("session.close")
            var last = ""
            for _ in 0..<Self.plays { last = try await house.play("tiny.wav", "music") }
            proxy.accept()
            try await puck.line("link.up", ["resume": "replayed"])
            try await puck.line("play.done", ["play_id": last])
            try await hub.line("play.end", ["play_id": last, "outcome": "done"])

            #expect(!puck.hasLogged("link.protocol_error") && !hub.hasLogged("session.peer_error"))
            #expect(puck.log.filter { $0.event == "link.up" }.count == 2)
            Sound.expectWhole(
                Sound.read(house.speaker()), try Codec.roundTrip(sound[...], Codec.hub), puck.tail)
        }
    }

    @Test("A puck that comes back says in its hello how far its play is, and what it stopped meanwhile")
    func hello() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(token: House.anyToken, port: Int(port))
            func cut() async throws {
                let peer = try await RawPeer.hub(greetedAt: listener)
                peer.send(PuckProtocolTests.welcome)
                peer.send(PuckProtocolTests.start, type: 0xC2, 0)
                for sequence in 1...50 { peer.send(0xB2, sequence, [0xF8, 0xFF, 0xFE]) }
                while try await peer.control("played")["position_ms"] as? Int ?? 0 < 300 {}
            }  // the socket closes with the peer
            try await cut()
            try await puck.line("link.disconnected")
            func told() async throws -> [String: Any] {
                let peer = try await RawPeer.hub(accepting: listener)
                let plays = try await peer.control("hello")["plays"] as? [[String: Any]] ?? []
                return plays.count == 1 ? plays[0] : [:]
            }
            let first = try await told()
            #expect(first["play_id"] as? Int == 1 && first["ended"] == nil, "\(first)")
            #expect(first["position_ms"] as? Int ?? 0 >= 300, "\(first)")
            #expect(try await house.control("stop").status == 0)
            let second = try await told()
            #expect(second["play_id"] as? Int == 1 && second["ended"] as? Bool == true, "\(second)")
        }
    }
}

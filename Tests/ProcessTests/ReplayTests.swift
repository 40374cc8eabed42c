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
}

import CLinux
import Foundation
import Testing

@Suite("Processes: hubs that break the protocol", .fewAtATime)
struct PuckProtocolTests {
    static let welcome =
        #"{"op":"welcome","proto":1,"session":1,"epoch":1,"resume":"none","from_seq":0,"ping_ms":5000,"replay_ms":0}"#
    static let start =
        #"{"op":"down_start","play_id":1,"conversation_id":"c","category":"assistant_response","priority":50,"codec":"opus","rate":16000,"interrupt":"preempt","resumed_at_ms":0}"#

    private static func late(
        _ name: String, _ reaction: RawPeer.Reaction, _ act: @escaping (RawPeer) async throws -> Void
    ) -> Breach {
        Breach(name, reaction) { peer in
            peer.send(welcome)
            _ = try await peer.control("status")
            try await act(peer)
        }
    }

    private static var breaches: [Breach] {
        [
            Breach("audio before welcome", .error(7)) { $0.send(0xB2, 0, [0xF8, 0xFF, 0xFE]) },
            Breach("a control before welcome", .error(7)) { $0.send(#"{"op":"ping","t0":1}"#) },
            Breach("a welcome without its epoch", .error(6)) {
                $0.send(welcome.replacingOccurrences(of: "epoch", with: "age"))
            },
            late("a second welcome", .error(7)) { $0.send(welcome) },
            late("no JSON", .error(6)) { $0.send("{") },
            late("a message of five bytes", .error(1)) { $0.writeFrame(RawPeer.Frame.binary, [0xC1, 0, 0, 0, 0]) },
            late("a length that lies", .error(1)) {
                $0.writeFrame(RawPeer.Frame.binary, RawPeer.message(0xC1, 0, [1, 2, 3], length: 4))
            },
            late("a payload over 2048 bytes", .error(1)) { $0.send(0xB2, 0, [UInt8](repeating: 0, count: 2049)) },
            late("a packet over 1275 bytes", .error(1)) { $0.send(0xB2, 0, [UInt8](repeating: 0, count: 1500)) },
            late("a message over 4096 bytes", .close(1009)) { $0.send(0xB2, 0, [UInt8](repeating: 0, count: 5000)) },
            late("an unknown type", .error(2)) { $0.send(0x77, 0, []) },
            late("a puck's audio", .error(7)) { $0.send(0xA2, 0, [1, 2, 3]) },
            late("a stream control outside the stream", .error(6)) { $0.send(start) },
            late("a hole in the stream", .error(7)) { $0.send(start, type: 0xC2, 3) },
            late("more than two seconds ahead", .error(4)) { peer in
                peer.send(start, type: 0xC2, 0)
                for sequence in 1...300 { peer.send(0xB2, sequence, [0xF8, 0xFF, 0xFE]) }
            },
            late("a text message", .close(1003)) { $0.writeFrame(RawPeer.Frame.text, Array("hello".utf8)) },
            late("an error message", .close(1000)) { $0.send(0xFF, 0, [5, 0, 2, 0, 0x68, 0x69]) },
        ]
    }

    @Test("A puck draws the same pauses at each start, and another puck draws others")
    func jitter() async throws {
        try await House.run { house in
            func pauses(_ name: String, starts: Int) async throws -> [[String]] {
                // Nobody listens on port 1.
                let words = try await house.configurePuck(name, token: House.anyToken, port: 1)
                var drawn: [[String]] = []
                for _ in 0..<starts {
                    let puck = try house.start("puckd", words, name: name, devices: true)
                    try await puck.line("link.failed", ["attempt": "2"])
                    let failures = puck.log.filter { $0.event == "link.failed" }.prefix(2)
                    drawn.append(failures.compactMap { $0["retry_in_ms"] })
                    #expect(try await puck.terminate().status == 0)
                }
                return drawn
            }
            let kitchen = try await pauses("kitchen", starts: 2)
            #expect(kitchen[0].count == 2 && kitchen[0] == kitchen[1])
            let hall = try await pauses("hall", starts: 1)
            #expect(kitchen[0] != hall[0], "\(kitchen) \(hall)")
        }
    }

    @Test("Each breach is answered with its code and a log line, and the puck tries again after its pause")
    func breaches() async throws {
        try await House.run { house in
            for (number, breach) in Self.breaches.enumerated() {
                let (listener, port) = loopbackListener(backlog: 8)
                defer { close(listener) }
                let puck = try await house.puck("p\(number)", token: House.anyToken, port: Int(port))
                let peer = try await RawPeer.hub(greetedAt: listener)
                try await breach.act(peer)
                let reaction = try await peer.reaction()
                #expect(reaction == breach.reaction, "\(breach.name): \(reaction)\n\(puck.tail)")
                let end = try await puck.first(of: ["link.failed", "link.disconnected"])
                let pause = Int(end["retry_in_ms"] ?? "") ?? 0
                #expect((900...1100).contains(pause), "\(breach.name): \(end)")
                let isTold = puck.hasLogged("link.protocol_error") || puck.hasLogged("link.closed")
                #expect(isTold || puck.hasLogged("hub.error", ["detail": "hi"]), "\(breach.name):\n\(puck.tail)")
                let (status, _) = try await puck.terminate()
                #expect(status == 0, "\(breach.name):\n\(puck.tail)")
            }
        }
    }

    @Test("A puck whose hub broke the protocol greets it again, and then it may behave")
    func again() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(token: House.anyToken, port: Int(port))
            for _ in 0..<2 {
                let peer = try await RawPeer.hub(greetedAt: listener)
                peer.send(Self.welcome)
                peer.send(Self.welcome)
                #expect(try await peer.reaction() == .error(7))
            }
            try await puck.line("link.disconnected", ["attempt": "1"])
            try await puck.line("link.disconnected", ["attempt": "2"])
            let peer = try await RawPeer.hub(greetedAt: listener)
            peer.send(Self.welcome)
            _ = try await peer.control("status")
            try await puck.line("link.up")
        }
    }

    @Test("Unknown operations, duplicates and broken Opus packets are no breach")
    func tolerated() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(token: House.anyToken, port: Int(port))
            let peer = try await RawPeer.hub(greetedAt: listener)
            peer.send(Self.welcome)
            peer.send(#"{"op":"sing","song":"yesterday"}"#)
            peer.send(Self.start, type: 0xC2, 0)
            peer.send(Self.start, type: 0xC2, 0)
            for sequence in 1...10 { peer.send(0xB2, sequence, [0xFF, 0xFF, 0xFF, 0xFF]) }
            peer.send(0xB2, 4, [0xFF])
            peer.send(#"{"op":"down_stop","play_id":1,"reason":"done"}"#, type: 0xC2, 11)
            try await puck.line("play.done", ["played_ms": "200"])
            #expect(try await house.control("status").output.contains("broken_packets=10"))
            #expect(puck.log.filter { $0.event == "play.start" }.count == 1)
            var played = 0
            while played < 11 { played = try await peer.control("played")["seq"] as? Int ?? 0 }
            #expect(played == 11)
        }
    }

    @Test("A duplicate with other content does not replace a packet that waits to be played")
    func duplicates() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(
                token: House.anyToken, port: Int(port), set: ["playback.playout_delay_ms=1000"])
            let peer = try await RawPeer.hub(greetedAt: listener)
            peer.send(Self.welcome)
            peer.send(Self.start.replacingOccurrences(of: "opus", with: "pcm16"), type: 0xC2, 0)
            func packet(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 640) }
            for sequence in 1...5 { peer.send(0xB1, sequence, packet(UInt8(sequence))) }
            // None of the five has been played: the playout delay is far longer.
            for sequence in 1...5 { peer.send(0xB1, sequence, packet(99)) }
            peer.send(#"{"op":"down_stop","play_id":1,"reason":"done"}"#, type: 0xC2, 6)
            try await puck.line("play.done", ["played_ms": "100"])
            let expected = (1...5).flatMap { [Int16](repeating: Int16($0) * 257, count: 320) }
            #expect(Array(Sound.trimmed(Sound.read(house.speaker()))) == expected)
        }
    }
}

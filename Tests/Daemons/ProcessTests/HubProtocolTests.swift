import Foundation
import Testing

/// What a peer may do wrong: what it says, and how the other end must react.
struct Breach {
    let name: String
    let reaction: RawPeer.Reaction
    let act: (RawPeer) async throws -> Void

    init(_ name: String, _ reaction: RawPeer.Reaction, _ act: @escaping (RawPeer) async throws -> Void) {
        self.name = name
        self.reaction = reaction
        self.act = act
    }
}

@Suite("Processes: pucks that break the protocol", .fewAtATime)
struct HubProtocolTests {
    static let hello =
        #"{"op":"hello","proto":1,"puck_id":"kitchen","room":"r","group":"g","version":"v","codecs":["opus"],"phrases":["puck","other","third"]}"#
    static let wake =
        #"{"op":"wake_candidate","wake_id":1,"phrase":"puck","start_ts":1,"snr_db":9,"level_db":-20,"noise_db":-50,"confidence":1}"#

    private static func greet(_ peer: RawPeer) async throws {
        peer.send(hello)
        _ = try await peer.control("welcome")
    }

    /// A breach after the greeting.
    private static func late(
        _ name: String, _ reaction: RawPeer.Reaction, _ act: @escaping (RawPeer) async throws -> Void
    ) -> Breach {
        Breach(name, reaction) { peer in
            try await greet(peer)
            try await act(peer)
        }
    }

    private static var breaches: [Breach] {
        [
            Breach("first message is no hello", .error(7)) { $0.send(#"{"op":"ping","t0":1}"#) },
            Breach("audio before hello", .error(7)) { $0.send(0xA2, 0, [1, 2, 3]) },
            Breach("hello of another puck", .error(3)) {
                $0.send(hello.replacingOccurrences(of: "kitchen", with: "hall"))
            },
            Breach("hello of another version", .error(8)) {
                $0.send(hello.replacingOccurrences(of: "\"proto\":1", with: "\"proto\":2"))
            },
            Breach("hello without its id", .error(6)) {
                $0.send(hello.replacingOccurrences(of: "puck_id", with: "pukc_id"))
            },
            late("a second hello", .error(7)) { $0.send(hello) },
            late("no JSON", .error(6)) { $0.send("{") },
            late("a member of another kind", .error(6)) { $0.send(#"{"op":"ping","t0":"noon"}"#) },
            late("a message of five bytes", .error(1)) { $0.writeFrame(RawPeer.Frame.binary, [0xC1, 0, 0, 0, 0]) },
            late("an empty message", .error(1)) { $0.writeFrame(RawPeer.Frame.binary, []) },
            late("a length that lies", .error(1)) {
                $0.writeFrame(RawPeer.Frame.binary, RawPeer.message(0xC1, 0, [1, 2, 3], length: 4))
            },
            late("a payload over 2048 bytes", .error(1)) { $0.send(0xA2, 0, [UInt8](repeating: 0, count: 2049)) },
            late("a message over 4096 bytes", .close(1009)) { $0.send(0xA2, 0, [UInt8](repeating: 0, count: 5000)) },
            late("an unknown type", .error(2)) { $0.send(0x77, 0, []) },
            late("a hub's audio", .error(7)) { $0.send(0xB2, 0, [1, 2, 3]) },
            late("a hub's stream control", .error(7)) { $0.send(hello, type: 0xC2) },
            late("audio without a grant", .error(7)) { $0.send(0xA2, 0, [1, 2, 3]) },
            late("audio out of order", .error(7)) { peer in
                peer.send(wake)
                _ = try await peer.control("arb_grant")
                peer.send(0xA2, 5, [0xF8, 0xFF, 0xFE])
            },
            late("audio that is not Opus", .error(7)) { peer in
                // The group was granted a moment ago, so this wake may be late; another group is not.
                peer.send(wake.replacingOccurrences(of: "\"puck\"", with: "\"other\""))
                _ = try await peer.control("arb_grant")
                peer.send(0xA2, 0, [0xFF, 0xFF, 0xFF, 0xFF])
            },
            late("audio faster than anybody speaks", .error(4)) { peer in
                peer.send(wake.replacingOccurrences(of: "\"puck\"", with: "\"third\""))
                _ = try await peer.control("arb_grant")
                // 20 s of sound, for which a hub that is asked to take it must be given at least 8 s.
                for sequence in 0..<1000 { peer.send(0xA1, sequence, [UInt8](repeating: 0, count: 640)) }
            },
            late("played what was never sent", .error(7)) {
                $0.send(#"{"op":"played","seq":7,"play_id":1,"position_ms":0,"buffered_ms":0}"#)
            },
            late("a flood", .error(4)) { peer in for _ in 0..<250 { peer.send(#"{"op":"ping","t0":1}"#) } },
            late("a text message", .close(1003)) { $0.writeFrame(RawPeer.Frame.text, Array("hello".utf8)) },
            late("an error message", .close(1001)) { $0.send(0xFF, 0, [7, 0, 2, 0, 0x68, 0x69]) },
        ]
    }

    @Test("Each breach is answered with its code and a log line, and the hub goes on serving")
    func breaches() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let token = try await house.token("kitchen")
            for breach in Self.breaches {
                let peer = try await RawPeer.puck(token, to: house.port())
                try await breach.act(peer)
                let reaction = try await peer.reaction()
                #expect(reaction == breach.reaction, "\(breach.name): \(reaction)\n\(hub.tail)")
                try await hub.line("session.close")
                try #require(!hub.hasEnded, "\(breach.name) ended the hub:\n\(hub.tail)")
            }
            let codes = hub.log.filter { $0.event == "session.error" }.compactMap { $0["code"] }
            #expect(codes.count == Self.breaches.count { if case .error = $0.reaction { true } else { false } })
            #expect(hub.hasLogged("session.peer_error", ["detail": "hi"]))
            let puck = try await house.puck()
            try await puck.line("link.up")
        }
    }

    @Test("Unknown operations, members and a repeated wake are no breach")
    func tolerated() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let peer = try await RawPeer.puck(try await house.token("kitchen"), to: house.port())
            peer.send(Self.hello.replacingOccurrences(of: "\"room\"", with: "\"colour\":\"red\",\"room\""))
            _ = try await peer.control("welcome")
            peer.send(#"{"op":"sing","song":"yesterday"}"#)
            try await hub.line("session.unknown_op", ["op": "sing"])
            peer.send(Self.wake)
            _ = try await peer.control("arb_grant")
            peer.send(Self.wake)
            _ = try await peer.control("arb_cancel")
            peer.send(#"{"op":"ping","t0":1}"#)
            _ = try await peer.control("pong")
        }
    }

    @Test("A puck that hangs up in the middle of a frame is forgotten")
    func truncated() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let token = try await house.token("kitchen")
            try await {
                let peer = try await RawPeer.puck(token, to: house.port())
                try await Self.greet(peer)
                peer.write([0x82, 0x80 | 100, 0, 0, 0, 0, 0xC1, 0])
            }()  // the socket closes with the peer
            try await hub.line("session.close")
            let puck = try await house.puck()
            try await puck.line("link.up")
        }
    }

    @Test("A puck that connects twice is served on its newer connection")
    func twice() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let token = try await house.token("kitchen")
            let old = try await RawPeer.puck(token, to: house.port())
            try await Self.greet(old)
            let new = try await RawPeer.puck(token, to: house.port())
            try await Self.greet(new)
            #expect(try await old.reaction() == .close(1001))
            try await hub.line("session.close", ["reason": "replaced"])
            new.send(#"{"op":"ping","t0":1}"#)
            _ = try await new.control("pong")
        }
    }

    @Test("A connection that never says hello is closed")
    func silent() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let peer = try await RawPeer.puck(try await house.token("kitchen"), to: house.port())
            #expect(try await peer.reaction() == .error(7))
            try await hub.line("session.error", ["detail": "no hello within 5 s"])
        }
    }

    @Test("A hundred connections that say nothing do not keep a puck out")
    func hundredSilent() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let silent = try (0..<100).map { _ in try RawPeer.connect(to: house.port()) }
            let puck = try await house.puck()
            try await puck.line("link.up")
            #expect(!puck.hasLogged("link.failed"), "its first attempt must succeed:\n\(puck.tail)")
            for peer in silent { try await peer.ended() }
            #expect(!hub.hasEnded)
        }
    }

    @Test("Plain HTTP to the TLS port is told to use wss")
    func plainHTTP() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let peer = try RawPeer.connect(to: house.port())
            peer.write(Array("GET / HTTP/1.1\r\nHost: hub\r\n\r\n".utf8))
            #expect(try await peer.head().hasPrefix("HTTP/1.1 400"))
            try await peer.ended()
        }
    }

    @Test("A frame that no WebSocket has is refused, and the hub's log says that it was the hub who closed")
    func brokenFrame() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let peer = try await RawPeer.puck(try await house.token("kitchen"), to: house.port())
            try await Self.greet(peer)
            // Opcode 3 is reserved (RFC 6455, 5.2).
            peer.writeFrame(3, [])
            try await hub.line("session.close", ["puck": "kitchen", "reason": "closed by the hub"])
        }
    }
}

import CLinux
import Foundation
import Testing

/// What docs/PROTOCOL.md says of close codes, of what keeps a connection alive, and of pauses, seen from the other end.
@Suite("Processes: how connections end", .fewAtATime)
struct ClosingTests {
    private static let ping: UInt8 = 9
    private static let pong: UInt8 = 10

    /// Sends WebSocket pings, and no message, until the other end closes. Returns the close code and how many pings were
    /// answered.
    private static func pingsOnly(_ peer: RawPeer) async throws -> (code: Int, answered: Int) {
        var answered = 0
        peer.writeFrame(ping, Array("?".utf8))
        while let frame = try await peer.frame() {
            if frame.opcode == RawPeer.Frame.close { return (frame.closeCode, answered) }
            guard frame.opcode == pong else { continue }
            answered += 1
            // As a keep-alive comes.
            try await Task.sleep(for: .milliseconds(300))
            peer.writeFrame(ping, Array("?".utf8))
        }
        throw Disappointment("the connection ended without a close frame")
    }

    @Test("A puck that sends WebSocket pings and no message is answered, and closed with 1001 after 10 s")
    func pingingPuck() async throws {
        try await House.run { house in
            let hub = try await house.hub()
            let peer = try await RawPeer.puck(try await house.token("kitchen"), to: house.port())
            peer.send(HubProtocolTests.hello)
            _ = try await peer.control("welcome")
            let (code, answered) = try await Self.pingsOnly(peer)
            #expect(code == 1001 && answered > 5, "\(code) after \(answered) pongs; the hub said:\n\(hub.tail)")
            try await hub.line("session.close", ["reason": "nothing received for 10 s"])
        }
    }

    @Test("A hub that sends WebSocket pings and no message is answered, and left with 1000 after 10 s")
    func pingingHub() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(token: House.anyToken, port: Int(port))
            let peer = try await RawPeer.hub(greetedAt: listener)
            peer.send(PuckProtocolTests.welcome)
            _ = try await peer.control("status")
            let (code, answered) = try await Self.pingsOnly(peer)
            #expect(code == 1000 && answered > 5, "\(code) after \(answered) pongs; the puck said:\n\(puck.tail)")
            try await puck.line("link.disconnected", ["reason": "silent-hub"])
        }
    }

    @Test("After its error a hub closes with 1008; a connection that is replaced is closed with 1001")
    func hubCodes() async throws {
        try await House.run { house in
            _ = try await house.hub()
            let token = try await house.token("kitchen")
            let first = try await RawPeer.puck(token, to: house.port())
            first.send(HubProtocolTests.hello)
            _ = try await first.control("welcome")
            let second = try await RawPeer.puck(token, to: house.port())
            second.send(HubProtocolTests.hello)
            _ = try await second.control("welcome")
            #expect(try await first.reaction() == .close(1001))
            second.send(HubProtocolTests.hello)
            #expect(try await second.reaction() == .error(7))
            #expect(try await second.reaction() == .close(1008))
        }
    }

    @Test("After its error a puck closes with 1000")
    func puckCodes() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            _ = try await house.puck(token: House.anyToken, port: Int(port))
            let peer = try await RawPeer.hub(greetedAt: listener)
            peer.send(PuckProtocolTests.welcome)
            peer.send(PuckProtocolTests.welcome)
            #expect(try await peer.reaction() == .error(7))
            #expect(try await peer.reaction() == .close(1000))
        }
    }

    @Test("503 with Retry-After changes nothing in a puck's pauses")
    func retryAfter() async throws {
        try await House.run { house in
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let puck = try await house.puck(token: House.anyToken, port: Int(port))
            let answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
            for (attempt, pause) in [(1, 900...1100), (2, 1800...2200)] {
                let peer = try await RawPeer.accept(listener)
                _ = try await peer.head()
                peer.write(Array(answer.utf8))
                let line = try await puck.line("link.failed", ["attempt": "\(attempt)"])
                #expect(pause.contains(Int(line["retry_in_ms"] ?? "") ?? 0), "\(line)")
            }
        }
    }
}

import Foundation
import RogueHub
import Testing

@Suite("Processes: what is said inside TLS", .fewAtATime)
struct InsideTLSTests {
    @Test("Garbage and large headers end their connection without an answer, and the log says whose they were")
    func garbage() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let large = String(repeating: "a", count: 9000)
            for request in ["hello world\r\n\r\n", "GET /puck HTTP/1.1\r\nX-A: \(large)\r\n\r\n"] {
                let peer = try await RawPeer.secure(to: house.port())
                peer.write(Array(request.utf8))
                try await peer.ended()
                #expect(peer.text.isEmpty, "\(peer.text)")
            }
            try await hub.line("transport", ["text": "closed the connection of 127.0.0.1 without an answer"])
            try await hub.line("transport", ["text": "127.0.0.1: libwebsockets: "])
            let puck = try await house.puck(tls: true)
            try await puck.line("link.up")
        }
    }

    @Test("Version 8 of the WebSocket protocol is refused with the version that is spoken")
    func version8() async throws {
        try await House.run { house in
            _ = try await house.hub(tls: true)
            let token = try await house.token("kitchen")
            let peer = try await RawPeer.secure(to: house.port())
            peer.write(Array(RawPeer.upgrade(token, version: 8).utf8))
            let head = try await peer.head()
            #expect(head.hasPrefix("HTTP/1.1 426 ") && head.contains("Sec-WebSocket-Version: 13"), "\(head)")
            try await peer.ended()
        }
    }

    @Test("Over TLS 1.2 nobody is paired, by line or by code: the hub refuses a puck, and a puck says nothing to a hub")
    func oldTLS() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            _ = try house.configureUnpaired()
            let offer = try await house.offer()
            let peer = try await RawPeer.secure(to: house.port(), hasTLS13: false)
            peer.write(Array(RawPeer.upgrade(nil, path: "/pair").utf8))
            let head = try await peer.head()
            #expect(head.hasPrefix("HTTP/1.1 403 "), "\(head)")
            try await hub.line("transport", ["text": "Pairing needs TLS 1.3."])

            // It has the very certificate of the line, and would take the secret.
            let security = RogueHub.Security.tls(
                certificate: house.file("hub/hub.crt").path, key: house.file("hub/hub.key").path)
            let rogue = try RogueHub(security, hasTLS13: false) { _ in [.upgrade, .listen] }
            let folder = house.file("kitchen.state").path
            for secret in [offer.line, offer.code] {
                let joined = try await house.join(secret, port: rogue.port, "--state-dir", folder)
                #expect(joined.status == 1 && joined.output.contains("TLS 1.3"), "\(joined.output)")
            }
            try await eventually("the connections stay open") { rogue.visits.count == 2 }
            for visit in rogue.visits {
                // Not even the request.
                #expect(visit.request.isEmpty && visit.frames == 0, "\(visit)")
            }
            #expect(!FileManager.default.fileExists(atPath: house.pairingFile().path))
            // The hub that made it takes it still.
            #expect(try await house.join(offer.line, at: nil, "--state-dir", folder).status == 0)
        }
    }
}

import CLinux
import Credentials
import Testing

@testable import LinkTransport

extension LinkTransportTests {
    @Suite("What the hub's door lets in")
    struct HubDoorTests {
        /// The hub's whole answer to a request sent as it is.
        private func answer(to request: String, tls: Bool = false) throws -> String {
            let bench = try Bench()
            let server = try bench.listen(tls: tls)
            let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw.write(request)
            bench.serve { raw.isEnded }
            #expect(bench.opened.isEmpty)
            bench.serve { server.connections.isEmpty }
            return raw.text
        }

        @Test("each wrong request gets its status and a sentence")
        func statuses() throws {
            #expect(try answer(to: RawSocket.upgrade(token: nil)).hasPrefix("HTTP/1.1 401 "))
            #expect(try answer(to: RawSocket.upgrade(token: "nobody's")).contains("puckhub pair NAME"))
            #expect(try answer(to: RawSocket.upgrade(subprotocol: nil)).hasPrefix("HTTP/1.1 426 "))
            #expect(try answer(to: RawSocket.upgrade(subprotocol: "chat, puck.v2")).hasPrefix("HTTP/1.1 426 "))
            #expect(try answer(to: RawSocket.upgrade(path: "/")).hasPrefix("HTTP/1.1 404 "))
            // Nobody is paired in the clear.
            #expect(try answer(to: RawSocket.upgrade(path: "/pair")).hasPrefix("HTTP/1.1 404 "))
            #expect(try answer(to: "GET /puck HTTP/1.1\r\nHost: hub\r\n\r\n").hasPrefix("HTTP/1.1 426 "))
            #expect(try answer(to: "GET / HTTP/1.1\r\nHost: hub\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
            let h2c = "GET /puck HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            #expect(try answer(to: h2c).hasPrefix("HTTP/1.1 426 "))
        }

        @Test("one of several offered subprotocols is enough")
        func severalSubprotocols() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: false)
            let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw.write(RawSocket.upgrade(subprotocol: "puck.v2, puck.v1"))
            bench.serve { bench.opened.count == 1 && raw.text.contains("\r\n\r\n") }
            #expect(raw.text.lowercased().contains("sec-websocket-protocol: puck.v1"))
        }

        @Test("plain HTTP at the TLS port is answered in the clear, and a plain upgrade is refused there too")
        func plainAtTLS() throws {
            for request in ["GET /puck HTTP/1.1\r\nHost: hub\r\n\r\n", RawSocket.upgrade()] {
                let text = try answer(to: request, tls: true)
                #expect(text.hasPrefix("HTTP/1.1 400 ") && text.contains("wss://"))
            }
        }

        @Test("garbage closes its connection and nothing else", arguments: [true, false])
        func garbage(tls: Bool) throws {
            let bench = try Bench()
            let server = try bench.listen(tls: tls) { $0.handshakeTimeoutNanoseconds = 300_000_000 }
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<10 {
                let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
                raw.write((0..<600).map { _ in UInt8.random(in: 0...255, using: &generator) })
                bench.serve { raw.isEnded }
            }
            bench.serve { server.connections.isEmpty }
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 }
        }

        @Test(
            "a hundred silent connections lock nobody out for good, and leave nothing behind", arguments: [true, false])
        func silentConnections(tls: Bool) throws {
            let bench = try Bench()
            let server = try bench.listen(tls: tls) { $0.handshakeTimeoutNanoseconds = 400_000_000 }
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 }
            client.link.close()
            bench.serve { client.failures.count == 1 && bench.serverClosed.count == 1 }
            let before = openDescriptorCount()
            var silent: [RawSocket] = []
            for _ in 0..<100 {
                silent.append(try RawSocket(connectingTo: server.boundPort, on: bench.loop))
                bench.settle(rounds: 2)
            }
            #expect(server.connections.count <= ServerLink.handshakesAtOnce)
            bench.serve { silent.allSatisfy(\.isEnded) && server.connections.isEmpty }
            client.link.open()
            bench.serve { client.openings == 2 }
            client.link.close()
            bench.serve { client.failures.count == 2 && bench.serverClosed.count == 2 }
            silent = []
            #expect(descriptorCount(fallsTo: before + othersDescriptors), "a leak would be 100 or more")
        }

        /// Silent connections, each accepted before the next one comes.
        private func silent(_ count: Int, from address: String, _ bench: Bench) throws -> [RawSocket] {
            try (0..<count).map { _ in
                let socket = try RawSocket(
                    connectingTo: #require(bench.server).boundPort, from: address, on: bench.loop)
                bench.settle(rounds: 3)
                return socket
            }
        }

        @Test("past the share of an address its own oldest handshake gives way", arguments: [true, false])
        func shareOfAnAddress(tls: Bool) throws {
            let bench = try Bench()
            let server = try bench.listen(tls: tls)
            let early = try silent(1, from: "127.0.0.2", bench)
            let flood = try silent(100, from: "127.0.0.1", bench)
            bench.serve { flood.prefix(100 - ServerLink.handshakesOfOneAddress).allSatisfy(\.isEnded) }
            #expect(flood.suffix(ServerLink.handshakesOfOneAddress).allSatisfy { !$0.isEnded })
            #expect(!early[0].isEnded, "another address pays nothing")
            // A newcomer of the flood's own address gets in at its first attempt.
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 || !client.failures.isEmpty }
            #expect(client.failures == [])
            #expect(server.connections.count == ServerLink.handshakesOfOneAddress + 1)
            if !tls {
                early[0].write(RawSocket.upgrade())
                bench.serve { bench.opened.count == 2 }
                #expect(bench.peers == ["127.0.0.1", "127.0.0.2"])
            }
        }

        @Test("at a full door the address that has the most gives way, and nobody when all have as little")
        func fullDoor() throws {
            let bench = try Bench()
            try bench.listen(tls: false)
            let many = ServerLink.handshakesOfOneAddress
            let first = try silent(many, from: "127.0.0.1", bench)
            let second = try silent(ServerLink.handshakesAtOnce - many, from: "127.0.0.2", bench)
            #expect((first + second).allSatisfy { !$0.isEnded })
            let third = try silent(1, from: "127.0.0.3", bench)
            bench.serve { (first + second).count { $0.isEnded } == 1 }
            #expect(!third[0].isEnded && (first[0].isEnded || second[0].isEnded))
            third[0].write(RawSocket.upgrade())
            bench.serve { bench.peers == ["127.0.0.3"] }
            let spread = try (10..<50).map { try silent(1, from: "127.0.0.\($0)", bench)[0] }
            bench.serve { spread.count { !$0.isEnded } == ServerLink.handshakesAtOnce - 2 }
            #expect([first, second].allSatisfy { group in group.count { !$0.isEnded } == 1 })
        }

        @Test("past its limit the hub answers 503, and takes the next once one has left")
        func limit() throws {
            let bench = try Bench()
            try bench.listen(tls: true) { $0.maximumConnections = 2 }
            let clients = try (0..<3).map { _ in try bench.client(tls: true) }
            for client in clients.prefix(2) {
                client.link.open()
                bench.serve { client.openings == 1 }
            }
            clients[2].link.open()
            bench.serve { clients[2].failures == [.hubFull] }
            clients[0].link.close()
            bench.serve { bench.serverClosed.count == 1 }
            clients[2].link.open()
            bench.serve { clients[2].openings == 1 }
            #expect(Set(bench.opened).count == 3)
        }

        @Test("several servers of one loop keep their own certificate, port and rules, whatever name a client asks for")
        func severalServers() throws {
            let bench = try Bench(connections: 256)
            let other = bench.folder.file("other.pem")
            try Certificate.create(
                names: [], addresses: [], certificateFile: other, keyFile: bench.folder.file("other.key"),
                nowUnixSeconds: Int64(time(nil)))
            let first = try bench.listen(tls: true)
            let second = try ServerLink(
                on: bench.loop,
                configuration: .init(
                    address: "127.0.0.1", port: 0,
                    security: .tls(certificateFile: other, keyFile: bench.folder.file("other.key"))))
            let plain = try ServerLink(
                on: bench.loop, configuration: .init(address: "*", port: 0, security: .insecure))
            plain.authorize = { _ in "plain" }
            var identities: [String] = []
            plain.onOpen = { _, identity, peer in identities.append(identity + " " + peer) }
            let toFirst = try bench.client(tls: true, port: first.boundPort)
            toFirst.link.open()
            bench.serve { toFirst.openings == 1 }
            // The second one knows nobody: it must be its certificate that is accepted, and its rule that refuses.
            let toSecond = try bench.client(
                tls: true, host: "localhost", port: second.boundPort, trust: .certificateFile(other))
            toSecond.link.open()
            bench.serve { toSecond.failures == [.unauthorized] }
            let toPlain = try bench.client(tls: false, port: plain.boundPort)
            toPlain.link.open()
            bench.serve { toPlain.openings == 1 }
            #expect(identities == ["plain 127.0.0.1"])
            #expect(bench.identities == ["kitchen"])
            toPlain.link.close()
            bench.serve { toPlain.failures == [.closedHere] && plain.connections.isEmpty }
            withExtendedLifetime((first, second)) {}
        }

        @Test("a puck that vanishes is reported once")
        func vanishing() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: false)
            var raw: RawSocket? = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw?.write(RawSocket.upgrade())
            bench.serve { bench.opened.count == 1 }
            raw = nil
            bench.serve { bench.serverClosed.count == 1 }
            bench.settle()
            #expect(bench.serverClosed.count == 1)
            #expect(server.connectionCount == 0)
        }

        @Test("a close to a puck that has stopped answering ends within its bound")
        func closeToDeafPuck() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: false)
            let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw.write(RawSocket.upgrade())
            bench.serve { bench.opened.count == 1 }
            server.close(bench.opened[0], code: CloseCode.goingAway, reason: "bye")
            bench.serve { bench.serverClosed.count == 1 }
            #expect(bench.serverClosed[0].reason == "closed by the hub (code 1001: bye)")
        }
    }
}

import CLinux
import CWebSockets
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
            let old = RawSocket.upgrade().replacingOccurrence(of: "Version: 13", with: "Version: 8")
            #expect(try answer(to: old).contains("\r\nSec-WebSocket-Version: 13\r\n"))
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
            "silent connections from as many addresses as there are places lock nobody out, and leave nothing behind",
            arguments: [true, false])
        func silentConnections(tls: Bool) throws {
            let bench = try Bench()
            let server = try bench.listen(tls: tls) { $0.handshakeTimeoutNanoseconds = 2_000_000_000 }
            let before = openDescriptorCount()
            var silent: [RawSocket] = []
            for i in 0..<Door.Limits.callers + 50 {
                silent.append(
                    try RawSocket(
                        connectingTo: server.boundPort, from: "127.1.\(i / 250).\(i % 250 + 1)", on: bench.loop))
                bench.settle(rounds: 2)
            }
            #expect(server.callers.count <= Door.Limits.callers && server.connections.isEmpty)
            let client = try bench.client(tls: tls)
            client.link.open()
            bench.serve { client.openings == 1 || !client.failures.isEmpty }
            #expect(client.failures == [])
            let reports = bench.log.filter { $0.contains("the door is full") }
            #expect(reports.count == 1, "once a minute, however many")
            client.link.close()
            bench.serve { client.failures.count == 1 && bench.serverClosed.count == 1 }
            bench.serve { silent.allSatisfy(\.isEnded) && server.callers.isEmpty }
            silent = []
            #expect(descriptorCount(fallsTo: before + othersDescriptors), "a leak would be 300 or more")
        }

        @Test("a TLS handshake begins only when the client's first message is whole")
        func halfAMessage() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            let raw = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            raw.write([22, 3, 1, 0, 200, 1])
            bench.settle()
            #expect(server.callers.count == 1 && server.connections.isEmpty)
            raw.write([UInt8](repeating: 0, count: 199))
            bench.serve { raw.isEnded }
            let dripping = try RawSocket(connectingTo: server.boundPort, on: bench.loop)
            dripping.write([22, 3, 1, 64, 0])
            bench.settle(rounds: 3)
            for _ in 0..<Caller.looks {
                dripping.write([0])
                bench.settle(rounds: 3)
            }
            bench.serve { dripping.isEnded }
        }

        @Test("idle connections to be paired keep nobody from it: they end after 2 s, and older ones give way")
        func idleStrangers() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true) { $0.pairingGraceNanoseconds = 0 }
            server.admitStranger = { nil }
            func stranger() throws -> Probe {
                let probe = try bench.client(tls: true, trust: .unproven) {
                    $0.token = ""
                    $0.path = LinkProtocol.pairingPath
                }
                probe.link.open()
                bench.serve { probe.openings == 1 || !probe.failures.isEmpty }
                return probe
            }
            let first = try stranger()
            let second = try stranger()
            #expect(first.openings == 1 && second.openings == 1)
            // From one address two.
            let third = try stranger()
            #expect(third.openings == 1)
            bench.serve { first.failures.count == 1 }
            #expect(third.failures == [])
            bench.serve { second.failures.count == 1 && third.failures.count == 1 }
            #expect(bench.log.contains { $0.contains("did not go on with its pairing in time") })
        }

        @Test("a token that connects more often than any puck is refused")
        func tooOften() throws {
            let bench = try Bench()
            try bench.listen(tls: false)
            var refused = 0
            for _ in 0..<ServerLink.arrivalsAtOnce + 5 {
                let raw = try RawSocket(connectingTo: #require(bench.server).boundPort, on: bench.loop)
                raw.write(RawSocket.upgrade())
                bench.serve { raw.text.contains("\r\n\r\n") }
                refused += raw.text.hasPrefix("HTTP/1.1 429 ") ? 1 : 0
            }
            #expect(refused >= 1 && bench.opened.count >= ServerLink.arrivalsAtOnce)
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

extension String {
    fileprivate func replacingOccurrence(of old: String, with new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return self[..<range.lowerBound] + new + self[range.upperBound...]
    }
}

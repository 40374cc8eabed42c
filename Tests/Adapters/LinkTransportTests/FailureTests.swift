import CLinux
import Credentials
import Testing

@testable import LinkTransport

extension LinkTransportTests {
    @Suite("What a puck is told when it cannot connect")
    struct FailureTests {
        /// One open that must fail, and its reason.
        private func failure(of client: Probe, _ bench: Bench) -> LinkFailure? {
            client.link.open()
            bench.serve { client.failures.count == 1 }
            #expect(client.openings == 0)
            return client.failures.first
        }

        @Test("a wrong token is HTTP 401, and the advice names the command that helps", arguments: [true, false])
        func wrongToken(tls: Bool) throws {
            let bench = try Bench()
            try bench.listen(tls: tls)
            let reason = failure(of: try bench.client(tls: tls) { $0.token = "wrong" }, bench)
            #expect(reason == .unauthorized)
            #expect(reason?.advice.contains("puckhub pair NAME") == true)
            #expect(bench.opened.isEmpty)
            #expect(bench.log.contains { $0.contains("401") && $0.contains("127.0.0.1") })
        }

        @Test("an unknown subprotocol is HTTP 426", arguments: [true, false])
        func wrongSubprotocol(tls: Bool) throws {
            let bench = try Bench()
            try bench.listen(tls: tls)
            #expect(failure(of: try bench.client(tls: tls) { $0.subprotocol = "puck.v9" }, bench) == .wrongSubprotocol)
        }

        @Test("a hub that chooses no subprotocol is not taken for one of ours")
        func noSubprotocolChosen() throws {
            let bench = try Bench()
            let hub = try FakeHub(on: bench.loop, subprotocol: nil) { _ in }
            #expect(failure(of: try bench.client(tls: false, port: hub.port), bench) == .wrongSubprotocol)
        }

        @Test("another path is HTTP 404")
        func wrongPath() throws {
            let bench = try Bench()
            try bench.listen(tls: true)
            #expect(failure(of: try bench.client(tls: true) { $0.path = "/else" }, bench) == .wrongPath)
        }

        @Test("a certificate that is not the pinned one is not trusted")
        func untrusted() throws {
            let bench = try Bench()
            try bench.listen(tls: true)
            let other = bench.folder.file("other.pem")
            try Certificate.create(
                names: [], addresses: [], certificateFile: other, keyFile: bench.folder.file("other.key"),
                nowUnixSeconds: Int64(time(nil)))
            #expect(
                failure(of: try bench.client(tls: true, trust: .certificateFile(other)), bench)
                    == .certificateNotTrusted)
            #expect(failure(of: try bench.client(tls: true, trust: .systemStore), bench) == .certificateNotTrusted)
        }

        @Test("a certificate for another name is refused, and the expected name can be given")
        func wrongName() throws {
            let bench = try Bench()
            try bench.makeCertificate(names: ["hub.example"])
            try bench.listen(tls: true)
            #expect(
                failure(of: try bench.client(tls: true, name: "other.example"), bench)
                    == .certificateWrongName(expected: "other.example"))
            #expect(
                failure(of: try bench.client(tls: true, name: "10.9.8.7"), bench)
                    == .certificateWrongName(expected: "10.9.8.7"))
            let client = try bench.client(tls: true, name: "hub.example")
            client.link.open()
            bench.serve { client.openings == 1 }
        }

        @Test("an expired certificate of an authority, and one that is not valid yet, are told apart")
        func validity() throws {
            for (from, to, expected) in [
                (-40, -10, LinkFailure.certificateExpired), (3, 33, .certificateNotYetValid),
            ] {
                let bench = try Bench()
                let authority = bench.folder.file("authority.pem")
                try TestAuthority.sign(
                    certificate: bench.certificate, key: bench.key, authority: authority, days: from...to)
                try bench.listen(tls: true)
                #expect(
                    failure(
                        of: try bench.client(tls: true, trust: .certificateFile(authority), name: "localhost"), bench)
                        == expected)
            }
        }

        @Test("a puck believes the very certificate that it has, whatever its clock says", arguments: [-40, 3])
        func pinnedDates(daysFromNow: Int64) throws {
            let bench = try Bench()
            try bench.makeCertificate(days: 30, nowUnixSeconds: Int64(time(nil)) + daysFromNow * 86_400)
            try bench.listen(tls: true)
            let client = try bench.client(tls: true)
            client.link.open()
            bench.serve { client.openings == 1 }
            // Its name counts all the same.
            #expect(
                failure(of: try bench.client(tls: true, name: "other.example"), bench)
                    == .certificateWrongName(expected: "other.example"))
        }

        @Test("a plain puck at the TLS port is told to use TLS")
        func plainAtTLS() throws {
            let bench = try Bench()
            try bench.listen(tls: true)
            #expect(failure(of: try bench.client(tls: false), bench) == .needsTLS)
            #expect(bench.log.contains { $0.contains("wss://") })
            #expect(bench.opened.isEmpty)
        }

        @Test("a TLS puck at a plain port learns that there is no TLS")
        func tlsAtPlain() throws {
            let bench = try Bench()
            try bench.makeCertificate()
            try bench.listen(tls: false)
            let reason = failure(of: try bench.client(tls: true), bench)
            #expect(reason == .notTLS || reason == .hungUpDuringHandshake)
            // Another server's usual answer to a TLS hello.
            let hub = try FakeHub(on: bench.loop) { _ in }
            let client = try bench.client(tls: true, port: hub.port)
            client.link.open()
            bench.serve { (hub.connection?.received.count ?? 0) > 0 }
            hub.connection?.write("HTTP/1.1 400 Bad Request\r\n\r\n")
            bench.serve { client.failures.count == 1 }
            #expect(client.failures == [.notTLS])
        }

        @Test("a port where nothing listens refuses, and the next open works once something does")
        func refusedThenOpen() throws {
            let bench = try Bench()
            let port = try bench.listen(tls: true).boundPort
            bench.stopListening()
            let client = try bench.client(tls: true, port: port)
            client.link.open()
            bench.serve { client.failures.count == 1 }
            #expect(client.failures == [.refused])
            try bench.listen(tls: true, port: port)
            client.link.open()
            bench.serve { client.openings == 1 }
            #expect(client.failures.count == 1)
        }

        @Test("a name that does not exist fails as a name")
        func unknownName() throws {
            let bench = try Bench()
            let reason = failure(of: try bench.client(tls: false, host: "nosuch.invalid", port: 9), bench)
            // Without any name server the resolver can only say that nobody answered.
            #expect(
                reason == .nameNotFound(host: "nosuch.invalid") || reason == .nameServiceSilent(host: "nosuch.invalid")
                    || reason == .noNetwork(host: "nosuch.invalid"))
        }

        @Test("a pinned certificate is believed under whatever address, unless a name is asked for")
        func pinnedAnywhere() throws {
            let bench = try Bench()
            try bench.makeCertificate(names: ["hub.example"])
            // In no certificate, unlike 127.0.0.1.
            try bench.listen(tls: true) { $0.address = "127.0.0.2" }
            let client = try bench.client(tls: true, host: "127.0.0.2")
            client.link.open()
            bench.serve { client.openings == 1 }
            #expect(
                failure(of: try bench.client(tls: true, host: "127.0.0.2", name: "127.0.0.2"), bench)
                    == .certificateWrongName(expected: "127.0.0.2"))
        }

        @Test(
            "an address of one link needs its interface", arguments: ["fe80::1", "fe80::1%nosuch0"])
        func linkLocal(host: String) throws {
            let bench = try Bench()
            let reason = failure(of: try bench.client(tls: false, host: host, port: 9), bench)
            #expect(reason == .addressWithoutZone(host: host))
            #expect(reason?.advice.contains("'fe80::1%wlan0'") ?? false)
        }

        @Test("each result of a lookup has its own failure")
        func lookupFailures() {
            #expect(ClientLink.failure(lookup: EAI_NONAME, host: "h") == .nameNotFound(host: "h"))
            // EAI_NODATA and EAI_ADDRFAMILY of the GNU C library.
            for code: Int32 in [-5, -9] {
                #expect(ClientLink.failure(lookup: code, host: "h") == .nameWithoutAddress(host: "h"))
            }
            let silent = ClientLink.failure(lookup: EAI_AGAIN, host: "h")
            #expect(silent == .nameServiceSilent(host: "h") || silent == .noNetwork(host: "h"))
            for code in [EAI_FAIL, EAI_SYSTEM, EAI_MEMORY] {
                guard case .nameLookupFailed("h", let reason) = ClientLink.failure(lookup: code, host: "h") else {
                    Issue.record("\(code)")
                    continue
                }
                #expect(!reason.isEmpty)
            }
        }

        @Test("a name with several addresses is tried at each of them")
        func severalAddresses() throws {
            let bench = try Bench()
            try bench.listen(tls: true)
            let client = try bench.client(tls: true, host: "localhost")
            client.link.open()
            bench.serve { client.openings == 1 }
        }

        @Test("an open that is closed while its name is looked up ends once, and the link can be used again")
        func cancelledWhileResolving() throws {
            let bench = try Bench()
            try bench.listen(tls: false)
            let client = try bench.client(tls: false, host: "localhost")
            for round in 1...20 {
                client.link.open()
                client.link.close()
                client.link.close()
                #expect(client.failures.count == round - 1)
                bench.serve { client.failures.count == round }
            }
            // At most four lookups run at a time, and those that were given up may still be among them.
            let busy = LinkFailure.nameServiceSilent(host: "localhost")
            #expect(client.failures.first == .closedHere)
            #expect(client.failures.allSatisfy { $0 == .closedHere || $0 == busy })
            client.link.onClosed = { [unowned client] failure in
                #expect(failure == busy)
                client.link.open()
            }
            client.link.open()
            bench.serve { client.openings == 1 }
        }

        @Test("an open that nobody answers ends at its bound, and says what was waited for")
        func timeout() throws {
            let bench = try Bench()
            try bench.makeCertificate()
            // The kernel completes TCP for a listener that never accepts.
            let listener = try openListener(address: "127.0.0.1", port: 0)
            defer { close(listener) }
            var name = SocketAddress()
            _ = name.withMutableRaw { getsockname(listener, $0, &$1) }
            let client = try bench.client(tls: true, port: name.port) { $0.openTimeoutNanoseconds = 50_000_000 }
            #expect(failure(of: client, bench) == .timedOut(.handshake))
        }

        @Test("a hub that dies leaves a reset")
        func reset() throws {
            let bench = try Bench()
            let hub = try FakeHub(on: bench.loop) { raw in shutdown(raw.descriptor, Int32(SHUT_RDWR)) }
            let client = try bench.client(tls: false, port: hub.port)
            client.link.open()
            bench.serve { client.failures.count == 1 }
            #expect(client.failures == [.reset])
        }

        @Test("an answer that is no HTTP is not taken for a hub")
        func garbageAnswer() throws {
            let bench = try Bench()
            let hub = try FakeHub(on: bench.loop, subprotocol: "x\r\n\r\n") { _ in }
            let reason = failure(of: try bench.client(tls: false, port: hub.port), bench)
            #expect(reason == .wrongSubprotocol || reason == .notWebSocket)
        }

        @Test("a link that is the last to know its loop ends cleanly, whichever of its parts goes first")
        func lastReference() throws {
            let bench = try Bench()
            try bench.makeCertificate()
            var loop: EventLoop? = try EventLoop { _, _ in }
            var link: ClientLink? = try ClientLink(
                on: loop!,
                configuration: .init(
                    host: "127.0.0.1", port: 1, token: Bench.token,
                    security: .verified(.certificateFile(bench.certificate), certificateName: nil)))
            loop = nil
            #expect(link != nil)
            link = nil  // Wrote into freed memory once; the address sanitizer would say so.
        }

        @Test("settings that cannot work are refused before anything is connected")
        func configuration() throws {
            let bench = try Bench()
            #expect(throws: TransportError.self) { try bench.client(tls: false, host: "", port: 1) }
            #expect(throws: TransportError.self) { try bench.client(tls: false, port: 0) }
            #expect(throws: TransportError.self) { try bench.client(tls: false, port: 1) { $0.token = "a\r\nX: y" } }
            #expect(throws: TransportError.self) {
                try bench.client(tls: true, port: 1, trust: .certificateFile(bench.folder.file("none.pem")))
            }
            #expect(throws: TransportError.self) {
                try bench.listen(tls: false) { $0.address = "hub.local" }
            }
            try bench.makeCertificate()
            #expect(throws: TransportError.self) {
                try bench.listen(tls: true) {
                    $0.security = .tls(certificateFile: "/nonexistent.pem", keyFile: "/nonexistent.key")
                }
            }
            let port = try bench.listen(tls: false).boundPort
            #expect(throws: TransportError.cannotListen(address: "127.0.0.1", port: port, code: EADDRINUSE)) {
                _ = try ServerLink(
                    on: bench.loop, configuration: .init(address: "127.0.0.1", port: port, security: .insecure))
            }
        }
    }
}

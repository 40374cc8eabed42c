import CLinux
import CWebSockets
import Testing

@testable import LinkTransport

extension LinkTransportTests {
    @Suite("What the hub answers inside TLS")
    struct InsideTLSTests {
        private static let noRequests = [
            "\0\0\0\0\0\0\0\0\0\0\0\0", "hello world\r\n\r\n", "GET\r\n\r\n", "FOO /puck HTTP/1.1\r\nHost: hub\r\n\r\n",
            "GET puck HTTP/1.1\r\nHost: hub\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: hub\r\n\r\n",
            "GET /%zz HTTP/1.1\r\nHost: hub\r\n\r\n",
            "GET /puck HTTP/1.1\r\nHost: hub\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n",
        ]

        @Test("what is no request is closed without a page of the library's, and logged with its address")
        func noRequest() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            for request in Self.noRequests {
                let before = bench.log.count
                let raw = try RawTLS(connectingTo: server.boundPort, on: bench.loop)
                raw.write(Array(request.utf8))
                bench.serve { raw.isEnded && server.connections.isEmpty }
                #expect(raw.received.isEmpty, "\(request): \(raw.text)")
                let lines = bench.log[before...]
                #expect(
                    lines.count == 1 && lines.first?.hasPrefix("closed the connection of 127.0.0.1 ") == true,
                    "\(lines)")
            }
            let client = try bench.client(tls: true)
            client.link.open()
            bench.serve { client.openings == 1 }
        }

        @Test("requests that are refused have the hub's own answer", arguments: ["13", "8"])
        func refused(version: String) throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            let raw = try RawTLS(connectingTo: server.boundPort, on: bench.loop)
            // With version 13 it is the token that is missing.
            let request = RawSocket.upgrade(token: version == "13" ? nil : Bench.token)
            let parts = request.split(separator: "Version: 13", maxSplits: 1, omittingEmptySubsequences: false)
            raw.write(Array((parts[0] + "Version: \(version)" + parts[1]).utf8))
            bench.serve { raw.isEnded }
            #expect(raw.text.hasPrefix(version == "13" ? "HTTP/1.1 401 " : "HTTP/1.1 426 "))
            #expect(raw.text.contains("\r\nSec-WebSocket-Version: 13\r\n") == (version == "8"))
            #expect(raw.text.contains("text/plain") && !raw.text.contains("<"))
            #expect(bench.opened.isEmpty)
        }

        @Test("headers that are too large are logged with their address, and a flood of them does not fill the log")
        func largeHeaders() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            let count = 60
            for number in 0..<count {
                let raw = try RawTLS(connectingTo: server.boundPort, from: "127.0.0.\(number + 2)", on: bench.loop)
                raw.write(Array("GET /puck HTTP/1.1\r\nX-A: \(String(repeating: "a", count: 9000))\r\n\r\n".utf8))
                bench.serve { raw.isEnded }
                #expect(raw.received.isEmpty)
            }
            let lines = bench.log.filter { $0.contains("libwebsockets") }
            #expect(lines.first?.hasPrefix("127.0.0.2: libwebsockets: ") == true, "\(lines)")
            #expect(lines.allSatisfy { $0.hasPrefix("127.0.0.") })
            // 20 at once, then one a second: on a machine so slow that this takes half a minute there would be more.
            #expect(lines.count < count, "\(lines.count)")
        }

        /// libwebsockets before 5 takes them and does not tell (docs/SECURITY.md, "Floods"): no harm follows, since nothing
        /// between the ends of TLS can be deceived.
        @Test("a frame without a mask is the same message, or the end of its connection, and nothing else")
        func unmasked() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            let raw = try RawTLS(connectingTo: server.boundPort, on: bench.loop)
            raw.write(Array(RawSocket.upgrade().utf8))
            bench.serve { bench.opened.count == 1 }
            raw.write([0x82, 3, 1, 2, 3])
            bench.serve { bench.serverReceived == [[1, 2, 3]] || bench.serverClosed.count == 1 }
            #expect(bench.serverReceived.allSatisfy { $0 == [1, 2, 3] })
            let client = try bench.client(tls: true)
            client.link.open()
            bench.serve { client.openings == 1 }
        }

        @Test("TLS 1.2 carries a puck with a token, and pairs nobody")
        func oldTLS() throws {
            let bench = try Bench()
            let server = try bench.listen(tls: true)
            server.admitStranger = { nil }
            func answer(_ path: String, _ token: String?, _ version: Int32) throws -> String {
                let raw = try RawTLS(connectingTo: server.boundPort, upTo: version, on: bench.loop)
                raw.write(Array(RawSocket.upgrade(path: path, token: token).utf8))
                bench.serve { raw.text.contains("\r\n\r\n") }
                return raw.text
            }
            let refused = try answer("/pair", nil, TLS1_2_VERSION)
            #expect(refused.hasPrefix("HTTP/1.1 403 ") && refused.hasSuffix("Pairing needs TLS 1.3.\n"))
            #expect(try answer("/pair", nil, TLS1_3_VERSION).hasPrefix("HTTP/1.1 101 "))
            #expect(try answer("/puck", Bench.token, TLS1_2_VERSION).hasPrefix("HTTP/1.1 101 "))
        }
    }
}

/// A TLS client driven by hand, in the bench's loop.
final class RawTLS {
    private let loop: EventLoop
    private let descriptor: Int32
    private let context: OpaquePointer?
    private let session: OpaquePointer?
    private var handle: AdoptedDescriptor?
    private var isSecured = false
    private var waiting: [UInt8] = []
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false

    init(
        connectingTo port: UInt16, from address: String = "127.0.0.1", upTo version: Int32 = TLS1_3_VERSION,
        on loop: EventLoop
    ) throws {
        self.loop = loop
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        let source = lookUp(address, port: 0, numericOnly: true, limit: 1).addresses[0]
        #expect(source.withRaw { bind(descriptor, $0, source.length) } == 0)
        let target = lookUp("127.0.0.1", port: port, numericOnly: true, limit: 1).addresses[0]
        #expect(target.withRaw { connect(descriptor, $0, target.length) } == 0)
        _ = puck_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK))
        context = SSL_CTX_new(TLS_client_method())
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(version), nil)
        session = SSL_new(context)
        SSL_set_fd(session, descriptor)
        handle = try loop.adopt(fileDescriptor: descriptor) { [unowned self] _ in goOn() }
        goOn()
    }

    deinit {
        handle?.remove()
        SSL_free(session)
        SSL_CTX_free(context)
        close(descriptor)
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    func write(_ bytes: [UInt8]) {
        waiting += bytes
        goOn()
    }

    private func goOn() {
        if isEnded { return }
        if !isSecured {
            let result = SSL_connect(session)
            guard result == 1 else { return look(result) }
            isSecured = true
        }
        if !waiting.isEmpty {
            let result = SSL_write(session, waiting, Int32(waiting.count))
            guard result > 0 else { return look(result) }
            waiting = []
        }
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = SSL_read(session, &chunk, Int32(chunk.count))
            guard count > 0 else { return look(count) }
            received += chunk[..<Int(count)]
        }
    }

    private func look(_ result: Int32) {
        let error = SSL_get_error(session, result)
        ERR_clear_error()
        if error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE { return }
        isEnded = true
        handle?.remove()
    }
}

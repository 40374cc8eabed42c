import CLinux
import CWebSockets
import Foundation
import Testing

/// One end of a WebSocket that is driven by hand, so that it can say what no honest end would.
final class RawPeer {
    struct Frame {
        static let text: UInt8 = 1
        static let binary: UInt8 = 2
        static let close: UInt8 = 8

        let opcode: UInt8
        let payload: [UInt8]

        /// Of a close frame.
        var closeCode: Int { payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : 0 }
    }

    private let descriptor: Int32
    private let isServer: Bool
    private var session: OpaquePointer?
    private var received: [UInt8] = []
    private(set) var isEnded = false

    private init(_ descriptor: Int32, isServer: Bool) {
        self.descriptor = descriptor
        self.isServer = isServer
    }

    deinit {
        SSL_free(session)
        close(descriptor)
    }

    // MARK: Opening

    /// A TCP connection to a hub, without any handshake yet.
    static func connect(to port: Int) throws -> RawPeer {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopbackAddress(UInt16(port))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                CLinux.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let peer = RawPeer(descriptor, isServer: false)
        guard result == 0 else { throw Disappointment("nobody listens on \(port)") }
        _ = puck_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK))
        return peer
    }

    /// The same with TLS on it; no certificate is looked at.
    static func secure(to port: Int, hasTLS13: Bool = true) async throws -> RawPeer {
        let peer = try connect(to: port)
        let context = SSL_CTX_new(TLS_client_method())
        if !hasTLS13 { SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) }
        let session = SSL_new(context)
        SSL_CTX_free(context)
        SSL_set_fd(session, peer.descriptor)
        peer.session = session
        try await eventually("no TLS") { SSL_connect(session) == 1 }
        return peer
    }

    /// What a puck asks for.
    static func upgrade(_ token: String?, path: String = "/puck", version: Int = 13) -> String {
        let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return """
            GET \(path) HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: \(version)\r\n\
            Sec-WebSocket-Protocol: puck.v1\r\n\(authorization)\r\n
            """
    }

    /// A WebSocket to a hub, as a puck with this token.
    static func puck(_ token: String, to port: Int) async throws -> RawPeer {
        let peer = try connect(to: port)
        peer.write(Array(upgrade(token).utf8))
        let answer = try await peer.head()
        guard answer.hasPrefix("HTTP/1.1 101") else { throw Disappointment("no upgrade: \(answer)") }
        return peer
    }

    /// The next connection to a listener, as it comes.
    static func accept(_ listener: Int32) async throws -> RawPeer {
        var descriptor: Int32 = -1
        try await eventually("nobody connects") {
            descriptor = CLinux.accept(listener, nil, nil)
            return descriptor >= 0
        }
        _ = puck_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK))
        return RawPeer(descriptor, isServer: true)
    }

    /// The next connection to a listener, upgraded as a hub does it.
    static func hub(accepting listener: Int32) async throws -> RawPeer {
        let peer = try await accept(listener)
        let request = try await peer.head()
        let name = "sec-websocket-key: "
        let line = request.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name) }
        let key = String(try #require(line).dropFirst(name.count))
        peer.write(
            Array(
                """
                HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: \(accepted(key))\r\nSec-WebSocket-Protocol: puck.v1\r\n\r\n
                """.utf8))
        return peer
    }

    /// The next puck that says hello. On a machine that is busy with other tests a puck may give up its first attempts
    /// (5 s each) before this hub gets to answer; it comes again.
    static func hub(greetedAt listener: Int32) async throws -> RawPeer {
        for _ in 0..<6 {
            let peer = try await hub(accepting: listener)
            if (try? await peer.control("hello")) != nil { return peer }
        }
        throw Disappointment("six connections ended before hello came")
    }

    /// RFC 6455, 4.2.2: the key with a fixed GUID, hashed.
    private static func accepted(_ key: String) -> String {
        let input = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        lws_SHA1(input, input.count, &digest)
        return Data(digest).base64EncodedString()
    }

    // MARK: Bytes

    func write(_ bytes: [UInt8]) {
        var sent = 0
        // The other end may be gone already, which is what some tests want; and it reads faster than we write.
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                session != nil
                    ? Int(SSL_write(session, $0.baseAddress! + sent, Int32(bytes.count - sent)))
                    : CLinux.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if session != nil, count <= 0 {
                if SSL_get_error(session, Int32(count)) == SSL_ERROR_WANT_WRITE { continue }
                return
            }
            if count > 0 { sent += count } else if puck_errno() != EAGAIN { return }
        }
    }

    private func take() {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while !isEnded {
            let count =
                session != nil
                ? Int(SSL_read(session, &chunk, Int32(chunk.count))) : read(descriptor, &chunk, chunk.count)
            if count > 0 {
                received += chunk[..<count]
            } else if session != nil {
                isEnded = SSL_get_error(session, Int32(count)) != SSL_ERROR_WANT_READ
                return
            } else {
                if count == 0 || puck_errno() != EAGAIN { isEnded = true }
                return
            }
        }
    }

    /// Ends the connection, both ways.
    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// The other end has closed the connection.
    func ended() async throws {
        try await eventually("the connection stays open") {
            take()
            return isEnded
        }
    }

    /// All that came and was not taken.
    var text: String { String(decoding: received, as: UTF8.self) }

    /// The head of an HTTP message.
    func head() async throws -> String {
        let mark = Array("\r\n\r\n".utf8)
        var end: Int?
        try await eventually("no HTTP head: \(String(decoding: received, as: UTF8.self))") {
            take()
            end = received.firstRange(of: mark)?.upperBound
            return end != nil || isEnded
        }
        let length = end ?? received.count
        defer { received.removeFirst(length) }
        return String(decoding: received[..<length], as: UTF8.self)
    }

    // MARK: Frames

    func writeFrame(_ opcode: UInt8, _ payload: [UInt8], final: Bool = true) {
        let mask: UInt8 = isServer ? 0 : 0x80
        let count = payload.count
        let length = count < 126 ? [mask | UInt8(count)] : [mask | 126, UInt8(count >> 8), UInt8(count & 255)]
        // A mask of zeros changes nothing.
        write([final ? 0x80 | opcode : opcode] + length + (isServer ? [] : [0, 0, 0, 0]) + payload)
    }

    /// The next frame; nil when the connection ended instead.
    func frame() async throws -> Frame? {
        var found: Frame?
        try await eventually("no frame comes, and no end") {
            take()
            found = parse()
            return found != nil || isEnded
        }
        return found
    }

    /// The frames that are there.
    func frames() -> [Frame] {
        take()
        var all: [Frame] = []
        while let frame = parse() { all.append(frame) }
        return all
    }

    private func parse() -> Frame? {
        guard received.count >= 2 else { return nil }
        let isMasked = received[1] & 0x80 != 0
        var length = Int(received[1] & 0x7F)
        var start = 2
        if length == 126 {
            guard received.count >= 4 else { return nil }
            length = Int(received[2]) << 8 | Int(received[3])
            start = 4
        }
        let mask = isMasked ? Array(received.dropFirst(start).prefix(4)) : []
        if isMasked { start += 4 }
        guard received.count >= start + length else { return nil }
        var payload = Array(received[start..<start + length])
        if isMasked { for i in payload.indices { payload[i] ^= mask[i & 3] } }
        defer { received.removeFirst(start + length) }
        return Frame(opcode: received[0] & 0x0F, payload: payload)
    }

    // MARK: The protocol's messages

    /// - Parameter length: what the header claims; nil for the truth.
    static func message(_ type: UInt8, _ sequence: Int = 0, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let claimed = length ?? payload.count
        return [
            type, UInt8(sequence & 255), UInt8(sequence >> 8), 1, 2, 3, 4, UInt8(claimed & 255), UInt8(claimed >> 8),
        ] + payload
    }

    func send(_ type: UInt8, _ sequence: Int = 0, _ payload: [UInt8]) {
        writeFrame(Frame.binary, Self.message(type, sequence, payload))
    }

    func send(_ json: String, type: UInt8 = 0xC1, _ sequence: Int = 0) { send(type, sequence, Array(json.utf8)) }

    /// Skips what comes until a control message with this operation.
    func control(_ operation: String) async throws -> [String: Any] {
        while let frame = try await frame() {
            if frame.opcode == Frame.close { break }
            guard frame.opcode == Frame.binary, frame.payload.count > 9 else { continue }
            let body = try? JSONSerialization.jsonObject(with: Data(frame.payload[9...])) as? [String: Any]
            if let body, body["op"] as? String == operation { return body }
        }
        throw Disappointment("the connection ended before \(operation) came")
    }

    /// How the other end reacts to a breach: the code of its error message, or of its close frame.
    enum Reaction: Equatable { case error(Int), close(Int), end }

    func reaction() async throws -> Reaction {
        while let frame = try await frame() {
            if frame.opcode == Frame.close { return .close(frame.closeCode) }
            if frame.opcode == Frame.binary, frame.payload.count >= 11, frame.payload[0] == 0xFF {
                return .error(Int(frame.payload[9]) | Int(frame.payload[10]) << 8)
            }
        }
        return .end
    }
}

import COpenSSL
import Foundation
import PuckBase
import PuckWire
import Testing

/// A puck made by hand: a blocking socket, TLS when asked for, and as much WebSocket as the protocol needs. It shares
/// nothing with the code under test but the encoding of single messages.
final class TestPuck {
    struct Message {
        let header: MessageHeader
        let payload: [UInt8]

        var hub: HubControl? {
            guard header.type == .control || header.type == .streamControl else { return nil }
            return payload.withUnsafeBytes { try? HubControl.parse($0, type: header.type) }
        }
        var error: WireError? { header.type == .error ? payload.withUnsafeBytes { WireError.parse(payload: $0) } : nil }
    }

    let name: String
    private let socket: Int32
    private var tls: OpaquePointer?
    private var context: OpaquePointer?
    private(set) var status = 0
    private var buffered: [UInt8] = []

    init(_ name: String, of hub: HubProcess, token: String? = nil, certificate: String? = nil) throws {
        self.name = name
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: Int(HubProcess.patience) / 1000, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = hub.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(connected == 0)
        if let certificate { try startTLS(certificate) }
        try upgrade(token ?? hub.tokens[name] ?? "none")
    }

    deinit {
        if let tls { SSL_free(tls) }
        if let context { SSL_CTX_free(context) }
        close(socket)
    }

    private func startTLS(_ certificate: String) throws {
        context = SSL_CTX_new(TLS_client_method())
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        try #require(SSL_CTX_load_verify_locations(context, certificate, nil) == 1)
        tls = SSL_new(context)
        try #require(SSL_set1_host(tls, "localhost") == 1)
        try #require(SSL_set_fd(tls, socket) == 1)
        try #require(SSL_connect(tls) == 1)
    }

    private func upgrade(_ token: String) throws {
        let request =
            "GET /puck HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Protocol: puck.v1\r\nAuthorization: Bearer \(token)\r\n\r\n"
        write(Array(request.utf8))
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            guard let byte = read(1).first else { break }
            head.append(byte)
        }
        status = Int(String(decoding: head.dropFirst(9).prefix(3), as: UTF8.self)) ?? 0
    }

    // MARK: Sending

    /// A WebSocket binary message with whatever bytes.
    func send(raw bytes: [UInt8]) {
        var frame: [UInt8] = [0x82]
        if bytes.count < 126 {
            frame.append(0x80 | UInt8(bytes.count))
        } else {
            frame += [0x80 | 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)]
        }
        write(frame + [0, 0, 0, 0] + bytes)  // a mask of zeros leaves the payload as it is
    }

    static func message(_ type: MessageType, _ sequence: Int, _ payload: [UInt8]) -> [UInt8] {
        var head = [UInt8](repeating: 0, count: WireLimits.headerBytes)
        let header = MessageHeader(
            type: type, sequence: SerialNumber(UInt16(truncatingIfNeeded: sequence)), timestampMilliseconds: 0,
            length: payload.count)
        head.withUnsafeMutableBytes { header.write(to: $0) }
        return head + payload
    }

    func send(_ control: PuckControl) { send(raw: Self.message(.control, 0, control.payload())) }

    func hello(group: String = "home") {
        send(.hello(Hello(puckID: name, room: group, group: group, software: "test", phrases: ["puck"])))
    }

    func candidate(_ wakeID: UInt32, snr: Double) {
        send(
            .wakeCandidate(
                WakeCandidate(
                    wakeID: wakeID, phrase: "puck", onsetMilliseconds: 0, snrDecibels: snr, levelDecibels: snr - 50,
                    noiseDecibels: -50, confidence: 0.9)))
    }

    func end(_ conversation: String, last: Int) {
        send(
            .uplinkEnd(
                UplinkEnd(
                    conversationID: conversation, lastSequence: SerialNumber(UInt16(last)), reason: .endpoint)))
    }

    /// Everything up to `sequence` has been received, and `packets` of play 1 have been heard.
    func played(_ sequence: SerialNumber, heard packets: Int, state: Played.State = .playing) {
        send(
            .played(
                Played(
                    sequence: sequence, playID: 1, positionMilliseconds: packets * 20, bufferedMilliseconds: 0,
                    state: state)))
    }

    // MARK: Receiving

    /// The next message but pings and acknowledgements; nil when the hub closed.
    func next() -> Message? {
        while let message = nextOfAll() {
            switch message.hub {
            case .ping, .pong, .uplinkAck: continue
            default: return message
            }
        }
        return nil
    }

    /// Everything that the hub had to say before it answers a ping that is sent now.
    func messagesBeforePong() -> [Message] {
        send(.ping(Ping(t0: 1)))
        var messages: [Message] = []
        while let message = nextOfAll() {
            if case .pong = message.hub { return messages }
            messages.append(message)
        }
        Issue.record("no pong")
        return messages
    }

    /// Greets and takes the welcome.
    func greet(group: String = "home") throws -> Welcome {
        hello(group: group)
        guard case .welcome(let welcome) = try #require(next()).hub else {
            throw Unexpected()
        }
        return welcome
    }

    /// Becomes a lone candidate and takes the grant.
    func wake() throws -> String {
        candidate(1, snr: 20)
        guard case .grant(1, let conversation) = try #require(next()).hub else { throw Unexpected() }
        return conversation
    }

    struct Unexpected: Error {}

    private func nextOfAll() -> Message? {
        while true {
            let head = read(2)
            guard head.count == 2 else { return nil }
            var length = Int(head[1] & 0x7f)
            if length == 126 {
                let more = read(2)
                guard more.count == 2 else { return nil }
                length = Int(more[0]) << 8 | Int(more[1])
            }
            let body = read(length)
            guard body.count == length, head[0] & 0x0f != 8 else { return nil }
            guard head[0] == 0x82 else { continue }
            guard let header = body.withUnsafeBytes({ try? MessageHeader.parse($0) }) else { return nil }
            return Message(header: header, payload: Array(body[WireLimits.headerBytes...]))
        }
    }

    private func write(_ bytes: [UInt8]) {
        if let tls {
            SSL_write(tls, bytes, Int32(bytes.count))
        } else {
            Foundation.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// Exactly `count` bytes, or fewer when the hub closed or said nothing for too long.
    private func read(_ count: Int) -> [UInt8] {
        while buffered.count < count {
            var chunk = [UInt8](repeating: 0, count: 8_192)
            let size =
                tls == nil ? recv(socket, &chunk, chunk.count, 0) : Int(SSL_read(tls, &chunk, Int32(chunk.count)))
            if size <= 0 { break }
            buffered += chunk[..<size]
        }
        defer { buffered.removeFirst(min(count, buffered.count)) }
        return Array(buffered.prefix(count))
    }
}

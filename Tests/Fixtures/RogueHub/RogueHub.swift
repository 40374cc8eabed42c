import CLinux
import CWebSockets
import Foundation
import Synchronization

/// A server that says whatever a test tells it to, over TLS or plain TCP: what a hub would have to be to do harm.
///
/// One thread accepts, and each connection has a thread of its own. A connection that nobody ends is ended after
/// `patience`, so nothing outlives its test for long.
public final class RogueHub: Sendable {
    /// One step of a connection.
    public enum Act: Sendable {
        /// Waits for the request's head and accepts it, as a hub does.
        case upgrade
        /// One write; over TLS a record of its own for each 16,384 bytes.
        case say([UInt8])
        /// The same write, so often.
        case sayAgain([UInt8], times: Int)
        /// A write for each byte.
        case drip([UInt8])
        /// Bytes below TLS.
        case raw([UInt8])
        /// Ends the connection at once, with whatever was not read.
        case hangUp
        /// Says no more, but answers a close frame, and reads until the other end has gone.
        case listen
        /// The same without any answer.
        case ignore
    }

    /// What came of one connection.
    public struct Visit: Sendable {
        /// The first line of its request; empty when none came.
        public var request = ""
        /// Codes of the close frames that came.
        public var closeCodes: [Int] = []
        /// Frames that came.
        public var frames = 0
    }

    public enum Security: Sendable {
        case plain
        /// PEM files.
        case tls(certificate: String, key: String)
    }

    /// How long a connection waits for the other end, in milliseconds.
    static let patience: Int32 = 8000

    public let port: Int
    private let listener: Int32
    private let found = Mutex<[Visit]>([])
    private let accepted = Mutex(0)

    /// The connections that have ended.
    public var visits: [Visit] { found.withLock { $0 } }
    /// The connections that have begun.
    public var visitors: Int { accepted.withLock { $0 } }

    /// - Parameters:
    ///   - hasTLS13: false: TLS 1.2 is the newest that it speaks.
    ///   - script: what the connection of this number, from 0 on, is to go through. TLS begins before its first act, unless
    ///     that is `raw`.
    public init(
        _ security: Security, hasTLS13: Bool = true, script: @escaping @Sendable (Int) -> [Act]
    ) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && CLinux.listen(listener, 128) == 0
                    && getsockname(listener, $0, &size) == 0
            }
        }
        guard isBound else { throw NSError(domain: "no listener for a rogue hub", code: Int(puck_errno())) }
        port = Int(UInt16(bigEndian: address.sin_port))
        var context: OpaquePointer?
        if case .tls(let certificate, let key) = security {
            context = SSL_CTX_new(TLS_server_method())
            guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1,
                SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1
            else { throw NSError(domain: "no certificate for a rogue hub", code: 0) }
            if !hasTLS13 { SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) }
        }
        let shared = Context(pointer: context)
        Thread.detachNewThread { [weak self] in
            var number = 0
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { break }
                guard let self else {
                    close(socket)
                    continue
                }
                accepted.withLock { $0 += 1 }
                let script = script(number)
                number += 1
                Thread.detachNewThread {
                    let visit = RogueConnection(socket, shared.pointer).run(script)
                    self.found.withLock { $0.append(visit) }
                }
            }
            SSL_CTX_free(shared.pointer)
            close(listener)
        }
    }

    /// Wakes the thread that accepts, which closes the listener.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}

private struct Context: @unchecked Sendable {  // Sound: OpenSSL counts references of its contexts atomically.
    let pointer: OpaquePointer?
}

/// One connection of a rogue hub's, on a thread of its own.
private final class RogueConnection {
    private let socket: Int32
    private var tls: OpaquePointer?
    private var heard: [UInt8] = []
    private var visit = RogueHub.Visit()
    private var hasRequest = false

    init(_ socket: Int32, _ context: OpaquePointer?) {
        self.socket = socket
        var time = timeval(tv_sec: Int(RogueHub.patience) / 1000, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        if let context {
            tls = SSL_new(context)
            SSL_set_fd(tls, socket)
        }
    }

    deinit {
        SSL_free(tls)
        close(socket)
    }

    func run(_ script: [RogueHub.Act]) -> RogueHub.Visit {
        var blocked = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        var begun = tls == nil
        for act in script {
            if case .raw(let bytes) = act {
                _ = bytes.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                continue
            }
            if !begun {
                guard SSL_accept(tls) == 1 else { return visit }
                begun = true
            }
            guard perform(act) else { break }
        }
        return visit
    }

    private func perform(_ act: RogueHub.Act) -> Bool {
        switch act {
        case .upgrade:
            guard readHead() else { return false }
            return write(Array(RogueHub.acceptance(of: key).utf8))
        case .say(let bytes): return write(bytes)
        case .sayAgain(let bytes, let times):
            for _ in 0..<times where !write(bytes) { return false }
            return true
        case .drip(let bytes):
            for byte in bytes where !write([byte]) { return false }
            return true
        case .raw: return true
        case .hangUp: return false
        case .listen:
            while visit.closeCodes.isEmpty, read() {}
            if let code = visit.closeCodes.first {
                _ = write(RogueHub.frame(0x88, [UInt8(code >> 8), UInt8(code & 255)]))
            }
            while read() {}
            return false
        case .ignore:
            while read() {}
            return false
        }
    }

    private var key = ""

    private func readHead() -> Bool {
        if hasRequest { return true }
        while true {
            if let end = heard.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: heard[..<end.lowerBound], as: UTF8.self)
                heard.removeFirst(end.upperBound)
                let lines = head.split(separator: "\r\n")
                visit.request = String(lines.first ?? "")
                let name = "sec-websocket-key: "
                key = lines.first { $0.lowercased().hasPrefix(name) }.map { String($0.dropFirst(name.count)) } ?? ""
                hasRequest = true
                takeFrames()
                return true
            }
            guard read() else { return false }
        }
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        if bytes.isEmpty { return true }
        if tls != nil { return SSL_write(tls, bytes, Int32(bytes.count)) > 0 }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private func read() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16_384)
        let count = tls != nil ? Int(SSL_read(tls, &chunk, Int32(chunk.count))) : recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        heard += chunk[..<count]
        if hasRequest { takeFrames() }
        return true
    }

    /// A client's frames: masked, and none of ours is long.
    private func takeFrames() {
        while heard.count >= 6 {
            var length = Int(heard[1] & 0x7f)
            var start = 2
            if length == 126 {
                guard heard.count >= 8 else { return }
                length = Int(heard[2]) << 8 | Int(heard[3])
                start = 4
            }
            guard heard.count >= start + 4 + length else { return }
            visit.frames += 1
            if heard[0] & 0x0f == 8, length >= 2 {
                let mask = heard[start..<start + 4]
                let code = [0, 1].map { Int(heard[start + 4 + $0] ^ mask[start + $0]) }
                visit.closeCodes.append(code[0] << 8 | code[1])
            }
            heard.removeFirst(start + 4 + length)
        }
    }
}

extension RogueHub {
    /// A hub's answer to a request with this key (RFC 6455, 4.2.2).
    public static func acceptance(of key: String) -> String {
        let input = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        lws_SHA1(input, input.count, &digest)
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(Data(digest).base64EncodedString())\r\nSec-WebSocket-Protocol: puck.v1\r\n\r\n"
    }

    /// A server's frame.
    /// - Parameters:
    ///   - first: its first byte: 0x80 for the last of a message, and the opcode.
    ///   - claims: the length that its header claims; nil for the truth.
    public static func frame(_ first: UInt8, _ payload: [UInt8], claims: UInt64? = nil) -> [UInt8] {
        let length = claims ?? UInt64(payload.count)
        if length < 126 { return [first, UInt8(length)] + payload }
        if length < 65_536 { return [first, 126, UInt8(length >> 8), UInt8(length & 255)] + payload }
        return [first, 127] + (0..<8).map { UInt8(truncatingIfNeeded: length >> UInt64(56 - 8 * $0)) } + payload
    }

    /// The messages that once made a client turn for ever inside libwebsockets: more than it reads at a time is decrypted,
    /// and refused.
    public static var oversized: [(name: String, acts: [Act], closeCode: Int)] {
        let zeros = { [UInt8](repeating: 0, count: $0) }
        let large = frame(0x82, zeros(5000))
        let small = frame(0x82, zeros(2500))
        let text = frame(0x81, Array("hello".utf8))
        return [
            ("a message of 9,000 bytes", [.say(frame(0x82, zeros(9000)))], 1009),
            ("three messages of 5,000 bytes in one write", [.say(large + large + large)], 1009),
            ("6,000 bytes in two fragments", [.say(frame(0x02, zeros(3000)) + frame(0x80, zeros(3000)))], 1009),
            ("text with 10 KB of messages behind it", [.say(text + small + small + small + small)], 1003),
            ("text with 10 KB of garbage behind it", [.say(text + [UInt8](repeating: 0xFF, count: 10_240))], 1003),
            ("a message of 200,000 bytes", [.say(frame(0x82, zeros(200_000)))], 1009),
        ]
    }
}

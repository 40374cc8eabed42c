import CLinux
import CWebSockets
import Credentials
import Testing

@testable import LinkTransport

/// One test at a time: libwebsockets keeps OpenSSL's ex-data index in a process-wide variable that each new context
/// sets again, so several loops in one process must not make TLS handshakes while another one starts.
@Suite("Link transport", .serialized)
struct LinkTransportTests {}

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/puck-test-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    func file(_ name: String) -> String { path + "/" + name }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(cString: $0.baseAddress!.assumingMemoryBound(to: CChar.self))
                }
                if name != "." && name != ".." { unlink(file(name)) }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}

/// Both ends of a link in one loop, and what they reported.
final class Bench {
    static let token = "a-token-that-the-hub-knows"

    let folder = TemporaryFolder()
    let loop: EventLoop
    private(set) var log: [String] = []
    private var isOverdue = false
    private(set) var server: ServerLink?
    private(set) var opened: [ConnectionID] = []
    private(set) var identities: [String] = []
    private(set) var peers: [String] = []
    private(set) var serverClosed: [(id: ConnectionID, reason: String)] = []
    var onServerMessage: (ConnectionID, UnsafeRawBufferPointer) -> Void = { _, _ in }
    var serverReceived: [[UInt8]] = []

    init(connections: Int = 192) throws {
        var sink: (String) -> Void = { _ in }
        let forward: (TransportLogLevel, String) -> Void = { _, text in sink(text) }
        loop = try EventLoop(connections: connections, log: forward)
        sink = { [unowned self] in log.append($0) }
        loop.onDeadline = { [unowned self] in isOverdue = true }
        release = { sink = { _ in } }
    }

    private var release: () -> Void = {}
    deinit { release() }

    var certificate: String { folder.file("hub.pem") }
    var key: String { folder.file("hub.key") }

    func makeCertificate(names: [String] = [], days: Int = 3650, nowUnixSeconds: Int64 = Int64(time(nil))) throws {
        try Certificate.create(
            names: names, addresses: [], certificateFile: certificate, keyFile: key, nowUnixSeconds: nowUnixSeconds,
            days: days)
    }

    @discardableResult
    func listen(
        tls: Bool, port: UInt16 = 0, adjust: (inout ServerLink.Configuration) -> Void = { _ in }
    ) throws -> ServerLink {
        if tls && access(certificate, R_OK) != 0 { try makeCertificate() }
        var configuration = ServerLink.Configuration(
            address: "127.0.0.1", port: port,
            security: tls ? .tls(certificateFile: certificate, keyFile: key) : .insecure)
        adjust(&configuration)
        let server = try ServerLink(on: loop, configuration: configuration)
        server.authorize = { $0 == Bench.token ? "kitchen" : nil }
        server.onOpen = { [unowned self] id, identity, peer in
            opened.append(id)
            identities.append(identity)
            peers.append(peer)
        }
        server.onMessage = { [unowned self] id, message in
            serverReceived.append(Array(message))
            onServerMessage(id, message)
        }
        server.onClosed = { [unowned self] id, reason in serverClosed.append((id, reason)) }
        self.server = server
        return server
    }

    func stopListening() { server = nil }

    func client(
        tls: Bool, host: String = "127.0.0.1", port: UInt16? = nil, trust: Trust? = nil, name: String? = nil,
        adjust: (inout ClientLink.Configuration) -> Void = { _ in }
    ) throws -> Probe {
        let security: ClientLink.Security =
            tls ? .verified(trust ?? .certificateFile(certificate), certificateName: name) : .plain
        var configuration = ClientLink.Configuration(
            host: host, port: port ?? server!.boundPort, token: Bench.token, security: security)
        adjust(&configuration)
        return Probe(try ClientLink(on: loop, configuration: configuration))
    }

    /// Serves until `condition` holds. False, and a recorded failure, after 20 s: a broken test ends, it does not hang.
    @discardableResult
    func serve(until condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) -> Bool {
        isOverdue = false
        loop.setDeadline(monotonicNanoseconds() + 20_000_000_000)
        while !condition() && !isOverdue { loop.turn() }
        loop.setDeadline(nil)
        #expect(!isOverdue, "what was waited for did not happen; log: \(log)", sourceLocation: sourceLocation)
        return !isOverdue
    }

    /// Lets everything that is under way be handled: `rounds` rounds that are woken on purpose.
    func settle(rounds: Int = 20) {
        for _ in 0..<rounds {
            loop.later {}
            loop.turn()
        }
    }
}

/// A client link and what it reported.
final class Probe {
    let link: ClientLink
    var openings = 0
    /// How often it was opened, where a test counts that.
    var asked = 0
    var failures: [LinkFailure] = []
    var received: [[UInt8]] = []
    var drained = 0
    var onOpen: () -> Void = {}

    init(_ link: ClientLink) {
        self.link = link
        link.onOpen = { [unowned self] in
            openings += 1
            onOpen()
        }
        link.onMessage = { [unowned self] in received.append(Array($0)) }
        link.onClosed = { [unowned self] in failures.append($0) }
        link.onDrained = { [unowned self] in drained += 1 }
    }

    func send(_ bytes: [UInt8], head: Int = 0) -> Bool {
        bytes.withUnsafeBytes { all in
            link.send(
                head: UnsafeRawBufferPointer(rebasing: all[..<head]),
                body: UnsafeRawBufferPointer(rebasing: all[head...]))
        }
    }
}

extension ServerLink {
    func send(to id: ConnectionID, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { send(to: id, head: UnsafeRawBufferPointer(start: nil, count: 0), body: $0) }
    }
}

/// A socket driven by hand, in the bench's loop.
final class RawSocket {
    let descriptor: Int32
    private let loop: EventLoop
    private var handle: AdoptedDescriptor?
    private(set) var received: [UInt8] = []
    private(set) var isEnded = false
    var onData: () -> Void = {}

    /// Connects to a listener on loopback; the kernel completes that without the other side's help.
    /// - Parameter address: where from; all of 127.0.0.0/8 is this machine.
    init(connectingTo port: UInt16, from address: String = "127.0.0.1", on loop: EventLoop) throws {
        self.loop = loop
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let source = lookUp(address, port: 0, numericOnly: true, limit: 1).addresses[0]
        #expect(source.withRaw { bind(descriptor, $0, source.length) } == 0)
        let target = lookUp("127.0.0.1", port: port, numericOnly: true, limit: 1).addresses[0]
        let result = target.withRaw { connect(descriptor, $0, target.length) }
        #expect(result == 0)
        try watch()
    }

    init(accepted: Int32, on loop: EventLoop) throws {
        self.loop = loop
        descriptor = accepted
        try watch()
    }

    private func watch() throws {
        _ = puck_fcntl(descriptor, F_SETFL, Int(O_NONBLOCK))
        handle = try loop.adopt(fileDescriptor: descriptor) { [unowned self] _ in take() }
    }

    private func take() {
        var chunk = [UInt8](repeating: 0, count: 8192)
        let count = read(descriptor, &chunk, chunk.count)
        if count > 0 {
            received += chunk[..<count]
            onData()
        } else if count == 0 || (puck_errno() != EAGAIN) {
            isEnded = true
            handle?.remove()
        }
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    func write(_ bytes: [UInt8]) { _ = CLinux.write(descriptor, bytes, bytes.count) }
    func write(_ text: String) { write(Array(text.utf8)) }

    /// A client's frame: masked, with an all-zero mask.
    func writeFrame(opcode: UInt8, _ payload: [UInt8], final: Bool = true) {
        write([final ? 0x80 | opcode : opcode] + Self.length(payload.count, masked: true) + [0, 0, 0, 0] + payload)
    }

    /// A server's frame.
    func writeServerFrame(opcode: UInt8, _ payload: [UInt8]) {
        write([0x80 | opcode] + Self.length(payload.count, masked: false) + payload)
    }

    private static func length(_ count: Int, masked: Bool) -> [UInt8] {
        let bit: UInt8 = masked ? 0x80 : 0
        return count < 126 ? [bit | UInt8(count)] : [bit | 126, UInt8(count >> 8), UInt8(count & 255)]
    }

    static func upgrade(
        path: String = "/puck", subprotocol: String? = "puck.v1", token: String? = Bench.token
    ) -> String {
        var text = "GET \(path) HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        if let subprotocol { text += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        return text + "\r\n"
    }

    deinit {
        handle?.remove()
        close(descriptor)
    }
}

/// A hub of a few lines, which can say what a real one never would.
final class FakeHub {
    let port: UInt16
    private let listener: Int32
    private var handle: AdoptedDescriptor?
    private(set) var connection: RawSocket?

    init(on loop: EventLoop, subprotocol: String? = "puck.v1", onUpgrade: @escaping (RawSocket) -> Void) throws {
        let listener = try openListener(address: "127.0.0.1", port: 0)
        self.listener = listener
        var name = SocketAddress()
        _ = name.withMutableRaw { getsockname(listener, $0, &$1) }
        port = name.port
        handle = try loop.adopt(fileDescriptor: listener) { [unowned self, unowned loop] _ in
            let socket = accept(listener, nil, nil)
            guard socket >= 0, let raw = try? RawSocket(accepted: socket, on: loop) else { return }
            connection = raw
            var isUpgraded = false
            raw.onData = { [unowned raw] in
                guard !isUpgraded, raw.text.contains("\r\n\r\n") else { return }
                isUpgraded = true
                raw.write(Self.answer(to: raw.text, subprotocol))
                onUpgrade(raw)
            }
        }
    }

    /// RFC 6455, 4.2.2: the key with a fixed GUID, hashed.
    private static func answer(to request: String, _ subprotocol: String?) -> String {
        var key = ""
        for line in request.split(separator: "\r\n") where line.lowercased().hasPrefix("sec-websocket-key: ") {
            key = String(line.dropFirst("sec-websocket-key: ".count))
        }
        let input = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        lws_SHA1(input, input.count, &digest)
        var encoded = [CChar](repeating: 0, count: 64)
        digest.withUnsafeBytes {
            _ = lws_b64_encode_string($0.baseAddress!.assumingMemoryBound(to: CChar.self), 20, &encoded, 64)
        }
        let answer = encoded.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let line = subprotocol.map { "Sec-WebSocket-Protocol: \($0)\r\n" } ?? ""
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(answer)\r\n\(line)\r\n"
    }

    deinit {
        handle?.remove()
        close(listener)
    }
}

/// Open sockets, epoll instances and timers of this process: what loops and links are made of. Pipes are left out, which
/// the tests that start processes hold by the dozen.
func openDescriptorCount() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while let entry = readdir(folder) {
        var target = [CChar](repeating: 0, count: 64)
        let length = withUnsafePointer(to: &entry.pointee.d_name) { name in
            name.withMemoryRebound(to: CChar.self, capacity: 256) { readlinkat(dirfd(folder), $0, &target, 63) }
        }
        guard length > 0 else { continue }
        let text = String(decoding: target[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix("socket:") || text.hasSuffix("[eventpoll]") || text.hasSuffix("[timerfd]") { count += 1 }
    }
    return count
}

/// What the other tests of this process, which run at the same time, may have opened meanwhile.
let othersDescriptors = 60

/// Whether no more than `count` are open, now or soon.
func descriptorCount(fallsTo count: Int) -> Bool {
    let limit = monotonicNanoseconds() + 20_000_000_000
    while openDescriptorCount() > count {
        if monotonicNanoseconds() > limit { return false }
        usleep(5000)
    }
    return true
}

import CLinux
import CWebSockets
import Foundation
import Synchronization
import Testing

@Suite("Processes: the hub's door is flooded", .fewAtATime)
struct FloodTests {
    @Test("A paired puck gets back in while a thousand addresses hold half-open connections, and the hub warns")
    func pairedPuck() async throws {
        try await House.run { house in
            let hub = try await house.hub(tls: true)
            let proxy = try FaultProxy(to: house.port())
            let puck = try await house.puck(tls: true, port: proxy.port)
            try await puck.line("link.up")
            let flood = Flood(of: UInt16(house.port()))
            defer { flood.end() }
            try await hub.line("transport", ["text": "the door is full"])
            proxy.cut()
            try await puck.line("link.disconnected")
            try await puck.line("link.up")
            // All of it goes on while the puck comes back.
            let before = flood.count
            try await eventually("the flood has ended") { flood.count > before }
            #expect(!hub.hasEnded)
        }
    }
}

/// Connections that go no further, from one loopback address after the other: a third is silent, a third stops in the
/// middle of its first TLS message, a third behind it.
private final class Flood: Sendable {
    private static let addresses = 1000
    /// Fewer than a process may have; more than a hub lets wait.
    private static let held = 500

    private let isOver = Mutex(false)
    private let opened = Mutex(0)
    private let hasEnded = DispatchSemaphore(value: 0)

    var count: Int { opened.withLock { $0 } }

    init(of port: UInt16) {
        Thread.detachNewThread { [self] in
            let hello = Self.clientHello()
            var sockets: [Int32] = []
            var number = 0
            while !isOver.withLock({ $0 }) {
                number += 1
                sockets.append(Self.open(number, port, hello))
                opened.withLock { $0 += 1 }
                if sockets.count > Self.held { close(sockets.removeFirst()) }
                usleep(500)
            }
            for socket in sockets { close(socket) }
            hasEnded.signal()
        }
    }

    func end() {
        isOver.withLock { $0 = true }
        hasEnded.wait()
    }

    private static func open(_ number: Int, _ port: UInt16, _ hello: [UInt8]) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        let index = UInt32(number % addresses)
        var own = loopbackAddress(0)
        own.sin_addr.s_addr = (0x7f01_0001 + (index / 250) << 8 + index % 250).bigEndian
        var hub = loopbackAddress(port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(descriptor, $0, size) }
        }
        withUnsafePointer(to: &hub) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(descriptor, $0, size) }
        }
        let said = number % 3 * hello.count / 2
        if said > 0 { _ = send(descriptor, hello, said, Int32(MSG_NOSIGNAL)) }
        return descriptor
    }

    /// The first message of a real client.
    private static func clientHello() -> [UInt8] {
        let context = SSL_CTX_new(TLS_client_method())
        let session = SSL_new(context)
        let output = BIO_new(BIO_s_mem())
        SSL_set_bio(session, BIO_new(BIO_s_mem()), output)
        _ = SSL_connect(session)
        ERR_clear_error()
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = BIO_read(output, &bytes, Int32(bytes.count))
        SSL_free(session)
        SSL_CTX_free(context)
        precondition(count > 100, "a client says something first")
        return Array(bytes[..<Int(count)])
    }
}

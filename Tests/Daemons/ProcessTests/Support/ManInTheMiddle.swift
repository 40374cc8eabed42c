import CLinux
import CWebSockets
import Foundation
import Synchronization

/// Somebody between puck and hub: shows the puck a certificate of his own and passes on what is said, both ways, reading
/// it. Serves one connection after the other until the test's process ends.
final class ManInTheMiddle: Sendable {
    let port: Int
    private let heard = Mutex<[UInt8]>([])

    /// What he has read of both, decrypted.
    var overheard: String { String(decoding: heard.withLock { $0 }, as: UTF8.self) }

    /// - Parameter folder: of another hub, whose certificate and key are shown.
    init(showing folder: URL, to hub: Int) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopbackAddress(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard bound else { throw Disappointment("no relay") }
        port = Int(UInt16(bigEndian: address.sin_port))
        let (certificate, key) = (folder.appending(path: "hub.crt").path, folder.appending(path: "hub.key").path)
        Thread.detachNewThread { [self] in
            let shown = SSL_CTX_new(TLS_server_method())
            SSL_CTX_use_certificate_chain_file(shown, certificate)
            SSL_CTX_use_PrivateKey_file(shown, key, SSL_FILETYPE_PEM)
            let towards = SSL_CTX_new(TLS_client_method())
            while true {
                let puck = accept(listener, nil, nil)
                guard puck >= 0 else { break }
                relay(SSL_new(shown), puck, SSL_new(towards), hub)
            }
        }
    }

    private func relay(_ puckSide: OpaquePointer?, _ puck: Int32, _ hubSide: OpaquePointer?, _ port: Int) {
        let hub = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer {
            for side in [puckSide, hubSide] { SSL_free(side) }
            for descriptor in [puck, hub] { close(descriptor) }
        }
        var address = loopbackAddress(UInt16(port))
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(hub, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        SSL_set_fd(puckSide, puck)
        SSL_set_fd(hubSide, hub)
        guard connected == 0, SSL_accept(puckSide) == 1, SSL_connect(hubSide) == 1 else { return }
        let ways = [(from: puckSide, to: hubSide), (from: hubSide, to: puckSide)]
        var waiting = [puck, hub].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while poll(&waiting, 2, 30_000) > 0 {
            for (index, way) in ways.enumerated() where waiting[index].revents != 0 {
                repeat {
                    var bytes = [UInt8](repeating: 0, count: 16_384)
                    let count = SSL_read(way.from, &bytes, Int32(bytes.count))
                    guard count > 0 else { return }
                    heard.withLock { $0 += Self.unmasked(bytes[..<Int(count)]) }
                    guard SSL_write(way.to, bytes, count) == count else { return }
                } while SSL_pending(way.from) > 0
            }
        }
    }

    /// A client's frames are masked (RFC 6455, 5.3); what is no frame with a mask is left as it is.
    private static func unmasked(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let frame = Array(bytes)
        guard frame.count > 8, frame[0] == 0x82, frame[1] & 0x80 != 0 else { return frame }
        let start = frame[1] & 0x7f == 126 ? 4 : 2
        guard frame.count > start + 4 else { return frame }
        let mask = frame[start..<(start + 4)]
        return frame[(start + 4)...].enumerated().map { $1 ^ mask[mask.startIndex + $0 % 4] }
    }
}

import CLinux

/// This machine's IPv4 address on the way out, in digits; nil when it has no way out. Nothing is sent: connecting a
/// datagram socket only asks the routing table. The address asked for is reserved for documents (RFC 5737).
public func ownAddress() -> String? {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = 9  // any
    inet_pton(AF_INET, "192.0.2.1", &address.sin_addr)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isFound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
        }
    }
    var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
    guard isFound, inet_ntop(AF_INET, &address.sin_addr, &text, socklen_t(text.count)) != nil else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

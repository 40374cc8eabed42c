import CLinux

// The few system calls that the transport needs beside libwebsockets.

/// The C library's English for an errno.
func systemMessage(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// Whether something is there, and is no file that can be read to its end: a FIFO, a folder, a device.
func isSpecialFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & mode_t(S_IFMT) != mode_t(S_IFREG)
}

/// Nanoseconds of CLOCK_MONOTONIC, which the handshake and closing deadlines are set on.
func monotonicNanoseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

/// Takes the counter of an eventfd or timerfd, so that it stops being readable.
func drainCounter(_ descriptor: Int32) {
    var count: UInt64 = 0
    _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
}

/// Makes an eventfd readable. Safe on any thread and in a signal handler.
func raiseCounter(_ descriptor: Int32) {
    var one: UInt64 = 1
    _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
}

/// A socket address of either family, as getaddrinfo and accept give it.
struct SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

    init() {}

    init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
        precondition(
            Int(length) <= MemoryLayout<sockaddr_storage>.size, "a socket address larger than the system's own")
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(length)))
        }
        self.length = length
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// An IPv6 address of one link (RFC 4291, 2.5.6) that does not say which.
    var lacksZone: Bool {
        guard family == AF_INET6 else { return false }
        return withUnsafeBytes(of: storage) { bytes in
            // sin6_addr lies at offset 8, sin6_scope_id at 24.
            bytes[8] == 0xfe && bytes[9] & 0xc0 == 0x80 && bytes.load(fromByteOffset: 24, as: UInt32.self) == 0
        }
    }

    var port: UInt16 {
        withUnsafeBytes(of: storage) { bytes in
            // sin_port and sin6_port both sit two bytes in, in network order.
            UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        }
    }

    /// The address in digits, with the scope of a link-local one ("fe80::1%wlan0"); an IPv4 address that reached a
    /// socket of both families as itself.
    var numericHost: String {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let count = socklen_t(text.count)
        let result = withRaw { getnameinfo($0, length, &text, count, nil, 0, NI_NUMERICHOST) }
        guard result == 0 else { return "an unknown address" }
        let address = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let mapped = "::ffff:"
        guard address.hasPrefix(mapped), address.utf8.contains(UInt8(ascii: ".")) else { return address }
        return String(address.dropFirst(mapped.count))
    }

    func withRaw<R>(_ body: (UnsafePointer<sockaddr>) -> R) -> R {
        withUnsafeBytes(of: storage) { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self)) }
    }

    mutating func withMutableRaw<R>(_ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> R) -> R {
        var length = self.length
        let result = withUnsafeMutableBytes(of: &storage) {
            body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        self.length = length
        return result
    }
}

/// The addresses of a name, at most `limit`. Blocks on DNS unless `numericOnly`.
func lookUp(
    _ host: String, port: UInt16, numericOnly: Bool, passive: Bool = false, limit: Int
) -> (addresses: [SocketAddress], code: Int32) {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    // Not AI_ADDRCONFIG: with it a name that /etc/hosts gives an IPv4 address is looked for in DNS, and in vain, on a
    // machine that has IPv6 only or no address yet.
    hints.ai_flags = AI_NUMERICSERV | (numericOnly ? AI_NUMERICHOST : 0) | (passive ? AI_PASSIVE : 0)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &list)
    guard code == 0 else { return ([], code) }
    var found: [SocketAddress] = []
    var next = list
    while let entry = next, found.count < limit {
        if let address = entry.pointee.ai_addr {
            found.append(SocketAddress(copying: address, length: entry.pointee.ai_addrlen))
        }
        next = entry.pointee.ai_next
    }
    freeaddrinfo(list)
    return (found, 0)
}

/// Whether an interface other than the loopback has an address.
/// - Parameter family: of this family only; an IPv6 address of one link does not count then.
func hasAddress(family: Int32? = nil) -> Bool {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return true }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next {
        next = entry.pointee.ifa_next
        guard entry.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0, let address = entry.pointee.ifa_addr else {
            continue
        }
        let found = Int32(address.pointee.sa_family)
        guard found == AF_INET || found == AF_INET6, found == family ?? found else { continue }
        if family == AF_INET6 {
            let isOfLink = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) { $0[0] == 0xfe && $0[1] & 0xc0 == 0x80 }
            }
            if isOfLink { continue }
        }
        return true
    }
    return false
}

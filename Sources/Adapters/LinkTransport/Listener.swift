import CLinux

/// Connections that the kernel keeps ready for accept: every puck that a hub can have, since all of them come within 0.2 s
/// after a restart. Those beyond it would try again after 1, 3 and 7 s only (measured: a thousand pucks took 9 s).
private let listenBacklog: Int32 = 1024

/// A listening socket. "*" is every address of both families, or of IPv4 alone where the kernel has no IPv6.
func openListener(address: String, port: UInt16) throws(TransportError) -> Int32 {
    if address == "*" {
        do throws(TransportError) {
            return try openListener(address: "::", port: port)
        } catch {
            guard case .cannotListen(_, _, let code) = error, code == EAFNOSUPPORT || code == EADDRNOTAVAIL else {
                throw error
            }
            return try openListener(address: "0.0.0.0", port: port)
        }
    }
    let found = lookUp(address, port: port, numericOnly: true, passive: true, limit: 1)
    guard let local = found.addresses.first else {
        throw .configuration(
            "'\(address)' is not a numeric address: set [hub] listen to an IP address of this machine, or leave it empty for all"
        )
    }
    let descriptor = socket(
        local.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw .cannotListen(address: address, port: port, code: puck_errno()) }
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    // A restarted hub must not wait for the old one's connections to leave TIME_WAIT.
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
    if local.family == AF_INET6 {
        var only: Int32 = address == "::" ? 0 : 1
        setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, size)
    }
    let bound = local.withRaw { bind(descriptor, $0, local.length) }
    guard bound == 0, listen(descriptor, listenBacklog) == 0 else {
        let code = puck_errno()
        close(descriptor)
        throw .cannotListen(address: address, port: port, code: code)
    }
    return descriptor
}

extension ServerLink {
    /// Listens for a moment, without TLS, to see whether that is possible.
    /// - Returns: the port: where 0 was asked for, one that is free.
    @discardableResult
    public static func tryListening(on address: String, port: UInt16) throws(TransportError) -> UInt16 {
        let listener = try openListener(address: address, port: port)
        defer { CLinux.close(listener) }
        return boundPort(of: listener)
    }

    static func boundPort(of listener: Int32) -> UInt16 {
        var name = SocketAddress()
        _ = name.withMutableRaw { getsockname(listener, $0, &$1) }
        return name.port
    }

    static func checkReadable(_ path: String, _ what: String) throws(TransportError) {
        guard access(path, R_OK) == 0 else {
            throw .configuration(
                "cannot read the hub's \(what) '\(path)' (\(systemMessage(puck_errno()))): "
                    + "correct its path and mode")
        }
    }
}

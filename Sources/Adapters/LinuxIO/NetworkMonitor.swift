import CLinux

/// Hears from the kernel (rtnetlink, see rtnetlink(7)) when an interface comes up or gets an address.
public final class NetworkMonitor {
    /// Readable while there is news. Owned by this object: do not close it.
    public let descriptor: Int32
    /// Interfaces that were running at their last news; the kernel repeats itself.
    private var running: [Int32] = []
    /// Interfaces that are remembered; more than a puck ever has.
    static let mostInterfaces = 32
    /// Room for one datagram of the kernel's (netlink(7): 8 KiB are enough on all page sizes up to that).
    private var buffer = [UInt8](repeating: 0, count: 8192)

    private static let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)

    public init() throws(SystemError) {
        let made = socket(AF_NETLINK, Self.kind, NETLINK_ROUTE)
        if made < 0 { throw SystemError("cannot watch the network", code: puck_errno()) }
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = UInt32(RTMGRP_LINK) | UInt32(RTMGRP_IPV4_IFADDR) | UInt32(RTMGRP_IPV6_IFADDR)
        let size = socklen_t(MemoryLayout<sockaddr_nl>.size)
        let code = withSocketAddress(&address) { bind(made, $0, size) == 0 ? 0 : puck_errno() }
        if code != 0 {
            close(made)
            throw SystemError("cannot watch the network", code: code)
        }
        descriptor = made
    }

    deinit { close(descriptor) }

    /// Reads what there is.
    /// - Returns: true when something may work now that did not before.
    public func drain() -> Bool {
        var changed = false
        // Bounded: the rest comes with the next turn of the loop.
        for _ in 0..<64 {
            let size = retryingInterrupted { recv(descriptor, &buffer, buffer.count, 0) }
            if size < 0 {
                // ENOBUFS: there was more news than the socket holds, so there was some.
                if puck_errno() == ENOBUFS {
                    changed = true
                    continue
                }
                return changed
            }
            if size == 0 { return changed }
            let isNews = buffer.withUnsafeBytes { look(through: UnsafeRawBufferPointer(rebasing: $0[..<size])) }
            changed = isNews || changed
        }
        return changed
    }

    private func look(through datagram: UnsafeRawBufferPointer) -> Bool {
        var changed = false
        var offset = 0
        let headerSize = MemoryLayout<nlmsghdr>.size
        while offset + headerSize <= datagram.count {
            let header = datagram.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
            let length = Int(header.nlmsg_len)
            guard length >= headerSize, offset + length <= datagram.count else { return changed }
            switch Int32(header.nlmsg_type) {
            case Int32(RTM_NEWADDR): changed = true
            case Int32(RTM_NEWLINK) where length >= headerSize + MemoryLayout<ifinfomsg>.size:
                let link = datagram.loadUnaligned(fromByteOffset: offset + headerSize, as: ifinfomsg.self)
                if note(link.ifi_index, isRunning: link.ifi_flags & UInt32(IFF_RUNNING) != 0) {
                    changed = true
                }
            default: break
            }
            offset += (length + 3) & ~3
        }
        return changed
    }

    /// True when the interface was not running before and is now.
    private func note(_ index: Int32, isRunning: Bool) -> Bool {
        let known = running.firstIndex(of: index)
        if isRunning == (known != nil) { return false }
        if let known {
            running.remove(at: known)
            return false
        }
        if running.count == Self.mostInterfaces { running.removeFirst() }
        running.append(index)
        return true
    }
}

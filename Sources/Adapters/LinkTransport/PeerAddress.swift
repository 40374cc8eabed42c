import CLinux

/// An IPv4 or IPv6 address as a key of tables: 16 bytes, an IPv4 one as IPv6 maps it (RFC 4291, 2.5.5.2).
struct PeerAddress: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    init(_ address: SocketAddress) {
        // sin_addr lies 4 bytes in, sin6_addr 8; both in network order.
        (high, low) = withUnsafeBytes(of: address.storage) { bytes in
            func number(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 << 8 | UInt64(bytes[$1]) } }
            return address.family == AF_INET6
                ? (number(8..<16), number(16..<24)) : (0, 0xffff << 32 | number(4..<8))
        }
    }

    /// What counts as one peer as long as nothing was proved: an IPv4 address, or the /64 that an IPv6 host draws as
    /// many addresses from as it likes.
    var group: PeerAddress {
        high == 0 && low >> 32 == 0xffff ? self : PeerAddress(high: high, low: 0)
    }
}

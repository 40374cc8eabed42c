import CLinux
import PuckBase

/// The way out of the house's network: the IPv4 default route. Read from /proc/net/route, which every kernel has and
/// anybody may read; a network of IPv6 alone has none here, and is then not judged.
public struct Gateway: Equatable, Sendable {
    public let interface: String
    /// In network order, as `in_addr` has it.
    let address: UInt32

    /// Such as `192.168.1.1`.
    public var text: String {
        withUnsafeBytes(of: address) { "\($0[0]).\($0[1]).\($0[2]).\($0[3])" }
    }

    /// The route that the kernel prefers; nil when there is none.
    /// - Parameter procRoot: `/proc`, or a test's imitation of it.
    public static func current(procRoot: String = "/proc") -> Gateway? {
        var best: (metric: Int, gateway: Gateway)?
        for line in procLines(procRoot + "/net/route") {
            // Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses in hexadecimal, as they lie in memory.
            let words = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard words.count >= 8, words[1] == "00000000", words[7] == "00000000",
                let address = UInt32(words[2], radix: 16), address != 0,
                let flags = UInt32(words[3], radix: 16),
                flags & UInt32(RTF_UP | RTF_GATEWAY) == UInt32(RTF_UP | RTF_GATEWAY),
                let metric = Int(words[6])
            else { continue }
            if best.map({ metric < $0.metric }) ?? true {
                best = (metric, Gateway(interface: String(words[0]), address: address))
            }
        }
        return best?.gateway
    }
}

/// One question to a gateway, as an unprivileged process may ask it. An ICMP echo through a datagram socket where the
/// system lets this group (`net.ipv4.ping_group_range`, which some Debian systems leave closed); else a TCP connection to
/// its DNS port, of which the refusal is as good an answer as the acceptance. Neither needs anything of the gateway but
/// to be alive.
public final class GatewayProbe {
    /// As `--check` says it.
    public let way: StaticString
    private let descriptor: Int32
    private let isEcho: Bool
    private static let kind = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)

    /// Asks at once. Nil when this process may not even ask, as without any network.
    public init?(_ gateway: Gateway) {
        let echo = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Self.kind, Int32(IPPROTO_ICMP))
        isEcho = echo >= 0
        way = isEcho ? "ICMP echo" : "TCP"
        descriptor = isEcho ? echo : socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Self.kind, 0)
        if descriptor < 0 { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(53).bigEndian
        address.sin_addr.s_addr = gateway.address
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withSocketAddress(&address) { connect(descriptor, $0, size) }
        // Type 8, code 0; the kernel fills in the checksum and an identifier of ours.
        let request: [UInt8] = [8, 0, 0, 0, 0, 0, 0, 1]
        if isEcho { _ = retryingInterrupted { CLinux.send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) } }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether the gateway has answered by now. Never waits.
    public func hasAnswer() -> Bool {
        if isEcho {
            var byte: UInt8 = 0
            return retryingInterrupted { recv(descriptor, &byte, 1, 0) } > 0
        }
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) == 1 else { return false }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        return code == 0 || code == ECONNREFUSED
    }

    /// Waits for the answer. Blocks: for `--check` only.
    public func hasAnswer(within milliseconds: Int) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(isEcho ? POLLIN : POLLOUT), revents: 0)
        poll(&entry, 1, Int32(clamping: milliseconds))
        return hasAnswer()
    }
}

/// The lines of a file of /proc; none when it cannot be read. Such files say that they have no size.
func procLines(_ path: String) -> [Substring] {
    do throws(SystemError) {
        return String(decoding: try readSmallFile(path), as: UTF8.self).split(separator: "\n")
    } catch { return [] }
}

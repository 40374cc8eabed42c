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
        let wanted = UInt32(RTF_UP | RTF_GATEWAY)
        var best: Gateway?
        var bestMetric = UInt32.max
        for words in procWords(procRoot + "/net/route") {
            // Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses in hexadecimal, as they lie in memory.
            guard words.count >= 8, number(words[1], base: 16) == 0, number(words[7], base: 16) == 0,
                let address = number(words[2], base: 16), address != 0,
                let flags = number(words[3], base: 16), flags & wanted == wanted,
                let metric = number(words[6], base: 10), metric < bestMetric
            else { continue }
            best = Gateway(interface: String(decoding: words[0], as: UTF8.self), address: address)
            bestMetric = metric
        }
        return best
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
    private var isHopeless = false
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
        let result = withSocketAddress(&address) { connect(descriptor, $0, size) }
        // A network without a way there says so at once; asked later, such a socket would look connected.
        let code = result == 0 ? 0 : puck_errno()
        isHopeless = code != 0 && code != EINPROGRESS && code != ECONNREFUSED
        // Type 8, code 0; the kernel fills in the checksum and an identifier of ours.
        let request: [UInt8] = [8, 0, 0, 0, 0, 0, 0, 1]
        if isEcho { _ = retryingInterrupted { CLinux.send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) } }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether the gateway has answered by now. Never waits.
    public func hasAnswer() -> Bool {
        if isHopeless { return false }
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

/// The words of each line of a file of /proc; none when it cannot be read. Bytes, since text would cost kilobytes of
/// code for nothing.
func procWords(_ path: String) -> [[ArraySlice<UInt8>]] {
    do throws(SystemError) {
        return try readSmallFile(path).split(separator: UInt8(ascii: "\n")).map { line in
            line.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
        }
    } catch { return [] }
}

/// A number without a sign; nil when a byte is no digit, or when there are too many. - Parameter base: 10 or 16.
func number(_ digits: ArraySlice<UInt8>, base: UInt64) -> UInt32? {
    var value: UInt64 = 0
    for byte in digits {
        let digit: UInt64
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte) - 48
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = UInt64(byte) - 55
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt64(byte) - 87
        default: return nil
        }
        value = value * base + digit
        if digit >= base || value > UInt64(UInt32.max) { return nil }
    }
    return digits.isEmpty ? nil : UInt32(value)
}

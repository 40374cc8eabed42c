import CLinux

/// The address of a Unix socket.
struct UnixAddress {
    private var address = sockaddr_un()
    private let length: socklen_t

    /// An address that the kernel chooses when a socket is bound to it (unix(7), "autobind").
    static var automatic: UnixAddress { UnixAddress() }

    private init() {
        address.sun_family = sa_family_t(AF_UNIX)
        length = socklen_t(MemoryLayout<sa_family_t>.size)
    }

    init(path: String) throws(SystemError) {
        let bytes = Array(path.utf8)
        // One byte is left for the closing zero that some tools expect.
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        if bytes.isEmpty || bytes.count > room || bytes.contains(0) {
            throw SystemError("cannot use \"\(path)\" as a socket path", code: 0, advice: "give 1…\(room) bytes")
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + 1)
    }

    /// What `NOTIFY_SOCKET` names (sd_notify(3)): an absolute path, or "@" and a name in the abstract namespace, which has
    /// a zero in front and none behind (unix(7)). Nil for anything else, such as systemd's own vsock addresses.
    init?(notifySocket text: String) {
        var bytes = Array(text.utf8)
        let isAbstract = bytes.first == UInt8(ascii: "@")
        guard isAbstract || bytes.first == UInt8(ascii: "/"), bytes.count > 1,
            bytes.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return nil }
        if isAbstract { bytes[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
    }

    /// Sends one datagram; one that cannot be taken at once is lost.
    func send(_ bytes: UnsafeRawBufferPointer, over descriptor: Int32) {
        var copy = address
        _ = withSocketAddress(&copy) { to in
            retryingInterrupted { sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), to, length) }
        }
    }

    /// A datagram socket: non-blocking, not inherited by other programs.
    static func makeSocket() throws(SystemError) -> Int32 {
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        if descriptor < 0 { throw SystemError("cannot make a Unix socket", code: puck_errno()) }
        return descriptor
    }

    /// 0 or errno.
    func bind(_ descriptor: Int32) -> Int32 {
        var copy = address
        return withSocketAddress(&copy) { CLinux.bind(descriptor, $0, length) } == 0 ? 0 : puck_errno()
    }

    /// 0 or errno.
    func connect(_ descriptor: Int32) -> Int32 {
        var copy = address
        return withSocketAddress(&copy) { CLinux.connect(descriptor, $0, length) } == 0 ? 0 : puck_errno()
    }
}

/// Lends `address` as the general `sockaddr` that the socket calls take.
func withSocketAddress<Address, Result>(_ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>) -> Result)
    -> Result
{
    withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
    }
}

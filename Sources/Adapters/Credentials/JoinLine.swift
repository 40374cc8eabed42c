/// What a puck needs to be paired without looking for its hub or typing a code: `puck:HOST:PORT:FINGERPRINT:SECRET`.
/// One word, and nothing in it that a shell takes for its own (but the brackets of an IPv6 address).
public struct JoinLine: Equatable, Sendable {
    public let host: String
    public let port: UInt16
    /// SHA-256 of the hub's certificate (DER) in base64url.
    public let fingerprint: String
    /// 128 bits in base64url; good once, for ten minutes.
    public let secret: String

    private static let scheme = "puck:"
    private static let fingerprintCharacters = 43
    private static let secretCharacters = 22

    public init(host: String, port: UInt16, fingerprint: String, secret: String) {
        self.host = host
        self.port = port
        self.fingerprint = fingerprint
        self.secret = secret
    }

    public var text: String { Self.scheme + Self.place(host, port) + ":\(fingerprint):\(secret)" }

    /// Nil when `text` is no whole join line.
    public init?(_ text: String) {
        guard text.utf8.starts(with: Self.scheme.utf8) else { return nil }
        let parts = text.dropFirst(Self.scheme.count).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 4 else { return nil }
        var address = ""
        for part in parts[..<(parts.count - 2)] { address += (address.isEmpty ? "" : ":") + part }
        guard let place = Self.place(address), let port = place.port,
            Self.isBase64URL(parts[parts.count - 2], Self.fingerprintCharacters),
            Self.isBase64URL(parts[parts.count - 1], Self.secretCharacters)
        else { return nil }
        self.init(
            host: place.host, port: port, fingerprint: String(parts[parts.count - 2]),
            secret: String(parts[parts.count - 1]))
    }

    /// "HOST:PORT", an IPv6 address in brackets.
    public static func place(_ host: String, _ port: UInt16) -> String {
        (host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host) + ":\(port)"
    }

    /// The parts of "HOST", "HOST:PORT", "[IPV6]:PORT" or an IPv6 address; nil when it is none of them.
    public static func place(_ text: String) -> (host: String, port: UInt16?)? {
        var host = text
        var port: UInt16?
        let colons = text.utf8.filter { $0 == UInt8(ascii: ":") }.count
        if text.utf8.first == UInt8(ascii: "[") {
            guard let end = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = String(text[text.utf8.index(after: text.startIndex)..<end])
            let rest = text[text.utf8.index(after: end)...]
            if !rest.isEmpty {
                guard rest.utf8.first == UInt8(ascii: ":"), let number = UInt16(rest.dropFirst()), number > 0 else {
                    return nil
                }
                port = number
            }
        } else if colons == 1, let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) {
            guard let number = UInt16(text[text.utf8.index(after: colon)...]), number > 0 else { return nil }
            host = String(text[..<colon])
            port = number
        }
        return isHost(host) ? (host, port) : nil
    }

    /// As loose as the configuration is about a host: the resolver has the last word. Nothing that could end a line.
    public static func isHost(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLetterOrDigit($0) || "-_.:%".utf8.contains($0) }
    }

    private static func isBase64URL(_ text: Substring, _ count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2d || $0 == 0x5f }
    }
}

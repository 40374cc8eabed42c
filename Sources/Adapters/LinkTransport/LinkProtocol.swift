/// What both ends of a link agree on (docs/PROTOCOL.md).
public enum LinkProtocol {
    /// The WebSocket subprotocol.
    public static let subprotocol = "puck.v1"
    /// The path of the upgrade request.
    public static let path = "/puck"
    /// The path for a puck that is to get its token.
    public static let pairingPath = "/pair"
    /// The largest message that is received, in bytes: a header of 9 and a payload of at most 2048, with room to grow.
    /// A larger one closes the link.
    public static let maximumMessageBytes = 4096
    /// What may wait to be sent on one connection, framing headroom included. Past that `send` refuses.
    public static let sendQueueBytes = 65_536
    /// How long opening a link may take: name lookup, TCP, TLS and HTTP together. The hub gives a handshake as long.
    public static let openTimeoutNanoseconds: Int64 = 5_000_000_000
    /// How long a close may take to send what is queued and to hear the other end's close.
    public static let closeTimeoutNanoseconds: Int64 = 1_000_000_000
}

/// WebSocket close codes (RFC 6455, 7.4.1) that this project sends.
public enum CloseCode {
    public static let normal: UInt16 = 1000
    public static let goingAway: UInt16 = 1001
    public static let unsupportedData: UInt16 = 1003
    public static let policyViolation: UInt16 = 1008
    public static let messageTooLarge: UInt16 = 1009
}

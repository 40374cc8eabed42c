import PuckBase

/// What pairing leaves on a puck, all in one file, so that each change of it is one rename: the way to the hub and the
/// puck's name there as `[section]` and `key = value`, of which the token is one, and behind them the hub's certificate
/// in PEM, so that the file itself can be named as the authority to trust (PEM readers skip what stands before). Mode
/// 0600. `puckctl join` writes it, `puckd` reads it under its configuration and replaces the token in it.
public struct PairingFile: Equatable, Sendable {
    /// In the puck's `state_dir`.
    public static let name = "pairing"
    /// Where that is unless the configuration says otherwise.
    public static let usualPath = "/var/lib/puckd/" + name

    public var host: String
    public var port: UInt16
    /// A name that the certificate carries.
    public var certificateName: String
    public var token: String
    public var puckID: String
    /// Nil: the configuration's.
    public var room: String?
    public var certificate: String

    /// - Parameter certificate: PEM.
    public init(
        host: String, port: UInt16, certificateName: String, token: String, puckID: String, room: String?,
        certificate: String
    ) {
        self.host = host
        self.port = port
        self.certificateName = certificateName
        self.token = token
        self.puckID = puckID
        self.room = room
        self.certificate = certificate
    }

    public var text: String {
        "# Written by puckctl join and by puckd: this puck's hub and its token there.\n"
            + "# To unpair this puck, remove this file and restart puckd.\n"
            + "[hub]\nhost = \(host)\nport = \(port)\ncertificate_name = \(certificateName)\n"
            + Self.tokenKey + token + "\n[puck]\nid = \(puckID)\n" + (room.map { "room = \($0)\n" } ?? "")
            + certificate
    }

    /// Replaces the file at `path`. Written by root into another user's folder, it becomes that user's, who runs puckd.
    public func write(to path: String) throws(SystemError) {
        try writeFileAtomically(path, Array(text.utf8), mode: Self.mode, likeFolder: true)
    }

    /// The keys: what stands before the certificate.
    public static func settings(of bytes: [UInt8]) -> String {
        String(decoding: bytes[..<(start(of: "-----BEGIN", in: bytes) ?? bytes.count)], as: UTF8.self)
    }

    /// Puts another token into the file at `path`: a reader, or a power cut, finds the old one or the new one.
    public static func replaceToken(at path: String, with token: String) throws(SystemError) {
        try replace([(tokenKey, token)], at: path)
    }

    /// Puts another address of the hub into the file at `path`, as `replaceToken`.
    public static func replaceHub(at path: String, host: String, port: UInt16) throws(SystemError) {
        try replace([("host = ", host), ("port = ", "\(port)")], at: path)
    }

    private static func replace(_ values: [(key: String, value: String)], at path: String) throws(SystemError) {
        var bytes = try readSmallFile(path)
        for (key, value) in values {
            guard let line = start(of: key, in: bytes) else {
                throw SystemError(
                    "cannot find '\(key)' in \(path)", code: 0, advice: "pair this puck again: puckctl join")
            }
            let begin = line + key.utf8.count
            let end = bytes[begin...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            bytes = Array(bytes[..<begin]) + Array(value.utf8) + Array(bytes[end...])
        }
        try writeFileAtomically(path, bytes, mode: mode, likeFolder: true)
    }

    /// Puts other certificates into the file at `path`, as `replaceToken` does a token.
    /// - Parameters:
    ///   - trusted: SHA-256 of each that is to be believed.
    ///   - certificate: PEM; one of them, the one that is pinned.
    public static func replaceTrust(
        at path: String, with trusted: [String], certificate: String
    ) throws(SystemError) {
        let bytes = try readSmallFile(path)
        var text = ""
        for line in settings(of: bytes).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        where !line.hasPrefix(trustKey) {
            text += line + "\n"
            if line.hasPrefix(tokenKey) { text += trustKey + Self.list(trusted) + "\n" }
        }
        try writeFileAtomically(path, Array((text + certificate).utf8), mode: mode, likeFolder: true)
    }

    private static func list(_ words: [String]) -> String {
        var text = ""
        for word in words { text += (text.isEmpty ? "" : ", ") + word }
        return text
    }

    private static let trustKey = "trust = "
    private static let mode: UInt32 = 0o600
    private static let tokenKey = "token = "

    /// Where a line begins with `text`.
    private static func start(of text: String, in bytes: [UInt8]) -> Int? {
        let wanted = Array(text.utf8)
        var line = 0
        while line < bytes.count {
            if bytes[line...].starts(with: wanted) { return line }
            guard let end = bytes[line...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            line = end + 1
        }
        return nil
    }
}

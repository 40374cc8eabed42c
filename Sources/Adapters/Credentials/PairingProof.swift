import COpenSSL

/// Everything that both ends of a pairing saw, as one hash: they prove to each other that they have the same key *and*
/// saw the same, so a man in the middle, who must show the puck another certificate or another TLS session than the hub
/// has, cannot pass the proofs on.
public struct PairingTranscript: Equatable, Sendable {
    let hash: [UInt8]

    /// - Parameters:
    ///   - certificate: the hub's, in DER, as this end has it: the puck the one that the TLS session showed, the hub its
    ///     own of that session.
    ///   - channelBinding: RFC 9266's `tls-exporter` of this end's TLS session.
    public init(
        salt: [UInt8], puckKey: [UInt8], hubKey: [UInt8], certificate: [UInt8], channelBinding: [UInt8],
        group: PasswordGroup = .pairing
    ) {
        var text: [UInt8] = []
        let label = Array("puck pairing 1, SRP-6a, RFC 5054 group \(group.name), SHA-256".utf8)
        for part in [label, salt, puckKey, hubKey, sha256(certificate), channelBinding] {
            // Lengths in front: no two rows of parts give the same text.
            text += [UInt8(truncatingIfNeeded: part.count >> 8), UInt8(truncatingIfNeeded: part.count)]
            text += part
        }
        hash = sha256(text)
    }

    /// What the puck shows first.
    public func puckProof(key: [UInt8]) -> [UInt8] { proof("puck", key) }

    /// What the hub answers, once the puck's is right.
    public func hubProof(key: [UInt8]) -> [UInt8] { proof("hub", key) }

    /// HMAC-SHA-256 over the role and the transcript, so that neither proof can be sent back as the other.
    private func proof(_ role: String, _ key: [UInt8]) -> [UInt8] {
        let text = Array("puck pairing 1, \(role)".utf8) + hash
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let made = HMAC(EVP_sha256(), key, Int32(key.count), text, text.count, &code, &length)
        precondition(made != nil && length == 32, "HMAC-SHA-256 of bytes in memory cannot fail")
        return code
    }

    /// Equality in a time that depends on the lengths only.
    public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}

/// The two things that `puckhub pair` prints. Either is used once.
public enum PairingSecret {
    /// 10^8 codes. Together with `PairingDesk` (HubCore) an attacker's chance is at most 5 in 10^8 for each code.
    public static let codeDigits = 8
    /// 128 bits, so that it can neither be guessed nor, being sent over a verified TLS session only, tried offline.
    public static let secretBytes = 16

    /// Eight digits, each equally likely.
    public static func code() throws(CredentialError) -> String {
        // The largest multiple of 10^8 below 2^32; what lies above is drawn again, so that no code is likelier.
        let bound: UInt32 = 4_200_000_000
        while true {
            let bytes = try randomBytes(4)
            let number = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            if number >= bound { continue }
            let digits = "\(number % 100_000_000)"
            return String(repeating: "0", count: codeDigits - digits.utf8.count) + digits
        }
    }

    /// 22 characters of base64url.
    public static func secret() throws(CredentialError) -> String { base64URL(try randomBytes(secretBytes)) }

    /// As a person writes it down: "1234-5678".
    public static func written(code: String) -> String { String(code.prefix(4)) + "-" + code.dropFirst(4) }

    /// The digits of what a person typed, with hyphens and blanks or without; nil when it is no code.
    public static func typed(code text: String) -> String? {
        var digits: [UInt8] = []
        for byte in text.utf8 where byte != UInt8(ascii: "-") && byte != UInt8(ascii: " ") {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            digits.append(byte)
        }
        return digits.count == codeDigits ? String(decoding: digits, as: UTF8.self) : nil
    }
}

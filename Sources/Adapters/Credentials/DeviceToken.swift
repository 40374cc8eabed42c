import COpenSSL

/// The secret that a puck shows its hub. The hub keeps only its hash.
public enum DeviceToken {
    /// Entropy of a token: 256 bits, so that hashing without salt or stretching is enough.
    public static let randomBytes = 32

    /// A new token: 43 characters of base64url (RFC 4648, 5, without padding).
    public static func generate() throws(CredentialError) -> String {
        var bytes = [UInt8](repeating: 0, count: randomBytes)
        guard RAND_bytes(&bytes, Int32(bytes.count)) == 1 else { throw openSSLError("drawing a token") }
        return base64URL(bytes)
    }

    /// SHA-256 of the token's characters, 64 hexadecimal digits in lower case.
    public static func hash(_ token: String) -> String {
        let text = Array(token.utf8)
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let result = EVP_Digest(text, text.count, &digest, &length, EVP_sha256(), nil)
        precondition(result == 1, "SHA-256 of a string in memory cannot fail")
        return hexadecimal(digest[..<Int(length)], separator: "", uppercase: false)
    }

    /// Equality in a time that depends on the lengths only.
    public static func areEqual(_ a: String, _ b: String) -> Bool {
        let left = Array(a.utf8)
        let right = Array(b.utf8)
        return left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }
}

func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
        bits = bits << 8 | UInt32(byte)
        count += 8
        while count >= 6 {
            count -= 6
            text.append(alphabet[Int(bits >> UInt32(count)) & 63])
        }
        bits &= 0xff
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
    return String(decoding: text, as: UTF8.self)
}

func hexadecimal(_ bytes: ArraySlice<UInt8>, separator: String, uppercase: Bool) -> String {
    let digits = Array((uppercase ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
    var text = ""
    for byte in bytes {
        if !text.isEmpty { text += separator }
        text += String(decoding: [digits[Int(byte >> 4)], digits[Int(byte & 15)]], as: UTF8.self)
    }
    return text
}

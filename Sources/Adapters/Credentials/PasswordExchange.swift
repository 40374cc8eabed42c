import COpenSSL

// SRP-6a (RFC 2945 with RFC 5054's k, u and padding): two ends that share a password agree on a key, and whoever does not
// know the password learns nothing to try passwords with but the outcome of the one that was used. All arithmetic is
// OpenSSL's; this file only keeps its numbers and calls in order. docs/SECURITY.md says what is built on it.

/// The group of RFC 5054, appendix A, that is computed in.
public struct PasswordGroup: Sendable {
    /// 3072 bits, generator 5: 128 bits of security (NIST SP 800-57), and what HomeKit's pairing uses.
    public static let pairing = PasswordGroup(name: "3072")

    /// RFC 5054's, by its bits.
    public let name: String

    var parameters: SRP_gN {
        guard let found = SRP_get_default_gN(name) else { preconditionFailure("OpenSSL has RFC 5054's groups") }
        return found.pointee
    }

    /// Bytes of a number in this group.
    public var bytes: Int { (Int(BN_num_bits(parameters.N)) + 7) / 8 }
}

/// A number that is wiped when it goes.
final class BigNumber {
    let value: OpaquePointer

    /// - Parameter value: owned from here on; nil, as OpenSSL gives it when it failed, throws.
    init(_ value: OpaquePointer?, _ doing: String) throws(CredentialError) {
        guard let value else { throw openSSLError(doing) }
        self.value = value
    }

    /// Big-endian.
    convenience init(_ bytes: [UInt8]) throws(CredentialError) {
        try self.init(BN_bin2bn(bytes, Int32(bytes.count), nil), "reading a number")
    }

    deinit { BN_clear_free(value) }

    /// Big-endian, with zeros in front up to `count` bytes.
    func bytes(_ count: Int) throws(CredentialError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        guard BN_bn2binpad(value, &result, Int32(count)) == Int32(count) else { throw openSSLError("writing a number") }
        return result
    }
}

/// What the hub keeps of a code: enough to check it, and not the code.
public final class PasswordVerifier {
    /// The user's name of SRP: here nobody's, since there is one code at a time.
    static let user = "puck"
    static let saltBytes = 16

    public let salt: [UInt8]
    let group: PasswordGroup
    let verifier: BigNumber

    public convenience init(password: String, group: PasswordGroup = .pairing) throws(CredentialError) {
        var salt = try randomBytes(Self.saltBytes)
        // OpenSSL hashes the salt as a number, without zeros in front; others hash its bytes. One that does not begin with
        // a zero is the same to both.
        while salt[0] == 0 { salt = try randomBytes(Self.saltBytes) }
        try self.init(user: Self.user, password: password, salt: salt, group: group)
    }

    init(user: String, password: String, salt: [UInt8], group: PasswordGroup) throws(CredentialError) {
        self.salt = salt
        self.group = group
        let parameters = group.parameters
        let saltNumber = try BigNumber(salt)
        var saltPointer: OpaquePointer? = saltNumber.value
        var made: OpaquePointer?
        let result = SRP_create_verifier_BN_ex(
            user, password, &saltPointer, &made, parameters.N, parameters.g, nil, nil)
        guard result == 1 else { throw openSSLError("making a verifier") }
        verifier = try BigNumber(made, "making a verifier")
    }
}

/// The hub's end of one exchange.
public final class PasswordServer {
    /// B, for the puck.
    public let publicKey: [UInt8]
    /// SHA-256 of the shared secret. The puck has the same only if it knows the password: ask for a proof of it before
    /// anything is shown that depends on it.
    public let key: [UInt8]

    /// - Parameter clientKey: A. Throws `.invalid` for one that no honest puck sends (0 modulo N, RFC 5054, 2.5.4).
    public convenience init(_ verifier: PasswordVerifier, clientKey: [UInt8]) throws(CredentialError) {
        try self.init(verifier, clientKey: clientKey, secret: try randomBytes(secretBytes))
    }

    init(_ verifier: PasswordVerifier, clientKey: [UInt8], secret: [UInt8]) throws(CredentialError) {
        let parameters = verifier.group.parameters
        guard clientKey.count == verifier.group.bytes else { throw .invalid("the puck's key has a wrong length") }
        let a = try BigNumber(clientKey)
        guard BN_cmp(a.value, parameters.N) < 0, SRP_Verify_A_mod_N(a.value, parameters.N) == 1 else {
            throw .invalid("the puck's key is none of this group's")
        }
        let b = try BigNumber(secret)
        let theirs = try BigNumber(
            SRP_Calc_B_ex(b.value, parameters.N, parameters.g, verifier.verifier.value, nil, nil), "making a key")
        let u = try BigNumber(
            SRP_Calc_u_ex(a.value, theirs.value, parameters.N, nil, nil), "mixing the keys")
        guard BN_is_zero(u.value) == 0 else { throw .invalid("the puck's key does not mix with the hub's") }
        let shared = try BigNumber(
            SRP_Calc_server_key(a.value, verifier.verifier.value, u.value, b.value, parameters.N), "agreeing on a key")
        publicKey = try theirs.bytes(verifier.group.bytes)
        key = sha256(try shared.bytes(verifier.group.bytes))
    }
}

/// The puck's end of one exchange: one password, one guess.
public final class PasswordClient {
    /// A, for the hub.
    public let publicKey: [UInt8]
    private let group: PasswordGroup
    private let secret: BigNumber

    public convenience init(group: PasswordGroup = .pairing) throws(CredentialError) {
        try self.init(group: group, secret: try randomBytes(secretBytes))
    }

    init(group: PasswordGroup, secret: [UInt8]) throws(CredentialError) {
        let parameters = group.parameters
        self.group = group
        self.secret = try BigNumber(secret)
        let a = try BigNumber(SRP_Calc_A(self.secret.value, parameters.N, parameters.g), "making a key")
        publicKey = try a.bytes(group.bytes)
    }

    /// SHA-256 of the shared secret.
    /// - Parameters:
    ///   - salt: the hub's.
    ///   - serverKey: B. Throws `.invalid` for one that no honest hub sends (0 modulo N, RFC 5054, 2.5.3).
    public func key(password: String, salt: [UInt8], serverKey: [UInt8]) throws(CredentialError) -> [UInt8] {
        try key(user: PasswordVerifier.user, password: password, salt: salt, serverKey: serverKey)
    }

    func key(
        user: String, password: String, salt: [UInt8], serverKey: [UInt8]
    ) throws(CredentialError) -> [UInt8] {
        sha256(try sharedSecret(user: user, password: password, salt: salt, serverKey: serverKey))
    }

    /// S, padded to the group's size.
    func sharedSecret(
        user: String, password: String, salt: [UInt8], serverKey: [UInt8]
    ) throws(CredentialError) -> [UInt8] {
        let parameters = group.parameters
        guard serverKey.count == group.bytes else { throw .invalid("the hub's key has a wrong length") }
        let b = try BigNumber(serverKey)
        guard BN_cmp(b.value, parameters.N) < 0, SRP_Verify_B_mod_N(b.value, parameters.N) == 1 else {
            throw .invalid("the hub's key is none of this group's")
        }
        let a = try BigNumber(publicKey)
        let u = try BigNumber(SRP_Calc_u_ex(a.value, b.value, parameters.N, nil, nil), "mixing the keys")
        guard BN_is_zero(u.value) == 0 else { throw .invalid("the hub's key does not mix with the puck's") }
        let saltNumber = try BigNumber(salt)
        let x = try BigNumber(SRP_Calc_x_ex(saltNumber.value, user, password, nil, nil), "hashing the password")
        let shared = try BigNumber(
            SRP_Calc_client_key_ex(
                parameters.N, b.value, parameters.g, x.value, secret.value, u.value, nil, nil), "agreeing on a key")
        return try shared.bytes(group.bytes)
    }
}

/// Of a secret exponent: 256 bits, as RFC 5054, 3.1 asks for at least.
private let secretBytes = 32

func randomBytes(_ count: Int) throws(CredentialError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(count)) == 1 else { throw openSSLError("drawing random bytes") }
    return bytes
}

func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 0
    let result = EVP_Digest(bytes, bytes.count, &digest, &length, EVP_sha256(), nil)
    precondition(result == 1 && length == 32, "SHA-256 of bytes in memory cannot fail")
    return digest
}

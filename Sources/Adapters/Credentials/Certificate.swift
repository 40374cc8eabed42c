import CLinux
import COpenSSL

/// The hub's certificate: made once by the hub itself, copied to each puck, and pinned there.
public struct Certificate: Equatable, Sendable {
    /// SHA-256 over the DER form, as "AA:BB:…": what a person compares.
    public let fingerprint: String
    /// Whole days until it expires, rounded towards zero; negative once it has.
    public let daysUntilExpiry: Int

    /// How long a certificate is good by default. Ten years: it is pinned, so nothing is gained by changing it.
    public static let defaultDays = 3650
    /// It is valid from an hour before it was made, for pucks whose clock is a little behind.
    static let backdatedSeconds: Int64 = 3600
    /// 2025-01-01. No clock that is right is before it: a machine without a battery for its clock starts in 1970, or at the
    /// build of its image, and a certificate of 1970 would have ended in 1980.
    public static let earliestUnixSeconds: Int64 = 1_735_689_600

    /// Makes a key (EC P-256) and a certificate signed by it, for `names` and `addresses` and always for `localhost`,
    /// `127.0.0.1` and `::1`. Both files are PEM; the key's mode is 0600, the certificate's 0644. Each file is
    /// replaced atomically, the key first.
    ///
    /// - Parameters:
    ///   - names: DNS names that pucks call this hub by.
    ///   - addresses: IP addresses that pucks call this hub by.
    ///   - nowUnixSeconds: the wall clock.
    public static func create(
        names: [String], addresses: [String], certificateFile: String, keyFile: String, nowUnixSeconds: Int64,
        days: Int = defaultDays
    ) throws(CredentialError) {
        let alternativeNames = try subjectAlternativeNames(names: names, addresses: addresses)
        let key = try makeKey()
        defer { EVP_PKEY_free(key) }
        guard let certificate = X509_new() else { throw openSSLError("making a certificate") }
        defer { X509_free(certificate) }
        try fill(
            certificate, key: key, commonName: names.first ?? "puckhub",
            now: max(nowUnixSeconds, earliestUnixSeconds), days: days)
        // The certificate is its own authority only in that it is pinned; it must not sign others.
        try addExtension(NID_basic_constraints, "critical,CA:FALSE", to: certificate)
        try addExtension(NID_key_usage, "critical,digitalSignature", to: certificate)
        try addExtension(NID_ext_key_usage, "serverAuth", to: certificate)
        try addExtension(NID_subject_key_identifier, "hash", to: certificate)
        try addExtension(NID_subject_alt_name, alternativeNames, to: certificate)
        guard X509_sign(certificate, key, EVP_sha256()) > 0 else { throw openSSLError("signing the certificate") }
        let keyText = try pem { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) }
        let certificateText = try pem { PEM_write_bio_X509($0, certificate) }
        try withFolderLocked(of: keyFile) { () throws(CredentialError) in
            try replaceFile(keyFile, with: keyText, mode: 0o600)
        }
        try withFolderLocked(of: certificateFile) { () throws(CredentialError) in
            try replaceFile(certificateFile, with: certificateText, mode: 0o644)
        }
    }

    /// Copies a certificate and its key, the key first, each atomically. Refuses what does not belong together.
    public static func copy(
        from source: (certificate: String, key: String), to target: (certificate: String, key: String)
    ) throws(CredentialError) {
        guard try matches(certificateFile: source.certificate, keyFile: source.key) else {
            throw .invalid("\(source.key) is not the key of \(source.certificate)")
        }
        for (from, to, mode) in [
            (source.key, target.key, 0o600 as mode_t), (source.certificate, target.certificate, 0o644),
        ] {
            guard let bytes = try readFile(from)?.bytes else { throw .file(path: from, call: "open", code: ENOENT) }
            try withFolderLocked(of: to) { () throws(CredentialError) in try replaceFile(to, with: bytes, mode: mode) }
        }
    }

    /// Reads the first certificate of a PEM file.
    public init(readFrom path: String, nowUnixSeconds: Int64) throws(CredentialError) {
        guard let content = try readFile(path) else {
            throw .file(path: path, call: "open", code: ENOENT)
        }
        let certificate = try Self.parse(content.bytes, path)
        defer { X509_free(certificate) }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else {
            throw openSSLError("hashing \(path)")
        }
        fingerprint = hexadecimal(digest[..<Int(length)], separator: ":", uppercase: true)
        guard let now = ASN1_TIME_set(nil, time_t(nowUnixSeconds)) else { throw openSSLError("reading the clock") }
        defer { ASN1_TIME_free(now) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(certificate)) == 1 else {
            throw openSSLError("reading the dates of \(path)")
        }
        daysUntilExpiry = Int(days)
    }

    /// Whether the key in `keyFile` is the one of the certificate in `certificateFile`: false after a crash between
    /// the two writes of `create`.
    public static func matches(certificateFile: String, keyFile: String) throws(CredentialError) -> Bool {
        guard let certificateBytes = try readFile(certificateFile)?.bytes else {
            throw .file(path: certificateFile, call: "open", code: ENOENT)
        }
        guard let keyBytes = try readFile(keyFile)?.bytes else {
            throw .file(path: keyFile, call: "open", code: ENOENT)
        }
        let certificate = try parse(certificateBytes, certificateFile)
        defer { X509_free(certificate) }
        let key = withMemoryBIO(keyBytes) { PEM_read_bio_PrivateKey($0, nil, nil, nil) }
        ERR_clear_error()
        guard let key else { throw .invalid("\(keyFile) holds no private key (PEM) without a password") }
        defer { EVP_PKEY_free(key) }
        let result = X509_check_private_key(certificate, key) == 1
        ERR_clear_error()
        return result
    }

    /// Whether a name can be in a certificate: labels of 1 to 63 letters, digits and hyphens, with dots between them, at most
    /// 253 bytes (RFC 1123, 2.1).
    public static func isName(_ name: String) -> Bool {
        guard (1...253).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func parse(_ bytes: [UInt8], _ path: String) throws(CredentialError) -> OpaquePointer {
        let certificate = withMemoryBIO(bytes) { PEM_read_bio_X509($0, nil, nil, nil) }
        ERR_clear_error()
        guard let certificate else {
            throw .invalid(
                "\(path) holds no certificate (PEM): move it away, and puckhub makes a new one at its next start")
        }
        return certificate
    }
}

// MARK: - Making one

extension Certificate {
    private static func makeKey() throws(CredentialError) -> OpaquePointer {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else { throw openSSLError("making a key") }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1,
            EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
            EVP_PKEY_keygen(context, &key) == 1, let key
        else { throw openSSLError("making a key") }
        return key
    }

    private static func fill(
        _ certificate: OpaquePointer, key: OpaquePointer, commonName: String, now: Int64, days: Int
    ) throws(CredentialError) {
        var serial: UInt64 = 0
        guard withUnsafeMutableBytes(of: &serial, { RAND_bytes($0.baseAddress, Int32($0.count)) }) == 1 else {
            throw openSSLError("drawing a serial number")
        }
        // The end is given in days from a start: a 32-bit time_t, as on armhf, does not reach it.
        var start = time_t(now - backdatedSeconds)
        // Version 3 is written as 2. A serial number is positive (RFC 5280, 4.1.2.2).
        guard X509_set_version(certificate, 2) == 1,
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1,
            X509_time_adj_ex(X509_getm_notBefore(certificate), 0, 0, &start) != nil,
            X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(days), Int(backdatedSeconds), &start) != nil,
            X509_set_pubkey(certificate, key) == 1, let name = X509_get_subject_name(certificate)
        else { throw openSSLError("making a certificate") }
        // A common name has at most 64 characters (RFC 5280, appendix A.1); only the alternative names count.
        let bytes = Array(commonName.utf8.prefix(64))
        guard X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_FLAG | 1, bytes, Int32(bytes.count), -1, 0) == 1,
            X509_set_issuer_name(certificate, name) == 1
        else { throw openSSLError("naming the certificate") }
    }

    private static func addExtension(
        _ kind: Int32, _ value: String, to certificate: OpaquePointer
    ) throws(CredentialError) {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, certificate, certificate, nil, nil, 0)
        guard let made = X509V3_EXT_nconf_nid(nil, &context, kind, value) else {
            throw openSSLError("adding '\(value)' to the certificate")
        }
        defer { X509_EXTENSION_free(made) }
        guard X509_add_ext(certificate, made, -1) == 1 else { throw openSSLError("adding '\(value)'") }
    }

    /// OpenSSL's notation, "DNS:…,IP:…". The names are checked first: a comma in one would smuggle in another.
    private static func subjectAlternativeNames(
        names: [String], addresses: [String]
    ) throws(CredentialError) -> String {
        var entries = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
        for name in names where name != "localhost" {
            guard isName(name) else {
                throw .invalid("'\(name)' is not a DNS name: use letters, digits, hyphens and dots")
            }
            entries.append("DNS:" + name)
        }
        for address in addresses where address != "127.0.0.1" && address != "::1" {
            var binary = in6_addr()
            guard inet_pton(AF_INET, address, &binary) == 1 || inet_pton(AF_INET6, address, &binary) == 1 else {
                throw .invalid("'\(address)' is not an IP address: write it in digits, as 192.168.1.10 or fd00::10")
            }
            entries.append("IP:" + address)
        }
        var text = ""
        for entry in entries { text += text.isEmpty ? entry : "," + entry }
        return text
    }

    static func pem(_ write: (OpaquePointer) -> Int32) throws(CredentialError) -> [UInt8] {
        guard let output = BIO_new(BIO_s_mem()) else { throw openSSLError("writing PEM") }
        defer { BIO_free(output) }
        guard write(output) == 1 else { throw openSSLError("writing PEM") }
        var bytes = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(output)))
        let count = BIO_read(output, &bytes, Int32(bytes.count))
        guard Int(count) == bytes.count else { throw openSSLError("writing PEM") }
        return bytes
    }
}

func withMemoryBIO<R>(_ bytes: [UInt8], _ body: (OpaquePointer) -> R?) -> R? {
    guard let input = BIO_new_mem_buf(bytes, Int32(bytes.count)) else { return nil }
    defer { BIO_free(input) }
    return body(input)
}

func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}

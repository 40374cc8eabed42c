import CLinux
import COpenSSL

/// A certificate as a TLS session showed it.
public struct PeerCertificate: Equatable, Sendable {
    public let der: [UInt8]

    public init(der: [UInt8]) { self.der = der }

    /// SHA-256 of the DER form in base64url, 43 characters: what a join line carries.
    public var shortFingerprint: String { base64URL(sha256(der)) }

    /// SHA-256 of the DER form, 64 hexadecimal digits: what a puck is told to believe.
    public var fingerprint: String { hexadecimal(sha256(der)[...], separator: "", uppercase: false) }

    /// The same fingerprint as `shortFingerprint`, from its 64 hexadecimal digits; nil when it is no such.
    public static func shortFingerprint(hexadecimal text: String) -> String? {
        let digits = text.utf8.map { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for i in 0..<32 {
            guard let high = digits[2 * i], let low = digits[2 * i + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        return base64URL(bytes)
    }

    /// The first certificate of a PEM file.
    public init(readFrom path: String) throws(CredentialError) {
        guard let content = try readFile(path) else { throw .file(path: path, call: "open", code: ENOENT) }
        let parsed = withMemoryBIO(content.bytes) { PEM_read_bio_X509($0, nil, nil, nil) }
        ERR_clear_error()
        guard let parsed else { throw .invalid("\(path) holds no certificate (PEM)") }
        defer { X509_free(parsed) }
        var bytes = [UInt8](repeating: 0, count: Int(max(0, i2d_X509(parsed, nil))))
        let length = bytes.withUnsafeMutableBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return i2d_X509(parsed, &cursor)
        }
        guard length > 0, Int(length) == bytes.count else { throw openSSLError("writing a certificate") }
        der = bytes
    }

    /// It signs others, or does not say that it signs none: who has it as `ca_file` believes what it has signed, and knows
    /// no fingerprint of his hub. The certificate that a hub makes for itself is none.
    public var isAuthority: Bool {
        do throws(CredentialError) {
            return try withParsed { (certificate: OpaquePointer) throws(CredentialError) in
                X509_check_ca(certificate) > 0
            }
        } catch {
            return false
        }
    }

    /// In PEM, to be written into a file that is then trusted.
    public func pem() throws(CredentialError) -> String {
        let bytes = try withParsed { (certificate: OpaquePointer) throws(CredentialError) in
            try Certificate.pem { PEM_write_bio_X509($0, certificate) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The name to ask for when connecting to `host`: that itself if the certificate carries it, else the first name in
    /// it. A pinned certificate is this hub's under each of its names.
    public func name(for host: String) throws(CredentialError) -> String {
        try withParsed { (certificate: OpaquePointer) throws(CredentialError) in
            if X509_check_host(certificate, host, host.utf8.count, 0, nil) == 1
                || X509_check_ip_asc(certificate, host, 0) == 1
            {
                return host
            }
            ERR_clear_error()
            let names = OpaquePointer(X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil))
            defer { GENERAL_NAMES_free(names) }
            for index in 0..<max(0, OPENSSL_sk_num(names)) {
                guard let entry = OPENSSL_sk_value(names, index)?.assumingMemoryBound(to: GENERAL_NAME.self),
                    entry.pointee.type == GEN_DNS, let text = ASN1_STRING_get0_data(entry.pointee.d.dNSName)
                else { continue }
                let length = Int(ASN1_STRING_length(entry.pointee.d.dNSName))
                let name = String(decoding: UnsafeBufferPointer(start: text, count: length), as: UTF8.self)
                // No pattern, and nothing that is more than a name where it is written down.
                if JoinLine.isHost(name) { return name }
            }
            throw .invalid("the hub's certificate carries neither '\(host)' nor any other plain name")
        }
    }

    private func withParsed<R>(
        _ body: (OpaquePointer) throws(CredentialError) -> R
    ) throws(CredentialError) -> R {
        let parsed = der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return d2i_X509(nil, &cursor, der.count)
        }
        guard let parsed else { throw openSSLError("reading the hub's certificate") }
        defer { X509_free(parsed) }
        return try body(parsed)
    }
}

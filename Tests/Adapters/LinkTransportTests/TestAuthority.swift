import CLinux
import CWebSockets
import Testing

/// A certificate authority for one certificate: what a hub has whose owner runs one.
enum TestAuthority {
    /// Writes the authority's certificate, and the certificate and key of a hub called localhost that it signed.
    /// - Parameter days: the hub's validity, from today.
    static func sign(certificate: String, key: String, authority: String, days: ClosedRange<Int>) throws {
        let signer = try #require(makeKey())
        defer { EVP_PKEY_free(signer) }
        let own = try #require(makeKey())
        defer { EVP_PKEY_free(own) }
        // Version 1 without extensions: taken as an authority since it signed itself.
        let root = try make("authority", issuer: "authority", signer, signedBy: signer, days: -100...100)
        defer { X509_free(root) }
        let leaf = try make("localhost", issuer: "authority", own, signedBy: signer, days: days)
        defer { X509_free(leaf) }
        try write(authority) { PEM_write_bio_X509($0, root) }
        try write(certificate) { PEM_write_bio_X509($0, leaf) }
        try write(key) { PEM_write_bio_PKCS8PrivateKey($0, own, nil, nil, 0, nil, nil) }
    }

    private static func makeKey() -> OpaquePointer? {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        EVP_PKEY_keygen(context, &key)
        return key
    }

    private static func make(
        _ name: String, issuer: String, _ key: OpaquePointer, signedBy signer: OpaquePointer, days: ClosedRange<Int>
    ) throws -> OpaquePointer {
        let made = try #require(X509_new())
        ASN1_INTEGER_set(X509_get_serialNumber(made), name == issuer ? 1 : 2)
        X509_time_adj_ex(X509_getm_notBefore(made), Int32(days.lowerBound), 0, nil)
        X509_time_adj_ex(X509_getm_notAfter(made), Int32(days.upperBound), 0, nil)
        X509_set_pubkey(made, key)
        for (text, entry) in [(name, X509_get_subject_name(made)), (issuer, X509_get_issuer_name(made))] {
            X509_NAME_add_entry_by_txt(entry, "CN", MBSTRING_FLAG | 1, Array(text.utf8), Int32(text.utf8.count), -1, 0)
        }
        try #require(X509_sign(made, signer, EVP_sha256()) > 0)
        return made
    }

    private static func write(_ path: String, _ body: (OpaquePointer) -> Int32) throws {
        let output = try #require(BIO_new_file(path, "w"))
        defer { BIO_free(output) }
        try #require(body(output) == 1)
    }
}

import CWebSockets

/// What binds something that is proven inside a TLS session to that session, the same at both of its ends and at no
/// other pair of ends.
public struct SecureChannel: Equatable, Sendable {
    /// The hub's certificate of this session, in DER.
    public let certificate: [UInt8]
    /// RFC 9266's `tls-exporter`.
    public let binding: [UInt8]

    private static let label = "EXPORTER-Channel-Binding"
    private static let bindingBytes = 32

    /// Nil when the session is none of TLS 1.3: before, an exporter is not bound to the certificate (RFC 9266, 1).
    init?(of wsi: OpaquePointer, isServer: Bool) {
        guard lws_is_ssl(wsi) != 0, let session = lws_get_ssl(wsi), SSL_version(session) == TLS1_3_VERSION else {
            return nil
        }
        guard let shown = isServer ? SSL_get_certificate(session) : SSL_get0_peer_certificate(session) else {
            return nil
        }
        var encoded = [UInt8](repeating: 0, count: Int(max(0, i2d_X509(shown, nil))))
        let length = encoded.withUnsafeMutableBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return i2d_X509(shown, &cursor)
        }
        guard length > 0, Int(length) == encoded.count else { return nil }
        var exported = [UInt8](repeating: 0, count: Self.bindingBytes)
        let result = SSL_export_keying_material(
            session, &exported, exported.count, Self.label, Self.label.utf8.count, nil, 0, 0)
        ERR_clear_error()
        guard result == 1 else { return nil }
        certificate = encoded
        binding = exported
    }
}

extension ClientLink {
    /// Of the open link; nil when it is not open, plain, or older than TLS 1.3.
    public var channel: SecureChannel? {
        guard state == .open, let wsi else { return nil }
        return SecureChannel(of: wsi, isServer: false)
    }

    /// The certificate that the hub shows on the open link: its SHA-256 in 64 hexadecimal digits, and itself in PEM. Nil
    /// when the link is not open, or plain.
    public var shownCertificate: (sha256: String, pem: String)? {
        guard state == .open, let wsi, lws_is_ssl(wsi) != 0, let session = lws_get_ssl(wsi),
            let shown = SSL_get0_peer_certificate(session), let output = BIO_new(BIO_s_mem())
        else { return nil }
        defer { BIO_free(output) }
        guard PEM_write_bio_X509(output, shown) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(BIO_ctrl_pending(output)))
        guard BIO_read(output, &bytes, Int32(bytes.count)) == Int32(bytes.count) else { return nil }
        return (ServerTrust.fingerprint(of: shown), String(decoding: bytes, as: UTF8.self))
    }

    /// Certificates that the next `open` believes for themselves, see `Configuration.believed`.
    public func setBelieved(_ certificates: [String]) { trust?.believed = certificates }

    /// The token that the next `open` shows.
    public func setToken(_ token: String) { configuration.token = token }

    /// Where the next `open` goes.
    public func setHub(host: String, port: UInt16) {
        configuration.host = host
        configuration.port = port
    }
}

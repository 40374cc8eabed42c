import CLinux
import CWebSockets

/// Which hub a puck believes.
public enum Trust: Equatable, Sendable {
    /// The certificate authorities of the system.
    case systemStore
    /// Only certificates in this PEM file, or issued by one of them: the way to pin a hub's self-signed certificate.
    /// The system's authorities are then not loaded at all.
    case certificateFile(String)
    /// Nobody yet: for pairing only, where whoever answers has to prove himself inside the session (`SecureChannel`)
    /// before anything of what he says is believed.
    case unproven
}

/// The client's TLS settings, and what OpenSSL said about the last handshake. The context is made here and not by
/// libwebsockets, which would load the system's authorities always, accept a bad file with a log line, check the host
/// name against the Host header only, and misread IPv6 addresses.
final class ServerTrust {
    let context: OpaquePointer
    private let expectedName: String
    /// SHA-256 of certificates that are believed for themselves, 64 hexadecimal digits each.
    var believed: [String] = []
    private(set) var failure: LinkFailure?

    /// - Parameters:
    ///   - expectedName: the name or address that the certificate must carry.
    ///   - isNamed: it was configured, and is not just where the hub is.
    init(_ trust: Trust, expectedName: String, isNamed: Bool) throws(TransportError) {
        self.expectedName = expectedName
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw .library("OpenSSL could not create a client context")
        }
        self.context = context
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        // Buffers stay between records, 34 KB: to release them would be an allocation for each packet of sound. No
        // session is kept: one long connection has no use for it.
        // libwebsockets sets this too; that nobody is believed unverified must not depend on it.
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, Int(SSL_SESS_CACHE_OFF), nil)
        switch trust {
        case .systemStore:
            SSL_CTX_set_default_verify_paths(context)
        case .certificateFile(let path):
            // OpenSSL would wait for a FIFO for ever.
            if isSpecialFile(path) { throw .configuration("'\(path)' is not a regular file: correct [hub] ca_file") }
            guard SSL_CTX_load_verify_file(context, path) == 1 else {
                ERR_clear_error()
                throw .configuration(
                    "'\(path)' holds no readable certificate (PEM): copy the hub's certificate there")
            }
        case .unproven:
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_3_VERSION), nil)
            SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        }
        if trust != .unproven {
            try expectName()
            // The argument says whether a name was asked for: any pointer for no.
            let anyName = isNamed ? nil : UnsafeMutableRawPointer(context)
            SSL_CTX_set_cert_verify_callback(context, { ServerTrust.verify($0, anyName: $1 != nil) }, anyName)
        }
        observeHandshakes()
    }

    /// As OpenSSL verifies, but a certificate of `believed` is the hub's whatever it says, and the dates of a certificate
    /// that is itself in the file do not count: it is believed as a copy, not because somebody vouched for it until a day,
    /// and a puck without a clock must find its hub (docs/SECURITY.md). What an authority of the file signed is verified
    /// with its dates.
    /// - Parameter anyName: no name was configured, and such a copy is this hub's under each address that it gets.
    private static func verify(_ verification: OpaquePointer?, anyName: Bool) -> Int32 {
        guard let verification, let shown = X509_STORE_CTX_get0_cert(verification),
            let store = X509_STORE_CTX_get0_store(verification)
        else { return 0 }
        let session = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx())
        if let session, let owner = owner(of: OpaquePointer(session)), !owner.believed.isEmpty,
            owner.believed.contains(fingerprint(of: shown))
        {
            X509_STORE_CTX_set_error(verification, X509_V_OK)
            return 1
        }
        let known = X509_STORE_get1_all_certs(store)
        defer { OPENSSL_sk_pop_free(known, { X509_free(OpaquePointer($0)) }) }
        for index in 0..<max(0, OPENSSL_sk_num(known)) {
            guard let entry = OPENSSL_sk_value(known, index), X509_cmp(OpaquePointer(entry), shown) == 0 else {
                continue
            }
            X509_STORE_CTX_set_flags(verification, UInt(X509_V_FLAG_NO_CHECK_TIME))
            if anyName, let parameters = X509_STORE_CTX_get0_param(verification) {
                X509_VERIFY_PARAM_set1_host(parameters, nil, 0)
                X509_VERIFY_PARAM_set1_ip(parameters, nil, 0)
            }
            break
        }
        return X509_verify_cert(verification)
    }

    /// SHA-256 of the DER form, 64 hexadecimal digits; empty when there is no memory for it.
    static func fingerprint(of certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else { return "" }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest[..<Int(length)] { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    private func expectName() throws(TransportError) {
        guard let parameters = SSL_CTX_get0_param(context) else {
            preconditionFailure("a TLS context has verification parameters")
        }
        // A pinned certificate is trusted as it is, whether or not it signed itself.
        X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, expectedName) != 1,
            X509_VERIFY_PARAM_set1_host(parameters, expectedName, 0) != 1
        {
            throw .configuration(
                "'\(expectedName)' cannot be a certificate's host name: correct [hub] certificate_name")
        }
        ERR_clear_error()
    }

    private func observeHandshakes() {
        SSL_CTX_set_ex_data(context, Self.ownerIndex, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_info_callback(context) { session, place, result in
            guard place & SSL_CB_EXIT != 0, result <= 0, let session else { return }
            ServerTrust.owner(of: session)?.noteHandshakeError(session)
        }
    }

    /// Also runs when `init` throws, since everything is stored by then. The loop keeps a reference of its own, for
    /// libwebsockets uses the context to its end; either may go first.
    deinit {
        SSL_CTX_set_ex_data(context, Self.ownerIndex, nil)
        SSL_CTX_free(context)
    }

    func beginHandshake() { failure = nil }

    /// libwebsockets empties OpenSSL's error queue before it reports, so the queue is read here, while OpenSSL leaves
    /// the handshake.
    private func noteHandshakeError(_ session: OpaquePointer) {
        let error = ERR_peek_last_error()
        guard error != 0, failure == nil else { return }
        let reason = puck_tls_reason(error)
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            failure = verificationFailure(SSL_get_verify_result(session))
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            failure = .hungUpDuringHandshake
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_UNEXPECTED_MESSAGE:
            failure = .notTLS
        default:
            failure = .tlsFailed(reason: Int(reason))
        }
    }

    private func verificationFailure(_ code: Int) -> LinkFailure {
        switch Int32(truncatingIfNeeded: code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return .certificateExpired
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return .certificateNotYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return .certificateWrongName(expected: expectedName)
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED,
            X509_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_CERT_CHAIN_TOO_LONG:
            return .certificateNotTrusted
        default:
            return .certificateInvalid(code: code)
        }
    }

    private static let ownerIndex: Int32 = CRYPTO_get_ex_new_index(
        CRYPTO_EX_INDEX_SSL_CTX, 0, nil, nil, nil, nil)

    private static func owner(of session: OpaquePointer) -> ServerTrust? {
        guard let context = SSL_get_SSL_CTX(session),
            let owner = SSL_CTX_get_ex_data(context, ownerIndex)
        else { return nil }
        return Unmanaged<ServerTrust>.fromOpaque(owner).takeUnretainedValue()
    }
}

import CWebSockets

/// Of the library that this process runs with, which an upgrade may have replaced on disk.
public func webSocketsVersion() -> String { String(cString: lws_get_library_version()) }

/// The same of OpenSSL.
public func openSSLVersion() -> String { String(cString: OpenSSL_version(OPENSSL_VERSION_STRING)) }

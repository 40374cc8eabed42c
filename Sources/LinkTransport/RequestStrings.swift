import CLinux

/// C strings that libwebsockets reads while it connects.
final class RequestStrings {
    let path: UnsafeMutablePointer<CChar>
    let host: UnsafeMutablePointer<CChar>
    let subprotocol: UnsafeMutablePointer<CChar>
    let localProtocol: UnsafeMutablePointer<CChar>
    let alpn: UnsafeMutablePointer<CChar>

    init(_ configuration: ClientLink.Configuration) {
        path = strdup(configuration.path)
        var name = configuration.host
        if case .verified(_, let certificateName?) = configuration.security { name = certificateName }
        host = strdup(name)
        subprotocol = strdup(configuration.subprotocol)
        localProtocol = strdup(LinkProtocol.subprotocol)
        alpn = strdup("http/1.1")
    }

    deinit {
        free(path)
        free(host)
        free(subprotocol)
        free(localProtocol)
        free(alpn)
    }
}

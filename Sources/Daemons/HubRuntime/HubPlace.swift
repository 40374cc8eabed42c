import Credentials
import LinuxIO

/// Where pucks find this hub. What runs stays what it is: a reload changes nothing of it.
struct HubPlace {
    let service: ServiceSettings
    let certificate: CertificateSettings
    /// That is listened on.
    let port: UInt16

    /// Where nobody could come from, or nobody could be paired, there is nothing to announce.
    var isFindable: Bool { service.isAnnounced && !isOnLoopback && !certificate.isInsecure }

    private var isOnLoopback: Bool {
        let address = service.listenAddress
        return address == "::1" || address.utf8.starts(with: "127.".utf8)
    }

    /// The hub's name as a puck can look it up: mDNS has it under `.local`.
    var host: String {
        let name = service.name
        // A name that nobody can look up is no place to send a puck to.
        let isUseless = name == "localhost" && !isOnLoopback
        if isUseless || !Certificate.isName(name) && !HubIdentity.isAddress(name) { return ownAddress() ?? "127.0.0.1" }
        let isBare = !name.utf8.contains(UInt8(ascii: ".")) && !name.utf8.contains(UInt8(ascii: ":"))
        return isFindable && isBare && name != "localhost" ? name + ".local" : name
    }

    /// At most 63 bytes (RFC 6763, 4.1.1), cut at a character's border.
    var instanceName: String {
        var name = service.name
        while name.utf8.count > 63 { name.removeLast() }
        return name
    }
}

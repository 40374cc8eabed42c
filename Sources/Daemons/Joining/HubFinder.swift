import CLinux
import Credentials
import LinuxIO
import PuckBase

/// A hub as mDNS tells of it: whatever is in here was said by anybody on the network, and proves nothing.
public struct FoundHub: Equatable, Sendable {
    /// For people; printable.
    public let name: String
    public let host: String
    public let address: String
    public let port: UInt16
    /// Of its certificate, as a join line has it; empty when it is not said.
    public let fingerprint: String

    var isIPv6: Bool { address.utf8.contains(UInt8(ascii: ":")) }

    /// A name goes on being right when the hub gets another address; where the resolver has no mDNS, that has to do.
    var place: HubPlace { HubPlace(host: HubFinder.isKnown(host) ? host : address, port: port) }
}

/// Looks for hubs by mDNS, through Avahi's own program.
public enum HubFinder {
    static let program = "avahi-browse"
    static let service = "_puck._tcp"
    /// Resolve, in lines to be read by a program, and end.
    static let command = [program, "-rpt", service]
    /// It ends by itself when all that answers has answered, after a second or two.
    static let patience = Interval.seconds(8)
    /// Some hundred bytes a hub, interface and protocol; more is not read.
    static let mostBytes = 64 * 1024

    /// - Returns: each hub once; none when none answered.
    public static func search() throws(SystemError) -> [FoundHub] {
        once(try answers(orElse: ", or say where the hub is: --hub HOST"))
    }

    /// - Parameter orElse: what else helps where Avahi cannot be asked.
    /// - Returns: one for each hub, interface and protocol; none when none answered.
    static func answers(orElse: String = "") throws(SystemError) -> [FoundHub] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemError("cannot make a pipe", code: puck_errno()) }
        for end in ends { puck_fcntl(end, F_SETFD, Int(FD_CLOEXEC)) }
        defer { close(ends[0]) }
        var child: ChildCommand
        do throws(SystemError) {
            // Whoever ends this program ends that one with it.
            child = try ChildCommand(command, output: ends[1], isQuiet: true, sharesGroup: true)
        } catch {
            close(ends[1])
            throw SystemError(
                "cannot look for the hub", code: error.code,
                advice: "install avahi-daemon and avahi-utils" + orElse)
        }
        close(ends[1])
        let output = read(ends[0], until: MonotonicClock.now() + patience)
        // It may be in the middle of its end, for which its pipe was closed.
        let limit = MonotonicClock.now() + .seconds(1)
        var status = child.ended()
        while status == nil, MonotonicClock.now() < limit {
            poll(nil, 0, 10)
            status = child.ended()
        }
        if status == nil { child.kill() }
        // What it had printed before it was killed counts.
        let hubs = answers(in: String(decoding: output, as: UTF8.self))
        if hubs.isEmpty, let status, status != 0 {
            throw SystemError(
                "cannot look for the hub: \(program) ended with status \(status)", code: 0,
                advice: "see whether avahi-daemon runs (systemctl status avahi-daemon)" + orElse)
        }
        return hubs
    }

    private static func read(_ descriptor: Int32, until deadline: Instant) -> [UInt8] {
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while output.count < mostBytes {
            let left = (deadline - MonotonicClock.now()).wholeMilliseconds
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0, poll(&entry, 1, Int32(left)) > 0 else { break }
            let size = CLinux.read(descriptor, &chunk, chunk.count)
            if size <= 0 { break }
            output += chunk[..<size]
        }
        return output
    }

    static func parse(_ output: String) -> [FoundHub] { once(answers(in: output)) }

    /// Each hub once: the same host and port is the same hub.
    private static func once(_ answers: [FoundHub]) -> [FoundHub] {
        var hubs: [FoundHub] = []
        for hub in answers {
            guard let known = hubs.firstIndex(where: { $0.host == hub.host && $0.port == hub.port }) else {
                hubs.append(hub)
                continue
            }
            // An IPv4 address is the one that works everywhere.
            if !hub.isIPv6, hubs[known].isIPv6 { hubs[known] = hub }
        }
        return hubs
    }

    /// What `avahi-browse -rp` prints: `=;interface;protocol;name;type;domain;host;address;port;"txt" …`, one line for
    /// each interface and protocol.
    static func answers(in output: String) -> [FoundHub] {
        var hubs: [FoundHub] = []
        for line in output.split(separator: "\n") {
            let fields = line.split(separator: ";", maxSplits: 9, omittingEmptySubsequences: false)
            guard fields.count >= 9, fields[0] == "=", fields[4] == service, let port = UInt16(fields[8]), port > 0
            else { continue }
            let host = String(fields[6])
            var address = String(fields[7])
            if address.utf8.starts(with: "fe80:".utf8) { address += "%" + fields[1] }
            guard JoinLine.isHost(host), JoinLine.isHost(address) else { continue }
            hubs.append(
                FoundHub(
                    name: readable(fields[3]), host: host, address: address, port: port,
                    fingerprint: fields.count > 9 ? value("id", in: fields[9]) : ""))
        }
        return hubs
    }

    /// `"key=value"` among quoted texts.
    private static func value(_ key: String, in texts: Substring) -> String {
        for text in texts.split(separator: "\"") where text.utf8.starts(with: (key + "=").utf8) {
            return String(text.dropFirst(key.count + 1))
        }
        return ""
    }

    /// Avahi writes what is no letter or digit as `\DDD`, decimal. What is not printable stays written so.
    private static func readable(_ name: Substring) -> String {
        let bytes = Array(name.utf8)
        var text: [UInt8] = []
        var i = 0
        while i < bytes.count {
            if bytes[i] == UInt8(ascii: "\\"), i + 3 < bytes.count,
                let code = Int(String(decoding: bytes[(i + 1)...(i + 3)], as: UTF8.self)), (0x20...0x7e).contains(code)
            {
                text.append(UInt8(code))
                i += 4
                continue
            }
            text.append((0x20...0x7e).contains(bytes[i]) ? bytes[i] : UInt8(ascii: "?"))
            i += 1
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether this machine's resolver knows a name.
    static func isKnown(_ host: String) -> Bool {
        var list: UnsafeMutablePointer<addrinfo>?
        defer { if let list { freeaddrinfo(list) } }
        return getaddrinfo(host, nil, nil, &list) == 0
    }
}

import PuckBase

/// What `puckctl find-hub` tells puckd, as text: a line for each answer that mDNS gave, and a last one that says how the
/// search ended. Whatever is in here was said by anybody on the network, and proves nothing.
public struct HubAnswers: Equatable, Sendable {
    /// One answer.
    public struct Hub: Equatable, Sendable {
        /// Numeric; a link-local one with its zone.
        public let address: String
        public let port: UInt16
        /// The announced fingerprint is that of a certificate that the puck believes.
        public let namesPinnedCertificate: Bool

        public init(address: String, port: UInt16, namesPinnedCertificate: Bool) {
            self.address = address
            self.port = port
            self.namesPinnedCertificate = namesPinnedCertificate
        }
    }

    /// The command's name among those of `puckctl`; not in its help, since nobody types it.
    public static let command = "find-hub"
    /// The command itself gives up before: about 8 s for Avahi's answers, 1 s for its end.
    public static let patience = Interval.seconds(11)
    /// Some forty bytes a hub; more is not read.
    public static let mostBytes = 64 * 1024

    public var hubs: [Hub]
    /// One sentence: what is wrong and what to do; nil when all went well.
    public var problem: String?

    public init(_ hubs: [Hub] = [], problem: String? = nil) {
        self.hubs = hubs
        self.problem = problem
    }

    /// Lines, the last one without its end.
    public var text: String {
        var text = ""
        for hub in hubs { text += (hub.namesPinnedCertificate ? "pinned " : "other ") + "\(hub.address) \(hub.port)\n" }
        return text + (problem.map { "failed " + $0 } ?? "done")
    }

    /// Nil when the last line is missing: the command was ended early, or does not know the search.
    public init?(text: String) {
        self.init()
        for line in text.split(separator: "\n") {
            if line == "done" { return }
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2 else { continue }
            if words[0] == "failed" {
                problem = String(words[1])
                return
            }
            let place = words[1].split(separator: " ")
            guard words[0] == "pinned" || words[0] == "other", place.count == 2, let port = UInt16(place[1]), port > 0
            else { continue }
            hubs.append(Hub(address: String(place[0]), port: port, namesPinnedCertificate: words[0] == "pinned"))
        }
        return nil
    }
}

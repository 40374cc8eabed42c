import PuckBase
import Testing

@testable import HubCore
@testable import LinkTransport
@testable import PuckCore

/// The figures in the running text of docs/PROTOCOL.md §1 and §13 are the code's constants, as those of the table in §10.
@Suite("docs/PROTOCOL.md: figures in sentences")
struct ProtocolSentenceTests {
    private static func seconds(_ interval: Interval) -> Int { Int(interval.wholeMilliseconds / 1000) }
    private static func seconds(_ nanoseconds: Int64) -> Int { Int(nanoseconds / 1_000_000_000) }

    private static func expect(_ sentences: [String], in section: Int) throws {
        let text = try ProtocolPage().section(section).joined(separator: "\n")
        for sentence in sentences {
            #expect(text.contains(sentence), "the code says in §\(section): \(sentence)")
        }
    }

    /// "1, 2, 4": a row of pauses up to and with the second time that the longest one comes.
    private static func row(_ pause: (Int) -> Interval, longest: Interval) -> String {
        var row: [String] = []
        var attempt = 0
        while row.count < 2 || pause(attempt - 2) != longest {
            row.append("\(seconds(pause(attempt)))")
            attempt += 1
        }
        return row.joined(separator: ", ")
    }

    @Test("what the hub answers to an upgrade, and how many it lets wait at its door")
    func door() throws {
        let limits = Door.Limits.self
        #expect(limits.addressesOfIdentity == 4)
        #expect(2 * WastedConnections.turnNanoseconds == 60_000_000_000)
        try Self.expect(
            [
                "| 429, `Retry-After: \(ServerLink.retryAfterTooOften)` | this token connects too often: "
                    + "\(ServerLink.arrivalsAtOnce) times at once, then once a second |",
                "| 503, `Retry-After: \(ServerLink.retryAfterFull)` | the hub serves as many connections as it may",
                "A connection that has not finished TLS and HTTP within "
                    + "\(Self.seconds(LinkProtocol.openTimeoutNanoseconds)) s is closed.",
                "wait for their handshake, \(limits.callers) of them (as many as `[hub] connections`, if that is more)",
                "A handshake begins when the client's first TLS message is there; \(limits.handshakes) are under way at a "
                    + "time.",
                "the last four addresses of each token are remembered",
                "from which the fewest connections came to nothing in the last minute",
                "Handshakes that end without a token are limited to \(limits.wastedPerSecond) a second.",
            ], in: 1)
        #expect(ServerLink.arrivalsPerSecond == 1)
        var house = Door(connections: 1_000)
        for number in 1...1_001 {
            let giver = house.arrived(UInt32(number), from: PeerAddress(high: 0, low: UInt64(number)), now: 0)
            #expect((giver == nil) == (number <= 1_000), "\(number)")
        }
    }

    @Test("the pauses of a puck that found no hub, and of one that has a double")
    func pauses() throws {
        #expect(Backoff.jitterPercent == 10)
        let usual = Self.row(Backoff.nominalPause, longest: Backoff.cap)
        let doubled = Self.row(
            { min(Puck.duplicatePause * (1 << min($0, 4)), Puck.longestDuplicatePause) },
            longest: Puck.longestDuplicatePause)
        try Self.expect(
            [
                "a puck waits \(usual) … s, each ±\(Backoff.jitterPercent) %, and begins again at "
                    + "\(Self.seconds(Backoff.first)) s once a link has been up for \(Self.seconds(Backoff.stableAfter)) s",
                "the pauses reach its \(Self.seconds(Backoff.cap)) s by themselves",
                "it tries every \(Puck.resumePause.wholeMilliseconds) ms for the second in which",
                "waits \(doubled) … s, ±10 %, instead of the row above",
                "replaced in the last \(Self.seconds(Rivals.rememberedFor) / 60) minutes",
                "(heard within \(Self.seconds(Rivals.aliveFor)) s)",
                "then only after three replacements within a minute",
            ], in: 1)
        #expect(Puck.resumeWithin == .seconds(1))
        #expect(Rivals.roamingLimit == 3 && Rivals.roamingWindow == .seconds(60))
    }

    @Test("the places for pairing")
    func pairing() throws {
        let configuration = ServerLink.Configuration(address: "*", port: 0, security: .insecure)
        try Self.expect(
            [
                "\(ServerLink.strangersAtOnce) at a time, \(ServerLink.strangersOfOneAddress) from one address (IPv6: one "
                    + "/64), for \(Self.seconds(ServerLink.strangerTimeoutNanoseconds)) s, and for "
                    + "\(Self.seconds(ServerLink.strangerSilenceNanoseconds)) s after the upgrade",
                "the oldest one that is older than \(Self.seconds(configuration.pairingGraceNanoseconds)) s",
            ], in: 13)
    }
}

import HubCore
import PuckBase
import PuckWire
import Testing

@testable import HubService
@testable import LinkTransport
@testable import PuckCore

/// The table of docs/PROTOCOL.md §10 is made of the code's constants: whoever changes one changes the other.
@Suite("docs/PROTOCOL.md: limits")
struct ProtocolLimitTests {
    /// "1,275"
    private static func grouped(_ number: Int) -> String {
        let digits = Array("\(number)")
        return digits.indices.map {
            (digits.count - $0).isMultiple(of: 3) && $0 > 0 ? ",\(digits[$0])" : "\(digits[$0])"
        }
        .joined()
    }

    /// "500 ms", "2 s", "10 min".
    private static func time(_ interval: Interval) -> String {
        let milliseconds = Int(interval.wholeMilliseconds)
        if milliseconds % 1000 != 0 { return grouped(milliseconds) + " ms" }
        let seconds = milliseconds / 1000
        return seconds >= 120 && seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds) s"
    }

    private static func nanoseconds(_ count: Int64) -> String { time(Interval(nanoseconds: count)) }

    /// Of this many samples.
    private static func time(samples: Int64) -> String {
        let tenths = samples * 10 / Int64(WireLimits.sampleRate)
        return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }

    private static var limits: [(String, String)] {
        let policy = HubPolicy()
        let opening = nanoseconds(LinkProtocol.openTimeoutNanoseconds)
        #expect(opening == time(HubLimits.helloWithin) && opening == time(Puck.greetingTimeout))
        #expect(
            time(Puck.pingEvery) == time(HubLimits.pingEvery) && time(Puck.silenceLimit) == time(HubLimits.silentFor))
        #expect(Puck.controlsPerSecond == HubLimits.controlsPerSecond)
        #expect(Puck.replayWait == HubLimits.replayKept && Puck.streamControlsPerSecond == HubLimits.replayMessages)
        let paced = HubLimits.streamControlBurst + Int(1000 / HubLimits.streamControlPause.wholeMilliseconds)
        let kib = 1024
        return linkRows(opening, paced) + floodRows + conversationRows(policy) + [
            (
                "an utterance waits for its puck; an answer does",
                "\(time(policy.uplinkResume)); \(time(HubLimits.replayKept))"
            ),
            (
                "kept for replay, a puck",
                "\(time(HubLimits.replayKept)), \(HubLimits.replayBytes / kib) KiB, "
                    + "\(grouped(HubLimits.replayMessages)) messages"
            ),
            ("plays that wait for one loudspeaker", "\(HubLimits.queuedPlays)"),
            (
                "stream sent and not acknowledged",
                "\(HubLimits.streamWindow / kib) KiB, a `0xC2` counted as \(HubLimits.streamControlBytes) bytes"
            ),
            (
                "queued on one socket",
                "\(LinkProtocol.sendQueueBytes / kib) KiB, past that the connection is dropped rather than memory"
            ),
            (
                "pairing: connections; of one address; time",
                "\(ServerLink.strangersAtOnce); \(ServerLink.strangersOfOneAddress); "
                    + nanoseconds(ServerLink.strangerTimeoutNanoseconds)
            ),
            (
                "pairing: silence after the upgrade or a message", nanoseconds(ServerLink.strangerSilenceNanoseconds)
            ),
            (
                "pairing: an offer; wrong proofs; of one address",
                "\(time(PairingDesk.Limits.lifetime)); \(PairingDesk.Limits.wrongCodes); "
                    + "\(PairingDesk.Limits.wrongOfOneAddress)"
            ),
            (
                "pairing: begun within a minute; by one address",
                "\(PairingDesk.Limits.beginsPerMinute); \(PairingDesk.Limits.beginsPerMinuteOfOneAddress)"
            ),
        ]
    }

    private static func linkRows(_ opening: String, _ paced: Int) -> [(String, String)] {
        [
            (
                "header, payload, message",
                "\(WireLimits.headerBytes), ≤ \(grouped(WireLimits.payloadBytes)), "
                    + "≤ \(grouped(WireLimits.messageBytes)) bytes"
            ),
            ("WebSocket message that is read at all", "\(grouped(LinkProtocol.maximumMessageBytes)) bytes"),
            ("text member", "\(WireLimits.textBytes) bytes"),
            (
                "list",
                "\(WireLimits.listElements) elements; `envelope_db` \(WakeCandidate.mostEnvelopeSteps), "
                    + "`plays` \(Hello.mostPlays)"
            ),
            ("error text", "\(WireLimits.errorTextBytes) bytes"),
            ("TLS and HTTP; then `hello`; then `welcome`", "\(opening) each"),
            ("ping; silence until close", "\(time(Puck.pingEvery)); \(time(Puck.silenceLimit))"),
            ("`0xC1`, either way", "\(Puck.controlsPerSecond) a second"),
            (
                "`0xC2` that a hub sends; that a puck takes",
                "\(paced) in any second; \(grouped(Puck.streamControlsPerSecond)) a second"
            ),
            (
                "uplink audio",
                "\(TurnLimits.burstPackets * WireLimits.packetMilliseconds / 1000) s, and "
                    + "\(TurnLimits.sustainedPacketsPerSecond * WireLimits.packetMilliseconds / 1000) s for each second since "
                    + "its grant"
            ),
        ]
    }

    private static var floodRows: [(String, String)] {
        let work = ServerLink.Work()
        #expect(ServerLink.arrivalsPerSecond == 1)
        return [
            (
                "what a hub reads from a puck, whatever it is",
                "\(work.bytesPerSecond / 1000) KB a second, \(work.bytesAtOnce >> 20) MiB at once; "
                    + "\(work.readsPerSecond / 2) TLS records (without TLS: TCP segments) a second, "
                    + "\(grouped(work.readsAtOnce / 2)) at once"
            ),
            (
                "a reported `position_ms`",
                "\(time(HubLimits.playedHeadStart)) ahead of the clock, and a quarter faster than it"
            ),
            (
                "connections that wait for their handshake",
                "\(Door.Limits.callers), or `[hub] connections` if that is more"
            ),
            (
                "handshakes at a time; of addresses without a token yet",
                "\(Door.Limits.handshakes); \(Door.Limits.strangers)"
            ),
            (
                "handshakes that end without a token, a second",
                "\(Door.Limits.wastedPerSecond) (\(Door.Limits.wastedAtOnce) at once); of an address that has shown one, "
                    + "\(Door.Limits.wastedPerSecondOfKnown) (\(Door.Limits.wastedAtOnceOfKnown) at once)"
            ),
            (
                "connections of a token",
                "once a second, \(ServerLink.arrivalsAtOnce) at once; one that has not said `hello`"
            ),
        ]
    }

    private static func conversationRows(_ policy: HubPolicy) -> [(String, String)] {
        var narrow = policy
        narrow.arbitrationWindow = .zero
        var wide = policy
        wide.arbitrationWindow = .seconds(1)
        let ahead = "\(time(policy.downlinkAhead)), puck \(time(samples: Puck.laneCapacity))"
        let proven = time(.milliseconds(HubLimits.provenPackets * WireLimits.packetMilliseconds))
        let held = time(.milliseconds(UplinkWindow.capacity * WireLimits.packetMilliseconds))
        return [
            (
                "arbitration window; late candidates",
                "\(time(policy.arbitrationWindow)) (\(narrow.arbitrationWindow.wholeMilliseconds)…"
                    + "\(wide.arbitrationWindow.wholeMilliseconds)); \(time(HubLimits.lateWithin)) after the decision"
            ),
            ("first packet after a grant", time(policy.firstAudio)),
            (
                "a winner proves itself; stands still; is away",
                "\(proven) of audio within \(time(HubLimits.standbyFor)); \(time(policy.firstAudio)); "
                    + time(HubLimits.runnerUpAfter)
            ),
            (
                "a loser stands by; a puck waits for a verdict",
                "\(time(Puck.standbyTimeout)); \(time(Puck.verdictTimeout))"
            ),
            ("packets held back by a puck", "\(UplinkWindow.capacity) (\(held)), oldest dropped"),
            (
                "utterance",
                "puck \(Puck.Parameters().endpoint.utteranceLimitMilliseconds / 1000) s, hub \(time(policy.utteranceLimit))"
            ),
            ("after the hub has ended a conversation", "\(HubLimits.drainedPackets) packets are dropped"),
            (
                "hub's answer",
                "begins within \(time(HubLimits.answerWithin)) of `up_end`; a puck waits \(time(Puck.answerTimeout))"
            ),
            ("audio ahead of the loudspeaker", "hub \(ahead)"),
            (
                "a play of which nothing comes",
                "hub \(time(HubLimits.answerWithin)), puck \(time(Puck.playbackStallTimeout)); one that is paused waits "
                    + "\(time(Puck.pausedLimit)) for the hub's word"
            ),
            ("a play that is not reported as ended", "given up \(time(HubLimits.playedSlack)) after its end"),
            (
                "attempts while an utterance can be resumed",
                "every \(time(Puck.resumePause)), for \(time(Puck.resumeWithin))"
            ),
        ]
    }

    @Test("each row of the table is what the code has, and no row is missing")
    func table() throws {
        let rows = try ProtocolPage().rows(10)
        let example = try ExampleFile("docs/examples/puckhub.conf")
        let connections = try #require(example.keys.first { $0.name == "[hub] connections" }).value
        let limits = Self.limits + [("connections", "\(connections) (`[hub] connections`)")]
        for (name, value) in limits {
            let row = rows.first { $0.first == name }
            #expect(
                row?.count == 2 && row?[1] == value,
                "\(name): the page says \(row?.last ?? "nothing"), the code \(value)")
        }
        let named = Set(limits.map(\.0))
        #expect(rows.allSatisfy { named.contains($0[0]) }, "\(rows.map { $0[0] }.filter { !named.contains($0) })")
        #expect(rows.count == limits.count)
    }
}

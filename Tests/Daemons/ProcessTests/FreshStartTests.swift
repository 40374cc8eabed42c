import CLinux
import Foundation
import Testing

@Suite("Processes: a stream that cannot go on", .fewAtATime)
struct FreshStartTests {
    @Test(
        "A play whose stream is lost begins again where the puck says that it is: nothing missing, hardly anything twice"
    )
    func halfHeard() async throws {
        try await House.run { house in
            let hub = try await house.hub(extra: AnswerCutTests.responder(AnswerCutTests.answer, house))
            let (listener, port) = loopbackListener(backlog: 8)
            defer { close(listener) }
            let token = try await house.token("kitchen")
            let puck = try await house.puck(port: Int(port))
            let first = try await Middle(accepting: listener, token, to: house.port()) { $0 }
            let pass = Task { try await first.passOn() }
            try await puck.line("link.up")
            let conversation = try await house.wake(puck)
            try await puck.line("play.start", ["conversation": conversation])
            try await AnswerCutTests.spoken(2, house, puck)
            first.end()
            try await pass.value
            // It goes on with what it has; nobody hears of it.
            try await puck.line("link.disconnected")
            let second = try await Middle(accepting: listener, token, to: house.port()) { hello in
                // The hub has dropped what was acknowledged, so it cannot begin there.
                var hello = hello
                var resume = hello["resume"] as? [String: Any] ?? [:]
                resume["resume_seq"] = 0
                hello["resume"] = resume
                return hello
            }
            let passAgain = Task { try await second.passOn() }
            defer { second.end() }
            try await puck.line("link.up", ["resume": "fresh"])
            let start = try await puck.line("play.start", ["conversation": conversation])
            try await puck.line("play.done", ["played_ms": "8000"])
            try await hub.line("conversation.end", ["conversation": conversation, "outcome": "done"])
            second.end()
            try await passAgain.value

            let begins = Int(start["resumed_at_ms"] ?? "") ?? 0
            let told = try #require((second.hello["plays"] as? [[String: Any]])?.first?["position_ms"] as? Int)
            let reported = try #require(first.lastPosition)
            #expect(begins == told / 20 * 20, "\(begins), \(told)")
            // The first pause is 0.9 s or more, in which it went on unheard of.
            #expect(told >= reported + 800, "\(told) after \(reported)")
            let packets = try Codec.packets(AnswerCutTests.answer[...], Codec.hub)
            let whole = try Codec.decoded(packets[...])
            var reading = Reading(Sound.read(house.speaker()))
            let before = reading.play(whole[...])
            #expect(before.gaps.isEmpty)
            let twice = before.samples - begins * Sound.rate / 1000
            // Nothing is missing; twice comes what sounded until the answer to the hello was there, as the relay saw it, a
            // packet that had begun, and what the device had taken already.
            let most = second.exchange + .milliseconds(20 + 400)
            #expect(twice >= 0 && Duration.milliseconds(twice * 1000 / Sound.rate) <= most, "\(twice), \(most)")
            // A new stream, so a new decoder.
            let rest = try Codec.decoded(packets[(begins / 20)...])
            let isFollowed = reading.gap(before: rest[...]) != nil && reading.play(rest[...]).samples == rest.count
            #expect(isFollowed && reading.isAtEnd, "after \(reading.position) samples; the puck said:\n\(puck.tail)")
        }
    }
}

/// Passes the messages of one link on, and may change the hello.
private final class Middle: @unchecked Sendable {  // Sound: the task that passes on alone uses it until it has ended.
    private let puck: RawPeer
    private let hub: RawPeer
    private var isOver = false
    /// As the puck said it.
    private(set) var hello: [String: Any] = [:]
    /// The last `played.position_ms`.
    private(set) var lastPosition: Int?
    /// From the hello to the first `down_start`.
    private(set) var exchange = Duration.zero
    private let greeted: ContinuousClock.Instant

    init(accepting listener: Int32, _ token: String, to port: Int, change: ([String: Any]) -> [String: Any])
        async throws
    {
        puck = try await RawPeer.hub(accepting: listener)
        hello = try await puck.control("hello")
        greeted = ContinuousClock.now
        hub = try await RawPeer.puck(token, to: port)
        let json = try JSONSerialization.data(withJSONObject: change(hello))
        hub.send(String(decoding: json, as: UTF8.self))
    }

    /// Both links break at the next look.
    func end() { isOver = true }

    func passOn() async throws {
        while !isOver {
            for frame in puck.frames() {
                if let told = Self.body(frame), told["op"] as? String == "played" {
                    lastPosition = told["position_ms"] as? Int
                }
                hub.writeFrame(frame.opcode, frame.payload)
            }
            for frame in hub.frames() {
                if exchange == .zero, Self.body(frame)?["op"] as? String == "down_start" {
                    exchange = ContinuousClock.now - greeted
                }
                puck.writeFrame(frame.opcode, frame.payload)
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        puck.hangUp()
        hub.hangUp()
    }

    private static func body(_ frame: RawPeer.Frame) -> [String: Any]? {
        guard frame.opcode == RawPeer.Frame.binary, frame.payload.count > 9, [0xC1, 0xC2].contains(frame.payload[0])
        else {
            return nil
        }
        return try? JSONSerialization.jsonObject(with: Data(frame.payload[9...])) as? [String: Any]
    }
}

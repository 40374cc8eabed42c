import Foundation
import PuckBase
import PuckWire
import Testing

/// Over real sockets with the real daemon. Serialized: each test has a process of its own, and two cores are enough
/// for one.
@Suite("puckhub", .serialized)
struct HubTests {}

extension HubTests {
    @Test("hello is answered with welcome, a lone candidate with its grant, and both are logged")
    func greeting() throws {
        let hub = try HubProcess()
        let puck = try TestPuck("kitchen", of: hub)
        #expect(puck.status == 101)
        let welcome = try puck.greet()
        #expect(welcome.resume == .none && welcome.pingMilliseconds == 5_000)
        let conversation = try puck.wake()
        #expect(conversation.hasPrefix("c-"))
        #expect(hub.waitForLog("session.open")?["puck"] == "kitchen")
        #expect(hub.waitForLog("arbitration.decided")?["winner"] == "kitchen")
        #expect(hub.waitForLog("arbitration.decided")?["waited_ms"] == "0.0")
    }

    @Test("of two pucks that heard the same word the better one is granted, the other cancelled")
    func twoPucks() throws {
        let hub = try HubProcess(pucks: ["attic", "bath"])
        let attic = try TestPuck("attic", of: hub)
        let bath = try TestPuck("bath", of: hub)
        _ = try attic.greet()
        _ = try bath.greet()
        attic.candidate(1, snr: 12)
        bath.candidate(7, snr: 25)
        guard case .grant(7, _) = bath.next()?.hub, case .cancel(1, .lost) = attic.next()?.hub else {
            Issue.record("grant for bath and cancel for attic expected")
            return
        }
        #expect(hub.waitForLog("arbitration.decided")?["candidates"] == "bath:25.0,attic:12.0")
    }

    /// What a puck in disorder sends after its hello or its grant, and what the hub says to it.
    struct Fault: Sendable, CustomTestStringConvertible {
        enum Stage: Sendable { case connected, greeted, granted }
        let testDescription: String
        let stage: Stage
        let messages: [[UInt8]]
        let code: WireError.Code
    }

    static func raw(_ type: UInt8, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let count = length ?? payload.count
        return [type, 0, 0, 0, 0, 0, 0, UInt8(count & 0xff), UInt8(count >> 8)] + payload
    }
    static func control(_ text: String) -> [UInt8] { raw(0xC1, Array(text.utf8)) }
    static let hello = TestPuck.message(
        .control, 0,
        PuckControl.hello(Hello(puckID: "kitchen", room: "r", group: "r", software: "t", phrases: [])).payload())

    static let faults: [Fault] = [
        Fault(
            testDescription: "status before hello", stage: .connected,
            messages: [control(#"{"op":"ping","t0":1}"#)], code: .unexpected),
        Fault(
            testDescription: "audio before hello", stage: .connected,
            messages: [TestPuck.message(.uplinkOpus, 0, [1, 2, 3])], code: .unexpected),
        Fault(
            testDescription: "another version", stage: .connected,
            messages: [control(#"{"op":"hello","proto":2}"#)], code: .version),
        Fault(
            testDescription: "the name of another puck", stage: .connected,
            messages: [
                TestPuck.message(
                    .control, 0,
                    PuckControl.hello(Hello(puckID: "hall", room: "r", group: "r", software: "t", phrases: []))
                        .payload())
            ], code: .auth),
        Fault(testDescription: "a second hello", stage: .greeted, messages: [hello], code: .unexpected),
        Fault(testDescription: "an empty message", stage: .greeted, messages: [[]], code: .badLength),
        Fault(testDescription: "a truncated header", stage: .greeted, messages: [[0xC1, 0, 0, 0]], code: .badLength),
        Fault(
            testDescription: "a truncated payload", stage: .greeted,
            messages: [raw(0xC1, [0x7B], length: 40)], code: .badLength),
        Fault(
            testDescription: "an oversized payload", stage: .greeted,
            messages: [raw(0xC1, [UInt8](repeating: 0x20, count: 2_049))], code: .badLength),
        Fault(testDescription: "an unknown type", stage: .greeted, messages: [raw(0x42, [])], code: .badType),
        Fault(testDescription: "not JSON", stage: .greeted, messages: [control("hello")], code: .badControl),
        Fault(
            testDescription: "a missing member", stage: .greeted, messages: [control(#"{"op":"played"}"#)],
            code: .badControl),
        Fault(
            testDescription: "a message for pucks", stage: .greeted, messages: [raw(0xC2, Array("{}".utf8))],
            code: .unexpected),
        Fault(
            testDescription: "played what was never sent", stage: .greeted,
            messages: [control(#"{"op":"played","seq":9,"play_id":1,"position_ms":0,"buffered_ms":0}"#)],
            code: .unexpected),
        Fault(
            testDescription: "audio without a grant", stage: .greeted,
            messages: [TestPuck.message(.uplinkOpus, 0, [1, 2, 3])], code: .unexpected),
        Fault(
            testDescription: "audio out of order", stage: .granted,
            messages: [0, 2].map { TestPuck.message(.uplinkPCM, $0, [UInt8](repeating: 0, count: 640)) },
            code: .unexpected),
        Fault(
            testDescription: "audio twice", stage: .granted,
            messages: [0, 0].map { TestPuck.message(.uplinkPCM, $0, [UInt8](repeating: 0, count: 640)) },
            code: .unexpected),
        Fault(
            testDescription: "PCM of a wrong size", stage: .granted,
            messages: [TestPuck.message(.uplinkPCM, 0, [0, 0])], code: .badLength),
        Fault(
            testDescription: "bytes that are not Opus", stage: .granted,
            messages: [TestPuck.message(.uplinkOpus, 0, [0xFF, 0xFF])], code: .unexpected),
        Fault(
            testDescription: "201 control messages at once", stage: .greeted,
            messages: [[UInt8]](repeating: control(#"{"op":"dance"}"#), count: 201), code: .rateLimit),
    ]

    @Test("a fault gets its error message, a log line, and the end of the connection", arguments: faults)
    func faulty(fault: Fault) throws {
        let hub = try HubProcess()
        let puck = try TestPuck("kitchen", of: hub)
        if fault.stage != .connected { _ = try puck.greet() }
        if fault.stage == .granted { _ = try puck.wake() }
        for message in fault.messages { puck.send(raw: message) }
        let answer = try #require(puck.next())
        #expect(answer.error?.code == fault.code)
        #expect(puck.next() == nil, "the hub closes after its error")
        let line = hub.waitForLog("session.error")
        #expect(line?["code"] == fault.code.name)
        #expect(line?["detail"] == answer.error?.detail)
        #expect(hub.waitForLog("session.close") != nil)
        // And the hub goes on.
        let again = try TestPuck("kitchen", of: hub)
        _ = try again.greet()
    }

    @Test("a new connection of the same puck replaces the old one")
    func replaced() throws {
        let hub = try HubProcess()
        let old = try TestPuck("kitchen", of: hub)
        _ = try old.greet()
        let new = try TestPuck("kitchen", of: hub)
        _ = try new.greet()
        #expect(old.next() == nil)
        _ = try new.wake()
    }

    @Test("an unknown token is refused at the upgrade; one that is added while the hub runs is known at once")
    func tokens() throws {
        let hub = try HubProcess(pucks: [])
        let stranger = try TestPuck("kitchen", of: hub, token: "guessed")
        #expect(stranger.status == 401)
        try hub.addToken("kitchen")
        let puck = try TestPuck("kitchen", of: hub)
        #expect(puck.status == 101)
        _ = try puck.greet()
    }
}

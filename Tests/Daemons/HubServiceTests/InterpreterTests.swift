import HubCore
import PuckBase
import PuckWire
import Testing
import TokenList

@testable import HubService

/// A hub in memory with a puck that may connect.
final class Bench {
    let outside = MemoryHub()
    let file = MemoryTokens()
    let interpreter: HubInterpreter<MemoryHub>
    let tokens: HubTokens<MemoryHub>
    let requests: HubRequests<MemoryHub>
    /// The kitchen's.
    let token: String

    init(learned: [UInt8]? = nil, isUnreadable: Bool = false, rotateDays: Int = 0) throws {
        outside.learned = learned
        outside.isUnreadable = isUnreadable
        let list = try TokenList(file)
        token = try list.add("kitchen", nowUnixSeconds: 1_700_000_000)
        interpreter = HubInterpreter(outside, policy: HubPolicy(), generator: SeededGenerator(seed: 1))
        tokens = HubTokens(interpreter, list, rotateDays: rotateDays)
        requests = HubRequests(interpreter, tokens, longestReplyBytes: 4_096)
        interpreter.onHello = { [unowned(unsafe) tokens] id, hello in tokens.greeted(id, hello) }
    }

    deinit { interpreter.disconnectAdapters() }

    func receive(_ id: ConnectionID, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { interpreter.received(id, $0) }
    }

    func receive(_ id: ConnectionID, _ type: MessageType, _ sequence: Int, _ payload: [UInt8]) {
        var head = [UInt8](repeating: 0, count: WireLimits.headerBytes)
        let header = MessageHeader(
            type: type, sequence: SerialNumber(UInt16(sequence)), timestampMilliseconds: 0, length: payload.count)
        head.withUnsafeMutableBytes { header.write(to: $0) }
        receive(id, head + payload)
    }

    func receive(_ id: ConnectionID, _ control: PuckControl) { receive(id, .control, 0, control.payload()) }

    /// The kitchen connects and says hello.
    @discardableResult
    func connect(_ number: UInt32 = 1, _ token: String? = nil) -> ConnectionID {
        let id = ConnectionID(number)
        guard let name = tokens.authorize(token ?? self.token) else {
            Issue.record("the token is refused")
            return id
        }
        interpreter.process(.connectionOpened(id, tokenName: name))
        var hello = Hello(puckID: name, room: "", group: "home", software: "test", phrases: ["puck"])
        hello.keepsToken = true
        receive(id, .hello(hello))
        return id
    }

    /// Somebody speaks, and has finished.
    func speak(_ id: ConnectionID) {
        receive(
            id,
            .wakeCandidate(
                WakeCandidate(
                    wakeID: 1, phrase: "puck", onsetMilliseconds: 0, snrDecibels: 20, levelDecibels: -30,
                    noiseDecibels: -50, confidence: 0.9)))
        for case .grant(_, let conversation) in outside.controls {
            for packet in 0..<5 { receive(id, .uplinkOpus, packet, [0x48, 0, 0]) }
            receive(
                id,
                .uplinkEnd(
                    UplinkEnd(conversationID: conversation, lastSequence: SerialNumber(4), reason: .endpoint)))
        }
    }

    func passDeadline() {
        guard let deadline = outside.deadline else {
            Issue.record("there is no deadline")
            return
        }
        outside.now = max(outside.now, deadline)
        interpreter.timePassed()
    }
}

@Suite("The hub's interpreter")
struct InterpreterTests {
    @Test(
        "answers bytes that are no message with an error, and closes",
        arguments: [
            ([], .badLength), ([0xC1], .badLength), ([0xC1, 0, 0, 0, 0, 0, 0, 9, 0], .badLength),
            ([0x17, 0, 0, 0, 0, 0, 0, 0, 0], .badType), ([0xC2, 0, 0, 0, 0, 0, 0, 0, 0], .unexpected),
            ([0xC1, 0, 0, 0, 0, 0, 0, 1, 0, 0x7B], .badControl),
        ] as [([UInt8], WireError.Code)])
    func badBytes(_ bytes: [UInt8], _ code: WireError.Code) throws {
        let bench = try Bench()
        let id = bench.connect()
        bench.receive(id, bytes)
        let last = try #require(bench.outside.sent.last?.bytes)
        #expect(last.first == MessageType.error.rawValue)
        let error = last.withUnsafeBytes { WireError.parse(payload: .init(rebasing: $0[WireLimits.headerBytes...])) }
        #expect(error.code == code)
        #expect(bench.outside.closed.last?.code == .policyViolation)
        #expect(bench.interpreter.hub.sessionCount == 0)
    }

    @Test("drops a connection whose send queue is full, and forgets its session at once")
    func fullQueue() throws {
        let bench = try Bench()
        let id = bench.connect()
        #expect(bench.interpreter.hub.sessionCount == 1)
        bench.outside.room = 0
        bench.receive(id, .ping(Ping(t0: 1)))
        #expect(bench.outside.dropped == [id])
        #expect(bench.interpreter.hub.sessionCount == 0)
        // The transport says it once more, later.
        bench.interpreter.process(.connectionClosed(id, reason: "dropped by the hub"))
        #expect(bench.interpreter.hub.sessionCount == 0)
    }

    @Test("a queue that fills in the middle of an answer ends that connection, and the answer waits for the puck")
    func fullInAnswer() throws {
        let bench = try Bench()
        let id = bench.connect()
        bench.speak(id)
        bench.outside.room = 1
        while let play = bench.outside.takeToEncode() { bench.interpreter.encodeSlice(of: play) }
        #expect(bench.outside.dropped.first == id)
        #expect(bench.interpreter.hub.sessionCount == 0)
        bench.outside.room = nil
        bench.connect(2)
        #expect(bench.interpreter.hub.sessionCount == 1)
    }

    @Test("a connection that is closed already is told from one that does not read")
    func closedConnection() throws {
        let bench = try Bench()
        let id = bench.connect()
        bench.outside.isOpen = false
        bench.receive(id, .ping(Ping(t0: 1)))
        #expect(bench.interpreter.hub.sessionCount == 0)
        #expect(
            bench.outside.records.contains { $0.fields.contains { $0.value == "it is closed" } },
            "\(bench.outside.records)")
    }

    @Test("an answer goes out packet by packet, as it was encoded")
    func answers() throws {
        let bench = try Bench()
        let id = bench.connect()
        bench.speak(id)
        #expect(bench.outside.utterances.map { $0.count } == [5 * WireLimits.samplesPerPacket])
        while let play = bench.outside.takeToEncode() { #expect(bench.interpreter.encodeSlice(of: play)) }
        let packets = bench.outside.sent.filter { $0.bytes[0] == MessageType.downlinkOpus.rawValue }
        #expect(packets.map { $0.bytes[WireLimits.headerBytes] } == [0, 1, 2])
    }

    @Test("an encoder that does not start, or fails, ends the conversation", arguments: [nil, 0, 1])
    func encoderFails(_ failsAt: Int?) throws {
        let bench = try Bench()
        bench.outside.encoder = failsAt.map { CountingEncoder(total: 3, failsAt: $0) }
        let id = bench.connect()
        bench.speak(id)
        while let play = bench.outside.takeToEncode() { bench.interpreter.encodeSlice(of: play) }
        #expect(bench.interpreter.hub.conversationsInProgress == 0)
        #expect(bench.outside.logged("conversation.end").count == 1)
        #expect(!bench.interpreter.encodeSlice(of: 1), "nobody needs it any more")
    }

    @Test("a file that cannot be played is refused, and a puck that is not there")
    func refusedPlays() throws {
        let bench = try Bench()
        #expect(bench.requests.answer("play kitchen music /none") == "error: cannot open /none")
        #expect(bench.requests.answer("play kitchen music /there").hasPrefix("error: "))
        bench.connect()
        #expect(bench.requests.answer("play kitchen music /there") == "play_id=1")
        #expect(bench.requests.answer("play kitchen silence /there").hasPrefix("error: \"silence\" is no category"))
    }
}

@Suite("The hub's tokens on a disk that fails")
struct TokenStorageTests {
    @Test("a revocation on a full disk is in force at once, and written when there is room")
    func revoked() throws {
        let bench = try Bench()
        bench.connect()
        bench.file.isFull = true
        let reply = bench.requests.answer("revoke kitchen")
        #expect(reply.hasPrefix("error: kitchen can no longer connect") && reply.contains("not stored"), "\(reply)")
        #expect(bench.interpreter.hub.sessionCount == 0)
        #expect(bench.tokens.authorize(bench.token) == nil)
        #expect(try TokenList(bench.file).devices.map(\.name) == ["kitchen"])

        // It fails once more, and is said once.
        bench.passDeadline()
        #expect(try TokenList(bench.file).devices.map(\.name) == ["kitchen"])
        #expect(bench.outside.logged("tokens.not_stored").count == 1)
        bench.file.isFull = false
        bench.passDeadline()
        #expect(try TokenList(bench.file).devices.isEmpty)
        #expect(bench.outside.logged("tokens.stored").count == 1)
        #expect(bench.tokens.authorize(bench.token) == nil)
    }

    @Test("a new token that cannot be written is not sent")
    func notIssued() throws {
        let bench = try Bench(rotateDays: 1)
        bench.file.isFull = true
        bench.connect()
        #expect(!bench.outside.controls.contains { if case .token = $0 { true } else { false } })
        #expect(bench.interpreter.hub.sessionCount == 1)
    }

    @Test("while it cannot be written that a new token was used, both let the puck in; then one does")
    func notPromoted() throws {
        let bench = try Bench(rotateDays: 1)
        bench.connect()
        var fresh = ""
        for case .token(let token) in bench.outside.controls { fresh = token }
        try #require(!fresh.isEmpty)
        bench.file.isFull = true
        #expect(bench.tokens.authorize(fresh) == "kitchen")
        #expect(bench.tokens.authorize(fresh) == "kitchen")
        #expect(bench.tokens.authorize(bench.token) == "kitchen")
        #expect(bench.outside.logged("tokens.refused").count == 1)
        bench.file.isFull = false
        #expect(bench.tokens.authorize(fresh) == "kitchen")
        #expect(bench.tokens.authorize(bench.token) == nil)
        #expect(bench.outside.logged("token.retired").count == 1)
    }

    @Test("a token file that cannot be opened costs nobody his token")
    func unreadable() throws {
        let bench = try Bench()
        // Somebody else has written it.
        _ = try TokenList(bench.file).add("hall", nowUnixSeconds: 0)
        bench.file.isUnreadable = true
        #expect(bench.tokens.authorize(bench.token) == "kitchen")
        #expect(bench.outside.logged("tokens.refused").count == 1)
    }
}

@Suite("What the hub has learned, on a disk that fails")
struct LearnedStorageTests {
    /// Two pucks whose gains differ, and a person who says so.
    private static let text = Array("gain kitchen 100 0\n".utf8)

    @Test("a file that cannot be opened is said, and the hub learns anew")
    func unreadable() throws {
        let bench = try Bench(learned: Self.text, isUnreadable: true)
        #expect(bench.outside.logged("learned.ignored").count == 1)
        #expect(bench.outside.aside == nil)
    }

    @Test("bytes that no hub wrote are put aside")
    func garbage() throws {
        let bench = try Bench(learned: Array("nonsense\n".utf8))
        #expect(bench.outside.aside == Array("nonsense\n".utf8))
        #expect(bench.outside.logged("learned.ignored").count == 1)
    }

    @Test("what was not written in the background is written at the end, when there is room")
    func behind() throws {
        let outside = MemoryHub()
        let keeper = LearnedKeeper(outside)
        let earshot = try Earshot(text: String(decoding: Self.text, as: UTF8.self))
        outside.isDiskFull = true
        keeper.keepNowAndThen(earshot)
        #expect(keeper.keep(earshot)?.contains("No space left") == true)
        #expect(outside.learned == nil)
        outside.isDiskFull = false
        #expect(keeper.keep(earshot) == nil)
        #expect(outside.learned == Array(earshot.text.utf8))
        #expect(keeper.keep(earshot) == nil, "nothing is new")
    }
}

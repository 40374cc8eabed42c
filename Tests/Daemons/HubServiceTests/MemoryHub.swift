import HubCore
import PuckBase
import PuckWire
import TokenList

@testable import HubService

/// An outside in memory: what the interpreter sends, closes, writes and logs lies here to be looked at, and whatever a
/// test switches off fails.
final class MemoryHub: HubOutside {
    typealias Tokens = MemoryTokens
    typealias Decoder = SilentDecoder
    typealias Encoder = CountingEncoder

    var now = Instant.zero + .seconds(100)
    var unixSeconds: Int64 = 1_800_000_000
    private(set) var deadline: Instant?
    func setDeadline(_ deadline: Instant?) { self.deadline = deadline }

    // Connections.
    private(set) var sent: [(connection: ConnectionID, bytes: [UInt8])] = []
    private(set) var closed: [(connection: ConnectionID, code: HubCloseCode, reason: String)] = []
    private(set) var dropped: [ConnectionID] = []
    /// Messages that the connection's queue still has room for; nil for any number.
    var room: Int?
    var isOpen = true

    func send(to connection: ConnectionID, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool {
        if !isOpen || room == 0 { return false }
        if let room { self.room = room - 1 }
        sent.append((connection, Array(head) + Array(body)))
        return true
    }

    func queuedBytes(of connection: ConnectionID) -> Int { isOpen ? 65_000 : 0 }
    func close(_ connection: ConnectionID, _ code: HubCloseCode, reason: String) {
        closed.append((connection, code, reason))
    }
    func disconnect(_ connection: ConnectionID) { dropped.append(connection) }

    // Speech.
    var encoder: CountingEncoder? = CountingEncoder(total: 3)
    private(set) var toEncode: [UInt32] = []
    private(set) var utterances: [[Int16]] = []
    func answer(to utterance: [Int16], conversationID: String) -> String? {
        utterances.append(utterance)
        return "answer"
    }
    func sound(inFile path: String) throws(OutsideError) -> String {
        if path == "/none" { throw OutsideError("cannot open /none") }
        return path
    }
    func makeEncoder(for sound: String) -> CountingEncoder? { encoder }
    func encodeSoon(_ playID: UInt32) { toEncode.append(playID) }
    func takeToEncode() -> UInt32? { toEncode.isEmpty ? nil : toEncode.removeFirst() }
    let isRecording = false
    func record(heard samples: [Int16], name: String) {}
    func record(sent answer: Answer<CountingEncoder>) {}

    // What the hub has learned.
    let learnedPath = "learned"
    var learned: [UInt8]?
    var aside: [UInt8]?
    var isDiskFull = false
    var isUnreadable = false
    private var writing: [UInt8]?
    func readLearned() throws(OutsideError) -> [UInt8]? {
        if isUnreadable { throw OutsideError("cannot open learned") }
        return learned
    }
    func putLearnedAside(_ bytes: [UInt8]) { aside = bytes }
    func writeLearned(_ bytes: [UInt8]) throws(OutsideError) {
        if isDiskFull { throw OutsideError("cannot write learned: No space left on device") }
        learned = bytes
    }
    func beginWritingLearned(_ bytes: [UInt8]) throws(OutsideError) { writing = bytes }
    var isWritingLearned = false
    func finishWritingLearned() -> Bool {
        guard let bytes = writing.take() else { return true }
        if !isDiskFull { learned = bytes }
        return !isDiskFull
    }

    // To be seen.
    private(set) var records: [LogRecord] = []
    func write(_ record: LogRecord) { records.append(record) }
    func willStep(_ event: HubEvent) {}
    func willRun(_ effect: HubEffect) {}
    func didStep(_ event: HubEvent, now: Instant) {}

    func logged(_ event: String) -> [LogRecord] { records.filter { $0.event.text.description == event } }

    /// The controls that were sent, oldest first.
    var controls: [HubControl] {
        sent.compactMap { _, bytes in
            bytes.withUnsafeBytes { bytes in
                guard let header = try? MessageHeader.parse(bytes) else { return nil }
                return try? HubControl.parse(.init(rebasing: bytes[WireLimits.headerBytes...]), type: header.type)
            }
        }
    }
}

/// Takes every packet for 20 ms of silence.
struct SilentDecoder: UplinkDecoder {
    let samples = [Int16](repeating: 0, count: WireLimits.samplesPerPacket)
    init?() {}
    mutating func decode(_ packet: UnsafeRawBufferPointer) -> Int? { samples.count }
}

/// Packets of 40 bytes that hold their number.
struct CountingEncoder: AnswerEncoder {
    let packetsPerSlice = 2
    let total: Int
    /// The packet at which it fails.
    var failsAt: Int?
    private var made = 0

    init(total: Int, failsAt: Int? = nil) {
        self.total = total
        self.failsAt = failsAt
    }

    var isComplete: Bool { made == total }

    mutating func encode(into room: UnsafeMutableRawBufferPointer) -> Int? {
        if made == failsAt { return nil }
        room[0] = UInt8(made)
        made += 1
        return 40
    }
}

/// A token file in memory.
final class MemoryTokens: TokenPlace {
    struct Failure: TokenFailure {
        let message: String
        static func invalid(_ text: String) -> Failure { Failure(message: text) }
        static func line(path: String, number: Int, problem: String) -> Failure {
            Failure(message: "\(path):\(number): \(problem)")
        }
    }

    let path = "tokens"
    private(set) var identity: Int?
    private var bytes: [UInt8] = []
    private var tokens = 0
    var isFull = false
    var isUnreadable = false

    func read() throws(Failure) -> (bytes: [UInt8], identity: Int)? {
        if isUnreadable { throw Failure(message: "tokens: open failed: Too many open files") }
        return identity.map { (bytes, $0) }
    }

    func replace(with bytes: [UInt8]) throws(Failure) {
        if isFull { throw Failure(message: "tokens: write failed: No space left on device") }
        self.bytes = bytes
        identity = (identity ?? 0) + 1
    }

    func whileLocked(_ body: () throws(Failure) -> Void) throws(Failure) { try body() }

    func makeToken() throws(Failure) -> String {
        tokens += 1
        return "token-of-\(tokens)"
    }

    func hash(of token: String) -> String {
        let digits = token.utf8.map { String($0, radix: 16) }.joined()
        return String(repeating: "0", count: 64 - digits.count) + digits
    }

    func areEqual(_ a: String, _ b: String) -> Bool { a == b }
}

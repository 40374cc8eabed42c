import HubCore
import PuckBase
import PuckWire
import TokenList

/// Everything that the hub's interpreter needs of the world: a clock, connections, one timer, files, who answers, codecs
/// and a log. `puckhub` gives it the real ones (`LinuxHub`), the simulator and tests virtual ones that fail as real ones
/// do. Nothing else in this module reaches the system.
///
/// It is a generic parameter and never an existential: in the shipped program each call is a direct one.
///
/// Thread: the loop's. An implementation does not call the interpreter from inside of any of these.
public protocol HubOutside: AnyObject {
    associatedtype Tokens: TokenPlace
    associatedtype Decoder: UplinkDecoder
    associatedtype Encoder: AnswerEncoder
    /// Something to be played that is not encoded yet.
    associatedtype Sound

    // MARK: Clocks

    /// Monotonic: for every deadline.
    var now: Instant { get }
    /// For dates in the token file only.
    var unixSeconds: Int64 { get }

    /// `HubInterpreter.timePassed` is wanted at this time, in place of the one named before; nil for never. One that has
    /// passed is due at once, in a later round of the loop.
    func setDeadline(_ deadline: Instant?)

    // MARK: Connections

    /// Queues one message, `head` followed by `body`. False, and nothing changed, when the connection is not open or its
    /// queue has no room.
    func send(to connection: ConnectionID, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer) -> Bool

    /// Bytes that wait to be sent; 0 when there is no such connection.
    func queuedBytes(of connection: ConnectionID) -> Int

    /// Sends what is queued, and then a close. Nothing more is received; `connectionClosed` follows in a later round.
    func close(_ connection: ConnectionID, _ code: HubCloseCode, reason: String)

    /// Drops the connection and what is queued. `connectionClosed` follows in a later round.
    func disconnect(_ connection: ConnectionID)

    // MARK: Speech

    /// What to say to `utterance` (mono, 16 kHz); nil for nothing.
    func answer(to utterance: [Int16], conversationID: String) -> Sound?

    /// What `puckhub play` names.
    func sound(inFile path: String) throws(OutsideError) -> Sound

    /// Nil when the encoder does not start.
    func makeEncoder(for sound: Sound) -> Encoder?

    /// Wants `HubInterpreter.encodeSlice` of this play in a later round of the loop, after those that were named before.
    func encodeSoon(_ playID: UInt32)

    /// Whether conversations are recorded: else the two below are not called.
    var isRecording: Bool { get }
    func record(heard samples: [Int16], name: String)
    func record(sent answer: Answer<Encoder>)

    // MARK: What the hub has learned

    /// The file's name, for messages.
    var learnedPath: String { get }
    /// The file's bytes; nil when there is none.
    func readLearned() throws(OutsideError) -> [UInt8]?
    /// Keeps bytes that cannot be understood beside the file.
    func putLearnedAside(_ bytes: [UInt8])
    /// Replaces the file and waits for the disk.
    func writeLearned(_ bytes: [UInt8]) throws(OutsideError)
    /// The same without waiting; not while `isWritingLearned`. What goes wrong then is logged by itself.
    func beginWritingLearned(_ bytes: [UInt8]) throws(OutsideError)
    var isWritingLearned: Bool { get }
    /// Waits for what was begun.
    /// - Returns: false when it was not written.
    func finishWritingLearned() -> Bool

    // MARK: To be seen

    func write(_ record: LogRecord)

    // For checkers. A daemon's are empty.

    /// Before the machine is told.
    func willStep(_ event: HubEvent)
    /// Before the effect is carried out.
    func willRun(_ effect: HubEffect)
    /// The machine has been told, and what it wanted has been done.
    func didStep(_ event: HubEvent, now: Instant)
}

/// Why a connection is closed, as WebSocket has it (RFC 6455, 7.4.1).
public enum HubCloseCode: UInt16, Sendable {
    case goingAway = 1001
    case policyViolation = 1008
}

/// Something outside did not work: one sentence that says what, and what to do about it.
public struct OutsideError: Error, Equatable, Sendable {
    public let message: String

    public init(_ message: String) { self.message = message }
}

/// Decodes the packets of one utterance.
public protocol UplinkDecoder {
    /// Nil when it does not start.
    init?()

    /// - Returns: how many of `samples` are the packet's; nil when it is none.
    mutating func decode(_ packet: UnsafeRawBufferPointer) -> Int?

    /// Mono, 16 kHz.
    var samples: [Int16] { get }
}

/// Makes the packets of one answer, 20 ms each, one after the other.
public protocol AnswerEncoder {
    /// So many are made before the loop has its turn.
    var packetsPerSlice: Int { get }
    /// All of them have been made.
    var isComplete: Bool { get }

    /// Writes the next packet. Not once it is complete.
    /// - Parameter room: `HubLimits.opusPacketBytes`.
    /// - Returns: the packet's bytes; nil when the encoder failed.
    mutating func encode(into room: UnsafeMutableRawBufferPointer) -> Int?
}

typealias Field = LogRecord.Field

extension HubOutside {
    func log(_ level: LogRecord.Level, _ event: StaticStringKey, _ fields: [Field]) {
        write(LogRecord(level, event, fields))
    }
}

import Credentials
import HubCore
import HubService
import LinkTransport
import LinuxIO
import OpusCodec
import PuckBase
import PuckWire
import Synchronization

/// What is outside of the hub's interpreter on Linux: the event loop, the server's connections, the state folder,
/// libopus, the configured responder and the log.
///
/// Thread: the loop's, except for `LearnedWriting`.
final class LinuxHub: HubOutside {
    typealias Tokens = TokenFile
    typealias Decoder = OpusUplinkDecoder
    typealias Encoder = OpusAnswerEncoder
    typealias Sound = [Int16]

    let loop: EventLoop
    let link: ServerLink
    var log: Log
    var responder: Responder
    var downlink: DownlinkSettings
    var recording: Recording
    let learnedPath: String
    private var learnedWriting: LearnedWriting?
    /// Readable while `encoding` holds something.
    let encodingWork: EventDescriptor
    /// Plays that have packets to encode, first come first served, a slice each.
    private var encoding: [UInt32] = []

    init(
        _ link: ServerLink, on loop: EventLoop, _ settings: HubSettings, _ responder: Responder, _ log: Log
    ) throws(SystemError) {
        self.link = link
        self.loop = loop
        self.log = log
        self.responder = responder
        downlink = settings.downlink
        recording = Recording(folder: settings.recordFolder)
        learnedPath = settings.service.stateFolder + "/learned"
        encodingWork = try EventDescriptor()
    }

    deinit { learnedWriting?.thread.join() }

    // MARK: Clocks

    var now: Instant { MonotonicClock.now() }
    var unixSeconds: Int64 { HubRuntime.unixSeconds() }

    func setDeadline(_ deadline: Instant?) { loop.setDeadline(deadline?.nanoseconds) }

    // MARK: Connections

    func send(
        to connection: HubCore.ConnectionID, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer
    ) -> Bool {
        link.send(to: connection.inTransport, head: head, body: body)
    }

    func queuedBytes(of connection: HubCore.ConnectionID) -> Int { link.queuedBytes(of: connection.inTransport) }

    func close(_ connection: HubCore.ConnectionID, _ code: HubCloseCode, reason: String) {
        link.close(connection.inTransport, code: code.rawValue, reason: reason)
    }

    func disconnect(_ connection: HubCore.ConnectionID) { link.disconnect(connection.inTransport) }

    // MARK: Speech

    func answer(to utterance: [Int16], conversationID: String) -> [Int16]? {
        guard let samples = responder.answer(to: utterance), !samples.isEmpty else { return nil }
        if case .echo = responder, samples.count < utterance.count {
            log.notice(
                "answer.cut",
                [
                    Field("conversation", conversationID),
                    Field("limit_s", Responder.longestAnswerSamples / WireLimits.sampleRate),
                ])
        }
        return samples
    }

    func sound(inFile path: String) throws(OutsideError) -> [Int16] {
        do throws(HubStartError) { return try Responder.readWave(path) } catch { throw OutsideError(error.message) }
    }

    func makeEncoder(for sound: [Int16]) -> OpusAnswerEncoder? {
        do throws(CodecError) {
            return try OpusAnswerEncoder(
                sound, bitsPerSecond: downlink.bitsPerSecond, complexity: downlink.complexity)
        } catch { return nil }
    }

    func encodeSoon(_ playID: UInt32) {
        encoding.append(playID)
        encodingWork.signal()
    }

    /// A turn of the loop for whatever waits longest.
    /// - Parameter encode: false when nobody needs that play any more.
    func encodeNext(_ encode: (UInt32) -> Bool) {
        _ = encodingWork.drain()
        while !encoding.isEmpty, !encode(encoding.removeFirst()) {}
        if !encoding.isEmpty { encodingWork.signal() }
    }

    var isRecording: Bool { recording.isOn }
    func record(heard samples: [Int16], name: String) { recording.write(heard: samples, name, log) }
    func record(sent answer: Answer<OpusAnswerEncoder>) { recording.write(sent: answer, log) }

    // MARK: What the hub has learned

    func readLearned() throws(OutsideError) -> [UInt8]? {
        guard HubIdentity.exists(learnedPath) else { return nil }
        do throws(SystemError) { return try readSmallFile(learnedPath, limit: Earshot.longestText) } catch {
            throw OutsideError(error.description)
        }
    }

    func putLearnedAside(_ bytes: [UInt8]) { _ = Self.writeLearned(learnedPath + ".bad", bytes, log) }

    func writeLearned(_ bytes: [UInt8]) throws(OutsideError) {
        do throws(SystemError) { try writeFileAtomically(learnedPath, bytes, mode: 0o600) } catch {
            throw OutsideError(error.description)
        }
    }

    var isWritingLearned: Bool { learnedWriting?.outcome.isDone.load(ordering: .acquiring) == false }

    func beginWritingLearned(_ bytes: [UInt8]) throws(OutsideError) {
        let outcome = LearnedWriting.Outcome()
        do throws(SystemError) {
            let thread = try Thread(name: "learned") { [path = learnedPath, log] in
                outcome.isKept.store(Self.writeLearned(path, bytes, log), ordering: .relaxed)
                outcome.isDone.store(true, ordering: .releasing)
            }
            learnedWriting = LearnedWriting(thread: thread, outcome: outcome)
        } catch {
            throw OutsideError(error.description)
        }
    }

    func finishWritingLearned() -> Bool {
        learnedWriting?.thread.join()
        return learnedWriting.take()?.outcome.isKept.load(ordering: .relaxed) ?? true
    }

    /// - Returns: whether it was written; when not, that is logged.
    private static func writeLearned(_ path: String, _ bytes: [UInt8], _ log: Log) -> Bool {
        do throws(SystemError) {
            try writeFileAtomically(path, bytes, mode: 0o600)
            return true
        } catch {
            log.warning("learned.not_kept", [Field("problem", error.description)])
            return false
        }
    }

    // MARK: To be seen

    func write(_ record: LogRecord) { log.write(record) }

    // The simulator's checkers look here.
    @inline(__always) func willStep(_ event: HubEvent) {}
    @inline(__always) func willRun(_ effect: HubEffect) {}
    @inline(__always) func didStep(_ event: HubEvent, now: Instant) {}
}

/// A write of the file `learned` by a thread of its own.
private struct LearnedWriting {
    final class Outcome: Sendable {
        let isDone = Atomic<Bool>(false)
        let isKept = Atomic<Bool>(false)
    }

    let thread: Thread
    let outcome: Outcome
}

extension HubCore.ConnectionID {
    var inTransport: LinkTransport.ConnectionID { LinkTransport.ConnectionID(number) }
}

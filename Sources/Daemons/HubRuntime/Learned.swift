import HubCore
import LinuxIO
import PuckBase
import Synchronization

/// The file `learned` in the state folder: what the hub has learned about its pucks, kept over a restart. Written when a
/// person corrects a decision, when the hub stops, and every `LearnedFile.often` wakes by a thread of its own, since a
/// flush to a slow card would hold up the loop. A power cut costs at most that many wakes.
///
/// Thread: the loop's, except for the writing itself.
final class LearnedFile {
    static let often = 32

    private let path: String
    /// `Earshot.lessons` of what was last written, or is being written.
    private var lessons = 0
    /// The last write did not succeed.
    private var hasFailed = false
    private var writer: (thread: Thread, outcome: Outcome)?

    private final class Outcome: Sendable {
        let isDone = Atomic<Bool>(false)
        let isKept = Atomic<Bool>(false)
    }

    init(folder: String) { path = folder + "/learned" }

    deinit { writer?.thread.join() }

    /// What is there; nothing, and a word in the log, when it cannot be used.
    func read(_ log: Log) -> Earshot {
        guard HubIdentity.exists(path) else { return Earshot() }
        do throws(SystemError) {
            let bytes = try readSmallFile(path, limit: Earshot.longestText)
            do throws(EarshotTextError) {
                return try Earshot(text: String(decoding: bytes, as: UTF8.self))
            } catch {
                // It may hold people's corrections: it is put aside.
                Self.write(path + ".bad", bytes, log)
                ignored("line \(error.line) is none that a hub wrote; it is kept as learned.bad", log)
            }
        } catch {
            ignored(error.description, log)
        }
        return Earshot()
    }

    private func ignored(_ problem: String, _ log: Log) {
        log.warning(
            "learned.ignored",
            [
                Field("file", path), Field("problem", problem),
                Field("advice", "the hub learns from the beginning; the file is replaced"),
            ])
    }

    /// Whether enough has been learned for `keepNowAndThen`. Asked after every event.
    func isBehind(_ lessons: Int) -> Bool { lessons - self.lessons >= Self.often }

    /// Writes what was learned, without waiting for it.
    func keepNowAndThen(_ earshot: Earshot, _ log: Log) {
        if let writer, !writer.outcome.isDone.load(ordering: .acquiring) { return }
        finishWriting()
        lessons = earshot.lessons
        let outcome = Outcome()
        let bytes = Array(earshot.text.utf8)
        do throws(SystemError) {
            let thread = try Thread(name: "learned") { [path] in
                outcome.isKept.store(Self.write(path, bytes, log) == nil, ordering: .relaxed)
                outcome.isDone.store(true, ordering: .releasing)
            }
            writer = (thread, outcome)
        } catch {
            log.warning("learned.not_kept", [Field("problem", error.description)])
        }
    }

    /// Waits for the thread. What it could not write is new again for `keep`; `keepNowAndThen` tries with the next wakes.
    private func finishWriting() {
        writer?.thread.join()
        if let writer, !writer.outcome.isKept.load(ordering: .relaxed) { hasFailed = true }
        writer = nil
    }

    /// Writes what is new, and waits for it.
    /// - Returns: why it could not be written, which is also logged; nil when it was.
    @discardableResult
    func keep(_ earshot: Earshot, _ log: Log) -> String? {
        finishWriting()
        guard hasFailed || earshot.lessons != lessons else { return nil }
        let problem = Self.write(path, Array(earshot.text.utf8), log)
        hasFailed = problem != nil
        if problem == nil { lessons = earshot.lessons }
        return problem
    }

    @discardableResult
    private static func write(_ path: String, _ bytes: [UInt8], _ log: Log) -> String? {
        do throws(SystemError) {
            try writeFileAtomically(path, bytes, mode: 0o600)
            return nil
        } catch {
            log.warning("learned.not_kept", [Field("problem", error.description)])
            return error.description
        }
    }
}

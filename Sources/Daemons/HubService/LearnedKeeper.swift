import HubCore
import PuckBase

/// The file `learned` in the state folder: what the hub has learned about its pucks, kept over a restart. Written when a
/// person corrects a decision, when the hub stops, and every `LearnedLimits.often` wakes without waiting, since a flush
/// to a slow card would hold up the loop. A power cut costs at most that many wakes.
final class LearnedKeeper<Outside: HubOutside> {
    private let outside: Outside
    /// `Earshot.lessons` of what was last written, or is being written.
    private var lessons = 0
    /// The last write did not succeed.
    private var hasFailed = false
    /// A write was begun and has not been looked at since.
    private var hasBegun = false

    init(_ outside: Outside) { self.outside = outside }

    /// What is there; nothing, and a word in the log, when it cannot be used.
    func read() -> Earshot {
        do throws(OutsideError) {
            guard let bytes = try outside.readLearned() else { return Earshot() }
            do throws(EarshotTextError) {
                return try Earshot(text: String(decoding: bytes, as: UTF8.self))
            } catch {
                // It may hold people's corrections: it is put aside.
                outside.putLearnedAside(bytes)
                ignored("line \(error.line) is none that a hub wrote; it is kept as learned.bad")
            }
        } catch {
            ignored(error.message)
        }
        return Earshot()
    }

    private func ignored(_ problem: String) {
        outside.log(
            .warning, "learned.ignored",
            [
                Field("file", outside.learnedPath), Field("problem", problem),
                Field("advice", "the hub learns from the beginning; the file is replaced"),
            ])
    }

    /// Whether enough has been learned for `keepNowAndThen`. Asked after every event.
    func isBehind(_ lessons: Int) -> Bool { lessons - self.lessons >= LearnedLimits.often }

    /// Writes what was learned, without waiting for it.
    func keepNowAndThen(_ earshot: Earshot) {
        if outside.isWritingLearned { return }
        finishWriting()
        lessons = earshot.lessons
        do throws(OutsideError) {
            try outside.beginWritingLearned(Array(earshot.text.utf8))
            hasBegun = true
        } catch {
            outside.log(.warning, "learned.not_kept", [Field("problem", error.message)])
        }
    }

    /// What could not be written is new again for `keep`; `keepNowAndThen` tries with the next wakes.
    private func finishWriting() {
        if hasBegun, !outside.finishWritingLearned() { hasFailed = true }
        hasBegun = false
    }

    /// Writes what is new, and waits for it.
    /// - Returns: why it could not be written, which is also logged; nil when it was.
    @discardableResult
    func keep(_ earshot: Earshot) -> String? {
        finishWriting()
        guard hasFailed || earshot.lessons != lessons else { return nil }
        do throws(OutsideError) {
            try outside.writeLearned(Array(earshot.text.utf8))
            hasFailed = false
            lessons = earshot.lessons
            return nil
        } catch {
            hasFailed = true
            outside.log(.warning, "learned.not_kept", [Field("problem", error.message)])
            return error.message
        }
    }
}

enum LearnedLimits {
    /// Wakes.
    static let often = 32
}

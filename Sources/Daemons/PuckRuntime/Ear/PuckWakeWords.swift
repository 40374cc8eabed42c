import AudioRing
import LinuxIO
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Synchronization
import WakeFiles
import WakeModel
import WakeWord

// Wake words: the ear's end on the loop.

/// What is known of the wake words, for the log and the status.
struct EarState {
    var thread: EarThread?
    let heard = HandOver<HeardWake>()
    /// Near misses since the start.
    var nearMisses = 0
    /// The last that woke, and how sure its model was.
    var lastWord = ""
    var lastScore = 0.0
    /// What is wrong with the models; empty when nothing is.
    var problem = ""
    /// When a file of puckctl's is no longer heard from this puck's loudspeaker.
    var filePlayedUntil = Instant.zero
    var behind = Complaint.attempts

    /// There should be a wake word, and there is none: only the button works.
    var isDeaf: Bool { !problem.isEmpty && !(thread?.words.contains { !$0.isStop } ?? false) }
}

extension PuckDaemon {
    /// Listens for what `[wake] models` names now. What cannot be used is said; with no model left, only the button wakes:
    /// a puck that was to wait for a word never takes any sound for it.
    func openEar() {
        ear.thread?.stop()
        ear.thread = nil
        ear.problem = ""
        settings.wakePhrases = []
        defer { puck.identity = settings.coreIdentity }
        guard settings.wake.detector == .model else { return }
        let found = EarWords(settings.wake)
        for problem in found.problems {
            log.error("wake.model_failed", [Field("detail", problem)])
            ear.problem = problem
        }
        if !found.words.isEmpty {
            do throws(SystemError) {
                ear.thread = try EarThread(
                    found.words, ring: capture.ring, refractoryMilliseconds: settings.wake.refractoryMilliseconds,
                    controls: threads.ear, bell: threads.earBell, heard: ear.heard, loop: audioEvent.signaller)
            } catch {
                ear.problem = error.description
                log.error("wake.model_failed", [Field("detail", error.description)])
            }
        }
        guard let thread = ear.thread, thread.words.contains(where: { !$0.isStop }) else {
            return log.error(
                "wake.deaf", [Field("detail", "there is no wake word to listen for: only the button wakes this puck")])
        }
        for word in thread.words {
            log.notice(
                "wake.model",
                [
                    Field("model", word.wake.name), Field("phrase", word.wake.phrase),
                    Field("cutoff", fixed(word.cutoff, 2)), Field("bytes", word.wake.model.memoryBytes),
                ])
        }
        settings.wakePhrases = found.phrases
    }

    /// After a change of the files, or of `[wake]`: without a restart. The hub is greeted anew when it has to know another
    /// phrase.
    /// - Returns: what is wrong; nil when nothing is.
    @discardableResult
    func reloadWakeWords() -> String? {
        let before = settings.wakePhrases
        openEar()
        noteDegraded()
        if settings.wakePhrases != before, puck.isConnected { perform(.hubChanged) }
        return ear.problem.isEmpty ? nil : ear.problem
    }

    /// What a SIGHUP has brought. The files may be others under the same names.
    func takeOver(_ fresh: WakeSettings) {
        guard settings.wake.isReloadable(as: fresh), fresh.detector == .model else { return }
        settings.wake = fresh
        reloadWakeWords()
    }

    /// Loop: what the ear has said.
    func earSaid() {
        while let event = threads.ear.mailbox.take() {
            switch event.kind {
            case .nearMiss: missed(event)
            case .earBehind:
                if let left = ear.behind.take("", now: MonotonicClock.now()) {
                    log.warning(
                        "wake.behind",
                        [
                            Field("missed_ms", event.count / 16), Field("left_out", left),
                            Field("advice", "this machine is too busy, or too slow for so many [wake] models"),
                        ])
                }
            default: break
            }
        }
        if let wake = ear.heard.take() { heard(wake) }
    }

    private func missed(_ event: AudioEvent) {
        guard let word = word(Int(event.count)) else { return }
        ear.nearMisses += 1
        log.info(
            "wake.near_miss",
            [
                Field("model", word.wake.name), Field("score", fixed(Double(event.confidence), 2)),
                Field("cutoff", fixed(word.cutoff, 2)), Field("noise_db", fixed(Double(event.noiseDecibels), 1)),
            ])
    }

    private func word(_ index: Int) -> EarWord? {
        guard let words = ear.thread?.words, words.indices.contains(index) else { return nil }
        return words[index]
    }

    private func heard(_ wake: HeardWake) {
        guard let word = word(wake.word) else { return }
        let place = wake.place
        let score = Double(wake.score)
        log.info(
            "wake.heard",
            [
                Field("model", word.wake.name), Field("phrase", word.wake.phrase),
                Field("score", fixed(score, 2)), Field("cutoff", fixed(word.cutoff, 2)),
                Field("word_ms", (place.end - place.onset) / 16),
                Field("after_ms", (wake.position - place.end) / 16),
            ])
        if word.isStop { return stopHeard() }
        ear.lastWord = word.wake.name
        ear.lastScore = score
        let time = capture.clock.time(of: place.onset).map { Instant(nanoseconds: $0) } ?? MonotonicClock.now()
        // By when it began: it is heard at its end, and the loudspeaker may have fallen silent meanwhile.
        if time < ear.filePlayedUntil {
            return log.info("wake.ignored", [Field("reason", "own-sound")])
        }
        let (from, tail) = recording(of: place)
        let finding = WakeFinding(
            onset: place.onset, levelDecibels: place.levelDecibels, noiseDecibels: place.noiseDecibels,
            confidence: wake.score, recordFrom: from, wordMilliseconds: tail)
        perform(.wakeHeard(finding, onset: time, envelope: place.envelope, phrase: word.wake.phrase))
    }

    /// The stop word, while something sounds.
    private func stopHeard() {
        guard isStoppable else { return }
        dismissVisitors("error: somebody has said stop")
        perform(.stopRequested)
    }

    private var isStoppable: Bool { puck.phase == .speaking || visitors.player != nil }

    /// After each step: whether the stop word is listened for.
    func noteForEar() {
        let words = threads.ear.words
        if words.pointee.sounds.load(ordering: .relaxed) != isStoppable {
            words.pointee.sounds.store(isStoppable, ordering: .relaxed)
        }
    }

    /// Where the recording begins, and how much of it may be the word.
    private func recording(of place: HeardWord) -> (from: Int64, wordMilliseconds: Int) {
        let tail = place.hasPaused ? 0 : WordTrace.mostTailMilliseconds
        switch settings.wake.sending {
        case .after: return (place.end, tail)
        case .word: return (place.onset, Int(place.end - place.onset) / 16 + tail)
        case .all:
            let preroll = settings.wake.prerollMilliseconds
            return (place.onset - Int64(preroll * 16), Int(place.end - place.onset) / 16 + preroll + tail)
        }
    }

    func describeEar(_ json: inout JSONWriter) {
        let wake = settings.wake
        json.set("wake_detector", wake.detector.rawValue)
        var dirs = ""
        for folder in wake.folders { dirs += (dirs.isEmpty ? "" : ":") + folder }
        json.set("wake_dirs", dirs)
        guard wake.detector == .model else { return }
        var models = ""
        for word in ear.thread?.words ?? [] { models += (models.isEmpty ? "" : ",") + word.wake.name }
        json.set("wake_models", models)
        json.set("wake_error", ear.problem)
        json.set("wake_bytes", ear.thread?.memoryBytes ?? 0)
        json.set("near_misses", ear.nearMisses)
        json.set("wake_missed_ms", threads.ear.words.pointee.missed.load(ordering: .relaxed) / 16)
        json.set("wake_heard_ms", threads.ear.words.pointee.heard.load(ordering: .relaxed) / 16)
        json.set("last_wake", ear.lastWord)
        json.set("last_wake_score", (ear.lastScore * 100).rounded() / 100)
    }
}

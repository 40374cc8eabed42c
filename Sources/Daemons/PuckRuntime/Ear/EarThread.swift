import AudioRing
import LinuxIO
import PuckBase
import Synchronization
import WakeFiles
import WakeModel
import WakeWord

/// What the ear has heard.
struct HeardWake {
    /// Which of the ear's words.
    let word: Int
    /// The mean of the model's outputs, 0…1.
    let score: Float
    /// Ring position at which the model was sure.
    let position: Int64
    let place: HeardWord
}

/// The thread that listens for wake words: follows the capture ring with a reader of its own, runs the front end and the
/// models, and hands what it has heard to the loop. Capture never waits for it. It sleeps while the gate is closed, and
/// catches up from the ring when it opens.
///
/// An ordinary thread: what has to be on time is capture, and the ring holds a second.
final class EarThread {
    /// Before the gate's opening: the beginning of a word is weaker than what opens it. The ring holds 300 ms more, which
    /// is what this thread has to wake up.
    static let leadSamples: Int64 = 11_200
    /// The longest sleep: nothing needs it, and no wait is without an end.
    static let longestSleepMilliseconds = 60_000

    let words: [EarWord]
    /// Of the models and the front end, all taken at the start.
    let memoryBytes: Int
    private let controls: EarControls
    private let bell: EventDescriptor
    private let heard: HandOver<HeardWake>
    private var thread: LinuxIO.Thread?

    /// Starts at once.
    /// - Parameters:
    ///   - words: at least one, at most `WakeListener.mostModels`.
    ///   - bell: by which the capture thread wakes it.
    ///   - loop: signalled when the loop should look into `heard` or the mailbox.
    init(
        _ words: [EarWord], ring: AudioRing, refractoryMilliseconds: Int, controls: EarControls, bell: EventDescriptor,
        heard: HandOver<HeardWake>, loop: EventSignaller
    ) throws(SystemError) {
        self.words = words
        self.controls = controls
        self.bell = bell
        self.heard = heard
        memoryBytes = words.reduce(FrontEnd.memoryBytes) { $0 + $1.wake.model.memoryBytes }
        controls.words.pointee.stop.store(false, ordering: .releasing)
        let worker = EarWorker(
            words, reader: ring.reader(at: ring.producer.position), refractoryMilliseconds: refractoryMilliseconds,
            controls: controls, bell: bell, heard: heard, loop: loop)
        thread = try LinuxIO.Thread(name: "ear") { worker.run() }
    }

    deinit { stop() }

    /// Ends the thread and waits for it. A second call does nothing.
    func stop() {
        controls.words.pointee.stop.store(true, ordering: .releasing)
        bell.signal()
        thread?.join()
        thread = nil
    }
}

/// What the thread itself owns.
private final class EarWorker: @unchecked Sendable {  // Sound: used by the ear's thread alone once it runs.
    private let controls: EarControls
    private let bell: EventDescriptor
    private let heard: HandOver<HeardWake>
    private let loop: EventSignaller
    private var listener = WakeListener()
    private let stopWord: Int?
    private var trace = WordTrace()
    private var reader: RingReader
    private var openedAt: Int64 = 0
    private var interruptions: Int
    private let block: UnsafeMutableBufferPointer<Int16>

    init(
        _ words: [EarWord], reader: RingReader, refractoryMilliseconds: Int, controls: EarControls,
        bell: EventDescriptor, heard: HandOver<HeardWake>, loop: EventSignaller
    ) {
        stopWord = words.firstIndex { $0.isStop }
        self.reader = reader
        self.controls = controls
        self.bell = bell
        self.heard = heard
        self.loop = loop
        interruptions = controls.words.pointee.interruptions.load(ordering: .acquiring)
        block = .allocate(capacity: FrontEnd.stepSamples)
        block.initialize(repeating: 0)
        for word in words {
            listener.add(
                word.wake.model, cutoff: word.cutoff, window: word.wake.window,
                refractoryMilliseconds: refractoryMilliseconds)
        }
    }

    deinit { block.deallocate() }

    func run() {
        while !controls.words.pointee.stop.load(ordering: .acquiring) {
            controls.pulse.beat()
            follow()
            controls.pulse.rest()
            waitReadable(bell.descriptor, milliseconds: EarThread.longestSleepMilliseconds)
            bell.drain()
        }
        controls.pulse.rest()
    }

    /// Listens to all that is there.
    private func follow() {
        wakeUp()
        let step = Int64(FrontEnd.stepSamples)
        while reader.fill >= step, !controls.words.pointee.stop.load(ordering: .relaxed) {
            let read = reader.read(into: block)
            if read.lost > 0 { fellBehind(read.lost) }
            // Lapped in the middle of a read: what is left is less than a step, and lost like the rest.
            if read.count < block.count { continue }
            hear()
        }
    }

    /// After a sleep: not all that was silent is listened to.
    private func wakeUp() {
        let words = controls.words
        let interruptions = words.pointee.interruptions.load(ordering: .acquiring)
        let openedAt = words.pointee.openedAt.load(ordering: .acquiring)
        if interruptions != self.interruptions {
            self.interruptions = interruptions
            listener.reset()
            trace.restart()
        }
        if openedAt == self.openedAt { return }
        self.openedAt = openedAt
        let from = openedAt - EarThread.leadSamples
        if reader.position < from {
            reader.seek(to: from)
            trace.restart()
        }
    }

    private func fellBehind(_ lost: Int64) {
        controls.words.pointee.missed.wrappingAdd(lost, ordering: .relaxed)
        trace.restart()
        if controls.mailbox.post(AudioEvent(.earBehind, position: reader.position, count: lost)) { loop.signal() }
    }

    private func hear() {
        guard let samples = block.baseAddress else { return }
        controls.words.pointee.heard.wrappingAdd(Int64(FrontEnd.stepSamples), ordering: .relaxed)
        trace.hear(samples, end: reader.position)
        if let stopWord { listener.setAwake(stopWord, controls.words.pointee.sounds.load(ordering: .relaxed)) }
        guard listener.hear(samples) else { return }
        for word in 0..<listener.count {
            let outcome = listener.outcome(word)
            switch outcome.verdict {
            case .nothing: break
            case .heard:
                heard.put(
                    HeardWake(word: word, score: outcome.score, position: reader.position, place: trace.word()))
                loop.signal()
            case .missed:
                let event = AudioEvent(
                    .nearMiss, position: reader.position, count: Int64(word), noiseDecibels: trace.noiseDecibels,
                    confidence: outcome.best)
                if controls.mailbox.post(event) { loop.signal() }
            }
        }
    }
}

import AudioRing
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Synchronization

/// The loop's end of the loudspeaker: decodes the queued packets of the active play into the playback ring, mixes
/// earcons in, bridges what is missing, keeps a paused play, and knows how much of the active one has been heard.
final class SpeakerFeed {
    /// While something plays the loop looks after the ring this often (samples): 200 ms.
    static let refillSamples: Int64 = 3200
    /// A play that runs dry is continued out of its past for 60 ms, fading; then there is silence.
    static let concealedBlocks = 3

    private let ring: AudioRing
    private let controls: PlaybackControls
    private let producer: RingProducer
    private var active: PlaybackLane
    private var paused: PlaybackLane
    private var delaySamples = 0
    private var earcon: [Int16] = []
    private var earconOffset = 0
    /// What `puckctl play` has sent and is not in the ring yet, from `fileOffset` on.
    private var file: [Int16] = []
    private var fileOffset = 0
    /// Where in the ring the last of it is.
    private var fileEnd: Int64 = 0
    private let block: UnsafeMutableBufferPointer<Int16>
    private var hasStarved = false

    init(ring: AudioRing, controls: PlaybackControls) throws(CodecError) {
        self.ring = ring
        self.controls = controls
        producer = ring.producer
        active = try PlaybackLane()
        paused = try PlaybackLane()
        block = .allocate(capacity: WireLimits.samplesPerPacket)
        block.initialize(repeating: 0)
    }

    deinit { block.deallocate() }

    /// Packets that the decoder refused; each was concealed.
    var brokenPackets: Int { active.brokenPackets + paused.brokenPackets }

    /// A new play; nothing of it sounds before `delayMilliseconds` have been collected.
    func start(codec: DownStart.Codec, delayMilliseconds: Int) {
        if active.isActive { skipWhatIsInTheRing() }
        setDelay(milliseconds: delayMilliseconds)
        active.begin(isOpus: codec == .opus)
    }

    func setDelay(milliseconds: Int) { delaySamples = milliseconds * WireLimits.sampleRate / 1000 }

    /// False when more packets wait than the protocol allows.
    func enqueue(_ packet: UnsafeRawBufferPointer) -> Bool {
        active.isActive ? active.packets.append(packet) : true
    }

    /// Nothing more comes for this play.
    func finish() { active.isFinishing = true }

    /// Silence, now.
    func stop() {
        active.end()
        skipWhatIsInTheRing()
    }

    /// Silence, now; the play keeps its place.
    func pause() {
        skipWhatIsInTheRing()
        active.pause(skippingTo: producer.position)
        paused.end()
        swap(&active, &paused)
    }

    /// The paused play goes on.
    func resume() {
        if active.isActive { skipWhatIsInTheRing() }
        active.end()
        swap(&active, &paused)
    }

    func dropPaused() { paused.end() }

    /// What is in the ring is not to be heard, an earcon in it neither.
    private func skipWhatIsInTheRing() {
        earconOffset = earcon.count
        controls.discard(before: producer.position)
        controls.words.pointee.endPosition.store(producer.position, ordering: .releasing)
    }

    /// The playback thread has skipped to `skippedTo`; everything before `position` had been heard by then.
    func stopped(at position: Int64, skippedTo: Int64) {
        paused.stopped(at: position, skippedTo: skippedTo)
        active.stopped(at: position, skippedTo: skippedTo)  // it was resumed before this news came
    }

    /// A second earcon replaces one that has not been played yet.
    func play(earcon samples: [Int16]) {
        earcon = samples
        earconOffset = 0
    }

    /// Samples of a file that wait for room in the ring.
    var fileBacklog: Int { file.count - fileOffset }

    /// Everything of the file that came has been heard.
    var hasPlayedFile: Bool {
        fileBacklog == 0 && controls.words.pointee.heard.load(ordering: .acquiring) >= fileEnd
    }

    /// - Parameter bytes: samples in the machine's byte order, at any address.
    func append(file bytes: UnsafeRawBufferPointer) {
        file.removeFirst(fileOffset)
        fileOffset = 0
        for i in 0..<bytes.count / 2 { file.append(bytes.loadUnaligned(fromByteOffset: 2 * i, as: Int16.self)) }
    }

    /// Silence, now, unless a play has begun to sound behind it.
    func dropFile() {
        let isOver = hasPlayedFile
        file.removeAll()
        fileOffset = 0
        if !isOver, active.start == nil { skipWhatIsInTheRing() }
    }

    /// Samples from now until an earcon that begins now has left the ring.
    var earconSamples: Int64 {
        let waiting = producer.position - controls.words.pointee.heard.load(ordering: .acquiring)
        return min(max(0, waiting), Int64(AudioRing.maximumCapacity)) + Int64(earcon.count)
    }

    /// Samples of the active play that have been heard.
    var heardSamples: Int64 { active.heard(upTo: controls.words.pointee.heard.load(ordering: .acquiring)) }

    /// The playback thread says that everything before `position` has been heard. True when that was the end of a
    /// finished play, which is then forgotten.
    func played(upTo position: Int64) -> Bool {
        guard active.isActive, active.isFinishing, active.isExhausted else { return false }
        if let start = active.start, position < start + active.cursor { return false }
        active.end()
        return true
    }

    var isBusy: Bool { active.isActive || earconOffset < earcon.count || fileBacklog > 0 }

    /// True once for each time that the active play ran dry.
    func takeStarved() -> Bool {
        defer { hasStarved = false }
        return hasStarved
    }

    /// Fills the ring as far as there is room.
    /// - Returns: whether anything was written: the playback thread must be told.
    func pump() -> Bool {
        let before = producer.position
        while producer.room >= block.count, writeBlock() {}
        let mayEnd = !active.isActive || active.isFinishing
        let end = mayEnd && active.isExhausted ? producer.position : Int64.max
        controls.words.pointee.endPosition.store(end, ordering: .releasing)
        if isBusy {
            // Woken when a fifth of a second has been played, or when all has.
            let next = min(producer.consumed + Self.refillSamples, producer.position)
            if next > producer.consumed { _ = producer.requestWake(whenConsumed: next) }
        }
        return producer.position != before
    }

    /// One block of the play with the earcon mixed in, or of the earcon alone.
    private func writeBlock() -> Bool {
        var count = 0
        if active.isReady(delaySamples: delaySamples) {
            count = active.take(into: block, at: producer.position)
            mixEarcon(over: count)
        } else if earconOffset < earcon.count || fileBacklog > 0, active.start == nil {
            let fromFile = min(block.count, fileBacklog)
            count = max(fromFile, min(block.count, earcon.count - earconOffset))
            for i in 0..<count { block[i] = i < fromFile ? file[fileOffset + i] : 0 }
            fileOffset += fromFile
            if fromFile > 0 { fileEnd = producer.position + Int64(fromFile) }
            mixEarcon(over: count)
        }
        if count == 0 { return false }
        _ = producer.write(UnsafeBufferPointer(rebasing: block[0..<count]))
        return true
    }

    private func mixEarcon(over count: Int) {
        let mixed = min(count, earcon.count - earconOffset)
        guard mixed > 0 else { return }
        for i in 0..<mixed { block[i] = Int16(clamping: Int(block[i]) + Int(earcon[earconOffset + i])) }
        earconOffset += mixed
    }

    /// The ring and soon the device are empty in the middle of a play: a fading echo of it instead of a click, 20 ms at
    /// a time, then silence.
    /// - Returns: whether anything was written.
    func ranDry() -> Bool {
        guard active.isActive, active.start != nil, !active.isFinishing, active.isExhausted,
            active.concealedBlocks < Self.concealedBlocks
        else { return false }
        if active.concealedBlocks == 0 {
            hasStarved = true
            active.isCollecting = true
        }
        active.conceal(into: block, at: producer.position)
        _ = producer.write(UnsafeBufferPointer(block))
        return true
    }
}

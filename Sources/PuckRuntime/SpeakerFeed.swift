import AudioRing
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Synchronization

/// The loop's end of the loudspeaker: decodes the queued packets of the running play into the playback ring, mixes
/// earcons in, and knows how much of the play has been heard.
final class SpeakerFeed {
    struct QueuedPacket {
        var slot: Int
        var isOpus: Bool
    }

    struct Play {
        var isOpus: Bool
        /// Ring position of its first sample; nil until the playout delay has been collected.
        var start: Int64?
        var writtenSamples: Int64 = 0
        var isFinishing = false
    }

    /// While something plays the loop looks after the ring this often (samples): 200 ms.
    static let refillSamples: Int64 = 3200

    let slots = PacketSlots(count: Downlink.slotCount)
    private let ring: AudioRing
    private let controls: PlaybackControls
    private let producer: RingProducer
    private var decoder: OpusDecoder
    private let playoutDelaySamples: Int
    private var queue = BoundedQueue<QueuedPacket>(capacity: Downlink.capacity)
    private var play: Play?
    private var earcon: [Int16] = []
    private var earconOffset = 0
    private let block: UnsafeMutableBufferPointer<Int16>
    /// Packets that the decoder refused; each was concealed.
    private(set) var brokenPackets = 0

    init(ring: AudioRing, controls: PlaybackControls, decoder: consuming OpusDecoder, playoutDelayMilliseconds: Int) {
        self.ring = ring
        self.controls = controls
        producer = ring.producer
        self.decoder = decoder
        playoutDelaySamples = playoutDelayMilliseconds * WireLimits.sampleRate / 1000
        block = .allocate(capacity: WireLimits.samplesPerPacket)
        block.initialize(repeating: 0)
    }

    deinit { block.deallocate() }

    func start(codec: DownStart.Codec) {
        decoder.reset()
        queue.removeAll()
        play = Play(isOpus: codec == .opus)
    }

    /// The packet lies in its slot. False when more packets wait than the protocol allows; the core refuses such a hub
    /// before it comes to that.
    func enqueue(_ sequence: SerialNumber) -> Bool {
        guard let play else { return true }
        return queue.append(QueuedPacket(slot: Downlink.slot(of: sequence), isOpus: play.isOpus))
    }

    /// Nothing more comes for this play.
    func finish() { play?.isFinishing = true }

    /// Silence, now.
    func stop() {
        play = nil
        queue.removeAll()
        earconOffset = earcon.count
        controls.discard(before: producer.position)
        controls.words.pointee.endPosition.store(producer.position, ordering: .releasing)
    }

    /// A second earcon replaces one that has not been played yet.
    func play(earcon samples: [Int16]) {
        earcon = samples
        earconOffset = 0
    }

    /// Samples of the running play that have been heard.
    var heardSamples: Int64 {
        guard let play, let start = play.start else { return 0 }
        let heard = controls.words.pointee.heard.load(ordering: .acquiring) - start
        return min(max(0, heard), play.writtenSamples)
    }

    /// The playback thread says that everything before `position` has been heard. True when that was the end of a
    /// finished play, which is then forgotten.
    func played(upTo position: Int64) -> Bool {
        guard let play, play.isFinishing, queue.isEmpty else { return false }
        if let start = play.start, position < start + play.writtenSamples { return false }
        self.play = nil
        return true
    }

    var isBusy: Bool { play != nil || earconOffset < earcon.count }

    /// Fills the ring as far as there is room.
    /// - Returns: whether anything was written: the playback thread must be told.
    func pump() -> Bool {
        let before = producer.position
        while producer.room >= block.count, writeBlock() {}
        let mayEnd = play?.isFinishing ?? true
        let end = mayEnd && queue.isEmpty ? producer.position : Int64.max
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
        if isPlayReady, let packet = queue.popFirst() {
            decode(packet)
            count = block.count
            if play?.start == nil { play?.start = producer.position }
            play?.writtenSamples += Int64(count)
            count = mixEarcon(over: count)
        } else if earconOffset < earcon.count, play?.start == nil {
            for i in 0..<block.count { block[i] = 0 }
            count = mixEarcon(over: min(block.count, earcon.count - earconOffset))
        }
        if count == 0 { return false }
        _ = producer.write(UnsafeBufferPointer(rebasing: block[0..<count]))
        return true
    }

    private var isPlayReady: Bool {
        guard let play, !queue.isEmpty else { return false }
        return play.start != nil || play.isFinishing
            || queue.count * WireLimits.samplesPerPacket >= playoutDelaySamples
    }

    private func mixEarcon(over count: Int) -> Int {
        let mixed = min(count, earcon.count - earconOffset)
        for i in 0..<max(0, mixed) { block[i] = Int16(clamping: Int(block[i]) + Int(earcon[earconOffset + i])) }
        earconOffset += max(0, mixed)
        return count
    }

    private func decode(_ packet: QueuedPacket) {
        let bytes = slots.bytes(packet.slot)
        if !packet.isOpus {
            for i in 0..<block.count {
                block[i] = 2 * i + 1 < bytes.count ? bytes.loadUnaligned(fromByteOffset: 2 * i, as: Int16.self) : 0
            }
            return
        }
        do throws(CodecError) {
            if try decoder.decode(bytes, into: block) == block.count { return }
        } catch {}
        // Not 20 ms of Opus: conceal it, so that the rest stays in time.
        brokenPackets += 1
        do throws(CodecError) {
            _ = try decoder.conceal(into: block)
        } catch {
            for i in 0..<block.count { block[i] = 0 }
        }
    }
}

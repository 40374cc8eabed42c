import AudioRing
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import PuckWire

/// The loop's end of the microphone: follows the ring while an utterance runs and encodes each 20 ms into its slot.
/// Allocates nothing while it runs.
final class MicrophoneFeed {
    /// At most so many packets are encoded in one turn of the loop, so that preroll (20 packets, 5 ms of work each on
    /// an old Pi) does not delay the network.
    static let packetsPerTurn = 6

    enum Outcome: Equatable {
        /// Everything there is has been encoded; the ring wakes the loop for the next packet.
        case caughtUp
        /// There is more: come back in the next turn.
        case more
    }

    private let ring: AudioRing
    private var encoder: OpusEncoder
    private var reader: RingReader
    private let block: UnsafeMutableBufferPointer<Int16>
    let slots = PacketSlots(count: UplinkWindow.slotCount)
    private(set) var isRunning = false
    /// Where an earcon is in the recording; empty when there was none of late.
    private var earcon: Range<Int64> = 0..<0
    private var earconFilter = EarconFilter()
    /// What cannot be taken out of the recording is not sent at all.
    private var earconIsSilenced = false

    init(ring: AudioRing, encoder: consuming OpusEncoder) {
        self.ring = ring
        self.encoder = encoder
        reader = ring.reader()
        block = .allocate(capacity: WireLimits.samplesPerPacket)
        block.initialize(repeating: 0)
    }

    deinit { block.deallocate() }

    /// Starts at `onset` less `preroll` samples, as far back as the ring still reaches.
    func start(onset: Int64, prerollSamples: Int64, periodSamples: Int64) {
        let newest = reader.end
        // The period that is being written now must not overtake us.
        let oldest = newest - Int64(AudioRing.maximumCapacity) + 2 * periodSamples
        let start = Preroll.start(
            onset: min(onset, newest), prerollSamples: prerollSamples, newest: newest, oldest: oldest,
            packet: Int64(WireLimits.samplesPerPacket))
        reader.seek(to: start)
        encoder.reset()
        isRunning = true
    }

    func stop() {
        isRunning = false
        reader.cancelWake()
    }

    /// An earcon sounds now: its tones are taken out of what is recorded from here on.
    /// - Parameters:
    ///   - frequencies: of its tones; nil when it has others than a few, and silence is sent in its place.
    ///   - samples: how long it can be heard, from now on.
    func cancelEarcon(_ frequencies: [Float]?, samples: Int64) {
        let position = ring.producer.position
        if position >= earcon.upperBound {
            earconFilter.removeAll()
            earconIsSilenced = false
            earcon = position..<position
        }
        earcon = earcon.lowerBound..<max(earcon.upperBound, position + samples)
        if let frequencies { earconFilter.add(frequencies) } else { earconIsSilenced = true }
    }

    /// The packet that ends at `end`.
    private func removeEarcon(end: Int64) {
        guard end > earcon.lowerBound, end - Int64(block.count) < earcon.upperBound else { return }
        if earconIsSilenced { block.update(repeating: 0) } else { earconFilter.process(block) }
    }

    /// Encodes what is there. `deliver` gets a gap (samples lost before this packet) and the packet's level, after the
    /// packet was put into the slot for `nextSequence()`.
    func pump(
        nextSequence: () -> SerialNumber, deliver: (_ lost: Int64, _ levelDecibels: Float) -> Void
    ) -> Outcome {
        var budget = Self.packetsPerTurn
        let packet = Int64(WireLimits.samplesPerPacket)
        while isRunning {
            if reader.fill < packet {
                if reader.requestWake(at: reader.position + packet) { return .caughtUp }
                continue  // it arrived in the meantime
            }
            if budget == 0 { return .more }
            budget -= 1
            let read = reader.read(into: block)
            if read.count < block.count {
                // Lapped in the middle of a read: what is left is less than a packet.
                deliver(read.lost + Int64(read.count), Level.floorDecibels)
                continue
            }
            removeEarcon(end: reader.position)
            let slot = UplinkWindow.slot(of: nextSequence())
            slots.setLength(encode(into: slots.room(slot)), of: slot)
            deliver(read.lost, Level.decibels(UnsafeBufferPointer(block)))
        }
        return .caughtUp
    }

    private func encode(into room: UnsafeMutableRawBufferPointer) -> Int {
        do throws(CodecError) {
            return try encoder.encode(block.baseAddress!, into: room)
        } catch {
            // libopus refuses a whole frame of valid samples only when its own state is broken.
            preconditionFailure("Opus encoder: \(error.description)")
        }
    }
}

import OpusCodec
import PuckWire

/// One play on its way to the loudspeaker: its packets, its decoder, and the last samples that went into the playback
/// ring, so that a paused play goes on with exactly the sample at which it fell silent. Loop thread only.
///
/// Samples of the play are counted from 0 at its `down_start`:
///
///     0 ……… heard ……… cursor ……… decoded ……… queued packets
///                     │           └ decoded once, and kept in `recent` up to here
///                     └ in the ring up to here; behind `decoded` only after a pause
final class PlaybackLane {
    /// What the ring (1 s) and a device's buffer may hold that has not been heard.
    static let recentSamples = 32_000

    let packets = PacketQueue()
    private var decoder: OpusDecoder
    /// Makes up what is missing, on a copy of the decoder's state: the play itself stays exact.
    private var concealer: OpusDecoder
    private let recent: UnsafeMutableBufferPointer<Int16>
    private(set) var isActive = false
    private var isOpus = true
    var isFinishing = false
    /// Nothing sounds until enough has been collected.
    var isCollecting = true
    /// Ring position of sample 0, which may lie before the ring's beginning; nil while nothing of it is in the ring.
    private(set) var start: Int64?
    private(set) var decoded: Int64 = 0
    private(set) var cursor: Int64 = 0
    /// Where a paused play was stopped; while the playback thread has not said so, the ring position that it was told to
    /// skip to.
    private var resumeAt: Int64 = 0
    private var skipPosition: Int64?
    private(set) var concealedBlocks = 0
    /// The last stretch of the ring that was made up, which is no part of the play.
    private var bridge: Range<Int64> = 0..<0
    private(set) var brokenPackets = 0

    init() throws(CodecError) {
        decoder = try OpusDecoder()
        concealer = try OpusDecoder()
        recent = .allocate(capacity: Self.recentSamples)
    }

    deinit { recent.deallocate() }

    func begin(isOpus: Bool) {
        end()
        decoder.reset()
        self.isOpus = isOpus
        isActive = true
    }

    func end() {
        packets.removeAll()
        isActive = false
        isFinishing = false
        isCollecting = true
        start = nil
        decoded = 0
        cursor = 0
        resumeAt = 0
        skipPosition = nil
        concealedBlocks = 0
        bridge = 0..<0
    }

    /// Whether a block can be taken now.
    func isReady(delaySamples: Int) -> Bool {
        guard isActive, skipPosition == nil else { return false }
        if cursor < decoded { return true }
        if packets.isEmpty { return false }
        return !isCollecting || isFinishing || packets.count * WireLimits.samplesPerPacket >= delaySamples
    }

    /// Nothing is left to be put into the ring.
    var isExhausted: Bool { packets.isEmpty && cursor == decoded && skipPosition == nil }

    /// The next block, for the ring's `position`. Only when `isReady`.
    /// - Returns: samples put into `block`.
    func take(into block: UnsafeMutableBufferPointer<Int16>, at position: Int64) -> Int {
        isCollecting = false
        concealedBlocks = 0
        if start == nil { start = position - cursor }
        if cursor < decoded {
            let count = Int(min(Int64(block.count), decoded - cursor))
            for i in 0..<count { block[i] = recent[Int((cursor + Int64(i)) % Int64(Self.recentSamples))] }
            cursor += Int64(count)
            return count
        }
        packets.withFirst { decode($0, into: block) }
        for i in 0..<block.count { recent[Int((decoded + Int64(i)) % Int64(Self.recentSamples))] = block[i] }
        decoded += Int64(block.count)
        cursor = decoded
        return block.count
    }

    /// A block out of the past of the play, fading, for a ring that has run dry: not part of the play. It goes to the
    /// ring's `position`.
    func conceal(into block: UnsafeMutableBufferPointer<Int16>, at position: Int64) {
        if concealedBlocks == 0 {
            decoder.copyState(to: concealer)
            bridge = position..<position
        }
        concealedBlocks += 1
        bridge = bridge.lowerBound..<position + Int64(block.count)
        do throws(CodecError) {
            _ = try concealer.conceal(into: block)
        } catch {
            for i in 0..<block.count { block[i] = 0 }
        }
        start = start.map { $0 + Int64(block.count) }
    }

    /// Heard of the play, given how far the loudspeaker got in the ring.
    func heard(upTo position: Int64) -> Int64 {
        guard let start else { return resumeAt }
        // `start` counts from behind the bridge.
        let bridged = max(0, bridge.upperBound - max(position, bridge.lowerBound))
        return min(max(resumeAt, position - start + bridged), cursor)
    }

    // MARK: Pause

    /// The playback thread was told to skip to `position`, and will say where it stopped.
    func pause(skippingTo position: Int64) {
        if start == nil { return }
        skipPosition = position
    }

    /// It stopped when everything before `position` had been heard.
    func stopped(at position: Int64, skippedTo: Int64) {
        guard let wanted = skipPosition, skippedTo >= wanted, start != nil else { return }
        let oldest = max(0, decoded - Int64(Self.recentSamples))
        resumeAt = max(oldest, heard(upTo: position))
        cursor = resumeAt
        start = nil
        bridge = 0..<0
        skipPosition = nil
        isCollecting = false
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, into block: UnsafeMutableBufferPointer<Int16>) {
        if !isOpus {
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

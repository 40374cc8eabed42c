import HubCore
import PuckBase
import PuckWire

/// What was heard in one conversation. The machine decides; this only holds and converts the bytes, of which it lets at
/// most `HubPolicy.utterancePackets` packets in.
final class Turn<Decoder: UplinkDecoder> {
    let id: String
    /// Mono, 16 kHz, in blocks: speech of unknown length is neither moved when there is more of it, nor reserved ahead.
    private var blocks: [[Int16]] = []
    private var decoder: Decoder?
    /// Not when the first packet came: a hub that stood still finds seconds of sound in its sockets.
    private let grantedAt: Instant
    private var packets = 0
    var isRecorded = false

    init(id: String, grantedAt: Instant) {
        self.id = id
        self.grantedAt = grantedAt
    }

    /// Decodes one uplink packet and keeps it.
    /// - Throws: RATE_LIMIT when sound comes faster than anybody speaks; UNEXPECTED for bytes that are not 20 ms of Opus.
    func hear(_ type: MessageType, _ packet: UnsafeRawBufferPointer, now: Instant) throws(WireError) {
        packets += 1
        guard TurnLimits.isPlausible(packets: packets, within: now - grantedAt) else {
            throw WireError(
                .rateLimit, "\(packets) packets of \(id) within \((now - grantedAt).wholeMilliseconds) ms")
        }
        if type == .uplinkPCM {
            withUnsafeTemporaryAllocation(of: Int16.self, capacity: packet.count / 2) { samples in
                UnsafeMutableRawBufferPointer(samples).copyMemory(from: .init(rebasing: packet[..<(samples.count * 2)]))
                #if _endian(big)
                    for i in samples.indices { samples[i] = Int16(littleEndian: samples[i]) }
                #endif
                keep(UnsafeBufferPointer(samples))
            }
            return
        }
        guard packet.count > 0, packet[0] & TurnLimits.stereoBit == 0 else {
            throw WireError(.unexpected, "an uplink packet of \(id) is not mono Opus")
        }
        if decoder == nil { decoder = Decoder() }
        if decoder?.decode(packet) == WireLimits.samplesPerPacket {
            decoder!.samples.withUnsafeBufferPointer {
                keep(UnsafeBufferPointer(rebasing: $0[..<WireLimits.samplesPerPacket]))
            }
            return
        }
        throw WireError(.unexpected, "an uplink packet of \(id) is not 20 ms of mono Opus")
    }

    private func keep(_ samples: UnsafeBufferPointer<Int16>) {
        if blocks.isEmpty || blocks[blocks.count - 1].count + samples.count > TurnLimits.blockSamples {
            blocks.append([])
            blocks[blocks.count - 1].reserveCapacity(TurnLimits.blockSamples)
        }
        blocks[blocks.count - 1].append(contentsOf: samples)
    }

    var hasHeard: Bool { !blocks.isEmpty }

    /// What was heard so far, in one piece.
    var heard: [Int16] {
        var samples: [Int16] = []
        samples.reserveCapacity(blocks.count * TurnLimits.blockSamples)
        for block in blocks { samples.append(contentsOf: block) }
        return samples
    }

    /// The utterance, which is given away: nothing is heard after it.
    func takeUtterance() -> [Int16] {
        decoder = nil
        defer { blocks = [] }
        return heard
    }
}

/// How fast an utterance may come, and how it is kept.
enum TurnLimits {
    /// A puck speaks in real time. 3 s cover what it held back before the grant or while its link was down (1 s each);
    /// twice real time from there on lets it catch up however long the network kept its packets, since each second of
    /// waiting allows for two more of sound. (A count for each second would refuse such a puck.)
    static let burstPackets = 3 * packetsPerSecond
    static let sustainedPacketsPerSecond = 2 * packetsPerSecond
    private static let packetsPerSecond = 1000 / WireLimits.packetMilliseconds

    /// A second's samples: a whole number of packets.
    static let blockSamples = WireLimits.sampleRate

    /// "s" of a packet's first byte (RFC 6716, 3.1). libopus would mix such a packet down without a word.
    static let stereoBit: UInt8 = 0x04

    /// Whether so many packets may have come within `elapsed` of the grant.
    static func isPlausible(packets: Int, within elapsed: Interval) -> Bool {
        Int64(packets) <= Int64(burstPackets) + elapsed.wholeMilliseconds * Int64(sustainedPacketsPerSecond) / 1000
    }
}

/// Something to be played, encoded a slice at a time so that the loop goes on serving.
public final class Answer<Encoder: AnswerEncoder> {
    /// For its recording.
    public let name: String
    private var encoder: Encoder
    private var bytes: [UInt8] = []
    /// Where each packet ends in `bytes`.
    private var ends: [Int] = []
    /// Packets that went out.
    public internal(set) var sentPackets = 0
    var isRecorded = false

    init(name: String, _ encoder: Encoder) {
        self.name = name
        self.encoder = encoder
    }

    var packetCount: Int { ends.count }
    var isComplete: Bool { encoder.isComplete }

    /// Encodes the next slice.
    /// - Returns: bytes of each packet that is new; nil when the encoder failed.
    func encodeSlice() -> [UInt16]? {
        var sizes: [UInt16] = []
        var packet = [UInt8](repeating: 0, count: HubLimits.opusPacketBytes)
        for _ in 0..<encoder.packetsPerSlice where !isComplete {
            guard let size = packet.withUnsafeMutableBytes({ encoder.encode(into: $0) }) else { return nil }
            bytes += packet[..<size]
            sizes.append(UInt16(size))
            ends.append(bytes.count)
        }
        return sizes
    }

    /// Lends one packet's bytes.
    public func withPacket<Result>(_ index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = index == 0 ? 0 : ends[index - 1]
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<ends[index]])) }
    }
}

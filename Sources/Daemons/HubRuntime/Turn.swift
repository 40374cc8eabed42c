import OpusCodec
import PuckBase
import PuckWire

/// What was heard in one conversation. The machine decides; this only holds and converts the bytes, of which it lets at
/// most `HubPolicy.utterancePackets` packets in.
final class Turn {
    let id: String
    /// Mono, 16 kHz, in blocks: speech of unknown length is neither moved when there is more of it, nor reserved ahead.
    private var blocks: [[Int16]] = []
    /// A second's: a whole number of packets.
    private static let blockSamples = WireLimits.sampleRate
    private var decoder: UplinkDecoder?
    /// When the first packet came, and how many there have been.
    private var firstHeardAt: Instant?
    private var packets = 0
    var recordedHeard = false

    init(id: String) { self.id = id }

    /// A puck speaks in real time. 3 s cover what it held back before the grant or while its link was down (1 s each);
    /// twice real time from there on lets it catch up however long the network kept its packets, since each second of
    /// waiting allows for two more of sound. (A count for each second would refuse such a puck.)
    static let burstPackets = 3 * packetsPerSecond
    static let sustainedPacketsPerSecond = 2 * packetsPerSecond
    private static let packetsPerSecond = 1000 / WireLimits.packetMilliseconds

    /// Whether so many packets may have come within `elapsed` of the first.
    static func isPlausible(packets: Int, within elapsed: Interval) -> Bool {
        Int64(packets) <= Int64(burstPackets) + elapsed.wholeMilliseconds * Int64(sustainedPacketsPerSecond) / 1000
    }

    /// "s" of a packet's first byte (RFC 6716, 3.1). libopus would mix such a packet down without a word.
    private static let stereoBit: UInt8 = 0x04

    /// Decodes one uplink packet and keeps it.
    /// - Throws: RATE_LIMIT when sound comes faster than anybody speaks; UNEXPECTED for bytes that are not 20 ms of Opus.
    func hear(_ type: MessageType, _ packet: UnsafeRawBufferPointer, now: Instant) throws(WireError) {
        let first = firstHeardAt ?? now
        firstHeardAt = first
        packets += 1
        guard Self.isPlausible(packets: packets, within: now - first) else {
            throw WireError(.rateLimit, "\(packets) packets of \(id) within \((now - first).wholeMilliseconds) ms")
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
        guard packet.count > 0, packet[0] & Self.stereoBit == 0 else {
            throw WireError(.unexpected, "an uplink packet of \(id) is not mono Opus")
        }
        do throws(CodecError) {
            if decoder == nil { decoder = try UplinkDecoder() }
            let samples = try decoder!.decode(packet)
            if samples == WireLimits.samplesPerPacket {
                decoder!.samples.withUnsafeBufferPointer { keep(UnsafeBufferPointer(rebasing: $0[..<samples])) }
                return
            }
        } catch {}
        throw WireError(.unexpected, "an uplink packet of \(id) is not 20 ms of mono Opus")
    }

    private func keep(_ samples: UnsafeBufferPointer<Int16>) {
        if blocks.isEmpty || blocks[blocks.count - 1].count + samples.count > Self.blockSamples {
            blocks.append([])
            blocks[blocks.count - 1].reserveCapacity(Self.blockSamples)
        }
        blocks[blocks.count - 1].append(contentsOf: samples)
    }

    var hasHeard: Bool { !blocks.isEmpty }

    /// What was heard so far, in one piece.
    var heard: [Int16] {
        var samples: [Int16] = []
        samples.reserveCapacity(blocks.count * Self.blockSamples)
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

/// A decoder with room for the longest packet that Opus has.
final class UplinkDecoder {
    /// 120 ms (RFC 6716, 2.1.4) at 16 kHz.
    static let longestPacketSamples = 1_920
    private let decoder: OpusDecoder
    private(set) var samples = [Int16](repeating: 0, count: longestPacketSamples)

    init() throws(CodecError) { decoder = try OpusDecoder() }

    /// - Returns: how many of `samples` are the packet's.
    func decode(_ packet: UnsafeRawBufferPointer) throws(CodecError) -> Int {
        var failure: CodecError?
        let count = samples.withUnsafeMutableBufferPointer { buffer in
            do throws(CodecError) {
                return try decoder.decode(packet, into: buffer)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }
}

/// Something to be played, encoded a slice at a time so that the loop goes on serving. At most
/// `Responder.longestAnswerSamples` long.
final class Answer {
    /// 25 packets are half a second of audio: about 15 ms of work at complexity 5 on a small ARM board.
    static let packetsPerSlice = 25

    /// For its recording.
    let name: String
    let playID: UInt32
    private var samples: [Int16]
    private var encodedSamples = 0
    private let encoder: OpusEncoder
    private var bytes: [UInt8] = []
    /// Where each packet ends in `bytes`.
    private var ends: [Int] = []
    /// Packets that went out.
    var sentPackets = 0
    var recordedSent = false

    /// - Parameter samples: mono, 16 kHz; filled up with silence to whole packets.
    init(
        name: String, playID: UInt32, samples: [Int16], bitsPerSecond: Int, complexity: Int
    ) throws(CodecError) {
        self.name = name
        self.playID = playID
        let packet = WireLimits.samplesPerPacket
        let missing = (packet - samples.count % packet) % packet
        self.samples = missing == 0 ? samples : samples + [Int16](repeating: 0, count: missing)
        encoder = try OpusEncoder(.init(bitsPerSecond: bitsPerSecond, complexity: complexity))
    }

    var packetCount: Int { ends.count }
    var isComplete: Bool { encodedSamples == samples.count }

    /// Encodes the next slice. The samples are freed with the last one.
    /// - Returns: bytes of each packet that is new.
    func encodeSlice() throws(CodecError) -> [UInt16] {
        var sizes: [UInt16] = []
        var packet = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketBytes)
        for _ in 0..<Self.packetsPerSlice where !isComplete {
            let size = try encodePacket(into: &packet)
            bytes += packet[..<size]
            sizes.append(UInt16(size))
            ends.append(bytes.count)
            encodedSamples += WireLimits.samplesPerPacket
        }
        if isComplete {
            samples = []
            encodedSamples = 0
        }
        return sizes
    }

    private func encodePacket(into packet: inout [UInt8]) throws(CodecError) -> Int {
        var failure: CodecError?
        let size = samples.withUnsafeBufferPointer { source in
            packet.withUnsafeMutableBytes { target in
                do throws(CodecError) {
                    return try encoder.encode(source.baseAddress! + encodedSamples, into: target)
                } catch {
                    failure = error
                    return 0
                }
            }
        }
        if let failure { throw failure }
        return size
    }

    /// Lends one packet's bytes.
    func withPacket<Result>(_ index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let start = index == 0 ? 0 : ends[index - 1]
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<ends[index]])) }
    }
}

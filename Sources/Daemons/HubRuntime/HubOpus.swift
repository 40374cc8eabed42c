import HubService
import OpusCodec
import PuckWire

/// A decoder with room for the longest packet that Opus has.
final class OpusUplinkDecoder: UplinkDecoder {
    /// 120 ms (RFC 6716, 2.1.4) at 16 kHz.
    static let longestPacketSamples = 1_920
    private let decoder: OpusDecoder
    private(set) var samples = [Int16](repeating: 0, count: longestPacketSamples)

    init?() {
        do throws(CodecError) { decoder = try OpusDecoder() } catch { return nil }
    }

    func decode(_ packet: UnsafeRawBufferPointer) -> Int? {
        samples.withUnsafeMutableBufferPointer { buffer in
            do throws(CodecError) { return try decoder.decode(packet, into: buffer) } catch { return nil }
        }
    }
}

/// Encodes samples, at most `Responder.longestAnswerSamples`, which are freed with the last packet.
final class OpusAnswerEncoder: AnswerEncoder {
    /// Half a second of audio: about 15 ms of work at complexity 5 on a small ARM board.
    let packetsPerSlice = 25

    private var samples: [Int16]
    private var encodedSamples = 0
    private let encoder: OpusEncoder

    /// - Parameter samples: mono, 16 kHz; filled up with silence to whole packets.
    init(_ samples: [Int16], bitsPerSecond: Int, complexity: Int) throws(CodecError) {
        let packet = WireLimits.samplesPerPacket
        let missing = (packet - samples.count % packet) % packet
        self.samples = missing == 0 ? samples : samples + [Int16](repeating: 0, count: missing)
        encoder = try OpusEncoder(.init(bitsPerSecond: bitsPerSecond, complexity: complexity))
    }

    var isComplete: Bool { encodedSamples == samples.count }

    func encode(into room: UnsafeMutableRawBufferPointer) -> Int? {
        let size: Int? = samples.withUnsafeBufferPointer { source in
            do throws(CodecError) { return try encoder.encode(source.baseAddress! + encodedSamples, into: room) } catch
            {
                return nil
            }
        }
        guard let size else { return nil }
        encodedSamples += WireLimits.samplesPerPacket
        if isComplete {
            samples = []
            encodedSamples = 0
        }
        return size
    }
}

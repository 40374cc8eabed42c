import COpus
import COpusShim
import PuckBase

/// Encodes 16 kHz mono speech, 20 ms at a time. Allocates in `init` only. One thread at a time.
public struct OpusEncoder: ~Copyable {
    /// 20 ms at 16 kHz.
    public static let samplesPerPacket = 320
    public static let sampleRate: Int32 = 16_000
    /// RFC 6716, 3.4.
    public static let maximumPacketBytes = 1275

    /// Always VBR: libopus's CBR costs more than twice the instructions at the same rate (measured, libopus 1.3.1).
    public struct Parameters: Equatable, Sendable {
        /// 6,000…128,000.
        public var bitsPerSecond: Int
        /// 0…10. Measured with libopus 1.3.1 in millions of instructions a second of audio: 0: 28, 5: 58, 10: 105.
        public var complexity: Int
        /// In-band forward error correction: a packet also carries a coarse copy of the one before.
        public var hasForwardErrorCorrection: Bool
        /// What the correction is dimensioned for, 0…100; without losses expected libopus leaves it off.
        public var expectedLossPercent: Int
        /// Sends next to nothing in silence; saves bytes, not instructions.
        public var hasDiscontinuousTransmission: Bool

        public init(
            bitsPerSecond: Int = 24_000, complexity: Int = 5, hasForwardErrorCorrection: Bool = false,
            expectedLossPercent: Int = 0, hasDiscontinuousTransmission: Bool = false
        ) {
            self.bitsPerSecond = bitsPerSecond
            self.complexity = complexity
            self.hasForwardErrorCorrection = hasForwardErrorCorrection
            self.expectedLossPercent = expectedLossPercent
            self.hasDiscontinuousTransmission = hasDiscontinuousTransmission
        }
    }

    private let handle: OpaquePointer

    public init(_ parameters: Parameters = Parameters()) throws(CodecError) {
        var code: Int32 = 0
        guard let made = opus_encoder_create(Self.sampleRate, 1, OPUS_APPLICATION_VOIP, &code) else {
            throw CodecError(code: code, operation: .makeEncoder)
        }
        let codes = [
            puck_opus_encoder_set_bitrate(made, Int32(clamping: parameters.bitsPerSecond)),
            puck_opus_encoder_set_vbr(made, 1),
            puck_opus_encoder_set_complexity(made, Int32(clamping: parameters.complexity)),
            puck_opus_encoder_set_fec(made, parameters.hasForwardErrorCorrection ? 1 : 0),
            puck_opus_encoder_set_loss(made, Int32(clamping: parameters.expectedLossPercent)),
            puck_opus_encoder_set_dtx(made, parameters.hasDiscontinuousTransmission ? 1 : 0),
        ]
        if let refused = codes.first(where: { $0 < 0 }) {
            opus_encoder_destroy(made)
            throw CodecError(code: refused, operation: .configureEncoder)
        }
        handle = made
    }

    deinit { opus_encoder_destroy(handle) }

    /// Samples by which decoded audio lags behind what was encoded.
    public var lookaheadSamples: Int {
        var samples: Int32 = 0
        _ = puck_opus_encoder_lookahead(handle, &samples)
        return Int(samples)
    }

    /// Forgets the past: the next packet is the first of a new utterance.
    public func reset() { _ = puck_opus_encoder_reset(handle) }

    /// Encodes 320 samples.
    /// - Parameter room: 1,275 bytes always suffice.
    /// - Returns: bytes written.
    public func encode(
        _ samples: UnsafePointer<Int16>, into room: UnsafeMutableRawBufferPointer
    ) throws(CodecError) -> Int {
        guard let bytes = room.baseAddress else { throw CodecError(code: OPUS_BUFFER_TOO_SMALL, operation: .encode) }
        let written = opus_encode(
            handle, samples, Int32(Self.samplesPerPacket), bytes.assumingMemoryBound(to: UInt8.self),
            Int32(clamping: room.count))
        try CodecError.check(written, .encode)
        return Int(written)
    }
}

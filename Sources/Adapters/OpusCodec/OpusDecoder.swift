import COpus
import COpusShim
import PuckBase

/// Decodes packets of 20 ms into 16 kHz mono. Allocates in `init` only. One thread at a time.
public struct OpusDecoder: ~Copyable {
    private let handle: OpaquePointer

    public init() throws(CodecError) {
        var code: Int32 = 0
        guard let made = opus_decoder_create(OpusEncoder.sampleRate, 1, &code) else {
            throw CodecError(code: code, operation: .makeDecoder)
        }
        handle = made
    }

    deinit { opus_decoder_destroy(handle) }

    public func reset() { _ = puck_opus_decoder_reset(handle) }

    /// Makes `other` go on from where this decoder is. (opus.h: a decoder's state is contiguous, and a shallow copy is
    /// sufficient.)
    public func copyState(to other: borrowing OpusDecoder) {
        let size = opus_decoder_get_size(1)
        UnsafeMutableRawPointer(other.handle).copyMemory(
            from: UnsafeRawPointer(handle), byteCount: Int(size))
    }

    /// Decodes one packet.
    /// - Returns: samples written; a packet that needs more room than `samples` has is refused (OPUS_BUFFER_TOO_SMALL).
    public func decode(
        _ packet: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>
    ) throws(CodecError) -> Int {
        // libopus reads a nil packet as "lost"; here an empty one is simply broken.
        guard let bytes = packet.baseAddress, packet.count > 0 else {
            throw CodecError(code: OPUS_INVALID_PACKET, operation: .decode)
        }
        return try run(bytes.assumingMemoryBound(to: UInt8.self), packet.count, samples, fec: 0, .decode)
    }

    /// Makes up a lost packet out of the past: fills `samples`, which must hold a multiple of 2.5 ms.
    public func conceal(into samples: UnsafeMutableBufferPointer<Int16>) throws(CodecError) -> Int {
        try run(nil, 0, samples, fec: 0, .conceal)
    }

    /// Recovers the lost packet *before* `next` from the coarse copy in it, or conceals when it carries none.
    public func recover(
        from next: UnsafeRawBufferPointer, into samples: UnsafeMutableBufferPointer<Int16>
    ) throws(CodecError) -> Int {
        try run(next.baseAddress?.assumingMemoryBound(to: UInt8.self), next.count, samples, fec: 1, .conceal)
    }

    private func run(
        _ bytes: UnsafePointer<UInt8>?, _ count: Int, _ samples: UnsafeMutableBufferPointer<Int16>, fec: Int32,
        _ operation: CodecError.Operation
    ) throws(CodecError) -> Int {
        guard let room = samples.baseAddress else {
            throw CodecError(code: OPUS_BUFFER_TOO_SMALL, operation: operation)
        }
        let decoded = opus_decode(handle, bytes, Int32(clamping: count), room, Int32(clamping: samples.count), fec)
        try CodecError.check(decoded, operation)
        return Int(decoded)
    }
}

import CSpeexDSP
import PuckBase

/// Converts mono 16-bit audio between a device's rate and 16 kHz with libspeexdsp. Allocates in `init` only:
/// `speex_resampler_process_int` works on buffers that its init made (resample.c). One thread at a time; `process` may
/// run on a real-time thread.
///
/// Plain data over libspeexdsp's state, so that the real-time path retains nothing; whoever made it calls `destroy`.
public struct Resampler: @unchecked Sendable {  // Sound: one thread at a time, as said above.
    /// 0…10. 4 keeps 90 dB below the stop band's edge, inaudible beneath Opus at 24 kbit/s, at about 6 M instructions a
    /// second from 48 kHz (callgrind, white noise; speex_resampler.h: 3 is "VoIP", 5 "desktop").
    public static let quality: Int32 = 4

    public struct Unsupported: Error, Equatable, Sendable {
        public var code: Int32
        public var description: String { "libspeexdsp: " + String(cString: speex_resampler_strerror(code)) }
    }

    private let state: OpaquePointer?
    private let inputRate: UInt32
    private let outputRate: UInt32

    /// - Parameters: rates in Hz, 8,000…192,000. Equal rates make a plain copy.
    public init(from inputRate: Int, to outputRate: Int) throws(Unsupported) {
        self.inputRate = UInt32(clamping: inputRate)
        self.outputRate = UInt32(clamping: outputRate)
        if inputRate == outputRate {
            state = nil
            return
        }
        var code: Int32 = 0
        guard let made = speex_resampler_init(1, self.inputRate, self.outputRate, Self.quality, &code) else {
            throw Unsupported(code: code)
        }
        // Start without the filter's own delay of zeros; time stamps then hold to within the filter's length.
        speex_resampler_skip_zeros(made)
        state = made
    }

    /// Frees the state. No copy may be used afterwards.
    public func destroy() {
        if let state { speex_resampler_destroy(state) }
    }

    public var isBypass: Bool { @_noLocks @_noAllocation get { state == nil } }

    /// Input samples that a sound is behind itself in the filter: so many zeros push its end out. 0 when the rates agree.
    @_noLocks @_noAllocation
    public func inputLatency() -> Int {
        guard let state else { return 0 }
        return filterLatency(state)
    }

    /// Forgets the past: the next sound begins without the end of the last one.
    @_noLocks @_noAllocation
    public func reset() {
        if let state { forget(state) }
    }

    /// The most samples that `count` input samples can become in one call.
    @_noLocks @_noAllocation
    public func outputBound(for count: Int) -> Int {
        count &* Int(truncatingIfNeeded: outputRate) / Int(truncatingIfNeeded: inputRate) &+ 2
    }

    /// Converts all of `input`.
    /// - Parameter output: at least `outputBound(for: input.count)` samples.
    /// - Returns: samples written.
    @_noLocks @_noAllocation
    public func process(_ input: UnsafeBufferPointer<Int16>, into output: UnsafeMutableBufferPointer<Int16>) -> Int {
        guard let from = input.baseAddress, let to = output.baseAddress, input.count > 0 else { return 0 }
        guard let state else {
            let count = min(input.count, output.count)
            var i = 0
            while i < count {
                to[i] = from[i]
                i &+= 1
            }
            return count
        }
        var consumed = 0
        var written = 0
        // One turn normally; libspeexdsp may stop early at its internal block length.
        while consumed < input.count && written < output.count {
            var inputCount = UInt32(truncatingIfNeeded: input.count &- consumed)
            var outputCount = UInt32(truncatingIfNeeded: output.count &- written)
            resample(state, from + consumed, &inputCount, to + written, &outputCount)
            if inputCount == 0 && outputCount == 0 { break }
            consumed &+= Int(truncatingIfNeeded: inputCount)
            written &+= Int(truncatingIfNeeded: outputCount)
        }
        return written
    }
}

/// Reads one field.
@_semantics("no_performance_analysis") @inline(never)
private func filterLatency(_ state: OpaquePointer) -> Int { Int(speex_resampler_get_input_latency(state)) }

/// Clears the filter's memory in place.
@_semantics("no_performance_analysis") @inline(never)
private func forget(_ state: OpaquePointer) {
    speex_resampler_reset_mem(state)
    speex_resampler_skip_zeros(state)
}

/// libspeexdsp's int16 path: no allocation, no lock (it has no threads).
@_semantics("no_performance_analysis") @inline(never)
private func resample(
    _ state: OpaquePointer, _ input: UnsafePointer<Int16>, _ inputCount: UnsafeMutablePointer<UInt32>,
    _ output: UnsafeMutablePointer<Int16>, _ outputCount: UnsafeMutablePointer<UInt32>
) {
    _ = speex_resampler_process_int(state, 0, input, inputCount, output, outputCount)
}

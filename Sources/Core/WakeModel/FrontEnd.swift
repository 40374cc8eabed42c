/// The features that microWakeWord's models are trained on: the logarithm of 40 mel channels' energy, 125 to 7,500 Hz,
/// of 30 ms of sound each 10 ms, after noise reduction and automatic gain control (PCAN).
///
/// Fixed point, and the same to the bit as the front end of TensorFlow Lite Micro ("microfrontend"), which made the
/// features in training; `Tests/Core/WakeModelTests` holds it to that. Where the reference wraps around or is a little off,
/// so is this.
///
/// All memory is taken at the beginning; `step` neither allocates nor locks.
public struct FrontEnd: ~Copyable {
    /// Samples a second of what `step` takes.
    public static var sampleRate: Int { @_noLocks @_noAllocation get { 16_000 } }
    /// Samples from one row of features to the next: 10 ms.
    public static var stepSamples: Int { @_noLocks @_noAllocation get { 160 } }
    /// Samples that a row of features is made of: 30 ms.
    public static var windowSamples: Int { @_noLocks @_noAllocation get { 480 } }
    /// Features in a row.
    public static var channels: Int { @_noLocks @_noAllocation get { 40 } }
    /// Bytes that a front end takes, whatever it hears.
    public static var memoryBytes: Int { Memory.bytes }

    private let memory: Memory
    /// How many of the window's samples are there.
    private var filled = 0

    public init() { memory = Memory() }

    deinit { memory.free() }

    /// Forgets all sound: as new.
    public mutating func reset() {
        memory.noise.update(repeating: 0, count: FrontEnd.channels)
        filled = 0
    }

    /// Takes the next 10 ms of sound.
    /// - Parameter samples: `stepSamples` of them.
    /// - Returns: `channels` features, good until the next step; nil while less than 30 ms were heard.
    @_noLocks @_noAllocation
    public mutating func step(_ samples: UnsafePointer<Int16>) -> UnsafePointer<UInt16>? {
        let input = memory.input
        let step = FrontEnd.stepSamples
        let window = FrontEnd.windowSamples
        if filled == window {
            copy(from: input + step, to: input, count: window &- step)
            filled &-= step
        }
        copy(from: samples, to: input + filled, count: step)
        filled &+= step
        if filled < window { return nil }
        let shift = applyWindow(
            input, memory.window, re: memory.re, im: memory.im)
        transform(memory, gain: Int16(truncatingIfNeeded: Int32(1) &<< shift))
        spectrumEnergy(memory)
        accumulateChannels(memory, shift: UInt64(truncatingIfNeeded: shift))
        reduceNoise(memory)
        return UnsafePointer(memory.features)
    }
}

/// Copies `count` samples, a multiple of 8, forwards.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
private func copy(from source: UnsafePointer<Int16>, to target: UnsafeMutablePointer<Int16>, count: Int) {
    let from = UnsafeRawPointer(source)
    let to = UnsafeMutableRawPointer(target)
    var i = 0
    while i < count {
        to.storeBytes(
            of: from.loadUnaligned(fromByteOffset: i &* 2, as: SIMD8<Int16>.self), toByteOffset: i &* 2,
            as: SIMD8<Int16>.self)
        i &+= 8
    }
}

/// Everything that a front end works with, in one block: plain pointers, so that nothing on the way touches a
/// reference count.
struct Memory {
    /// The last 30 ms, and the window's coefficients, 12 bits after the point.
    let input: UnsafeMutablePointer<Int16>
    let window: UnsafeMutablePointer<Int16>
    /// 256 complex numbers, real and imaginary parts apart: the transform goes from one pair to the other and back.
    let re: UnsafeMutablePointer<Int16>
    let im: UnsafeMutablePointer<Int16>
    let re2: UnsafeMutablePointer<Int16>
    let im2: UnsafeMutablePointer<Int16>
    /// Factors of the transform's stages: see `Twiddles`.
    let twiddles: UnsafeMutablePointer<Int16>
    /// Energy of each of 257 frequencies (31.25 Hz apart), and their weights in the channel above them.
    let energy: UnsafeMutablePointer<Int32>
    let weights: UnsafeMutablePointer<Int16>
    let widths: UnsafeMutablePointer<UInt8>
    /// Amplitude of each channel, and how much of it has been noise (10 bits after the point).
    let signal: UnsafeMutablePointer<UInt32>
    let noise: UnsafeMutablePointer<UInt32>
    let gains: UnsafeMutablePointer<Int16>
    let logarithms: UnsafeMutablePointer<UInt16>
    let features: UnsafeMutablePointer<UInt16>

    static let bytes =
        (480 + 480 + 4 * 256 + Twiddles.count + 256 + 128 + 136 + 40) * 2 + (264 + 40 + 40) * 4 + 48

    init() {
        let block = UnsafeMutableRawPointer.allocate(byteCount: Memory.bytes, alignment: 16)
        block.initializeMemory(as: UInt8.self, repeating: 0, count: Memory.bytes)
        var next = block
        /// The next `count` values of the block; all counts are multiples of 16 bytes.
        func take<T: BitwiseCopyable>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
            let pointer = next.bindMemory(to: type, capacity: count)
            next += count * MemoryLayout<T>.stride
            return pointer
        }
        input = take(Int16.self, 480)
        window = take(Int16.self, 480)
        re = take(Int16.self, 256)
        im = take(Int16.self, 256)
        re2 = take(Int16.self, 256)
        im2 = take(Int16.self, 256)
        twiddles = take(Int16.self, Twiddles.count)
        weights = take(Int16.self, 256)
        gains = take(Int16.self, 128)
        logarithms = take(UInt16.self, 136)
        features = take(UInt16.self, 40)
        energy = take(Int32.self, 264)
        signal = take(UInt32.self, 40)
        noise = take(UInt32.self, 40)
        widths = take(UInt8.self, 48)
        for (i, value) in Tables.window.enumerated() { window[i] = value }
        for (i, value) in Tables.weights.enumerated() { weights[i] = value }
        for (i, value) in Tables.widths.enumerated() { widths[i] = value }
        for (i, value) in Tables.gains.enumerated() { gains[i] = value }
        for (i, value) in Tables.logarithms.enumerated() { logarithms[i] = value }
        Twiddles.fill(twiddles)
    }

    func free() { UnsafeMutableRawPointer(input).deallocate() }
}

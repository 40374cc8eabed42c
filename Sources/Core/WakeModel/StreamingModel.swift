/// A loaded model: takes rows of features as they come, and gives a probability each few of them.
///
/// What it remembers of the past lies in variables inside of the model. All memory is taken when it is loaded; `step`
/// neither allocates nor locks.
public struct StreamingModel: ~Copyable {
    /// Rows of features that one output takes.
    public let rows: Int
    /// Bytes of memory that the model takes.
    public let memoryBytes: Int

    private let base: UnsafeMutableRawPointer
    private let steps: UnsafeMutablePointer<Step>
    private let stepCount: Int
    private let initialCount: Int
    private let input: UnsafeMutablePointer<UInt8>
    let output: UnsafeMutableRawPointer
    private let outputType: TensorType
    /// What each feature becomes in the model's input.
    private let quantized: UnsafeMutablePointer<UInt8>
    /// Rows that wait for the others.
    private var filled = 0

    /// No feature is larger: 64 times the logarithm of a number of 32 bits.
    static var largestFeature: Int { @_noLocks @_noAllocation get { 1_420 } }

    public init(_ plan: ModelPlan) { self.init(PreparedModel(plan)) }

    public init(_ model: PreparedModel) {
        rows = model.rows
        memoryBytes = model.memoryBytes
        base = .allocate(byteCount: memoryBytes, alignment: 16)
        base.copyMemory(from: model.image, byteCount: memoryBytes)
        initialCount = model.initialCount
        stepCount = model.stepCount
        steps = (base + model.stepsOffset).bindMemory(to: Step.self, capacity: initialCount + stepCount)
        input = (base + model.input).assumingMemoryBound(to: UInt8.self)
        output = base + model.output
        outputType = model.outputType
        quantized = (base + model.quantizedOffset).bindMemory(
            to: UInt8.self, capacity: StreamingModel.largestFeature + 1)
        reset()
    }

    deinit { base.deallocate() }

    /// Forgets all that was heard: as new.
    @_noLocks @_noAllocation
    public mutating func reset() {
        run(steps, initialCount)
        filled = 0
    }

    /// Takes the next row of features.
    /// - Parameter features: `FrontEnd.channels` of them.
    /// - Returns: the model's output, 0…255 for a probability of 0 to 1, when this row completes one.
    @_noLocks @_noAllocation
    public mutating func step(_ features: UnsafePointer<UInt16>) -> UInt8? {
        let row = input + filled &* FrontEnd.channels
        var i = 0
        while i < FrontEnd.channels {
            let feature = Int(truncatingIfNeeded: features[i])
            row[i] = quantized[min(feature, StreamingModel.largestFeature)]
            i &+= 1
        }
        filled &+= 1
        return filled < rows ? nil : finish()
    }

    /// Runs the model over a whole input as the file has it.
    @_noLocks @_noAllocation
    mutating func run(_ bytes: UnsafePointer<UInt8>) -> UInt8 {
        var i = 0
        while i < rows &* FrontEnd.channels {
            input[i] = bytes[i]
            i &+= 1
        }
        return finish()
    }

    @_noLocks @_noAllocation
    private mutating func finish() -> UInt8 {
        filled = 0
        run(steps + initialCount, stepCount)
        switch outputType {
        case .int8: return output.load(as: UInt8.self) ^ 0x80
        case .float32:
            let value = output.load(as: Float.self) * 256
            return value > 0 ? (value < 255 ? UInt8(truncatingIfNeeded: Int32(value + 0.5)) : 255) : 0
        default: return output.load(as: UInt8.self)
        }
    }

    @_noLocks @_noAllocation
    private func run(_ steps: UnsafeMutablePointer<Step>, _ count: Int) {
        var i = 0
        while i < count {
            perform(steps + i)
            i &+= 1
        }
    }

    @_noLocks @_noAllocation @inline(__always)
    private func perform(_ step: UnsafeMutablePointer<Step>) {
        switch step.pointee {
        case .copy(var step): copyRuns(&step, base)
        case .fill(let target, let count, let value): fill(base + Int(truncatingIfNeeded: target), count, value)
        case .convolve(var step): convolve(&step, base)
        case .convolveDepthwise(var step): convolveDepthwise(&step, base)
        case .pool(var step): pool(&step, base)
        case .pair(var step): combine(&step, base)
        case .mean(var step): average(&step, base)
        case .table(var step): translate(&step, base)
        case .quantize(let input, let output, let count, let scale, let range):
            quantize(
                (base + Int(truncatingIfNeeded: input)).assumingMemoryBound(to: Float.self),
                (base + Int(truncatingIfNeeded: output)).assumingMemoryBound(to: UInt8.self), count, scale, range)
        case .dequantize(let input, let output, let count, let scale, let zeroPoint, let isUnsigned):
            dequantize(
                (base + Int(truncatingIfNeeded: input)).assumingMemoryBound(to: UInt8.self),
                (base + Int(truncatingIfNeeded: output)).assumingMemoryBound(to: Float.self), count, scale, zeroPoint,
                isUnsigned)
        }
    }
}

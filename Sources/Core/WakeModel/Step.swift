// What a loaded model does: a list of steps over one block of memory. Everything is worked out when the model is loaded,
// so that a step is a loop. Places are offsets in the block, so that a plan can be made before there is one.

/// How a sum of products becomes a number of the output's scale: multiplied by `multiplier` / 2³¹ · 2^(left − right).
struct Requantization: BitwiseCopyable {
    var multiplier: Int32 = 0
    /// Half of the last bit that is shifted out.
    var half: Int32 = 0
    /// −1 where half of a negative number is rounded down (away from zero), 0 where up.
    var downwards: Int32 = 0
    var left: UInt8 = 0
    var right: UInt8 = 0

    @_noLocks @_noAllocation @inline(__always)
    func callAsFunction(_ value: Int32) -> Int32 {
        let product =
            Int64(truncatingIfNeeded: value &<< Int32(truncatingIfNeeded: left))
            &* Int64(truncatingIfNeeded: multiplier)
        let high = Int32(truncatingIfNeeded: (product &+ 0x4000_0000) &>> 31)
        return (high &+ half &+ ((high &>> 31) & downwards)) &>> Int32(truncatingIfNeeded: right)
    }

    /// The same rounded once, half up, at the end; for scales below 1.
    @_noLocks @_noAllocation @inline(__always)
    func roundedOnce(_ value: Int32) -> Int32 {
        let product = Int64(truncatingIfNeeded: value) &* Int64(truncatingIfNeeded: multiplier)
        let shift = 31 &+ Int64(truncatingIfNeeded: right)
        return Int32(truncatingIfNeeded: (product &+ (Int64(1) &<< (shift &- 1))) &>> shift)
    }

    /// The same, not rounded where it is shifted.
    @_noLocks @_noAllocation @inline(__always)
    func cutOff(_ value: Int32) -> Int32 {
        let product = Int64(truncatingIfNeeded: value) &* Int64(truncatingIfNeeded: multiplier)
        return Int32(truncatingIfNeeded: (product &+ 0x4000_0000) &>> 31) &>> Int32(truncatingIfNeeded: right)
    }
}

/// The output of an operator: its place, its zero point, and what it is cut to.
struct OutputRange: BitwiseCopyable {
    var zeroPoint: Int32 = 0
    var least: Int32 = 0
    var most: Int32 = 0

    @_noLocks @_noAllocation @inline(__always)
    func callAsFunction(_ value: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: max(least, min(most, value &+ zeroPoint)))
    }
}

/// Up to five numbers, one for each dimension.
struct Dimensions: BitwiseCopyable {
    var values: (Int32, Int32, Int32, Int32, Int32) = (1, 1, 1, 1, 1)
}

/// A window that goes over rows and columns: what convolutions and pools have in common.
struct Window: BitwiseCopyable {
    var batches: Int32 = 1
    var inputHeight: Int32 = 1
    var inputWidth: Int32 = 1
    var inputDepth: Int32 = 1
    var outputHeight: Int32 = 1
    var outputWidth: Int32 = 1
    var outputDepth: Int32 = 1
    var height: Int32 = 1
    var width: Int32 = 1
    var strideY: Int32 = 1
    var strideX: Int32 = 1
    var dilationY: Int32 = 1
    var dilationX: Int32 = 1
    /// Rows and columns of padding before the input.
    var paddingY: Int32 = 0
    var paddingX: Int32 = 0
}

/// Copies runs of bytes: concatenation, slices, splits, padding are this.
struct CopyStep: BitwiseCopyable {
    var source: Int32
    var target: Int32
    /// Bytes that follow each other in both.
    var run: Int32
    /// How many runs, along each dimension, and how far apart they are in bytes; the last is the innermost.
    var counts = Dimensions()
    var sourceStrides = Dimensions()
    var targetStrides = Dimensions()
}

struct ConvolutionStep: BitwiseCopyable {
    var input: Int32
    var output: Int32
    var window: Window
    var range: OutputRange
    /// 16-bit weights, in the order in which `convolve` takes them: `PackedWeights`.
    var weights: Int32
    /// 32 bits for each output of a group, filled up to multiples of 8; the input's zero point is accounted for.
    var biases: Int32
    var requantizations: Int32
    /// Where the numbers under the window are laid out, 16 bits each, a multiple of 8 of them.
    var patch: Int32
    var patchLength: Int32
    /// Where 8 sums are.
    var sums: Int32
    var inputZeroPoint: Int32
    /// 1, or more where each output sees a part of the input's channels only.
    var groups: Int32
}

struct DepthwiseStep: BitwiseCopyable {
    var input: Int32
    var output: Int32
    var window: Window
    var range: OutputRange
    /// 16-bit weights, a row of `paddedDepth` for each place of the window.
    var weights: Int32
    var biases: Int32
    var requantizations: Int32
    /// Where 8 sums are.
    var sums: Int32
    var paddedDepth: Int32
    var inputZeroPoint: Int32
    var multiplier: Int32
}

struct PoolStep: BitwiseCopyable {
    var input: Int32
    var output: Int32
    var window: Window
    var range: OutputRange
    var takesLargest: Bool
}

/// Addition or multiplication, the smaller operand repeated.
struct PairStep: BitwiseCopyable {
    var first: Int32
    var second: Int32
    var output: Int32
    var counts: Dimensions
    var firstStrides: Dimensions
    var secondStrides: Dimensions
    /// TensorFlow Lite goes through runs of so many results. The first of each run fill vectors, of 16, or of 8 where one
    /// operand is the same number all along the run; those are rounded otherwise than the others.
    var run: Int32
    var vectorRun: Int32
    var isConstantAlongRun: Bool
    var firstZeroPoint: Int32
    var secondZeroPoint: Int32
    var firstScale: Requantization
    var secondScale: Requantization
    var scale: Requantization
    var range: OutputRange
    var multiplies: Bool
}

struct MeanStep: BitwiseCopyable {
    var input: Int32
    var output: Int32
    /// What stays, and what is summed up.
    var counts: Dimensions
    var strides: Dimensions
    var summedCounts: Dimensions
    var summedStrides: Dimensions
    /// What is added to each sum.
    var offset: Int32
    /// Of each `depth` results that follow each other, the first `vectorDepth` are rounded by `scale`, the others by
    /// `tailScale`.
    var depth: Int32
    var vectorDepth: Int32
    var scale: Requantization
    var tailScale: Requantization
    var range: OutputRange
}

/// Each number by a table of 256: LOGISTIC, QUANTIZE and all that depends on one number only.
struct TableStep: BitwiseCopyable {
    var input: Int32
    var output: Int32
    var count: Int32
    /// For the first `vectorCount` numbers, and for the others.
    var table: Int32
    var vectorCount: Int32
    var tailTable: Int32
}

enum Step: BitwiseCopyable {
    case copy(CopyStep)
    case fill(target: Int32, count: Int32, value: UInt8)
    case convolve(ConvolutionStep)
    case convolveDepthwise(DepthwiseStep)
    case pool(PoolStep)
    case pair(PairStep)
    case mean(MeanStep)
    case table(TableStep)
    case quantize(input: Int32, output: Int32, count: Int32, scale: Float, range: OutputRange)
    case dequantize(input: Int32, output: Int32, count: Int32, scale: Float, zeroPoint: Int32, isUnsigned: Bool)
}

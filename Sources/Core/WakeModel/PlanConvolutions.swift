// Convolutions, fully connected layers and pools: windows over rows and columns. Arithmetic as TensorFlow Lite
// publishes it for 8 bits; where its optimized kernels round otherwise, as they do.

extension Planner {
    // MARK: Scales

    /// The scale as a whole number with 31 bits after the point and a shift, as TensorFlow Lite rounds it.
    /// - Parameters:
    ///   - downwards: whether half of a negative number is rounded away from zero; otherwise up.
    ///   - number: what the whole number is divided by, with as many bits more as that has.
    func requantization(
        _ scale: Double, downwards: Bool, dividedBy number: Int = 1
    ) throws(ModelError) -> Requantization {
        guard scale > 0, scale < 0x1p30 else { throw unsupported("the scales of its operands do not fit together") }
        var result = Requantization()
        // scale = significand · 2^exponent, the significand from ½ to 1.
        var exponent = Int(scale.exponent) + 1
        var fixed = Int64(scale.significand / 2 * 0x1p31 + 0.5)
        if fixed == 0x8000_0000 {
            fixed = 0x4000_0000
            exponent += 1
        }
        guard exponent >= -31 else { return result }
        let bits = min(Int.bitWidth - 1 - number.leadingZeroBitCount, 31 + exponent)
        fixed = (fixed << Int64(bits)) / Int64(number)
        exponent -= bits
        result.multiplier = Int32(fixed)
        if exponent > 0 {
            result.left = UInt8(exponent)
        } else if exponent < 0 {
            result.right = UInt8(-exponent)
            result.half = Int32(1) << Int32(-exponent - 1)
            result.downwards = downwards ? -1 : 0
        }
        return result
    }

    /// What the output is cut to, after the activation function with this number.
    func range(_ output: Tensor, activation: Int8) throws(ModelError) -> OutputRange {
        var range = OutputRange(
            zeroPoint: output.zeroPoint, least: output.type.range.least, most: output.type.range.most)
        let scale = output.scales[0]
        func quantized(_ value: Float) -> Int32 {
            let steps = (value / scale).rounded(.toNearestOrAwayFromZero)
            return output.zeroPoint + Int32(min(max(steps, -65_536), 65_536))
        }
        switch activation {
        case 0: break
        case 1: range.least = max(range.least, quantized(0))
        case 2:
            range.least = max(range.least, quantized(-1))
            range.most = min(range.most, quantized(1))
        case 3:
            range.least = max(range.least, quantized(0))
            range.most = min(range.most, quantized(6))
        default: throw unsupported("the activation function \(activation)")
        }
        return range
    }

    // MARK: Windows

    /// Where the window of `size` (dilated) stands: the padding before the input. Checks the output's size.
    private func padding(
        input: Int, output: Int, size: Int, stride: Int, dilation: Int, isSame: Bool
    ) throws(ModelError) -> Int {
        guard stride >= 1, stride <= 1_024, dilation >= 1, dilation <= 1_024, size >= 1 else {
            throw unsupported("a window of \(size), a stride of \(stride), a dilation of \(dilation)")
        }
        let dilated = (size - 1) * dilation + 1
        let expected = isSame ? (input + stride - 1) / stride : (input - dilated + stride) / stride
        guard isSame || dilated <= input, expected == output else { throw unsupported("the output has another size") }
        return isSame ? max(0, (output - 1) * stride + dilated - input) / 2 : 0
    }

    /// - Parameters:
    ///   - strides, dilations: the numbers of the options' fields, horizontal first; dilations are 1 without.
    private func window(
        _ input: Tensor, _ output: Tensor, height: Int, width: Int, strides: Int, dilations: Int?
    ) throws(ModelError) -> Window {
        guard input.shape.count == 4, output.shape.count == 4, input.shape[0] == output.shape[0] else {
            throw unsupported("its operands have not four dimensions")
        }
        let padding: Int8 = try option(0, or: 0)
        guard padding == 0 || padding == 1 else { throw unsupported("padding of kind \(padding)") }
        let strideX = Int(try option(strides, or: Int32(0)))
        let strideY = Int(try option(strides + 1, or: Int32(0)))
        var (dilationX, dilationY) = (1, 1)
        if let dilations {
            dilationX = Int(try option(dilations, or: Int32(1)))
            dilationY = Int(try option(dilations + 1, or: Int32(1)))
        }
        let paddingY = try self.padding(
            input: input.shape[1], output: output.shape[1], size: height, stride: strideY, dilation: dilationY,
            isSame: padding == 0)
        let paddingX = try self.padding(
            input: input.shape[2], output: output.shape[2], size: width, stride: strideX, dilation: dilationX,
            isSame: padding == 0)
        return Window(
            batches: Int32(input.shape[0]), inputHeight: Int32(input.shape[1]), inputWidth: Int32(input.shape[2]),
            inputDepth: Int32(input.shape[3]), outputHeight: Int32(output.shape[1]),
            outputWidth: Int32(output.shape[2]), outputDepth: Int32(output.shape[3]), height: Int32(height),
            width: Int32(width), strideY: Int32(strideY), strideX: Int32(strideX), dilationY: Int32(dilationY),
            dilationX: Int32(dilationX), paddingY: Int32(paddingY), paddingX: Int32(paddingX))
    }

    // MARK: Weights

    /// Constant int8 weights with a scale for all or for each of `channels` along `axis`.
    private func weights(_ tensor: Int, channels: Int, axis: Int) throws(ModelError) -> (Tensor, [Int8]) {
        let value = graph.tensors[tensor]
        guard value.type == .int8, let data = value.data else {
            throw unsupported("its weights, tensor \(tensor), are not constant and quantized to int8")
        }
        guard value.scales.count == 1 || (value.scales.count == channels && value.channelAxis == axis) else {
            throw unsupported("its weights, tensor \(tensor), have \(value.scales.count) scales")
        }
        return (value, data.map { Int8(bitPattern: $0) })
    }

    /// One for each of `channels`; 0 without.
    private func biases(_ index: Int, channels: Int) throws(ModelError) -> [Int32] {
        guard let tensor = try optionalOperand(index) else { return [Int32](repeating: 0, count: channels) }
        let value = graph.tensors[tensor]
        guard value.type == .int32, let data = value.data, value.elements == channels else {
            throw unsupported("its biases, tensor \(tensor), are not \(channels) constant int32")
        }
        return (0..<channels).map { data.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
    }

    mutating func planConvolution() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let (input, output) = (try quantized(inputNumber), try quantized(outputNumber))
        let channels = output.shape.last ?? 0
        let (filter, numbers) = try weights(try operand(1), channels: channels, axis: 0)
        guard filter.shape.count == 4, filter.shape[0] == channels, filter.zeroPoints.allSatisfy({ $0 == 0 }) else {
            throw unsupported("its weights do not fit")
        }
        let window = try window(
            input, output, height: filter.shape[1], width: filter.shape[2], strides: 1, dilations: 4)
        let depth = filter.shape[3]
        guard input.shape[3] % depth == 0, channels % (input.shape[3] / depth) == 0 else {
            throw unsupported("its weights do not fit")
        }
        // TensorFlow Lite does groups without its optimized kernel.
        let groups = input.shape[3] / depth
        var scales: [Requantization] = []
        for channel in 0..<channels {
            let scale = filter.scales.count == 1 ? filter.scales[0] : filter.scales[channel]
            scales.append(
                try requantization(
                    Double(input.scales[0]) * Double(scale) / Double(output.scales[0]), downwards: groups > 1))
        }
        try planProducts(
            from: inputNumber, to: outputNumber, window, groups: groups, numbers.map { Int16($0) },
            try biases(2, channels: channels), scales, try range(output, activation: try option(3, or: 0)))
    }

    mutating func planFullyConnected() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let (input, output) = (try quantized(inputNumber), try quantized(outputNumber))
        let channels = output.shape.last ?? 1
        let (filter, numbers) = try weights(try operand(1), channels: channels, axis: 0)
        guard filter.shape.count == 2, filter.shape[0] == channels, input.elements % filter.shape[1] == 0,
            output.elements == input.elements / filter.shape[1] * channels, try option(1, or: Int8(0)) == 0
        else { throw unsupported("its weights do not fit") }
        let isPerChannel = filter.scales.count > 1
        guard !isPerChannel || filter.zeroPoints.allSatisfy({ $0 == 0 }) else {
            throw unsupported("its weights do not fit")
        }
        var scales: [Requantization] = []
        for channel in 0..<channels {
            // With one scale, TensorFlow Lite multiplies in single precision.
            let scale =
                isPerChannel
                ? Double(input.scales[0]) * Double(filter.scales[channel])
                : Double(input.scales[0] * filter.scales[0])
            scales.append(try requantization(scale / Double(output.scales[0]), downwards: false))
        }
        var window = Window()
        window.batches = Int32(input.elements / filter.shape[1])
        window.inputDepth = Int32(filter.shape[1])
        window.outputDepth = Int32(channels)
        let zero = Int16(filter.zeroPoint)
        try planProducts(
            from: inputNumber, to: outputNumber, window, groups: 1, numbers.map { Int16($0) - zero },
            try biases(2, channels: channels), scales, try range(output, activation: try option(0, or: 0)))
    }

    /// Products of all numbers under the window with the weights of each output, which lie as the file has them.
    private mutating func planProducts(
        from input: Int, to output: Int, _ window: Window, groups: Int, _ weights: [Int16], _ biases: [Int32],
        _ scales: [Requantization], _ range: OutputRange
    ) throws(ModelError) {
        let channels = Int(window.outputDepth)
        let outputs = channels / groups
        let length = Int(window.height * window.width) * (Int(window.inputDepth) / groups)
        guard weights.count == channels * length else { throw unsupported("its weights do not fit") }
        let places = Int64(window.batches) * Int64(window.outputHeight) * Int64(window.outputWidth)
        // Filled up to whole vectors, and what it costs to lay the numbers out.
        let padded = Int64((outputs + 7) & ~7) * Int64((length + 7) & ~7)
        try count(work: places * Int64(groups) * (padded + Int64(2 * length)))
        let zeroPoint = graph.tensors[input].zeroPoint
        let packed = PackedWeights(
            weights, biases, scales, groups: groups, outputs: outputs, length: length, zeroPoint: zeroPoint)
        let step = ConvolutionStep(
            input: Int32(try source(input)), output: Int32(try target(output)), window: window, range: range,
            weights: Int32(try constant(packed.weights)), biases: Int32(try constant(packed.biases)),
            requantizations: Int32(try constant(packed.scales)),
            patch: Int32(try allocate(bytes: 2 * ((length + 7) & ~7) + 16)), patchLength: Int32((length + 7) & ~7),
            sums: Int32(try allocate(bytes: 32)), inputZeroPoint: zeroPoint, groups: Int32(groups))
        steps.append(.convolve(step))
    }

    mutating func planDepthwise() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let (input, output) = (try quantized(inputNumber), try quantized(outputNumber))
        let channels = output.shape.last ?? 0
        let (filter, numbers) = try weights(try operand(1), channels: channels, axis: 3)
        guard filter.shape.count == 4, filter.shape[0] == 1, filter.shape[3] == channels,
            filter.zeroPoints.allSatisfy({ $0 == 0 })
        else { throw unsupported("its weights do not fit") }
        let window = try window(
            input, output, height: filter.shape[1], width: filter.shape[2], strides: 1, dilations: 5)
        guard channels % input.shape[3] == 0 else { throw unsupported("its weights do not fit") }
        let multiplier = channels / input.shape[3]
        let padded = (channels + 7) & ~7
        let taps = filter.shape[1] * filter.shape[2]
        let places = Int64(window.batches) * Int64(window.outputHeight) * Int64(window.outputWidth)
        try count(work: places * Int64(taps) * Int64(padded) * (multiplier == 1 ? 1 : 4))
        var wide = [Int16](repeating: 0, count: taps * padded)
        for tap in 0..<taps {
            for channel in 0..<channels { wide[tap * padded + channel] = Int16(numbers[tap * channels + channel]) }
        }
        var scales = [Requantization](repeating: Requantization(), count: padded)
        for channel in 0..<channels {
            let scale = filter.scales.count == 1 ? filter.scales[0] : filter.scales[channel]
            // TensorFlow Lite rounds eight channels at a time up, and those that are left over away from zero.
            scales[channel] = try requantization(
                Double(input.scales[0]) * Double(scale) / Double(output.scales[0]), downwards: channel >= channels & ~7)
        }
        let biases = try biases(2, channels: channels) + [Int32](repeating: 0, count: padded - channels)
        let step = DepthwiseStep(
            input: Int32(try source(inputNumber)), output: Int32(try target(outputNumber)), window: window,
            range: try range(output, activation: try option(4, or: 0)), weights: Int32(try constant(wide)),
            biases: Int32(try constant(biases)), requantizations: Int32(try constant(scales)),
            sums: Int32(try allocate(bytes: 32)), paddedDepth: Int32(padded), inputZeroPoint: input.zeroPoint,
            multiplier: Int32(multiplier))
        steps.append(.convolveDepthwise(step))
    }

    mutating func planPool(takesLargest: Bool) throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let (input, output) = (try quantized(inputNumber), try quantized(outputNumber))
        try checkSame(inputNumber, outputNumber)
        let height = Int(try option(4, or: Int32(0)))
        let width = Int(try option(3, or: Int32(0)))
        guard height >= 1, width >= 1, height <= 1_024, width <= 1_024 else {
            throw unsupported("a window of \(height) × \(width)")
        }
        let window = try window(input, output, height: height, width: width, strides: 1, dilations: nil)
        guard window.inputDepth == window.outputDepth else { throw unsupported("the output has another size") }
        try count(work: 4 * Int64(output.elements) * Int64(height * width))
        steps.append(
            .pool(
                PoolStep(
                    input: Int32(try source(inputNumber)), output: Int32(try target(outputNumber)), window: window,
                    range: try range(output, activation: try option(5, or: 0)), takesLargest: takesLargest)))
    }
}

/// Weights, biases and scales as the kernel takes them: eight outputs at a time, all filled up with zeros.
struct PackedWeights {
    private(set) var weights: [Int16] = []
    private(set) var biases: [Int32] = []
    private(set) var scales: [Requantization] = []

    init(
        _ source: [Int16], _ biases: [Int32], _ scales: [Requantization], groups: Int, outputs: Int, length: Int,
        zeroPoint: Int32
    ) {
        let paddedOutputs = (outputs + 7) & ~7
        let paddedLength = (length + 7) & ~7
        weights = [Int16](repeating: 0, count: groups * paddedOutputs * paddedLength)
        self.biases = [Int32](repeating: 0, count: groups * paddedOutputs)
        self.scales = [Requantization](repeating: Requantization(), count: groups * paddedOutputs)
        for group in 0..<groups {
            for output in 0..<outputs {
                let channel = group * outputs + output
                let row = group * paddedOutputs + output
                let block = row / 8 * 8 * paddedLength
                var sum: Int32 = 0
                for i in 0..<length {
                    let weight = source[channel * length + i]
                    sum &+= Int32(weight)
                    weights[block + PackedWeights.place(input: i, output: output % 8)] = weight
                }
                // Σ w (x − z) = Σ w x − z Σ w
                self.biases[row] = biases[channel] &- zeroPoint &* sum
                self.scales[row] = scales[channel]
            }
        }
    }

    /// Where in a block of 8 outputs the weight for one input lies.
    private static func place(input: Int, output: Int) -> Int {
        #if arch(x86_64) || arch(i386)
            // Pairs of inputs, for an instruction that adds the products of pairs: of outputs 0 to 3, then of 4 to 7.
            return input / 2 * 16 + output * 2 + input % 2
        #else
            // A vector of outputs for each input.
            return input * 8 + output
        #endif
    }
}

// Operators on single numbers: sums, products, means, and what a table of 256 can hold.

extension Planner {
    /// How far apart the neighbours of an operand are that is repeated up to `shape`.
    private func repeated(_ tensor: Int, to shape: [Int]) throws(ModelError) -> [Int] {
        let own = graph.tensors[tensor].shape
        guard own.count <= shape.count else { throw unsupported("tensor \(tensor) does not fit") }
        let extended = [Int](repeating: 1, count: shape.count - own.count) + own
        var result = strides(extended)
        for i in shape.indices {
            guard extended[i] == shape[i] || extended[i] == 1 else {
                throw unsupported("tensor \(tensor) does not fit")
            }
            if extended[i] == 1 { result[i] = 0 }
        }
        return result
    }

    private mutating func planPair(
        multiplies: Bool, first: Requantization, second: Requantization, scale: Requantization
    ) throws(ModelError) {
        let (a, b, outputNumber) = (try operand(0), try operand(1), try result())
        let output = graph.tensors[outputNumber]
        try count(work: 8 * Int64(output.elements))
        let firstStrides = try repeated(a, to: output.shape)
        let secondStrides = try repeated(b, to: output.shape)
        // The dimensions at the end in which both go on, or the same one of both stands still.
        var run = 1
        var kind: Int?
        for i in output.shape.indices.reversed() where output.shape[i] > 1 {
            let own = (firstStrides[i] == 0 ? 1 : 0) + (secondStrides[i] == 0 ? 2 : 0)
            if let kind, kind != own { break }
            kind = own
            run *= output.shape[i]
        }
        let isConstant = kind == 1 || kind == 2
        let step = PairStep(
            first: Int32(try source(a)), second: Int32(try source(b)), output: Int32(try target(outputNumber)),
            counts: dimensions(output.shape, filler: 1),
            firstStrides: dimensions(firstStrides, filler: 0),
            secondStrides: dimensions(secondStrides, filler: 0), run: Int32(run),
            vectorRun: Int32(run & (isConstant ? ~7 : ~15)), isConstantAlongRun: isConstant,
            firstZeroPoint: graph.tensors[a].zeroPoint, secondZeroPoint: graph.tensors[b].zeroPoint, firstScale: first,
            secondScale: second, scale: scale, range: try range(output, activation: try option(0, or: 0)),
            multiplies: multiplies)
        steps.append(.pair(step))
    }

    mutating func planAddition() throws(ModelError) {
        let (a, b, output) = (try quantized(try operand(0)), try quantized(try operand(1)), try quantized(try result()))
        // Both go to twice the larger scale, 20 bits more, and from there to the output's.
        let twice = 2 * Double(max(a.scales[0], b.scales[0]))
        let last = twice / (0x1p20 * Double(output.scales[0]))
        guard last < 1 else { throw unsupported("the scales of its operands do not fit together") }
        try planPair(
            multiplies: false, first: try requantization(Double(a.scales[0]) / twice, downwards: true),
            second: try requantization(Double(b.scales[0]) / twice, downwards: true),
            scale: try requantization(last, downwards: true))
    }

    mutating func planMultiplication() throws(ModelError) {
        let (a, b, output) = (try quantized(try operand(0)), try quantized(try operand(1)), try quantized(try result()))
        let scale = Double(a.scales[0] * b.scales[0] / output.scales[0])
        try planPair(
            multiplies: true, first: Requantization(), second: Requantization(),
            scale: try requantization(scale, downwards: true))
    }

    mutating func planMean() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let (input, output) = (try quantized(inputNumber), try quantized(outputNumber))
        var summed = [Bool](repeating: false, count: input.shape.count)
        for value in try constants(try operand(1)) { summed[try axis(value, rank: input.shape.count)] = true }
        let all = strides(input.shape)
        let kept = input.shape.indices.filter { !summed[$0] }
        let gone = input.shape.indices.filter { summed[$0] }
        let number = gone.reduce(1) { $0 * input.shape[$1] }
        guard output.elements * number == input.elements else { throw unsupported("the output has another size") }
        try count(work: 4 * Int64(input.elements))
        var range = try range(output, activation: 0)
        var step = MeanStep(
            input: Int32(try source(inputNumber)), output: Int32(try target(outputNumber)),
            counts: dimensions(kept.map { input.shape[$0] }, filler: 1),
            strides: dimensions(kept.map { all[$0] }, filler: 0),
            summedCounts: dimensions(gone.map { input.shape[$0] }, filler: 1),
            summedStrides: dimensions(gone.map { all[$0] }, filler: 0), offset: 0, depth: 1, vectorDepth: 0,
            scale: Requantization(), tailScale: Requantization(), range: range)
        if input.shape.count == 4, gone == [1, 2], try option(0, or: UInt8(0)) != 0 {
            // TensorFlow Lite has a kernel of its own for rows and columns: the zero points are rounded before, and the
            // channels that do not fill a vector of 16 are rounded otherwise.
            let zero = Float(input.zeroPoint) * input.scales[0] / output.scales[0]
            guard zero.magnitude < 65_536 else { throw unsupported("the scales of its operands do not fit together") }
            range.zeroPoint = output.zeroPoint - Int32(zero + (zero > 0 ? 0.5 : -0.5))
            let scale = Double(input.scales[0] / (Float(number) * output.scales[0]))
            step.range = range
            step.depth = Int32(input.shape[3])
            step.vectorDepth = step.depth & ~15
            step.scale = try requantization(scale, downwards: false)
            step.tailScale = try requantization(scale, downwards: true)
        } else {
            step.offset = 0 - input.zeroPoint * Int32(number)
            step.tailScale = try requantization(
                Double(input.scales[0]) / Double(output.scales[0]), downwards: true, dividedBy: number)
        }
        steps.append(.mean(step))
    }

    // MARK: Tables

    /// The number that each of the 256 becomes, as a step.
    /// - Parameter tail: the same for what does not fill a vector of 16, where that differs.
    private mutating func planTable(
        _ inputNumber: Int, _ outputNumber: Int, _ result: (Int32) -> Int32, tail: ((Int32) -> Int32)? = nil
    ) throws(ModelError) {
        let (input, output) = (graph.tensors[inputNumber], graph.tensors[outputNumber])
        guard input.elements == output.elements else { throw unsupported("the output has another size") }
        let (least, most) = output.type.range
        func table(_ result: (Int32) -> Int32) -> [UInt8] {
            (0..<256).map { byte in
                let value = input.type == .uint8 ? Int32(byte) : Int32(Int8(truncatingIfNeeded: byte))
                return UInt8(truncatingIfNeeded: min(max(result(value), least), most))
            }
        }
        try count(work: 2 * Int64(input.elements))
        let place = try constant(table(result))
        var tailPlace = place
        if let tail { tailPlace = try constant(table(tail)) }
        steps.append(
            .table(
                TableStep(
                    input: Int32(try source(inputNumber)), output: Int32(try target(outputNumber)),
                    count: Int32(input.elements), table: Int32(place), vectorCount: Int32(input.elements & ~15),
                    tailTable: Int32(tailPlace))))
    }

    /// A tensor of bytes with one scale, signed or not.
    private func bytes(_ tensor: Int) throws(ModelError) -> Tensor {
        let value = graph.tensors[tensor]
        guard value.type.isByte, value.scales.count == 1 else {
            throw unsupported("tensor \(tensor) is not quantized to 8 bits")
        }
        return value
    }

    mutating func planLogistic() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let (input, output) = (try bytes(inputNumber), try bytes(outputNumber))
        let inverse = 1 / output.scales[0]
        try planTable(inputNumber, outputNumber) { value in
            let real = input.scales[0] * Float(value - input.zeroPoint)
            let logistic = 1 / (1 + exponential(-real))
            let steps = (logistic * inverse).rounded(.toNearestOrAwayFromZero)
            return Int32(min(max(steps, -65_536), 65_536)) + output.zeroPoint
        }
    }

    mutating func planQuantize() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let output = try bytes(outputNumber)
        if graph.tensors[inputNumber].type == .float32 {
            let elements = graph.tensors[inputNumber].elements
            guard elements == output.elements else { throw unsupported("the output has another size") }
            try count(work: 8 * Int64(elements))
            steps.append(
                .quantize(
                    input: Int32(try source(inputNumber)), output: Int32(try target(outputNumber)),
                    count: Int32(elements), scale: output.scales[0], range: try range(output, activation: 0)))
            return
        }
        let input = try bytes(inputNumber)
        let ratio = Double(input.scales[0]) / Double(output.scales[0])
        let scale = try requantization(ratio, downwards: false)
        let tailScale = try requantization(ratio, downwards: true)
        try planTable(
            inputNumber, outputNumber, { scale($0 - input.zeroPoint) + output.zeroPoint },
            tail: { tailScale($0 - input.zeroPoint) + output.zeroPoint })
    }

    mutating func planDequantize() throws(ModelError) {
        let (inputNumber, outputNumber) = (try operand(0), try result())
        let input = try bytes(inputNumber)
        guard graph.tensors[outputNumber].type == .float32, graph.tensors[outputNumber].elements == input.elements
        else {
            throw unsupported("the output is not as many float32")
        }
        try count(work: 8 * Int64(input.elements))
        steps.append(
            .dequantize(
                input: Int32(try source(inputNumber)), output: Int32(try target(outputNumber)),
                count: Int32(input.elements), scale: input.scales[0], zeroPoint: input.zeroPoint,
                isUnsigned: input.type == .uint8))
    }
}

/// eˣ, rounded to single precision: sums and products in double precision only, so that all machines agree.
func exponential(_ value: Float) -> Float {
    let x = Double(value)
    if x > 89 { return .infinity }
    if x < -104 { return 0 }
    // x = n ln 2 + r; ln 2 in two parts, so that n times the first is exact.
    let n = (x * 1.4426950408889634).rounded(.toNearestOrEven)
    let r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
    var term = 1.0
    var sum = 1.0
    for i in 1...14 {
        term *= r / Double(i)
        sum += term
    }
    // 2ⁿ in two steps, since it may be smaller than the smallest normal number of single precision, not of double.
    return Float(sum * Double(sign: .plus, exponent: Int(n), significand: 1))
}

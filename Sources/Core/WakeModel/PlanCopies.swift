// Operators that only move numbers: all become copies of runs.

extension Planner {
    mutating func copy(from source: Int, to target: Int, bytes: Int) throws(ModelError) {
        guard source != target else { return }
        try count(work: Int64(bytes))
        steps.append(.copy(CopyStep(source: Int32(source), target: Int32(target), run: Int32(bytes))))
    }

    /// Copies a block of `counts` numbers of `size` bytes, of which the neighbours along each dimension are so many
    /// numbers apart. Dimensions that follow each other in both places become one run.
    mutating func copy(
        from source: Int, to target: Int, size: Int, counts: [Int], sourceStrides: [Int], targetStrides: [Int]
    ) throws(ModelError) {
        var run = 1
        var rest = counts.count
        while rest > 0, counts[rest - 1] == 1 || (sourceStrides[rest - 1] == run && targetStrides[rest - 1] == run) {
            run *= counts[rest - 1]
            rest -= 1
        }
        var step = CopyStep(source: Int32(source), target: Int32(target), run: Int32(run * size))
        let outer = (0..<rest).filter { counts[$0] != 1 }
        step.counts = dimensions(outer.map { counts[$0] }, filler: 1)
        step.sourceStrides = dimensions(outer.map { sourceStrides[$0] * size }, filler: 0)
        step.targetStrides = dimensions(outer.map { targetStrides[$0] * size }, filler: 0)
        // A run costs about as much as copying 16 bytes.
        let runs = outer.reduce(Int64(1)) { $0 * Int64(counts[$1]) }
        try count(work: runs * Int64(run * size + 16))
        steps.append(.copy(step))
    }

    /// At most five numbers, filled up in front.
    func dimensions(_ values: [Int], filler: Int) -> Dimensions {
        let all = [Int](repeating: filler, count: ModelLimits.rank - values.count) + values
        return Dimensions(values: (Int32(all[0]), Int32(all[1]), Int32(all[2]), Int32(all[3]), Int32(all[4])))
    }

    /// How far apart neighbours along each dimension are.
    func strides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for i in stride(from: shape.count - 2, through: 0, by: -1) { strides[i] = strides[i + 1] * shape[i + 1] }
        return strides
    }

    /// The same numbers with the same meaning: what is only moved must not change its scale.
    func checkSame(_ a: Int, _ b: Int) throws(ModelError) {
        let (first, second) = (graph.tensors[a], graph.tensors[b])
        guard first.type == second.type, first.scales == second.scales, first.zeroPoints == second.zeroPoints else {
            throw unsupported("tensors \(a) and \(b) differ in their scale")
        }
    }

    mutating func planReshape() throws(ModelError) {
        let (input, output) = (try operand(0), try result())
        try checkSame(input, output)
        guard graph.tensors[input].bytes == graph.tensors[output].bytes else {
            throw unsupported("the shapes have different sizes")
        }
        try copy(from: try source(input), to: try target(output), bytes: graph.tensors[input].bytes)
    }

    mutating func planConcatenation() throws(ModelError) {
        let output = try result()
        let shape = graph.tensors[output].shape
        let axis = try axis(Int(try option(0, or: Int32(0))), rank: shape.count)
        guard try option(1, or: Int8(0)) == 0 else { throw unsupported("an activation") }
        guard !operation.inputs.isEmpty else { throw unsupported("operand 0 is missing") }
        let to = try target(output)
        let size = graph.tensors[output].type.size
        var at = 0
        for index in operation.inputs.indices {
            let input = try operand(index)
            try checkSame(input, output)
            let part = graph.tensors[input].shape
            guard part.count == shape.count,
                shape.indices.allSatisfy({ $0 == axis || part[$0] == shape[$0] }), at + part[axis] <= shape[axis]
            else { throw unsupported("tensor \(input) does not fit") }
            try copy(
                from: try source(input), to: to + at * strides(shape)[axis] * size, size: size, counts: part,
                sourceStrides: strides(part), targetStrides: strides(shape))
            at += part[axis]
        }
        guard at == shape[axis] else { throw unsupported("the parts do not fill the whole") }
    }

    mutating func planPack() throws(ModelError) {
        let output = try result()
        let shape = graph.tensors[output].shape
        let axis = try axis(Int(try option(1, or: Int32(0))), rank: shape.count)
        guard operation.inputs.count == shape[axis] else { throw unsupported("the parts do not fill the whole") }
        let to = try target(output)
        let size = graph.tensors[output].type.size
        for index in operation.inputs.indices {
            let input = try operand(index)
            try checkSame(input, output)
            var part = graph.tensors[input].shape
            guard part.count == shape.count - 1 else { throw unsupported("tensor \(input) does not fit") }
            part.insert(1, at: axis)
            guard shape.indices.allSatisfy({ $0 == axis || part[$0] == shape[$0] }) else {
                throw unsupported("tensor \(input) does not fit")
            }
            try copy(
                from: try source(input), to: to + index * strides(shape)[axis] * size, size: size, counts: part,
                sourceStrides: strides(part), targetStrides: strides(shape))
        }
    }

    mutating func planSplit() throws(ModelError) {
        let input = try operand(0)
        let shape = graph.tensors[input].shape
        guard let axisValue = try constants(try operand(2)).first else { throw unsupported("no dimension to split") }
        let axis = try axis(axisValue, rank: shape.count)
        let from = try source(input)
        let size = graph.tensors[input].type.size
        var at = 0
        for index in operation.outputs.indices {
            let output = try result(index)
            try checkSame(input, output)
            let part = graph.tensors[output].shape
            guard part.count == shape.count,
                shape.indices.allSatisfy({ $0 == axis || part[$0] == shape[$0] }), at + part[axis] <= shape[axis]
            else { throw unsupported("tensor \(output) does not fit") }
            try copy(
                from: from + at * strides(shape)[axis] * size, to: try target(output), size: size, counts: part,
                sourceStrides: strides(shape), targetStrides: strides(part))
            at += part[axis]
        }
        guard at == shape[axis] else { throw unsupported("the parts are not the whole") }
    }

    mutating func planPad() throws(ModelError) {
        let (input, output) = (try operand(0), try result())
        try checkSame(input, output)
        let (part, shape) = (graph.tensors[input].shape, graph.tensors[output].shape)
        let paddings = try constants(try operand(1))
        guard part.count == shape.count, paddings.count == 2 * shape.count else {
            throw unsupported("paddings do not fit")
        }
        var at = 0
        for i in shape.indices {
            let (before, after) = (paddings[2 * i], paddings[2 * i + 1])
            guard before >= 0, after >= 0, before <= shape[i], after <= shape[i], before + part[i] + after == shape[i]
            else { throw unsupported("paddings do not fit") }
            at += before * strides(shape)[i]
        }
        let type = graph.tensors[output].type
        guard type.isByte else { throw unsupported("tensor \(output) is not quantized to 8 bits") }
        let to = try target(output)
        try count(work: Int64(graph.tensors[output].bytes))
        steps.append(
            .fill(
                target: Int32(to), count: Int32(graph.tensors[output].bytes),
                value: UInt8(truncatingIfNeeded: graph.tensors[output].zeroPoint)))
        try copy(
            from: try source(input), to: to + at, size: 1, counts: part, sourceStrides: strides(part),
            targetStrides: strides(shape))
    }

    mutating func planStridedSlice() throws(ModelError) {
        let (input, output) = (try operand(0), try result())
        try checkSame(input, output)
        let shape = graph.tensors[input].shape
        let begins = try constants(try operand(1))
        let ends = try constants(try operand(2))
        let steps = try constants(try operand(3))
        guard begins.count == shape.count, ends.count == shape.count, steps.count == shape.count else {
            throw unsupported("not a range for each dimension")
        }
        let beginMask = try option(0, or: Int32(0))
        let endMask = try option(1, or: Int32(0))
        let shrinkMask = try option(4, or: Int32(0))
        guard try option(2, or: Int32(0)) == 0, try option(3, or: Int32(0)) == 0, try option(5, or: UInt8(0)) == 0
        else {
            throw unsupported("an ellipsis, a new dimension or an offset")
        }
        var at = 0
        var counts: [Int] = []
        var sourceStrides: [Int] = []
        for i in shape.indices {
            let bit = Int32(1) << Int32(i)
            let step = steps[i]
            guard step != 0, step >= -ModelLimits.elements, step <= ModelLimits.elements else {
                throw unsupported("a step of \(step)")
            }
            let size = shape[i]
            // A negative step goes from the last to before the first.
            let low = step > 0 ? 0 : -1
            let high = step > 0 ? size : size - 1
            func place(_ value: Int) -> Int { min(max(value < 0 ? value + size : value, low), high) }
            let begin = beginMask & bit != 0 ? (step > 0 ? low : high) : place(begins[i])
            var end = endMask & bit != 0 ? (step > 0 ? high : low) : place(ends[i])
            if shrinkMask & bit != 0 { end = begin + (step > 0 ? 1 : -1) }
            let count = step > 0 ? (end - begin + step - 1) / step : (begin - end - step - 1) / -step
            guard count > 0, begin >= 0, begin < size else { throw unsupported("an empty slice") }
            at += begin * strides(shape)[i]
            counts.append(count)
            // More than one: then this is less than the whole tensor.
            sourceStrides.append(count > 1 ? step * strides(shape)[i] : 0)
        }
        guard counts.reduce(1, *) == graph.tensors[output].elements else {
            throw unsupported("the slice has another size")
        }
        let size = graph.tensors[output].type.size
        let from = try source(input)
        if let place = assignedPlace(output, from: input), places[output] < 0 { places[output] = place }
        try copy(
            from: from + at * size, to: try target(output), size: size, counts: counts,
            sourceStrides: sourceStrides, targetStrides: strides(counts))
    }
}

// The loops over products. Each in a function of its own, optimized for speed in a program that is optimized for size.

@_noLocks @_noAllocation @inline(__always)
private func at<T>(_ base: UnsafeMutableRawPointer, _ offset: Int32, _ type: T.Type) -> UnsafeMutablePointer<T> {
    (base + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: type)
}

@_noLocks @_noAllocation @inline(__always)
private func int(_ value: Int32) -> Int { Int(truncatingIfNeeded: value) }

// MARK: Convolution

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func convolve(_ step: UnsafePointer<ConvolutionStep>, _ base: UnsafeMutableRawPointer) {
    let window = step.pointee.window
    let groups = int(step.pointee.groups)
    let outputs = int(window.outputDepth) / groups
    let paddedOutputs = (outputs &+ 7) & ~7
    let length = int(step.pointee.patchLength)
    let weights = at(base, step.pointee.weights, Int16.self)
    let biases = at(base, step.pointee.biases, Int32.self)
    let scales = at(base, step.pointee.requantizations, Requantization.self)
    let patch = at(base, step.pointee.patch, Int16.self)
    let sums = at(base, step.pointee.sums, Int32.self)
    var output = at(base, step.pointee.output, UInt8.self)
    var batch: Int32 = 0
    while batch < window.batches {
        var row: Int32 = 0
        while row < window.outputHeight {
            var column: Int32 = 0
            while column < window.outputWidth {
                var group = 0
                while group < groups {
                    layOut(step, base, batch: batch, row: row, column: column, group: group)
                    var done = 0
                    while done < outputs {
                        let first = group &* paddedOutputs &+ done
                        multiply(patch, weights + first &* length, length, biases + first, sums)
                        let count = min(8, outputs &- done)
                        requantize(sums, scales + first, step.pointee.range, output, count)
                        output += count
                        done &+= 8
                    }
                    group &+= 1
                }
                column &+= 1
            }
            row &+= 1
        }
        batch &+= 1
    }
}

/// The numbers under the window, with 16 bits, one after the other; where it stands over padding, the zero point.
@_noLocks @_noAllocation @_optimize(speed) @inline(never)
private func layOut(
    _ step: UnsafePointer<ConvolutionStep>, _ base: UnsafeMutableRawPointer, batch: Int32, row: Int32, column: Int32,
    group: Int
) {
    let window = step.pointee.window
    let depth = int(window.inputDepth)
    let taken = depth / int(step.pointee.groups)
    let width = int(window.inputWidth)
    let input = base + int(step.pointee.input)
    var patch = at(base, step.pointee.patch, Int16.self)
    let zero = Int16(truncatingIfNeeded: step.pointee.inputZeroPoint)
    let left = int(column &* window.strideX &- window.paddingX)
    var y = 0
    while y < int(window.height) {
        let inputRow = int(row &* window.strideY &- window.paddingY) &+ y &* int(window.dilationY)
        let isInside = inputRow >= 0 && inputRow < int(window.inputHeight)
        let line = input + ((int(batch) &* int(window.inputHeight) &+ inputRow) &* width &* depth &+ group &* taken)
        if isInside, taken == depth, window.dilationX == 1, left >= 0, left &+ int(window.width) <= width {
            let count = int(window.width) &* depth
            widen(line + left &* depth, patch, count)
            patch += count
        } else {
            var x = 0
            while x < int(window.width) {
                let inputColumn = left &+ x &* int(window.dilationX)
                if isInside, inputColumn >= 0, inputColumn < width {
                    widen(line + inputColumn &* depth, patch, taken)
                } else {
                    var i = 0
                    while i < taken {
                        patch[i] = zero
                        i &+= 1
                    }
                }
                patch += taken
                x &+= 1
            }
        }
        y &+= 1
    }
}

/// Signed bytes to 16 bits, eight at a time: up to seven more are read and written than asked for, in memory that is
/// there for it.
@_noLocks @_noAllocation @inline(__always)
private func widen(_ source: UnsafeMutableRawPointer, _ target: UnsafeMutablePointer<Int16>, _ count: Int) {
    let to = UnsafeMutableRawPointer(target)
    var i = 0
    while i < count {
        let bytes = source.loadUnaligned(fromByteOffset: i, as: SIMD8<Int8>.self)
        to.storeBytes(of: wide(bytes), toByteOffset: 2 &* i, as: SIMD8<Int16>.self)
        i &+= 8
    }
}

/// Eight sums of products of `length` numbers, a multiple of 8.
@_noLocks @_noAllocation @_optimize(speed) @inline(__always)
private func multiply(
    _ numbers: UnsafePointer<Int16>, _ weights: UnsafePointer<Int16>, _ length: Int, _ biases: UnsafePointer<Int32>,
    _ sums: UnsafeMutablePointer<Int32>
) {
    typealias Lanes = SIMD8<Int16>
    typealias Wide = SIMD8<Int32>
    let vectors = UnsafeRawPointer(numbers).assumingMemoryBound(to: Lanes.self)
    var factors = UnsafeRawPointer(weights).assumingMemoryBound(to: Lanes.self)
    let end = length / 8
    var i = 0
    #if arch(x86_64) || arch(i386)
        let start = UnsafeRawPointer(biases).assumingMemoryBound(to: SIMD4<Int32>.self)
        var low = start[0]
        var high = start[1]
        while i < end {
            let x = vectors[i]
            let a = wide(Lanes(x[0], x[1], x[0], x[1], x[0], x[1], x[0], x[1]))
            let b = wide(Lanes(x[2], x[3], x[2], x[3], x[2], x[3], x[2], x[3]))
            let c = wide(Lanes(x[4], x[5], x[4], x[5], x[4], x[5], x[4], x[5]))
            let d = wide(Lanes(x[6], x[7], x[6], x[7], x[6], x[7], x[6], x[7]))
            low = low &+ pairs(a, factors[0]) &+ pairs(b, factors[2]) &+ pairs(c, factors[4]) &+ pairs(d, factors[6])
            high = high &+ pairs(a, factors[1]) &+ pairs(b, factors[3]) &+ pairs(c, factors[5]) &+ pairs(d, factors[7])
            factors += 8
            i &+= 1
        }
        let target = UnsafeMutableRawPointer(sums).assumingMemoryBound(to: SIMD4<Int32>.self)
        target[0] = low
        target[1] = high
    #else
        var sum = UnsafeRawPointer(biases).assumingMemoryBound(to: Wide.self)[0]
        while i < end {
            let x = vectors[i]
            sum = sum &+ wide(factors[0]) &* Wide(repeating: Int32(truncatingIfNeeded: x[0]))
            sum = sum &+ wide(factors[1]) &* Wide(repeating: Int32(truncatingIfNeeded: x[1]))
            sum = sum &+ wide(factors[2]) &* Wide(repeating: Int32(truncatingIfNeeded: x[2]))
            sum = sum &+ wide(factors[3]) &* Wide(repeating: Int32(truncatingIfNeeded: x[3]))
            sum = sum &+ wide(factors[4]) &* Wide(repeating: Int32(truncatingIfNeeded: x[4]))
            sum = sum &+ wide(factors[5]) &* Wide(repeating: Int32(truncatingIfNeeded: x[5]))
            sum = sum &+ wide(factors[6]) &* Wide(repeating: Int32(truncatingIfNeeded: x[6]))
            sum = sum &+ wide(factors[7]) &* Wide(repeating: Int32(truncatingIfNeeded: x[7]))
            factors += 8
            i &+= 1
        }
        UnsafeMutableRawPointer(sums).assumingMemoryBound(to: Wide.self)[0] = sum
    #endif
}

/// Products of pairs, added.
@_noLocks @_noAllocation @inline(__always)
private func pairs(_ x: SIMD8<Int32>, _ weights: SIMD8<Int16>) -> SIMD4<Int32> {
    let product = x &* wide(weights)
    return product.evenHalf &+ product.oddHalf
}

@_noLocks @_noAllocation @inline(__always)
private func requantize(
    _ sums: UnsafePointer<Int32>, _ scales: UnsafePointer<Requantization>, _ range: OutputRange,
    _ output: UnsafeMutablePointer<UInt8>, _ count: Int
) {
    var i = 0
    while i < count {
        output[i] = range(scales[i](sums[i]))
        i &+= 1
    }
}

// MARK: Depthwise convolution

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func convolveDepthwise(_ step: UnsafePointer<DepthwiseStep>, _ base: UnsafeMutableRawPointer) {
    let window = step.pointee.window
    let depth = int(window.outputDepth)
    let biases = at(base, step.pointee.biases, Int32.self)
    let scales = at(base, step.pointee.requantizations, Requantization.self)
    let sums = at(base, step.pointee.sums, Int32.self)
    var output = at(base, step.pointee.output, UInt8.self)
    var batch: Int32 = 0
    while batch < window.batches {
        var row: Int32 = 0
        while row < window.outputHeight {
            var column: Int32 = 0
            while column < window.outputWidth {
                let taps = Taps(step, base, batch: batch, row: row, column: column)
                var done = 0
                while done < depth {
                    if step.pointee.multiplier == 1 {
                        addTaps(taps, channel: done, biases + done, sums)
                    } else {
                        addSpreadTaps(
                            step, base, batch: batch, row: row, column: column, channel: done, biases + done, sums)
                    }
                    let count = min(8, depth &- done)
                    requantize(sums, scales + done, step.pointee.range, output, count)
                    output += count
                    done &+= 8
                }
                column &+= 1
            }
            row &+= 1
        }
        batch &+= 1
    }
}

/// The first place of the window over the input, and the place after its last, in one direction.
@_noLocks @_noAllocation @inline(__always)
private func covered(_ start: Int, _ size: Int32, _ dilation: Int32, _ input: Int32) -> (first: Int, end: Int) {
    if start >= 0, start &+ (int(size) &- 1) &* int(dilation) < int(input) { return (0, int(size)) }
    let dilation = int(dilation)
    let first = start >= 0 ? 0 : (dilation &- 1 &- start) / dilation
    let room = int(input) &- start
    let end = room <= 0 ? 0 : (room &+ dilation &- 1) / dilation
    return (first, min(int(size), end))
}

/// The places of a window over the input, and their weights.
private struct Taps {
    var input: UnsafeMutableRawPointer
    var weights: UnsafeMutableRawPointer
    var rows: Int
    var columns: Int
    /// Bytes from one place to the next.
    var rowStride: Int
    var columnStride: Int
    var weightRowStride: Int
    var weightStride: Int
    var zero: SIMD8<Int16>

    @_noLocks @_noAllocation @inline(__always)
    init(
        _ step: UnsafePointer<DepthwiseStep>, _ base: UnsafeMutableRawPointer, batch: Int32, row: Int32, column: Int32
    ) {
        let window = step.pointee.window
        let top = int(row &* window.strideY &- window.paddingY)
        let left = int(column &* window.strideX &- window.paddingX)
        let (firstY, endY) = covered(top, window.height, window.dilationY, window.inputHeight)
        let (firstX, endX) = covered(left, window.width, window.dilationX, window.inputWidth)
        let depth = int(window.inputDepth)
        let width = int(window.inputWidth)
        weightStride = 2 &* int(step.pointee.paddedDepth)
        weightRowStride = weightStride &* int(window.width)
        columnStride = int(window.dilationX) &* depth
        rowStride = int(window.dilationY) &* width &* depth
        rows = endY &- firstY
        columns = endX &- firstX
        // A window of one column is one run of places.
        if columns == 1 {
            columns = rows
            rows = min(rows, 1)
            columnStride = rowStride
            weightStride = weightRowStride
        }
        let place = ((int(batch) &* int(window.inputHeight) &+ top) &* width &+ left) &* depth
        input =
            base
            + (int(step.pointee.input) &+ place &+ firstY &* int(window.dilationY) &* width &* depth
                &+ firstX &* int(window.dilationX) &* depth)
        weights =
            base
            + (int(step.pointee.weights) &+ 2 &* int(step.pointee.paddedDepth)
                &* (firstY &* int(window.width) &+ firstX))
        zero = SIMD8(repeating: Int16(truncatingIfNeeded: step.pointee.inputZeroPoint))
    }
}

/// The sums of eight channels that follow each other.
@_noLocks @_noAllocation @inline(__always)
private func addTaps(
    _ taps: Taps, channel: Int, _ biases: UnsafePointer<Int32>, _ sums: UnsafeMutablePointer<Int32>
) {
    var sum = UnsafeRawPointer(biases).assumingMemoryBound(to: SIMD8<Int32>.self)[0]
    var row = 0
    while row < taps.rows {
        var input = taps.input + (row &* taps.rowStride &+ channel)
        var weights = taps.weights + (row &* taps.weightRowStride &+ 2 &* channel)
        var column = taps.columns
        while column > 0 {
            let number = wide(input.loadUnaligned(as: SIMD8<Int8>.self)) &- taps.zero
            sum = sum &+ wide(number) &* wide(weights.load(as: SIMD8<Int16>.self))
            input += taps.columnStride
            weights += taps.weightStride
            column &-= 1
        }
        row &+= 1
    }
    UnsafeMutableRawPointer(sums).assumingMemoryBound(to: SIMD8<Int32>.self)[0] = sum
}

/// The same where each channel of the input makes several of the output.
@_noLocks @_noAllocation @inline(never)
private func addSpreadTaps(
    _ step: UnsafePointer<DepthwiseStep>, _ base: UnsafeMutableRawPointer, batch: Int32, row: Int32, column: Int32,
    channel: Int, _ biases: UnsafePointer<Int32>, _ sums: UnsafeMutablePointer<Int32>
) {
    let window = step.pointee.window
    let top = int(row &* window.strideY &- window.paddingY)
    let left = int(column &* window.strideX &- window.paddingX)
    let (firstY, endY) = covered(top, window.height, window.dilationY, window.inputHeight)
    let (firstX, endX) = covered(left, window.width, window.dilationX, window.inputWidth)
    let weights = at(base, step.pointee.weights, Int16.self)
    let input = at(base, step.pointee.input, Int8.self)
    let firstRow = int(batch) &* int(window.inputHeight) &+ top
    var lane = 0
    while lane < 8, channel &+ lane < int(window.outputDepth) {
        let from = (channel &+ lane) / int(step.pointee.multiplier)
        var sum = biases[lane]
        var y = firstY
        while y < endY {
            let line = (firstRow &+ y &* int(window.dilationY)) &* int(window.inputWidth) &+ left
            var x = firstX
            while x < endX {
                let number = Int32(
                    truncatingIfNeeded: input[(line &+ x &* int(window.dilationX)) &* int(window.inputDepth) &+ from])
                let tap = (y &* int(window.width) &+ x) &* int(step.pointee.paddedDepth) &+ channel &+ lane
                sum &+= (number &- step.pointee.inputZeroPoint) &* Int32(truncatingIfNeeded: weights[tap])
                x &+= 1
            }
            y &+= 1
        }
        sums[lane] = sum
        lane &+= 1
    }
}

// MARK: Pools

@_noLocks @_noAllocation @_optimize(speed) @inline(never)
func pool(_ step: UnsafePointer<PoolStep>, _ base: UnsafeMutableRawPointer) {
    let window = step.pointee.window
    let range = step.pointee.range
    let depth = int(window.inputDepth)
    let input = at(base, step.pointee.input, Int8.self)
    var output = at(base, step.pointee.output, UInt8.self)
    var place = 0
    let places = int(window.batches) &* int(window.outputHeight) &* int(window.outputWidth)
    while place < places {
        let column = place % int(window.outputWidth)
        let row = place / int(window.outputWidth) % int(window.outputHeight)
        let batch = place / (int(window.outputWidth) &* int(window.outputHeight))
        let top = row &* int(window.strideY) &- int(window.paddingY)
        let left = column &* int(window.strideX) &- int(window.paddingX)
        let (firstY, endY) = covered(top, window.height, 1, window.inputHeight)
        let (firstX, endX) = covered(left, window.width, 1, window.inputWidth)
        let count = Int32(truncatingIfNeeded: (endY &- firstY) &* (endX &- firstX))
        var channel = 0
        while channel < depth {
            var sum: Int32 = 0
            var largest: Int32 = -128
            var y = firstY
            while y < endY {
                let line = (batch &* int(window.inputHeight) &+ top &+ y) &* int(window.inputWidth) &+ left
                var x = firstX
                while x < endX {
                    let value = Int32(truncatingIfNeeded: input[(line &+ x) &* depth &+ channel])
                    sum &+= value
                    largest = max(largest, value)
                    x &+= 1
                }
                y &+= 1
            }
            // Half is rounded away from zero.
            let mean = count <= 0 ? 0 : (sum > 0 ? sum &+ count / 2 : sum &- count / 2) / count
            let value = step.pointee.takesLargest ? largest : mean
            output[channel] = UInt8(truncatingIfNeeded: max(range.least, min(range.most, value)))
            channel &+= 1
        }
        output += depth
        place &+= 1
    }
}

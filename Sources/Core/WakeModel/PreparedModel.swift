/// A model as it lies in memory when it is loaded: a plan, carried out. The program that reads model files need not be the
/// one that runs them: `puckctl` makes this of a file, and `puckd` runs it, so that a puck holds no code for what it does
/// once, and a hostile file is read by a process that has nothing else to lose.
///
/// Serialized only for another program of the same build: steps are written as they lie in memory.
public struct PreparedModel {
    /// Rows of features that one output takes.
    public let rows: Int
    /// Multiplications and bytes copied for one output.
    public let work: Int

    /// Everything: constants, steps, and room for what is computed.
    let image: [UInt8]
    let stepsOffset: Int
    let initialCount: Int
    let stepCount: Int
    let input: Int
    let output: Int
    let outputType: TensorType
    /// What each feature becomes in the model's input.
    let quantizedOffset: Int

    /// Bytes of memory that the loaded model takes.
    public var memoryBytes: Int { image.count }

    public init(_ plan: ModelPlan) {
        rows = plan.rows
        work = plan.work
        stepsOffset = plan.stepsOffset
        initialCount = plan.initial.count
        stepCount = plan.steps.count
        input = plan.input
        output = plan.output
        outputType = plan.outputType
        quantizedOffset = plan.quantizedOffset
        var image = [UInt8](repeating: 0, count: plan.memoryBytes)
        image.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for piece in plan.pieces {
                (base + piece.offset).copyMemory(from: piece.bytes, byteCount: piece.bytes.count)
            }
            for (i, step) in (plan.initial + plan.steps).enumerated() {
                withUnsafeBytes(of: step) {
                    (base + plan.stepsOffset + i * MemoryLayout<Step>.stride).copyMemory(
                        from: $0.baseAddress!, byteCount: $0.count)
                }
            }
            let (least, most) = plan.inputType.range
            for feature in 0...StreamingModel.largestFeature {
                // 0.0390625: what a feature's last bit is worth where models are trained.
                let value = (Double(feature) * 0.0390625 / Double(plan.inputScale) + Double(plan.inputZeroPoint))
                    .rounded(.toNearestOrEven)
                bytes[plan.quantizedOffset + feature] = UInt8(
                    truncatingIfNeeded: Int32(min(max(value, Double(least)), Double(most))))
            }
        }
        self.image = image
    }

    // MARK: From one program to another

    private static let headerWords = 11
    /// "PREP", and what would be read wrongly by another build.
    private static var mark: [Int32] {
        [0x5052_4550, Int32(MemoryLayout<Step>.size), Int32(MemoryLayout<Step>.stride)]
    }

    public func serialized() -> [UInt8] {
        let words =
            Self.mark
            + [rows, work, stepsOffset, initialCount, stepCount, input, output, Int(outputType.rawValue)].map {
                Int32($0)
            }
        precondition(words.count == Self.headerWords, "a header of known length")
        return (words + [Int32(quantizedOffset), Int32(image.count)]).withUnsafeBytes { [UInt8]($0) } + image
    }

    /// Nil for what `serialized` of this build has not made whole.
    public init?(parsing bytes: ArraySlice<UInt8>) {
        let head = (Self.headerWords + 2) * 4
        guard bytes.count >= head, bytes.count <= head + ModelLimits.memoryBytes else { return nil }
        var words: [Int] = []
        bytes.withUnsafeBytes {
            for i in 0..<Self.headerWords + 2 {
                words.append(Int($0.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self)))
            }
        }
        for (i, word) in Self.mark.enumerated() where words[i] != Int(word) { return nil }
        for word in words.dropFirst(3) where !(0...ModelLimits.workUnits).contains(word) { return nil }
        guard words[6] + words[7] <= ModelLimits.subgraphs * ModelLimits.operators else { return nil }
        guard let type = TensorType(rawValue: Int8(truncatingIfNeeded: words[10])) else { return nil }
        (rows, work, stepsOffset, initialCount) = (words[3], words[4], words[5], words[6])
        (stepCount, input, output, outputType) = (words[7], words[8], words[9], type)
        quantizedOffset = words[11]
        let size = words[12]
        guard bytes.count == head + size, (1...ModelLimits.operands).contains(rows),
            stepsOffset + (initialCount + stepCount) * MemoryLayout<Step>.stride <= size,
            input + rows * FrontEnd.channels <= size, output + 4 <= size,
            quantizedOffset + StreamingModel.largestFeature < size
        else { return nil }
        image = [UInt8](bytes[(bytes.startIndex + head)...])
    }
}

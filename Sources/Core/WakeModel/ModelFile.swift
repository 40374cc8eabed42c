// What a .tflite file holds: the part of TensorFlow Lite's schema (version 3) that streaming int8 models use. The numbers
// of fields are their order in the published schema.

enum TensorType: Int8 {
    case float32 = 0
    case int32 = 2
    case uint8 = 3
    case int64 = 4
    case bool = 6
    case int8 = 9
    case resource = 13

    var size: Int {
        switch self {
        case .float32, .int32, .resource: 4
        case .int64: 8
        case .uint8, .bool, .int8: 1
        }
    }

    var isByte: Bool { self == .int8 || self == .uint8 }
    /// The smallest and the largest number of a quantized tensor.
    var range: (least: Int32, most: Int32) { self == .uint8 ? (0, 255) : (-128, 127) }
}

struct Tensor {
    let type: TensorType
    /// At least 1 each.
    let shape: [Int]
    /// One, or one for each channel; finite and above 0. Empty where the tensor is not quantized.
    let scales: [Float]
    let zeroPoints: [Int32]
    /// Which dimension the channels of `scales` are.
    let channelAxis: Int
    /// The tensor's constant bytes in the file; nil when they are computed.
    let data: UnsafeRawBufferPointer?

    var elements: Int { shape.reduce(1, *) }
    var bytes: Int { elements * type.size }
    var zeroPoint: Int32 { zeroPoints.first ?? 0 }
}

struct Operation {
    let code: OperatorCode
    let inputs: [Int]
    let outputs: [Int]
    let options: FlatTable?
}

struct Graph {
    let tensors: [Tensor]
    let inputs: [Int]
    let outputs: [Int]
    let operations: [Operation]
}

enum OperatorCode: Int32 {
    case add = 0
    case averagePool = 1
    case concatenation = 2
    case convolution = 3
    case depthwiseConvolution = 4
    case dequantize = 6
    case fullyConnected = 9
    case logistic = 14
    case maxPool = 17
    case multiply = 18
    case reshape = 22
    case pad = 34
    case mean = 40
    case stridedSlice = 45
    case pack = 83
    case split = 102
    case quantize = 114
    case callOnce = 129
    case variableHandle = 142
    case readVariable = 143
    case assignVariable = 144

    /// As TensorFlow writes it.
    var name: String {
        switch self {
        case .add: "ADD"
        case .averagePool: "AVERAGE_POOL_2D"
        case .concatenation: "CONCATENATION"
        case .convolution: "CONV_2D"
        case .depthwiseConvolution: "DEPTHWISE_CONV_2D"
        case .dequantize: "DEQUANTIZE"
        case .fullyConnected: "FULLY_CONNECTED"
        case .logistic: "LOGISTIC"
        case .maxPool: "MAX_POOL_2D"
        case .multiply: "MUL"
        case .reshape: "RESHAPE"
        case .pad: "PAD"
        case .mean: "MEAN"
        case .stridedSlice: "STRIDED_SLICE"
        case .pack: "PACK"
        case .split: "SPLIT_V"
        case .quantize: "QUANTIZE"
        case .callOnce: "CALL_ONCE"
        case .variableHandle: "VAR_HANDLE"
        case .readVariable: "READ_VARIABLE"
        case .assignVariable: "ASSIGN_VARIABLE"
        }
    }
}

struct ModelFile {
    let graphs: [Graph]

    init(_ bytes: UnsafeRawBufferPointer) throws(ModelError) {
        guard bytes.count <= ModelLimits.fileBytes else {
            throw .tooLarge("\(bytes.count) bytes, and at most \(ModelLimits.fileBytes) are allowed")
        }
        let file = FlatBuffer(bytes: bytes)
        // "TFL3"
        guard bytes.count >= 8, try file.load(4, as: UInt32.self) == 0x334c_4654 else {
            throw ModelError(.damaged, "the file is no TensorFlow Lite model")
        }
        let root = try file.root()
        let version: UInt32 = try root.value(0, or: 0)
        guard version == 3 else { throw .unsupported("its format has version \(version), and only 3 is known") }
        var codes: [Int32] = []
        for table in try root.tables(1, most: ModelLimits.operatorCodes, "operator codes") {
            // Codes above 127 came later and have a field of their own.
            let early: Int8 = try table.value(0, or: 0)
            codes.append(max(Int32(early), try table.value(3, or: 0)))
        }
        let buffers = try ModelFile.buffers(root, bytes)
        var budget = ModelLimits.scales
        var graphs: [Graph] = []
        for table in try root.tables(2, most: ModelLimits.subgraphs, "subgraphs") {
            graphs.append(try ModelFile.graph(table, codes, buffers, &budget))
        }
        guard !graphs.isEmpty else { throw .damaged("it holds no graph") }
        self.graphs = graphs
    }

    /// The bytes of each buffer; none where it is empty.
    private static func buffers(
        _ root: FlatTable, _ bytes: UnsafeRawBufferPointer
    ) throws(ModelError) -> [UnsafeRawBufferPointer] {
        var buffers: [UnsafeRawBufferPointer] = []
        for table in try root.tables(4, most: ModelLimits.buffers, "buffers") {
            guard try table.value(1, or: UInt64(0)) <= 1 else {
                throw .unsupported("weights behind the model's tables, as files above 2 GB have them")
            }
            guard let (start, count) = try table.vector(0, elementSize: 1) else {
                buffers.append(UnsafeRawBufferPointer(start: nil, count: 0))
                continue
            }
            buffers.append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
        }
        return buffers
    }

    private static func graph(
        _ table: FlatTable, _ codes: [Int32], _ buffers: [UnsafeRawBufferPointer], _ budget: inout Int
    ) throws(ModelError) -> Graph {
        var tensors: [Tensor] = []
        for entry in try table.tables(0, most: ModelLimits.tensors, "tensors") {
            tensors.append(try tensor(entry, number: tensors.count, buffers, &budget))
        }
        var operations: [Operation] = []
        for entry in try table.tables(3, most: ModelLimits.operators, "operators") {
            let index: UInt32 = try entry.value(0, or: 0)
            guard index < UInt32(codes.count) else { throw .damaged("operator \(operations.count) has no code") }
            let number = codes[Int(index)]
            guard let code = OperatorCode(rawValue: number) else {
                throw .unsupported(
                    "operator \(operations.count) has TensorFlow Lite's code \(number), which is not known")
            }
            operations.append(
                Operation(
                    code: code, inputs: try references(entry, 1, tensors.count, optional: true),
                    outputs: try references(entry, 2, tensors.count), options: try entry.table(4)))
        }
        return Graph(
            tensors: tensors, inputs: try references(table, 1, tensors.count),
            outputs: try references(table, 2, tensors.count), operations: operations)
    }

    /// Numbers of tensors; −1 stands for an operand that is left out.
    private static func references(
        _ table: FlatTable, _ field: Int, _ count: Int, optional: Bool = false
    ) throws(ModelError) -> [Int] {
        var result: [Int] = []
        for number in try table.numbers(field, Int32.self, most: ModelLimits.operands, "operands") {
            guard number >= (optional ? -1 : 0), number < Int32(count) else {
                throw .damaged("there is no tensor \(number)")
            }
            result.append(Int(number))
        }
        return result
    }

    private static func tensor(
        _ table: FlatTable, number: Int, _ buffers: [UnsafeRawBufferPointer], _ budget: inout Int
    ) throws(ModelError) -> Tensor {
        let rawType: Int8 = try table.value(1, or: 0)
        guard let type = TensorType(rawValue: rawType) else {
            throw .unsupported("tensor \(number) has numbers of a kind (\(rawType)) that is not known")
        }
        var shape: [Int] = []
        var elements = 1
        for size in try table.numbers(0, Int32.self, most: ModelLimits.rank, "dimensions of a tensor") {
            guard size >= 1 else { throw .unsupported("tensor \(number) has no fixed size") }
            guard Int64(size) * Int64(elements) <= Int64(ModelLimits.elements) else {
                throw .tooLarge("tensor \(number) has more than \(ModelLimits.elements) numbers")
            }
            elements *= Int(size)
            shape.append(Int(size))
        }
        let buffer: UInt32 = try table.value(2, or: 0)
        guard buffer < UInt32(buffers.count) else { throw .damaged("tensor \(number) has no buffer") }
        var data: UnsafeRawBufferPointer?
        if !buffers[Int(buffer)].isEmpty, type != .resource {
            data = buffers[Int(buffer)]
            guard buffers[Int(buffer)].count == elements * type.size else {
                throw .damaged("the constant tensor \(number) has \(buffers[Int(buffer)].count) bytes")
            }
        }
        guard try table.table(6) == nil else { throw .unsupported("tensor \(number) is sparse") }
        let (scales, zeroPoints, axis) = try quantization(try table.table(4), type, number, &budget)
        return Tensor(
            type: type, shape: shape, scales: scales, zeroPoints: zeroPoints, channelAxis: axis, data: data)
    }

    private static func quantization(
        _ table: FlatTable?, _ type: TensorType, _ number: Int, _ budget: inout Int
    ) throws(ModelError) -> ([Float], [Int32], Int) {
        guard let table else { return ([], [], 0) }
        let scales = try table.numbers(2, UInt32.self, most: budget, "scales").map { Float(bitPattern: $0) }
        budget -= scales.count
        var zeroPoints: [Int32] = []
        let range = type.range
        for value in try table.numbers(3, Int64.self, most: scales.count, "zero points") {
            guard value >= Int64(type.isByte ? range.least : .min), value <= Int64(type.isByte ? range.most : .max)
            else {
                throw .damaged("tensor \(number) has a zero point out of its range")
            }
            zeroPoints.append(Int32(value))
        }
        for scale in scales where !(scale.isFinite && scale >= .leastNormalMagnitude) {
            throw .damaged("tensor \(number) has a scale that is no size")
        }
        // Zero points are left out where all are 0.
        if zeroPoints.isEmpty { zeroPoints = [Int32](repeating: 0, count: scales.count) }
        guard zeroPoints.count == scales.count else {
            throw .damaged("tensor \(number) has not as many zero points as scales")
        }
        return (scales, zeroPoints, Int(try table.value(6, or: Int32(0))))
    }
}

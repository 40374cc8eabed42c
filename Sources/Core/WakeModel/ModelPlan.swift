/// What a model needs and does, worked out from its file: which steps, over how much memory. Checked throughout: a file
/// that is damaged, or holds what is not known here, is refused with its reason.
public struct ModelPlan {
    /// Rows of features that one output takes.
    public let rows: Int
    /// Bytes of memory that the loaded model takes, all of it when it is loaded.
    public let memoryBytes: Int
    /// Multiplications and bytes copied for one output: a measure of the work.
    public let work: Int

    /// Offsets and contents of what does not change.
    let pieces: [(offset: Int, bytes: [UInt8])]
    /// At a reset: the variables get their first values.
    let initial: [Step]
    let steps: [Step]
    let stepsOffset: Int
    /// Where a table of what each feature becomes goes.
    let quantizedOffset: Int
    let input: Int
    let inputType: TensorType
    let inputScale: Float
    let inputZeroPoint: Int32
    let output: Int
    let outputType: TensorType
    /// A probability is one number; tests look at more.
    let outputElements: Int

    /// - Parameter file: the bytes of a `.tflite` file.
    public init(_ file: UnsafeRawBufferPointer) throws(ModelError) {
        let model = try ModelFile(file)
        var planner = Planner(model)
        let steps = try planner.compile(0)
        let graph = model.graphs[0]
        guard graph.inputs.count == 1, graph.outputs.count == 1 else {
            throw .unsupported(
                "it has \(graph.inputs.count) inputs and \(graph.outputs.count) outputs, and one each is needed")
        }
        let input = graph.tensors[graph.inputs[0]]
        guard input.type.isByte, input.scales.count == 1 else {
            throw .unsupported("its input is not quantized to 8 bits")
        }
        guard input.elements % FrontEnd.channels == 0 else {
            throw .unsupported(
                "its input has \(input.elements) numbers, which are no rows of \(FrontEnd.channels) features")
        }
        let output = graph.tensors[graph.outputs[0]]
        guard output.type.isByte || output.type == .float32 else {
            throw .unsupported("its output is no probability")
        }
        guard planner.made[graph.outputs[0]] else { throw .damaged("nothing makes its output") }
        rows = input.elements / FrontEnd.channels
        stepsOffset = try planner.allocate(bytes: (steps.count + planner.initial.count) * MemoryLayout<Step>.stride)
        quantizedOffset = try planner.allocate(bytes: StreamingModel.largestFeature + 1)
        memoryBytes = planner.size
        work = planner.work
        pieces = planner.pieces
        initial = planner.initial
        self.steps = steps
        self.input = planner.places[graph.inputs[0]]
        inputType = input.type
        inputScale = input.scales[0]
        inputZeroPoint = input.zeroPoint
        self.output = planner.places[graph.outputs[0]]
        outputType = output.type
        outputElements = output.elements
    }
}

extension ModelPlan {
    /// - Parameter file: the bytes of a `.tflite` file.
    public init(_ file: [UInt8]) throws(ModelError) {
        let result: Result<ModelPlan, ModelError> = file.withUnsafeBytes { bytes in
            do throws(ModelError) { return .success(try ModelPlan(bytes)) } catch { return .failure(error) }
        }
        self = try result.get()
    }
}

/// Goes through the operators in order and turns each into steps.
struct Planner {
    let model: ModelFile
    /// The graph in work, and which of its operators, for messages.
    var graph: Graph
    var number = 0
    var isInitial = false
    /// Where each tensor of the graph lies (−1: nowhere yet), and whether something made it.
    var places: [Int] = []
    var made: [Bool] = []
    /// The variable that each tensor of type resource stands for (−1: none).
    var handles: [Int] = []

    var variables: [Variable] = []
    var steps: [Step] = []
    var initial: [Step] = []
    var pieces: [(offset: Int, bytes: [UInt8])] = []
    var size = 0
    var work = 0

    /// A tensor that outlives a run.
    struct Variable {
        let name: [UInt8]
        var place = -1
        var bytes = 0
        var hasValue = false
    }

    init(_ model: ModelFile) {
        self.model = model
        graph = model.graphs[0]
    }

    var operation: Operation { graph.operations[number] }

    /// The error that names the operator in work.
    func unsupported(_ what: String) -> ModelError {
        .unsupported("operator \(number) (\(operation.code.name)): \(what)")
    }

    mutating func compile(_ index: Int) throws(ModelError) -> [Step] {
        graph = model.graphs[index]
        steps = []
        places = [Int](repeating: -1, count: graph.tensors.count)
        made = [Bool](repeating: false, count: graph.tensors.count)
        handles = [Int](repeating: -1, count: graph.tensors.count)
        for tensor in graph.inputs {
            places[tensor] = try allocate(bytes: graph.tensors[tensor].bytes)
            made[tensor] = true
        }
        for number in graph.operations.indices {
            self.number = number
            try plan(operation)
        }
        return steps
    }

    private mutating func plan(_ operation: Operation) throws(ModelError) {
        switch operation.code {
        case .callOnce: try planCallOnce()
        case .variableHandle: try planVariableHandle()
        case .readVariable: try planRead()
        case .assignVariable: try planAssign()
        case .reshape: try planReshape()
        case .concatenation: try planConcatenation()
        case .pack: try planPack()
        case .split: try planSplit()
        case .stridedSlice: try planStridedSlice()
        case .pad: try planPad()
        case .convolution: try planConvolution()
        case .depthwiseConvolution: try planDepthwise()
        case .fullyConnected: try planFullyConnected()
        case .averagePool: try planPool(takesLargest: false)
        case .maxPool: try planPool(takesLargest: true)
        case .add: try planAddition()
        case .multiply: try planMultiplication()
        case .mean: try planMean()
        case .logistic: try planLogistic()
        case .quantize: try planQuantize()
        case .dequantize: try planDequantize()
        }
    }

    // MARK: Memory

    /// Room in the block, of which 16 bytes more may be read: vectors are read whole.
    mutating func allocate(bytes: Int) throws(ModelError) -> Int {
        let place = size
        guard bytes <= ModelLimits.memoryBytes else {
            throw .tooLarge("it takes more than \(ModelLimits.memoryBytes) bytes")
        }
        size += (bytes + 31) & ~15
        guard size <= ModelLimits.memoryBytes else {
            throw .tooLarge("it takes more than \(ModelLimits.memoryBytes) bytes of memory")
        }
        return place
    }

    mutating func constant<T: BitwiseCopyable>(_ values: [T]) throws(ModelError) -> Int {
        let place = try allocate(bytes: values.count * MemoryLayout<T>.stride)
        let bytes = values.withUnsafeBytes { [UInt8]($0) }
        pieces.append((place, bytes))
        return place
    }

    /// Adds to the work for an output.
    mutating func count(work units: Int64) throws(ModelError) {
        let sum = Int64(work) + units
        guard sum <= Int64(ModelLimits.workUnits) else {
            throw .tooLarge("one output takes more than \(ModelLimits.workUnits) multiplications")
        }
        work = Int(sum)
    }

    // MARK: Operands

    /// The number of an operand's tensor.
    func operand(_ index: Int) throws(ModelError) -> Int {
        guard let tensor = try optionalOperand(index) else { throw unsupported("operand \(index) is missing") }
        return tensor
    }

    func optionalOperand(_ index: Int) throws(ModelError) -> Int? {
        guard index < operation.inputs.count, operation.inputs[index] >= 0 else { return nil }
        return operation.inputs[index]
    }

    func result(_ index: Int = 0) throws(ModelError) -> Int {
        guard index < operation.outputs.count else { throw unsupported("result \(index) is missing") }
        return operation.outputs[index]
    }

    /// Where the operand's numbers are when the operator runs.
    mutating func source(_ tensor: Int) throws(ModelError) -> Int {
        if made[tensor] { return places[tensor] }
        guard let data = graph.tensors[tensor].data else {
            throw unsupported("tensor \(tensor) is used before it is made")
        }
        places[tensor] = try constant([UInt8](data))
        made[tensor] = true
        return places[tensor]
    }

    /// Where the result's numbers go.
    mutating func target(_ tensor: Int) throws(ModelError) -> Int {
        guard !made[tensor], graph.tensors[tensor].data == nil, graph.tensors[tensor].type != .resource else {
            throw unsupported("tensor \(tensor) is made twice")
        }
        if places[tensor] < 0 { places[tensor] = try allocate(bytes: graph.tensors[tensor].bytes) }
        made[tensor] = true
        return places[tensor]
    }

    /// A constant's whole numbers: shapes, axes, begins.
    func constants(_ tensor: Int) throws(ModelError) -> [Int] {
        let value = graph.tensors[tensor]
        guard let data = value.data, value.type == .int32 || value.type == .int64 else {
            throw unsupported("tensor \(tensor) is not constant whole numbers")
        }
        guard value.elements <= 2 * ModelLimits.operands else {
            throw unsupported("tensor \(tensor) has \(value.elements) numbers")
        }
        var numbers: [Int] = []
        for i in 0..<value.elements {
            let number =
                value.type == .int32
                ? Int64(data.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self))
                : data.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self)
            numbers.append(Int(Int32(clamping: number)))
        }
        return numbers
    }

    /// The operand's tensor, which has to be int8 with one scale.
    func quantized(_ tensor: Int) throws(ModelError) -> Tensor {
        let value = graph.tensors[tensor]
        guard value.type == .int8, value.scales.count == 1 else {
            throw unsupported("tensor \(tensor) is not quantized to int8")
        }
        return value
    }

    /// The options of the operator in work.
    func option<T: FixedWidthInteger & BitwiseCopyable>(_ field: Int, or standard: T) throws(ModelError) -> T {
        guard let options = operation.options else { return standard }
        return try options.value(field, or: standard)
    }

    /// An axis that may count from the end.
    func axis(_ value: Int, rank: Int) throws(ModelError) -> Int {
        let axis = value < 0 ? value + rank : value
        guard axis >= 0, axis < rank else { throw unsupported("there is no dimension \(value)") }
        return axis
    }
}

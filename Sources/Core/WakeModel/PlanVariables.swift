// Variables: what a streaming model remembers from one run to the next.

extension Planner {
    mutating func planCallOnce() throws(ModelError) {
        guard !isInitial else { throw unsupported("inside of a graph that is called itself") }
        let index = try option(0, or: Int32(0))
        guard index > 0, index < Int32(model.graphs.count) else { throw unsupported("there is no graph \(index)") }
        let called = model.graphs[Int(index)]
        guard called.inputs.isEmpty, called.outputs.isEmpty else { throw unsupported("a graph with inputs or outputs") }
        guard initial.isEmpty else { throw unsupported("more than once") }
        // The called graph has tensors of its own.
        var inner = self
        inner.isInitial = true
        let steps = try inner.compile(Int(index))
        initial = steps
        variables = inner.variables
        pieces = inner.pieces
        size = inner.size
    }

    mutating func planVariableHandle() throws(ModelError) {
        let output = try result()
        guard graph.tensors[output].type == .resource, handles[output] < 0 else {
            throw unsupported("tensor \(output) is no new handle")
        }
        // Container and name together name a variable.
        var name: [UInt8] = []
        if let options = operation.options {
            for field in 0...1 {
                name += try options.numbers(field, UInt8.self, most: ModelLimits.nameBytes, "bytes of a name")
                name.append(0)
            }
        }
        if let known = variables.firstIndex(where: { $0.name == name }) {
            handles[output] = known
        } else {
            guard variables.count < ModelLimits.variables else {
                throw .tooLarge("more than \(ModelLimits.variables) variables")
            }
            handles[output] = variables.count
            variables.append(Variable(name: name))
        }
    }

    private func variable(_ tensor: Int) throws(ModelError) -> Int {
        guard handles[tensor] >= 0 else { throw unsupported("tensor \(tensor) is no handle of a variable") }
        return handles[tensor]
    }

    mutating func planRead() throws(ModelError) {
        let variable = try variable(try operand(0))
        let output = try result()
        let bytes = graph.tensors[output].bytes
        guard variables[variable].hasValue else { throw unsupported("the variable has no value yet") }
        guard variables[variable].bytes == bytes else { throw unsupported("the variable has another size") }
        let place = variables[variable].place
        if canStayInPlace(output, variable) { places[output] = place }
        try copy(from: place, to: try target(output), bytes: bytes)
    }

    /// Whether what was read is not needed any more when the variable gets its next value.
    private func canStayInPlace(_ output: Int, _ variable: Int) -> Bool {
        guard !graph.outputs.contains(output), places[output] < 0 else { return false }
        let later = graph.operations.indices.dropFirst(number + 1)
        let assigned = later.first {
            let operation = graph.operations[$0]
            return operation.code == .assignVariable && assigns(operation, variable)
        }
        guard let assigned else { return true }
        // Handles that are made later could stand for the same variable.
        if later.contains(where: { graph.operations[$0].code == .variableHandle }) { return false }
        return !later.contains { $0 >= assigned && graph.operations[$0].inputs.contains(output) }
    }

    private func assigns(_ operation: Operation, _ variable: Int) -> Bool {
        guard let handle = operation.inputs.first, handle >= 0 else { return false }
        return handles[handle] == variable
    }

    mutating func planAssign() throws(ModelError) {
        let variable = try variable(try operand(0))
        let input = try operand(1)
        let bytes = graph.tensors[input].bytes
        if variables[variable].place < 0 {
            variables[variable].place = try allocate(bytes: bytes)
            variables[variable].bytes = bytes
        }
        guard variables[variable].bytes == bytes else { throw unsupported("the variable has another size") }
        variables[variable].hasValue = true
        try copy(from: try source(input), to: variables[variable].place, bytes: bytes)
    }

    /// Where the result of the operator in work may go directly because the next operator assigns it to a variable, and
    /// nobody else needs it.
    func assignedPlace(_ output: Int, from input: Int) -> Int? {
        guard number + 1 < graph.operations.count else { return nil }
        let next = graph.operations[number + 1]
        guard next.code == .assignVariable, next.inputs.count == 2, next.inputs[0] >= 0, next.inputs[1] == output,
            handles[next.inputs[0]] >= 0, !graph.outputs.contains(output)
        else { return nil }
        let variable = variables[handles[next.inputs[0]]]
        guard variable.place >= 0, variable.bytes == graph.tensors[output].bytes, places[input] != variable.place,
            !graph.operations.indices.dropFirst(number + 2).contains(where: {
                graph.operations[$0].inputs.contains(output)
            })
        else { return nil }
        return variable.place
    }
}

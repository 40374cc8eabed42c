import Testing

@testable import WakeModel

@Suite struct StreamingModelTests {
    /// Runs a model of one operator over bytes at random; the hash of all its numbers.
    private func hash(_ file: [UInt8], runs: Int = 40) throws -> UInt32 {
        let plan = try ModelPlan(file)
        var model = StreamingModel(plan)
        var random = Random(state: 9)
        var hash = Hash()
        var input = [UInt8](repeating: 0, count: plan.rows * FrontEnd.channels)
        for _ in 0..<runs {
            for i in input.indices { input[i] = UInt8(random.below(256)) }
            _ = model.run(input)
            let bytes = plan.outputElements * plan.outputType.size
            for byte in UnsafeRawBufferPointer(start: model.output, count: bytes) { hash.add(byte) }
        }
        return hash.value
    }

    @Test(arguments: ReferenceOperators.hashes.map { $0.name })
    func anOperatorsNumbersAreTensorFlowsToTheBit(_ name: String) throws {
        let expected = try #require(ReferenceOperators.hashes.first { $0.name == name })
        #expect(try hash(try ModelFiles.ofOperator(name)) == expected.hash)
    }

    @Test func allMemoryIsTakenWhenTheModelIsLoaded() throws {
        let plan = try ModelPlan(try ModelFiles.ofOperator("var-ties"))
        let model = StreamingModel(plan)
        #expect(model.memoryBytes == plan.memoryBytes)
        #expect(model.rows == 3)
        #expect(model.memoryBytes < 16_384)
    }

    @Test func afterAResetTheVariablesHaveTheirFirstValues() throws {
        let plan = try ModelPlan(try ModelFiles.ofOperator("var-ties"))
        var model = StreamingModel(plan)
        let row = [UInt16](repeating: 400, count: FrontEnd.channels)
        func outputs(_ count: Int) -> [[UInt8]] {
            var all: [[UInt8]] = []
            while all.count < count {
                guard model.step(row) != nil else { continue }
                all.append([UInt8](UnsafeRawBufferPointer(start: model.output, count: plan.outputElements)))
            }
            return all
        }
        let first = outputs(3)
        #expect(first[0] != first[1], "the model remembers")
        // Rows that wait for others are forgotten as well.
        _ = model.step(row)
        model.reset()
        #expect(model.step(row) == nil)
        #expect(model.step(row) == nil)
        model.reset()
        #expect(outputs(3) == first)
    }

    @Test func anOutputComesWithAsManyRowsAsTheModelTakes() throws {
        let plan = try ModelPlan(try ModelFiles.ofOperator("add2-ties"))
        var model = StreamingModel(plan)
        let row = [UInt16](repeating: 65_535, count: FrontEnd.channels)
        #expect(plan.rows == 1)
        #expect(model.step(row) != nil)
        #expect(model.step(row) != nil)
    }

    @Test func exponentialIsRoundedRight() {
        #expect(exponential(0) == 1)
        #expect(exponential(1) == 2.7182817)
        #expect(exponential(-1) == 0.36787945)
        #expect(exponential(10.5) == 36315.504)
        #expect(exponential(-87) == 1.6458115e-38)
        #expect(exponential(100) == .infinity)
        #expect(exponential(-200) == 0)
    }
}

/// The real models, over ten minutes and a half each: 330 s of speech-like sound and 300 s of restless features.
@Suite(.enabled(if: ModelFiles.areGiven, "set PUCK_WAKE_MODELS, as `make test` does")) struct WakeWordTests {
    private func hashes(_ file: [UInt8], _ rows: some Sequence<[UInt16]>) throws -> [UInt32] {
        var model = StreamingModel(try ModelPlan(file))
        var hashes: [UInt32] = []
        var hash = Hash()
        var count = 0
        for row in rows {
            guard let output = model.step(row) else { continue }
            hash.add(output)
            count += 1
            if count % 1_000 == 0 {
                hashes.append(hash.value)
                hash = Hash()
            }
        }
        if count % 1_000 != 0 { hashes.append(hash.value) }
        return hashes
    }

    private static let spoken: [[UInt16]] = {
        var frontEnd = FrontEnd()
        var rows: [[UInt16]] = []
        var step: [Int16] = []
        for sample in SpeechLikeSound(seed: 1).prefix(330 * 16_000) {
            step.append(sample)
            guard step.count == FrontEnd.stepSamples else { continue }
            if let row = frontEnd.step(step) {
                rows.append(Array(UnsafeBufferPointer(start: row, count: FrontEnd.channels)))
            }
            step.removeAll(keepingCapacity: true)
        }
        return rows
    }()

    @Test(arguments: ReferenceOutputs.models.map { $0.name })
    func everyOutputIsTensorFlowsToTheBit(_ name: String) throws {
        let expected = try #require(ReferenceOutputs.models.first { $0.name == name })
        // Those that PyPI has are always there.
        guard let file = ModelFiles.wakeWord(name) else {
            #expect(!["alexa", "hey_jarvis", "hey_mycroft", "okay_nabu"].contains(name), "no \(name).tflite")
            return
        }
        var hash = Hash()
        for byte in file { hash.add(byte) }
        #expect([hash.value] == expected.file, "another file than the reference was made of")
        #expect(try hashes(file, WakeWordTests.spoken) == expected.features)
        #expect(try hashes(file, RestlessFeatures(seed: 4).prefix(30_000)) == expected.restless)
    }

    @Test func aRealModelTakesATenthOfWhatIsAllowed() throws {
        let file = try #require(ModelFiles.wakeWord("okay_nabu"))
        let plan = try ModelPlan(file)
        #expect(plan.memoryBytes < ModelLimits.memoryBytes / 10)
        #expect(plan.work < ModelLimits.workUnits / 10)
        #expect(plan.rows == 3)
    }
}

/// What one program makes of a file and another runs.
@Suite(.enabled(if: ModelFiles.areGiven)) struct PreparedModelTests {
    @Test func aModelIsTheSameAfterItsWayToAnotherProgram() throws {
        let prepared = PreparedModel(try ModelPlan(try #require(ModelFiles.wakeWord("okay_nabu"))))
        let bytes = prepared.serialized()
        let arrived = try #require(PreparedModel(parsing: bytes[...]))
        #expect(arrived.memoryBytes == prepared.memoryBytes && arrived.rows == prepared.rows)
        var a = StreamingModel(prepared)
        var b = StreamingModel(arrived)
        for n in 0..<300 {
            let features = (0..<FrontEnd.channels).map { UInt16(($0 * 37 + n * 11) % 700) }
            let (x, y) = features.withUnsafeBufferPointer { (a.step($0.baseAddress!), b.step($0.baseAddress!)) }
            #expect(x == y)
        }
    }

    @Test func whatIsNotWholeOrOfAnotherBuildIsRefused() throws {
        let bytes = PreparedModel(try ModelPlan(try #require(ModelFiles.wakeWord("okay_nabu")))).serialized()
        for count in [0, 3, 51, 52, bytes.count - 1] { #expect(PreparedModel(parsing: bytes[..<count]) == nil) }
        #expect(PreparedModel(parsing: (bytes + [0])[...]) == nil)
        // Each number of the head, wrong.
        for word in 0..<13 {
            for value: Int32 in [-1, .max] {
                var wrong = bytes
                withUnsafeBytes(of: value) { for i in 0..<4 { wrong[4 * word + i] = $0[i] } }
                // How much work it is decides nothing.
                if word != 4 || value < 0 { #expect(PreparedModel(parsing: wrong[...]) == nil, "\(word)") }
            }
        }
    }
}

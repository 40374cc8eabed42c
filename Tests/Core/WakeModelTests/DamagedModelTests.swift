import Testing

@testable import WakeModel

/// Files that are cut off, changed, or ask for what is not there: each is refused with its reason, none does harm.
@Suite struct DamagedModelTests {
    private func refusal(_ file: [UInt8]) -> ModelError? {
        do throws(ModelError) {
            _ = try ModelPlan(file)
            return nil
        } catch { return error }
    }

    @Test func whatIsNoModelIsRefused() {
        #expect(refusal([])?.description == "the file is no TensorFlow Lite model")
        #expect(refusal([UInt8](repeating: 0xff, count: 64))?.kind == .damaged)
        #expect(refusal([UInt8](repeating: 0, count: ModelLimits.fileBytes + 1))?.kind == .tooLarge)
    }

    @Test(arguments: ["conv-ties", "dw5-ties", "fc-ties", "var-ties", "sl3-ties", "mean12-ties", "cat-ties"])
    func aFileThatIsCutOffIsRefused(_ name: String) throws {
        let file = try ModelFiles.ofOperator(name)
        for length in 0..<file.count - 16 { #expect(refusal(Array(file[..<length])) != nil, "\(length) bytes") }
    }

    @Test(arguments: ReferenceOperators.hashes.map { $0.name }.filter { $0.hasSuffix("-ties") })
    func aFileWithAChangedByteIsRefusedOrRuns(_ name: String) throws {
        let file = try ModelFiles.ofOperator(name)
        var random = Random(state: 77)
        for _ in 0..<1_500 {
            var changed = file
            for _ in 0...random.below(3) { changed[random.below(file.count)] = UInt8(random.below(256)) }
            guard let plan = try? ModelPlan(changed) else { continue }
            #expect(plan.memoryBytes <= ModelLimits.memoryBytes && plan.work <= ModelLimits.workUnits)
            var model = StreamingModel(plan)
            let input = [UInt8](repeating: 0x55, count: plan.rows * FrontEnd.channels)
            _ = model.run(input)
        }
    }

    @Test func anOperatorThatIsNotKnownIsNamed() throws {
        let file = try ModelFiles.ofOperator("log-ties")
        // The code is there twice, as a byte and as a number of its own: 14, LOGISTIC, becomes 25, SOFTMAX.
        let places = file.indices.filter { file[$0] == 14 }
        var found: Set<String> = []
        for first in places {
            for second in places {
                var changed = file
                changed[first] = 25
                changed[second] = 25
                if let error = refusal(changed) { found.insert(error.description) }
            }
        }
        #expect(
            found.contains(
                "the model cannot be run here: operator 0 has TensorFlow Lite's code 25, which is not known"))
    }

    @Test func anOutputThatNothingMakesIsRefused() throws {
        // The first bytes that say which tensor is the result of the graph, and of its only operator.
        let file = try ModelFiles.ofOperator("log-ties")
        var kinds: Set<String> = []
        for i in file.indices where file[i] == 1 {
            var changed = file
            changed[i] = 0
            if let error = refusal(changed) { kinds.insert(error.description) }
        }
        #expect(kinds.contains("the model cannot be run here: operator 0 (LOGISTIC): tensor 0 is made twice"))
    }
}

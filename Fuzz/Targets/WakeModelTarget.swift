import WakeModel
import WakeWord

/// A wake word model: refused with a reason, or loaded in the memory that was said, and run.
func fuzzWakeModel(_ bytes: UnsafeRawBufferPointer) {
    do throws(ModelError) {
        let plan = try ModelPlan(bytes)
        trace("accepted: \(plan.rows) rows, \(plan.memoryBytes) bytes, \(plan.work) units of work")
        promise(plan.memoryBytes <= ModelLimits.memoryBytes, "a model of \(plan.memoryBytes) bytes")
        promise(plan.work <= ModelLimits.workUnits, "\(plan.work) units of work")
        var model = StreamingModel(plan)
        let first = outputs(&model)
        model.reset()
        promise(outputs(&model) == first, "a reset leaves something of the past")
    } catch {
        trace(error.description)
        promise(!error.description.isEmpty, "a refusal without a reason")
    }
}

/// A manifest: refused with a reason, or within its bounds.
func fuzzWakeManifest(_ bytes: UnsafeRawBufferPointer) {
    do throws(WakeManifestError) {
        let manifest = try WakeManifest(parsing: [UInt8](bytes))
        trace("accepted: \(manifest.phrase), \(manifest.modelFile), \(manifest.cutoff)")
        promise((0...1).contains(manifest.cutoff), "a cutoff of \(manifest.cutoff)")
        promise((1...WakeManifest.longestWindow).contains(manifest.window), "a window of \(manifest.window)")
        promise(WakeManifest.isName(manifest.modelFile), "a model's file that is elsewhere")
    } catch {
        trace(error.description)
        promise(!error.description.isEmpty, "a refusal without a reason")
    }
}

/// What the model says to rows that differ.
private func outputs(_ model: inout StreamingModel) -> [UInt8] {
    var found: [UInt8] = []
    for row in 0..<min(3 * model.rows, 64) {
        let features = (0..<FrontEnd.channels).map { UInt16(truncatingIfNeeded: row * 97 + $0 * 31) % 700 }
        if let output = model.step(features) { found.append(output) }
    }
    return found
}

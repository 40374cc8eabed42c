import Foundation
import Simulator

/// Many seeds on all cores.
final class Campaign: @unchecked Sendable {  // Sound: what its threads share is under the lock.
    private let options: Options
    private let lock = NSLock()
    // Under the lock.
    private var next: UInt64
    private var isExhausted = false
    private var faults = 0
    private var violations = 0
    private var worst: Int32 = 0

    init(_ options: Options) {
        self.options = options
        next = options.seeds.lowerBound
    }

    /// - Returns: the exit status.
    func run() -> Int32 {
        let start = Date()
        let jobs = min(options.jobs ?? ProcessInfo.processInfo.activeProcessorCount, options.seeds.count)
        let group = DispatchGroup()
        for _ in 0..<jobs {
            group.enter()
            Thread.detachNewThread { [self] in
                let worker = Worker()
                while let seed = takeSeed() {
                    var plan = options.plan
                    plan.seed = seed
                    record(plan, worker.run(plan))
                }
                worker.stop()
                group.leave()
            }
        }
        group.wait()
        let hours = Double(options.seeds.count * options.plan.seconds) / 3600
        let text = hours == hours.rounded() ? "\(Int(hours))" : String(format: "%.1f", hours)
        let speed = hours / max(0.001, Date().timeIntervalSince(start))
        print(String(format: "%.2f simulated hours a second", speed))
        print("seeds=\(options.seeds.count) simulated_hours=\(text) faults=\(faults) violations=\(violations)")
        return worst
    }

    private func takeSeed() -> UInt64? {
        lock.withLock {
            if isExhausted { return nil }
            defer { next += 1 }
            isExhausted = next == options.seeds.upperBound
            return next
        }
    }

    private func record(_ plan: Plan, _ answer: Answer) {
        lock.withLock {
            faults += answer.faults
            if answer.isClean { return }
            violations += 1
            // A trap beats what must not happen, which beats what had to.
            let order: [Int32] = [0, 128, 129, 127]
            if order.firstIndex(of: answer.status)! > order.firstIndex(of: worst)! { worst = answer.status }
            print("seed \(plan.seed): \(answer.crash.map { "crash: \($0)" } ?? answer.line ?? "")")
            print("    pucksim replay --trace \(plan.arguments)")
        }
    }
}

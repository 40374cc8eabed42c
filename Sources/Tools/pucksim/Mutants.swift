#if MUTATIONS
    import Foundation
    import PuckBase
    import Simulator

    /// Shows that the checkers can fail: every deliberate bug has to be caught within so many seeds.
    final class Mutants: @unchecked Sendable {  // Sound: what its threads share is under the lock.
        static let mostSeeds: UInt64 = 200

        private let options: Options
        private let lock = NSLock()
        // Under the lock.
        private var waiting = Mutation.allCases[...]
        private var missed = 0

        init(_ options: Options) {
            self.options = options
            if let only = options.plan.mutation { waiting = [only] }
        }

        /// - Returns: the exit status: 1 when one was not caught.
        func run() -> Int32 {
            let count = waiting.count
            let jobs = min(options.jobs ?? ProcessInfo.processInfo.activeProcessorCount, count)
            let group = DispatchGroup()
            for _ in 0..<jobs {
                group.enter()
                Thread.detachNewThread { [self] in
                    let worker = Worker()
                    while let mutation = lock.withLock({ waiting.popFirst() }) { hunt(mutation, worker) }
                    worker.stop()
                    group.leave()
                }
            }
            group.wait()
            say("mutants=\(count) caught=\(count - missed)")
            return missed == 0 ? 0 : 1
        }

        /// At once, also into a pipe: this takes minutes.
        private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

        private func hunt(_ mutation: Mutation, _ worker: Worker) {
            for seed in 1...Self.mostSeeds {
                var plan = options.plan
                plan.seed = seed
                plan.mutation = mutation
                let answer = worker.run(plan)
                if answer.isClean { continue }
                return lock.withLock {
                    say("\(mutation.rawValue): seed \(seed), \(answer.line ?? answer.crash ?? "")")
                }
            }
            lock.withLock {
                missed += 1
                say("\(mutation.rawValue): NOT CAUGHT within \(Self.mostSeeds) seeds")
            }
        }
    }
#endif

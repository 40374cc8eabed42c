import Foundation
import Simulator

@main
struct Command {
    static func main() {
        // A worker that trapped closes its end of the pipe.
        signal(SIGPIPE, SIG_IGN)
        if CommandLine.arguments.dropFirst().first == "worker" { return Worker.serve() }
        let options: Options
        do throws(Options.Misuse) {
            options = try Options(arguments: Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("pucksim: \(error.message)\n".utf8))
            exit(2)
        }
        if options.wantsHelp {
            print(Options.help, terminator: "")
            return
        }
        switch options.command {
        case .run: exit(Campaign(options).run())
        case .replay: exit(replay(options))
        case .shrink: exit(shrink(options))
        case .worker: break
        #if MUTATIONS
            case .mutants: exit(Mutants(options).run())
        #endif
        }
    }

    /// In this process, so that a debugger and a trap show the place.
    private static func replay(_ options: Options) -> Int32 {
        let outcome = House(options.plan, trace: options.isTraced ? { print($0) } : nil).run()
        let answer = Answer(outcome)
        if let line = answer.line { print("seed \(options.plan.seed): \(line)") }
        let counts = outcome.counts
        print(
            "connections=\(counts.connections) candidates=\(counts.candidates) grants=\(counts.grants)"
                + " runners_up=\(counts.runnersUp) failed_turns=\(counts.failedTurns)"
                + " heard_packets=\(counts.heardPackets) answers=\(counts.answers)"
                + " played_packets=\(counts.playedPackets) whole_plays=\(counts.completePlays)"
                + " resumed_plays=\(counts.resumedPlays) plays=\(counts.plays) paused_plays=\(counts.pausedPlays)"
                + " replays=\(counts.replays) resumed_utterances=\(counts.resumedUtterances) outages=\(counts.outages) forgeries=\(counts.forgeries)"
                + " replaced_tokens=\(counts.replacedTokens) failed_writes=\(counts.failedWrites)"
                + " television_seconds=\(counts.televisionSeconds) false_turns=\(counts.falseTurns)"
        )
        let violations = answer.isClean ? 0 : 1
        let hash = String(outcome.hash, radix: 16)
        print("seed=\(options.plan.seed) hash=\(hash) faults=\(outcome.faults) violations=\(violations)")
        return answer.status
    }

    private static func shrink(_ options: Options) -> Int32 {
        let worker = Worker()
        defer { worker.stop() }
        var last = Answer(crash: "")
        // A trap is its own kind of violation, and counts as the machines' own.
        func trial(_ plan: Plan) -> Checker? {
            let answer = worker.run(plan)
            if !answer.isClean { last = answer }
            return answer.crash != nil ? .spin : answer.checker.flatMap { Checker(rawValue: $0) }
        }
        guard var shrinker = Shrinker(options.plan, report: { print($0) }, trial: trial) else {
            print("seed \(options.plan.seed) runs clean: there is nothing to shrink")
            return 0
        }
        shrinker.run()
        print("after \(shrinker.trials) trials: \(last.line ?? last.crash ?? "")")
        print("pucksim replay --trace \(shrinker.plan.arguments)")
        return last.status
    }
}

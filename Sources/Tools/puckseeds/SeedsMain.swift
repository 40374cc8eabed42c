import CLinux
import LinuxIO
import Simulator

/// The command `puckseeds`: runs a house for each of a row of seeds and prints the number of its trace. It is built for
/// the boards too: there, a seed has to give the same number (`cross/test`).
@main
struct Command {
    static func main() { exit(run()) }

    /// 0: all were clean; 1: one was not; 64: not understood (sysexits.h).
    private static func run() -> Int32 {
        let words = (try? commandLineWords()) ?? []
        guard words.count == 3, let first = UInt64(words[0]), let last = UInt64(words[1]), first <= last,
            let seconds = Int(words[2]), (Plan.leastSeconds...86_400).contains(seconds)
        else {
            print("usage: puckseeds FIRST LAST SECONDS    seconds of each house, \(Plan.leastSeconds) to 86400")
            return 64
        }
        var status: Int32 = 0
        for seed in first...last {
            let plan = Plan(seed: seed, seconds: seconds)
            let outcome = House(plan).run()
            print("seed \(seed) hash \(String(outcome.hash, radix: 16)) faults \(outcome.faults)")
            if let violation = outcome.violation {
                print("seed \(seed): \(violation.line)")
                status = 1
            }
        }
        return status
    }
}

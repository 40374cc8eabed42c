import Foundation

/// What `make bench-arbitration` and `make bench` measure of arbitration; Benchmarks/arbitration drives it. Not shipped.
@main
enum Command {
    static func main() {
        switch Array(CommandLine.arguments.dropFirst()) {
        case ["detect"]: Detection.run()
        case let words where words.count == 2 && words[0] == "decide": Decisions.run(words[1])
        case ["speed"]: Speed.run()
        default: fail("usage: puckarbiter detect <RECORDINGS | decide CASES | speed")
        }
    }
}

func fail(_ why: String) -> Never {
    FileHandle.standardError.write(Data("puckarbiter: \(why)\n".utf8))
    exit(2)
}

import Simulator

#if MUTATIONS
    import PuckBase
#endif

/// What `pucksim` was asked for.
struct Options: Equatable {
    enum Command: String {
        case run, replay, shrink, worker
        #if MUTATIONS
            case mutants
        #endif
    }

    var command = Command.run
    var seeds: ClosedRange<UInt64> = 1...100
    var plan = Plan(seed: 1)
    var isTraced = false
    var jobs: Int?
    var wantsHelp = false

    /// What the person has to correct.
    struct Misuse: Error, Equatable {
        var message: String
    }

    init() {}

    init(arguments: [String]) throws(Misuse) {
        var rest = arguments[...]
        guard let first = rest.popFirst() else { throw Misuse(message: "what shall it do? Try --help") }
        if first == "--help" || first == "-h" {
            wantsHelp = true
            return
        }
        guard let command = Command(rawValue: first) else {
            throw Misuse(message: "there is no command \"\(first)\": run, replay or shrink; try --help")
        }
        self.command = command
        var seed: UInt64?
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let option = String(parts[0])
            func value() throws(Misuse) -> String {
                if parts.count == 2 { return String(parts[1]) }
                guard let next = rest.popFirst() else { throw Misuse(message: "\(option) needs a value; try --help") }
                return next
            }
            switch option {
            case "--help", "-h": wantsHelp = true
            case "--trace": isTraced = true
            case "--seed": seed = UInt64(try Self.number(option, value(), 0...Int.max))
            case "--seeds": seeds = try Self.range(value())
            case "--jobs": jobs = try Self.number(option, value(), 1...256)
            default: try setPlan(option, value())
            }
        }
        if let seed {
            plan.seed = seed
        } else if command == .replay || command == .shrink, !wantsHelp {
            throw Misuse(message: "\(command.rawValue) needs --seed")
        }
    }

    private mutating func setPlan(_ option: String, _ value: String) throws(Misuse) {
        switch option {
        case "--pucks": plan.pucks = try Self.number(option, value, 1...12)
        case "--minutes": plan.seconds = try 60 * Self.number(option, value, (Plan.leastSeconds + 59) / 60...10_000)
        case "--seconds": plan.seconds = try Self.number(option, value, Plan.leastSeconds...600_000)
        case "--without-pucks": plan.absentPucks = try Self.list(option, value)
        case "--faults": plan.keptFaults = try Self.list(option, value)
        case "--acts": plan.keptActs = try Self.list(option, value)
        case "--without":
            for name in value.split(separator: ",") {
                guard let kind = FaultKind(rawValue: String(name)) else {
                    let known = FaultKind.allCases.map { $0.rawValue }.joined(separator: " ")
                    throw Misuse(message: "\(name) is no kind of fault; known are \(known)")
                }
                plan.absentKinds.insert(kind)
            }
        #if MUTATIONS
            case "--mutation":
                guard let mutation = Mutation(rawValue: value) else {
                    throw Misuse(message: "\(value) is no mutation")
                }
                plan.mutation = mutation
        #endif
        default: throw Misuse(message: "pucksim does not know \(option); try --help")
        }
    }

    private static func number(_ option: String, _ text: String, _ range: ClosedRange<Int>) throws(Misuse) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw Misuse(message: "\(option) takes a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func list(_ option: String, _ text: String) throws(Misuse) -> Set<Int> {
        var list: Set<Int> = []
        for part in text.split(separator: ",") where part != "none" {
            list.insert(try number(option, String(part), 0...1_000_000))
        }
        return list
    }

    private static func range(_ text: String) throws(Misuse) -> ClosedRange<UInt64> {
        let ends = text.split(separator: "-").map { UInt64($0) }
        let isWhole = text.first != "-" && text.last != "-" && ends.count <= 2
        guard isWhole, let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last, last < Int.max else {
            throw Misuse(message: "--seeds takes one seed or two, below 2^63, like 1-500")
        }
        return first...last
    }

    static let help = """
        usage: pucksim run    [--seeds A-B] [--pucks N] [--minutes N] [--jobs N]
               pucksim replay --seed N [--trace] [what the run had]
               pucksim shrink --seed N [what the run had]

        A house of pucks and their hub under virtual time: the same state machines as in puckd and puckhub, a network
        and devices with faults, people who talk, and checkers that watch. A seed decides everything.

          run       every seed, in processes of their own; one line for each that goes wrong, and at last
                    seeds=… simulated_hours=… faults=… violations=…
          replay    one seed; with --trace a line for everything that happens
          shrink    leaves out of a failing seed whatever it does not need, and says how to replay what is left

          --seeds A-B    seeds to run                          (default: 1-100)
          --seed N       the one seed
          --pucks N      1…12                                  (default: 5)
          --minutes N    of the house's time; or --seconds N   (default: 30)
          --jobs N       processes                             (default: one a core)
          --trace        say what happens: time, who, what

        To leave things out, as shrink does; numbers are those in the trace:
          --without KIND,KIND    kinds of faults        --without-pucks 0,3
          --faults 3,17 | none   only these faults      --acts 2,5 | none     only these acts

        Exit status: 0 clean, 127 something trapped, 128 something that had to happen did not, 129 something happened
        that must not, 2 wrong usage.

        """
}

extension Plan {
    /// The options that ask for this plan.
    var arguments: String {
        var text = "--seed \(seed) --pucks \(pucks) --seconds \(seconds)"
        func list(_ numbers: Set<Int>) -> String {
            numbers.isEmpty ? "none" : numbers.sorted().map { "\($0)" }.joined(separator: ",")
        }
        #if MUTATIONS
            if let mutation { text += " --mutation \(mutation.rawValue)" }
        #endif
        if !absentPucks.isEmpty { text += " --without-pucks \(list(absentPucks))" }
        if !absentKinds.isEmpty {
            text += " --without \(absentKinds.map { $0.rawValue }.sorted().joined(separator: ","))"
        }
        if let keptFaults { text += " --faults \(list(keptFaults))" }
        if let keptActs { text += " --acts \(list(keptActs))" }
        return text
    }
}

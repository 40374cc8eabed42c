/// Makes a failing run small: leaves out kinds of faults, pucks, single faults and single acts as long as the same
/// checker still objects, and shortens what remains.
///
/// Works on plans only, so that the caller decides how to run one (in a process of its own when it might trap).
public struct Shrinker {
    /// Nil when the plan runs clean; what a crash counts as is the caller's choice, as long as it is always the same.
    public typealias Trial = (Plan) -> Checker?

    private let trial: Trial
    private let report: (String) -> Void
    private let checker: Checker
    public private(set) var plan: Plan
    public private(set) var trials = 0

    /// Nil when `plan` runs clean.
    public init?(_ plan: Plan, report: @escaping (String) -> Void = { _ in }, trial: @escaping Trial) {
        guard let checker = trial(plan) else { return nil }
        self.checker = checker
        self.plan = plan
        self.trial = trial
        self.report = report
    }

    public mutating func run() {
        nameEverything()
        var before: Plan
        // Each round leaves something out or is the last; what can be left out is finite.
        repeat {
            before = plan
            shorten()
            dropPucks()
            dropFaults()
            dropActs()
        } while plan != before
    }

    /// From "all" to lists, which can be cut.
    private mutating func nameEverything() {
        let scenario = Scenario(plan)
        plan.keptFaults = Set(scenario.faults.map { $0.ordinal })
        plan.keptActs = Set(scenario.acts.map { $0.ordinal })
        for kind in FaultKind.allCases where scenario.faults.contains(where: { $0.kind == kind }) {
            var smaller = plan
            let ordinals = scenario.faults.filter { $0.kind == kind }.map { $0.ordinal }
            smaller.keptFaults?.subtract(ordinals)
            accept(smaller, "without \(kind.rawValue)")
        }
    }

    @discardableResult
    private mutating func accept(_ smaller: Plan, _ what: String) -> Bool {
        if smaller == plan { return false }
        trials += 1
        guard trial(smaller) == checker else { return false }
        plan = smaller
        report("\(what): \(plan.keptFaults?.count ?? 0) faults, \(plan.keptActs?.count ?? 0) acts left")
        return true
    }

    private mutating func shorten() {
        var step = (plan.seconds - Plan.leastSeconds) / 2
        while step > 0 {
            var smaller = plan
            smaller.seconds -= step
            if !accept(smaller, "\(smaller.seconds) s") { step /= 2 }
            step = min(step, plan.seconds - Plan.leastSeconds)
        }
    }

    private mutating func dropPucks() {
        for puck in 0..<plan.pucks where !plan.absentPucks.contains(puck) {
            if plan.absentPucks.count == plan.pucks - 1 { return }
            var smaller = plan
            smaller.absentPucks.insert(puck)
            accept(smaller, "without puck \(puck)")
        }
    }

    private mutating func dropFaults() {
        // Those that this plan no longer reaches are gone without a trial that could fail.
        let reached = Set(Scenario(plan).faults.map { $0.ordinal })
        plan.keptFaults?.formIntersection(reached)
        drop("fault", { $0.keptFaults }, { $0.keptFaults?.subtract($1) })
    }

    private mutating func dropActs() {
        let reached = Set(Scenario(plan).acts.map { $0.ordinal })
        plan.keptActs?.formIntersection(reached)
        drop("act", { $0.keptActs }, { $0.keptActs?.subtract($1) })
    }

    /// Halves, quarters … single ones.
    private mutating func drop(
        _ name: String, _ list: (Plan) -> Set<Int>?, _ remove: (inout Plan, ArraySlice<Int>) -> Void
    ) {
        var size = max(1, (list(plan)?.count ?? 0) / 2)
        while true {
            let members = (list(plan) ?? []).sorted()
            var start = 0
            while start < members.count {
                let chunk = members[start..<min(members.count, start + size)]
                var smaller = plan
                remove(&smaller, chunk)
                accept(smaller, "without \(chunk.count) \(name)s")
                start += size
            }
            if size == 1 { return }
            size = max(1, size / 2)
        }
    }
}

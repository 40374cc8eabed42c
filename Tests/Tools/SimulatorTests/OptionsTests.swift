import Simulator
import Testing

@testable import pucksim

@Suite("pucksim's command line")
struct OptionsTests {
    @Test("a plan survives being written as options and read again")
    func roundTrip() throws {
        var plan = Plan(seed: 77, pucks: 3, seconds: 500)
        plan.absentPucks = [0, 2]
        plan.absentKinds = [.halfOpen, .stall]
        plan.keptFaults = [3, 17]
        plan.keptActs = []
        let options = try Options(arguments: ["replay"] + plan.arguments.split(separator: " ").map(String.init))
        #expect(options.plan == plan)
        #expect(options.command == .replay)
    }

    @Test("the run of the issue is understood")
    func run() throws {
        let options = try Options(arguments: ["run", "--seeds", "1-500", "--pucks", "5", "--minutes=30"])
        #expect(options.seeds == 1...500)
        #expect(options.plan.pucks == 5)
        #expect(options.plan.seconds == 1800)
    }

    @Test(
        "what makes no sense is refused with advice",
        arguments: [
            [], ["walk"], ["replay"], ["run", "--pucks", "0"], ["run", "--seeds", "9-2"], ["run", "--seeds", "x"],
            ["run", "--minutes"], ["run", "--minutes", "1"], ["run", "--without", "rain"], ["run", "--fast"],
        ])
    func misuse(arguments: [String]) {
        #expect(throws: Options.Misuse.self) { try Options(arguments: arguments) }
    }
}

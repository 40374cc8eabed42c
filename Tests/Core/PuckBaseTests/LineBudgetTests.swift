import PuckBase
import Testing

@Suite("How often a kind of line is logged")
struct LineBudgetTests {
    @Test("ten lines in a row are logged, then one in ten minutes, which says how many were left out")
    func burst() {
        var budget = LineBudget()
        for second in 0..<10 { #expect(budget.take(now: Instant.zero + .seconds(second)) == 0) }
        let start = Instant.zero
        for second in 10..<600 { #expect(budget.take(now: start + .seconds(second)) == nil) }
        #expect(budget.take(now: start + .seconds(600)) == 590)
        #expect(budget.take(now: start + .seconds(601)) == nil)
        #expect(budget.take(now: start + .seconds(1200)) == 1)
    }

    @Test("a year of failures every 30 s is at most one line in ten minutes, after the first ten")
    func year() {
        var budget = LineBudget()
        var logged = 0
        let attempts = 365 * 24 * 120
        for attempt in 0..<attempts where budget.take(now: Instant.zero + .seconds(30 * attempt)) != nil {
            logged += 1
        }
        #expect(logged <= LineBudget.burst + 365 * 24 * 6)
    }

    @Test("after a quiet time all ten are there again")
    func quiet() {
        var budget = LineBudget()
        let start = Instant.zero
        for _ in 0..<20 { _ = budget.take(now: start) }
        let later = start + .seconds(6000)
        for line in 0..<10 { #expect(budget.take(now: later) == (line == 0 ? 10 : 0)) }
        #expect(budget.take(now: later) == nil)
    }
}

import PuckBase
import Testing

@Suite("Calendar dates")
struct CalendarDateTests {
    @Test(
        "are the Gregorian calendar's, from the first that a token can have to the last",
        arguments: [
            (0, "1970-01-01"), (86_399, "1970-01-01"), (951_782_400, "2000-02-29"), (4_107_542_400, "2100-03-01"),
            (1_767_225_599, "2025-12-31"), (253_402_300_799, "9999-12-31"),
        ] as [(Int64, String)])
    func dates(_ unixSeconds: Int64, _ date: String) {
        #expect(calendarDate(unixSeconds: unixSeconds) == date)
    }
}

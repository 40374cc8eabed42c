import Testing

@testable import HubRuntime

@Suite("Responders")
struct ResponderTests {
    @Test("an echo lasts two minutes at most, and is faded where it was cut")
    func longEcho() {
        let limit = Responder.longestAnswerSamples
        for length in [limit - 1, limit, limit + 1, 3 * limit] {
            let answer = Responder.echo.answer(to: [Int16](repeating: 1000, count: length)) ?? []
            #expect(answer.count == min(length, limit))
            #expect(answer.first == 0 && answer.last == 0 && answer[answer.count / 2] == 1000)
        }
    }
}

import Testing

/// Tests of processes wait more than they work, so several run at a time; each starts up to four programs, so not all.
/// Give a suite the trait `.fewAtATime`.
struct FewAtATime: SuiteTrait, TestTrait, TestScoping {
    /// Two cores serve so many conversations in real time, in debug builds.
    static let places = 6

    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Places.shared.take()
        do {
            try await function()
        } catch {
            await Places.shared.giveBack()
            throw error
        }
        await Places.shared.giveBack()
    }
}

extension Trait where Self == FewAtATime {
    static var fewAtATime: Self { Self() }
}

private actor Places {
    static let shared = Places()

    private var free = FewAtATime.places
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if free > 0 {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func giveBack() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

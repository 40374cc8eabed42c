import PuckBase

/// Who answers, and who makes what was asked for: late or at once, at length or not at all, faster or slower than it is
/// played. Keeps packets until the hub lets them go.
struct SimulatedResponder {
    enum Progress {
        /// The bytes of each packet that is new, and how many there are now.
        case produced([UInt16], count: Int, isComplete: Bool)
        case failed
    }

    private struct Answer {
        var playID: UInt32
        var produced = 0
        var total: Int
        var slice: Int
        var firstPause: Interval
        var pause: Interval
        var failsAfter: Int?
        var packetBytes: Int
        var hasBegun = false
    }

    /// What a probe is answered with.
    static let promptPackets = 25

    private let setup: Scenario.ResponderSetup
    private let seed: UInt64
    /// By number; nil once forgotten.
    private var answers: [Answer?] = []
    private var plays: [UInt32: Int] = [:]
    /// Probes and their pucks get a short answer at once.
    var isPrompt = false

    init(_ scenario: Scenario) {
        setup = scenario.responder
        seed = scenario.plan.seed
    }

    /// - Parameter request: nil for an answer.
    /// - Returns: the answer's number in this run.
    mutating func begin(playID: UInt32, request: PlayRequest?) -> Int {
        let number = answers.count
        var random = RandomStream(seed: seed, .responder, number)
        var answer = Answer(
            playID: playID, total: 0, slice: random.pick([1, 5, 25, 25, 100]),
            firstPause: random.logSeconds(0.05, 4), pause: .zero, packetBytes: random.int(setup.packetBytes))
        var seconds = random.logBetween(0.1, setup.longestAnswerSeconds)
        if let request { seconds = Double(request.packets) / 50 }
        answer.total = max(1, Int(seconds * 50))
        // From three times slower than the loudspeaker to fifty times faster; never so slow that it takes for ever.
        let speed = max(random.logBetween(0.3, 50), seconds / 40)
        answer.pause = .seconds(exactly: Double(answer.slice) * 0.02 / speed)
        if random.chance(setup.nothingChance), request == nil { answer.total = 0 }
        if random.chance(setup.failureChance) { answer.failsAfter = random.int(0...answer.total) }
        if isPrompt {
            answer.total = Self.promptPackets
            answer.slice = Self.promptPackets
            answer.firstPause = .milliseconds(50)
            answer.failsAfter = nil
        }
        answers.append(answer)
        plays[playID] = number
        return number
    }

    /// Until the answer's next slice.
    func pause(of number: Int) -> Interval {
        guard let answer = answers[number] else { return .zero }
        return answer.hasBegun ? answer.pause : answer.firstPause
    }

    /// Nil for one that is forgotten.
    func playID(of number: Int) -> UInt32? { answers[number]?.playID }

    mutating func advance(_ number: Int) -> Progress {
        guard var answer = answers[number] else { return .failed }
        let before = answer.produced
        answer.hasBegun = true
        answer.produced = min(answer.total, answer.produced + answer.slice)
        answers[number] = answer
        if let limit = answer.failsAfter, answer.produced >= limit { return .failed }
        let sizes = [UInt16](repeating: UInt16(answer.packetBytes), count: answer.produced - before)
        return .produced(sizes, count: answer.produced, isComplete: answer.produced == answer.total)
    }

    func packet(_ index: Int, ofPlay playID: UInt32) -> AnswerPacket {
        guard let number = plays[playID], let answer = answers[number], index < answer.produced else {
            preconditionFailure("an answer that is being sent is kept until the hub forgets it")
        }
        return AnswerPacket(answer: Int32(number), index: Int32(index), bytes: Int32(answer.packetBytes))
    }

    mutating func forget(_ playID: UInt32) {
        guard let number = plays.removeValue(forKey: playID) else {
            preconditionFailure("an answer is forgotten once")
        }
        answers[number] = nil
    }

    /// The process is gone.
    mutating func forgetAll() {
        for i in answers.indices { answers[i] = nil }
        plays = [:]
    }
}

import HubService
import PuckBase
import PuckWire

/// Who answers, and who makes what was asked for: late or at once, at length or not at all, faster or slower than it is
/// played, or it fails.
struct SimulatedResponder {
    /// What a probe is answered with.
    static let promptPackets = 25

    private let setup: Scenario.ResponderSetup
    private let seed: UInt64
    private var pauses: [(first: Interval, other: Interval, hasBegun: Bool)] = []
    /// Probes and their pucks get a short answer at once.
    var isPrompt = false

    init(_ scenario: Scenario) {
        setup = scenario.responder
        seed = scenario.plan.seed
    }

    /// - Parameter request: nil for an answer.
    /// - Returns: its packets. The number is that of the answer in this run.
    mutating func begin(request: PlayRequest?) -> VirtualEncoder {
        let number = pauses.count
        var random = RandomStream(seed: seed, .responder, number)
        var encoder = VirtualEncoder(
            number: number, packetsPerSlice: random.pick([1, 5, 25, 25, 100]), total: 0, packetBytes: 0)
        var firstPause = random.logSeconds(0.05, 4)
        encoder.packetBytes = random.int(setup.packetBytes)
        var seconds = random.logBetween(0.1, setup.longestAnswerSeconds)
        if let request { seconds = Double(request.packets) / 50 }
        encoder.total = max(1, Int(seconds * 50))
        // From three times slower than the loudspeaker to fifty times faster; never so slow that it takes for ever.
        let speed = max(random.logBetween(0.3, 50), seconds / 40)
        let pause = Interval.seconds(exactly: Double(encoder.packetsPerSlice) * 0.02 / speed)
        if random.chance(setup.nothingChance), request == nil { encoder.total = 0 }
        if random.chance(setup.failureChance) { encoder.failsAt = random.int(0...encoder.total) }
        if isPrompt {
            encoder.total = Self.promptPackets
            encoder.packetsPerSlice = Self.promptPackets
            firstPause = .milliseconds(50)
            encoder.failsAt = nil
        }
        pauses.append((firstPause, pause, false))
        return encoder
    }

    /// Until the answer's next slice.
    mutating func pause(of number: Int) -> Interval {
        defer { pauses[number].hasBegun = true }
        return pauses[number].hasBegun ? pauses[number].other : pauses[number].first
    }
}

/// Makes packets that hold their answer's number and their own.
struct VirtualEncoder: AnswerEncoder {
    let number: Int
    var packetsPerSlice: Int
    var total: Int
    var packetBytes: Int
    /// While this packet is made, from 1.
    var failsAt: Int?
    private var made = 0

    init(number: Int, packetsPerSlice: Int, total: Int, packetBytes: Int) {
        self.number = number
        self.packetsPerSlice = packetsPerSlice
        self.total = total
        self.packetBytes = packetBytes
    }

    var isComplete: Bool { made == total }

    mutating func encode(into room: UnsafeMutableRawBufferPointer) -> Int? {
        if let failsAt, made + 1 >= failsAt { return nil }
        let packet = UnsafeMutableRawBufferPointer(rebasing: room[..<packetBytes])
        packet.initializeMemory(as: UInt8.self, repeating: 0)
        VirtualOpus.write(
            AnswerPacket(answer: Int32(number), index: Int32(made), bytes: Int32(packetBytes)), to: packet)
        made += 1
        return packetBytes
    }
}

/// Finds the two numbers again. What it gives as sound is silence.
struct VirtualDecoder: UplinkDecoder {
    let samples = [Int16](repeating: 0, count: WireLimits.samplesPerPacket)

    init?() {}

    mutating func decode(_ packet: UnsafeRawBufferPointer) -> Int? {
        VirtualOpus.sound(packet) == nil ? nil : samples.count
    }
}

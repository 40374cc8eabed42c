import PuckBase

/// A puck's loudspeaker with its queue: 20 ms a packet on the puck's clock, after a playout delay; when the queue runs
/// dry it waits and goes on with the next packet that comes.
struct Loudspeaker {
    static let packet = Interval.milliseconds(20)
    static let reportEvery = Interval.milliseconds(200)

    /// Grows with every play, so that an event for an older one is known as such.
    private(set) var play: Int = 0
    private(set) var isPlaying = false
    private(set) var isFinishing = false
    private var queue = Line<AnswerPacket>()
    private var hasStarted = false
    /// When the packet that is sounding has been heard; nil while nothing sounds.
    private var due: Instant?
    private(set) var heardPackets = 0
    private let delayPackets: Int
    /// When the next report is due, while one is scheduled.
    var reportAt: Instant?

    init(delayPackets: Int) { self.delayPackets = delayPackets }

    var heardSamples: Int64 { Int64(heardPackets) * 320 }
    /// All that will ever come has been heard.
    var isDrained: Bool { isPlaying && isFinishing && queue.isEmpty }

    mutating func begin() {
        play += 1
        isPlaying = true
        isFinishing = false
        queue.removeAll()
        hasStarted = false
        due = nil
        heardPackets = 0
        reportAt = nil
    }

    mutating func enqueue(_ packet: AnswerPacket, now: Instant) {
        if !isPlaying { return }
        queue.append(packet)
        startIfReady(now)
    }

    mutating func finish(now: Instant) {
        isFinishing = true
        startIfReady(now)
    }

    mutating func stop() {
        isPlaying = false
        isFinishing = false
        queue.removeAll()
        due = nil
        reportAt = nil
    }

    private mutating func startIfReady(_ now: Instant) {
        guard due == nil, !queue.isEmpty else { return }
        if !hasStarted, !isFinishing, queue.count < delayPackets { return }
        hasStarted = true
        due = now + Self.packet
    }

    /// The next packet that has been heard by `now`; nil when no further one has.
    mutating func takeHeard(_ now: Instant) -> AnswerPacket? {
        guard let due, due <= now, let packet = queue.popFirst() else { return nil }
        heardPackets += 1
        self.due = queue.isEmpty ? nil : due + Self.packet
        return packet
    }

    /// When the loop wants to hear of it next: a fifth of a second on, or when everything there is has been heard.
    func nextReport(_ now: Instant) -> Instant? {
        guard isPlaying else { return nil }
        guard let due else { return isDrained ? now : nil }
        let all = due + Self.packet * (queue.count - 1)
        return min(now + Self.reportEvery, all)
    }

    /// The device held its breath.
    mutating func delay(by interval: Interval) {
        if let due { self.due = due + interval }
    }
}

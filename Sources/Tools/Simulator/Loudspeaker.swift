import PuckBase

/// One play on its way to the loudspeaker: what is queued of it, and how far it has been heard. 20 ms a packet on the
/// puck's clock.
struct SpeakerLane {
    static let packet = Interval.milliseconds(20)
    static let packetSamples: Int64 = 320

    /// Grows with every play, so that an event for an older one is known as such.
    fileprivate(set) var play = 0
    fileprivate(set) var isPlaying = false
    fileprivate(set) var isFinishing = false
    fileprivate var queue = Line<AnswerPacket>()
    /// Nothing sounds until enough has been collected.
    fileprivate var isCollecting = true
    fileprivate var hasStarted = false
    /// When the packet that is sounding has been heard; nil while nothing sounds.
    fileprivate var due: Instant?
    /// What is still to be heard of a packet in whose middle the play was paused.
    fileprivate var rest: Interval?
    private(set) var heardPackets = 0
    /// It ran dry, and the core does not know yet.
    fileprivate(set) var isStarved = false
    /// When the next report is due, while one is scheduled.
    var reportAt: Instant?

    /// All that will ever come has been heard.
    var isDrained: Bool { isPlaying && isFinishing && queue.isEmpty }

    /// Of the play since its start, pauses left out; the packet that is sounding counts as far as it got.
    func heardSamples(_ now: Instant) -> Int64 {
        let left = due.map { $0 - now } ?? rest ?? Self.packet
        let part = Self.packetSamples - left.nanoseconds / 62_500
        return Int64(heardPackets) * Self.packetSamples + min(max(0, part), Self.packetSamples - 1)
    }

    fileprivate mutating func begin(_ number: Int) {
        self = SpeakerLane()
        play = number
        isPlaying = true
    }

    fileprivate mutating func end() {
        let number = play
        self = SpeakerLane()
        play = number
    }

    fileprivate mutating func startIfReady(_ now: Instant, _ delay: Interval) {
        guard due == nil, !queue.isEmpty else { return }
        if isCollecting, !isFinishing, Self.packet * queue.count < delay { return }
        isCollecting = false
        hasStarted = true
        due = now + (rest ?? Self.packet)
        rest = nil
    }

    fileprivate mutating func takeHeard(_ now: Instant) -> AnswerPacket? {
        guard let due, due <= now, let packet = queue.popFirst() else { return nil }
        heardPackets += 1
        if !queue.isEmpty {
            self.due = due + Self.packet
        } else {
            self.due = nil
            isStarved = !isFinishing
            isCollecting = true
        }
        return packet
    }

    fileprivate mutating func pause(_ now: Instant) {
        if let due { rest = due - now }
        due = nil
        isStarved = false
        reportAt = nil
        if hasStarted { isCollecting = false }
    }
}

/// A puck's loudspeaker with its two lanes, as `SpeakerFeed` has them: what sounds, and what is paused for it.
struct Loudspeaker {
    static let reportEvery = Interval.milliseconds(200)

    private(set) var active = SpeakerLane()
    private(set) var paused = SpeakerLane()
    private var delay = Interval.zero
    private var plays = 0

    var isPlaying: Bool { active.isPlaying }
    var reportAt: Instant? {
        get { active.reportAt }
        set { active.reportAt = newValue }
    }

    mutating func begin(delayMilliseconds: Int) {
        plays += 1
        delay = .milliseconds(delayMilliseconds)
        active.begin(plays)
    }

    mutating func setDelay(milliseconds: Int) { delay = .milliseconds(milliseconds) }

    mutating func enqueue(_ packet: AnswerPacket, now: Instant) {
        if !active.isPlaying { return }
        active.queue.append(packet)
        active.startIfReady(now, delay)
    }

    mutating func finish(now: Instant) {
        active.isFinishing = true
        active.isStarved = false
        active.startIfReady(now, delay)
    }

    mutating func stop() { active.end() }

    mutating func stopAll() {
        active.end()
        paused.end()
    }

    /// The active play keeps its place; what was paused is gone.
    mutating func pause(now: Instant) {
        active.pause(now)
        paused.end()
        swap(&active, &paused)
    }

    /// The paused play goes on where it fell silent; what was active is gone.
    mutating func resume(now: Instant) {
        active.end()
        swap(&active, &paused)
        active.startIfReady(now, delay)
    }

    mutating func dropPaused() { paused.end() }

    /// The next packet that has been heard by `now`; nil when no further one has.
    mutating func takeHeard(_ now: Instant) -> AnswerPacket? { active.takeHeard(now) }

    /// True once for each time that the active play ran dry.
    mutating func takeStarved() -> Bool {
        defer { active.isStarved = false }
        return active.isStarved
    }

    /// When the loop wants to hear of it next: a fifth of a second on, or when everything there is has been heard.
    func nextReport(_ now: Instant) -> Instant? {
        guard active.isPlaying else { return nil }
        guard let due = active.due else { return active.isDrained || active.isStarved ? now : nil }
        let all = due + SpeakerLane.packet * (active.queue.count - 1)
        return min(now + Self.reportEvery, all)
    }

    /// The device held its breath.
    mutating func delay(by interval: Interval) {
        if let due = active.due { active.due = due + interval }
    }
}

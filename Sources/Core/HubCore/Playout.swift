import PuckBase
import PuckWire

/// What one puck plays, what is paused for it, and what waits. The hub decides by category who pre-empts whom; the puck
/// only obeys. Two lanes: `active` sounds, `paused` keeps its place on the puck.
///
///     offered ─▶ active ─ a higher rank comes ─▶ paused ─ the lane is free again ─▶ active
///     offered ─ a higher or equal rank plays ─▶ queued ─▶ active
///     active ─ all heard / stopped / nothing comes / cannot be paused ─▶ ended
///
/// While somebody of the group speaks, the loudspeaker is held: what may come back is paused, and only the answer to that
/// speaker sounds. While nothing is active and nothing holds, nothing is paused or queued.
struct Playout: Sendable {
    enum Outcome: String, Sendable { case done, cancelled, failed }
    struct Ending: Equatable, Sendable {
        var playID: UInt32
        var conversationID: String
        var outcome: Outcome
    }

    private(set) var active: Play?
    private(set) var paused: Play?
    private(set) var queue: [Play] = []
    /// A conversation of the group goes on.
    private(set) var isHeld = false
    /// When the active play is given up: nothing to send for long, or nothing reported as played. Not while away.
    private(set) var deadline: Instant?
    /// Plays that ended since the last `takeEndings`.
    private var endings: [Ending] = []

    var isIdle: Bool { active == nil }

    /// Higher pre-empts lower. Equal ranks queue, except that an answer, filler and music replace their like.
    static func rank(_ category: DownStart.Category) -> Int {
        switch category {
        case .assistantResponse: 5
        case .timer, .reminder: 4
        case .announcement: 3
        case .notification: 2
        case .filler: 1
        case .music: 0
        }
    }

    /// Whether a pre-empted play comes back. An answer that was talked over is stale.
    private static func isResumable(_ category: DownStart.Category) -> Bool {
        switch category {
        case .assistantResponse, .filler: false
        case .timer, .reminder, .announcement, .notification, .music: true
        }
    }

    private static func replacesItsLike(_ category: DownStart.Category) -> Bool {
        switch category {
        case .assistantResponse, .filler, .music: true
        case .timer, .reminder, .announcement, .notification: false
        }
    }

    mutating func takeEndings() -> [Ending] {
        if endings.isEmpty { return [] }
        defer { endings = [] }
        return endings
    }

    func contains(_ playID: UInt32) -> Bool {
        active?.id == playID || paused?.id == playID || queue.contains { $0.id == playID }
    }

    // MARK: What comes and goes

    /// Plays it now, or later. One too many ends at once as failed.
    mutating func offer(
        _ play: Play, stream: inout DownlinkStream, ahead: Int, now: Instant, into effects: inout [HubEffect]
    ) {
        guard let current = active else {
            if isHeld, play.category != .assistantResponse { return enqueue(play, first: false) }
            return start(play, &stream, ahead, now, &effects)
        }
        let replaces = play.category == current.category && Self.replacesItsLike(play.category)
        if replaces || Self.rank(play.category) > Self.rank(current.category) {
            makeWay(replaces: replaces, &stream, now, &effects)
            start(play, &stream, ahead, now, &effects)
        } else {
            enqueue(play, first: false)
        }
    }

    /// Takes the active play off the loudspeaker: paused, put back into the queue, or ended.
    private mutating func makeWay(
        replaces: Bool, _ stream: inout DownlinkStream, _ now: Instant, _ effects: inout [HubEffect]
    ) {
        guard let current = active else { return }
        active = nil
        if !replaces, Self.isResumable(current.category), paused == nil {
            stream.send(.downPause(playID: current.id), now: now, into: &effects)
            paused = current
            return
        }
        silence(current, .cancelled, &stream, now, &effects)
        if !replaces, Self.isResumable(current.category) {
            enqueue(current, first: true)
        } else {
            end(current, .cancelled)
        }
    }

    /// Tells the puck that the active play is over, if it can know of it.
    private func silence(
        _ play: Play, _ reason: HubControl.StopReason, _ stream: inout DownlinkStream, _ now: Instant,
        _ effects: inout [HubEffect]
    ) {
        if stream.recall(play.id) { return }
        stream.send(.downStop(playID: play.id, reason: reason), now: now, into: &effects)
    }

    /// By rank, then in order of arrival; `first` goes before its equals: it has been heard in part.
    private mutating func enqueue(_ play: Play, first: Bool) {
        guard queue.count < HubLimits.queuedPlays else { return end(play, .failed) }
        let rank = Self.rank(play.category)
        let place = queue.firstIndex {
            let other = Self.rank($0.category)
            return first ? other <= rank : other < rank
        }
        queue.insert(play, at: place ?? queue.count)
    }

    /// A clean start, from the first packet that has not been played.
    private mutating func start(
        _ play: Play, _ stream: inout DownlinkStream, _ ahead: Int, _ now: Instant, _ effects: inout [HubEffect]
    ) {
        var play = play
        play.sent = play.played
        play.isStopSent = false
        play.startNumber = stream.sent
        play.soundsSince = now
        play.playedBefore = play.played
        let position = play.played * WireLimits.packetMilliseconds
        stream.send(
            .downStart(
                DownStart(
                    playID: play.id, conversationID: play.conversationID, category: play.category,
                    priority: Self.rank(play.category) * 10, resumedAtMilliseconds: position)),
            now: now, into: &effects)
        active = play
        advance(&stream, ahead, now, &effects)
    }

    /// More packets exist, or no more follow.
    mutating func grow(
        _ playID: UInt32, _ sizes: [UInt16], isComplete: Bool, stream: inout DownlinkStream, ahead: Int, now: Instant,
        into effects: inout [HubEffect]
    ) {
        if active?.id == playID {
            active?.grow(sizes, isComplete: isComplete)
            advance(&stream, ahead, now, &effects)
        } else if paused?.id == playID {
            paused?.grow(sizes, isComplete: isComplete)
        } else if let i = queue.firstIndex(where: { $0.id == playID }) {
            queue[i].grow(sizes, isComplete: isComplete)
        }
    }

    /// What is played draws new packets, so nobody may play faster than time passes.
    /// - Throws: RATE_LIMIT.
    func checkPace(_ report: Played, now: Instant) throws(WireError) {
        guard let play = active, play.id == report.playID else { return }
        let packets = Int64(report.positionMilliseconds / WireLimits.packetMilliseconds)
        guard packets <= play.mostPlayed(by: now) else {
            throw WireError(
                .rateLimit,
                "played.position_ms \(report.positionMilliseconds) of play \(report.playID) is ahead of the clock")
        }
    }

    /// What the puck says about the loudspeaker. A play that the hub no longer has says nothing new.
    /// - Parameter received: messages of the stream that the puck had when it said so.
    mutating func report(
        _ report: Played, received: Int, stream: inout DownlinkStream, ahead: Int, now: Instant,
        into effects: inout [HubEffect]
    ) {
        let position = report.positionMilliseconds
        if var play = active, play.id == report.playID {
            // One that was overtaken by a new start says nothing about it: the packets that it counts come again.
            guard received > play.startNumber else { return }
            let before = play.played
            play.note(heard: position)
            active = play
            if case .ended = report.state {
                active = nil
                // The puck ended it: all was heard, or somebody said stop, or the loudspeaker is gone.
                end(play, play.isHeard && play.isStopSent ? .done : .cancelled)
                if !play.isStopSent {
                    stream.send(.downStop(playID: play.id, reason: .cancelled), now: now, into: &effects)
                }
                return next(&stream, ahead, now, &effects)
            }
            if play.played > before { advance(&stream, ahead, now, &effects) }
        } else if var play = paused, play.id == report.playID {
            guard received > play.startNumber else { return }
            play.note(heard: position)
            paused = play
            if case .ended = report.state {
                paused = nil
                end(play, play.isHeard ? .done : .cancelled)
            }
        } else if let i = queue.firstIndex(where: { $0.id == report.playID }) {
            // It was taken off the loudspeaker; this says where exactly.
            queue[i].note(heard: position)
        }
    }

    /// Ends a play from the hub's side.
    mutating func cancel(
        _ playID: UInt32, _ outcome: Outcome, stream: inout DownlinkStream, ahead: Int, now: Instant,
        into effects: inout [HubEffect]
    ) {
        let reason: HubControl.StopReason = outcome == .failed ? .failed : .cancelled
        if let play = active, play.id == playID {
            active = nil
            end(play, outcome)
            silence(play, reason, &stream, now, &effects)
            next(&stream, ahead, now, &effects)
        } else if let play = paused, play.id == playID {
            paused = nil
            end(play, outcome)
            stream.send(.downStop(playID: playID, reason: reason), now: now, into: &effects)
        } else if let i = queue.firstIndex(where: { $0.id == playID }) {
            end(queue.remove(at: i), outcome)
        }
    }

    /// Somebody speaks: nothing else is to be heard until `release`.
    mutating func hold(stream: inout DownlinkStream, now: Instant, into effects: inout [HubEffect]) {
        isHeld = true
        guard active != nil else { return }
        deadline = nil
        makeWay(replaces: false, &stream, now, &effects)
    }

    /// The conversation is over: what was paused goes on.
    mutating func release(stream: inout DownlinkStream, ahead: Int, now: Instant, into effects: inout [HubEffect]) {
        guard isHeld else { return }
        isHeld = false
        if active == nil { next(&stream, ahead, now, &effects) }
    }

    /// Everything ends without a word: the puck is gone for good.
    mutating func abandon() {
        if let active { end(active, .failed) }
        if let paused { end(paused, .failed) }
        for play in queue { end(play, .failed) }
        active = nil
        paused = nil
        queue = []
        deadline = nil
    }

    // MARK: The link

    mutating func puckLeft() { deadline = nil }

    /// The puck is back and the stream goes on where it was.
    mutating func puckReturned(
        _ stream: inout DownlinkStream, ahead: Int, now: Instant, into effects: inout [HubEffect]
    ) {
        advance(&stream, ahead, now, &effects)
    }

    /// What the puck says of its plays when its stream cannot go on: `restart` follows.
    /// - Parameter received: messages of the present stream that it has; an end that is older than the play's last
    ///   `down_start` says nothing. Nil: none of this stream.
    mutating func greeted(_ plays: [Hello.Play], received: Int?) {
        for told in plays {
            active?.noteGreeting(told)
            paused?.noteGreeting(told)
            for i in queue.indices { queue[i].noteGreeting(told) }
            guard told.hasEnded, let received else { continue }
            if let play = active, play.id == told.playID, received > play.startNumber {
                active = nil
                end(play, play.isHeard ? .done : .cancelled)
            } else if let play = paused, play.id == told.playID, received > play.startNumber {
                paused = nil
                end(play, play.isHeard ? .done : .cancelled)
            }
        }
    }

    /// The puck is back without its stream: what sounded starts again cleanly at the first packet that was not played,
    /// and what was paused waits for its turn.
    mutating func restart(_ stream: inout DownlinkStream, ahead: Int, now: Instant, into effects: inout [HubEffect]) {
        if let play = paused {
            paused = nil
            enqueue(play, first: true)
        }
        guard let play = active else { return next(&stream, ahead, now, &effects) }
        active = nil
        if play.isHeard {
            end(play, .done)
            return next(&stream, ahead, now, &effects)
        }
        start(play, &stream, ahead, now, &effects)
    }

    /// The active play's deadline has come: nothing was reported or nothing was made.
    mutating func giveUp(_ stream: inout DownlinkStream, ahead: Int, now: Instant, into effects: inout [HubEffect]) {
        deadline = nil
        guard let play = active else { return }
        cancel(play.id, .failed, stream: &stream, ahead: ahead, now: now, into: &effects)
    }

    // MARK: Pacing

    /// Sends what the puck has room for: never more than `ahead` packets of a play beyond what was played.
    private mutating func advance(
        _ stream: inout DownlinkStream, _ ahead: Int, _ now: Instant, _ effects: inout [HubEffect]
    ) {
        guard var play = active else { return }
        while play.ahead < ahead, play.sent < play.sizes.count {
            stream.sendAudio(
                playID: play.id, packet: play.sent, byteCount: Int(play.sizes[play.sent]), now: now, into: &effects)
            play.sent += 1
        }
        if play.isComplete, play.sent == play.sizes.count, !play.isStopSent {
            play.isStopSent = true
            stream.send(.downStop(playID: play.id, reason: .done), now: now, into: &effects)
        }
        active = play
        let remaining = Interval.milliseconds(WireLimits.packetMilliseconds) * play.ahead
        let isStarved = !play.isComplete && play.ahead == 0
        deadline =
            stream.connection == nil
            ? nil : now + (isStarved ? HubLimits.answerWithin : remaining + HubLimits.playedSlack)
    }

    /// The loudspeaker is free: the paused play goes on unless something of a higher rank waits.
    private mutating func next(
        _ stream: inout DownlinkStream, _ ahead: Int, _ now: Instant, _ effects: inout [HubEffect]
    ) {
        deadline = nil
        if isHeld { return }
        if var play = paused {
            let waiting = queue.first.map { Self.rank($0.category) } ?? -1
            if Self.rank(play.category) >= waiting {
                paused = nil
                play.soundsSince = now
                play.playedBefore = play.played
                active = play
                stream.send(.downResume(playID: play.id), now: now, into: &effects)
                return advance(&stream, ahead, now, &effects)
            }
        }
        if !queue.isEmpty { start(queue.removeFirst(), &stream, ahead, now, &effects) }
    }

    private mutating func end(_ play: Play, _ outcome: Outcome) {
        endings.append(Ending(playID: play.id, conversationID: play.conversationID, outcome: outcome))
    }
}

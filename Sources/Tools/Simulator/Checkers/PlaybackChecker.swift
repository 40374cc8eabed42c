import PuckBase
import PuckWire

/// 3. What a puck plays of something is, packet by packet, what was produced: in order, nothing left out, nothing twice,
/// across pauses, drops and replays; or it was started again by a clean `down_start`, from the very packet up to which
/// the hub had heard that it was played. What was called done was heard whole.
struct PlaybackChecker {
    private struct Answer {
        var produced = 0
        var isComplete = false
        /// The first packet that no puck has played yet.
        var heard: Int32 = 0
        /// How far the hub knows that it was heard, in packets.
        var reported = 0
        /// The same, without reports from before its last `down_start`.
        var acknowledged = 0
        var startedAs: SerialNumber?
    }
    private struct Play {
        var playID: UInt32
        var answer: Int
        var next: Int32
        var isWhole = false
        /// The puck was told that somebody else has the floor, and that nothing more comes of this.
        var silencedAt: Instant?
    }
    /// Play ids begin anew with each life of the hub.
    private struct Key: Hashable {
        var life: Int
        var playID: UInt32
    }

    private static let aheadPackets = 100
    private static let lanePackets = 125

    private var answers: [Int: Answer] = [:]
    private var numbers: [Key: Int] = [:]
    private var active: [Play?]
    private var paused: [Play?]
    /// The last that a puck heard is that its stream goes on: no reason to give up what is paused.
    private var goesOn: [Bool]
    /// When a puck last gave up what sounded, since nothing came.
    private var stalledAt: [Instant?]
    private var life = 0
    /// When the last welcome without a replay was sent: what starts at that instant starts again.
    private var restartsAt: Instant?
    private var lives: [Int: Int] = [:]
    /// Of which life of the hub each puck hears.
    private var heardLives: [Int]
    /// Of which life of the hub the plays are that each puck has: it says hello to the next one with them.
    private var welcomedLives: [Int]
    /// Which life of the hub gave out a stream.
    private var epochs: [UInt32: Int] = [:]

    init(pucks: Int) {
        active = [Play?](repeating: nil, count: pucks)
        paused = active
        goesOn = [Bool](repeating: false, count: pucks)
        stalledAt = [Instant?](repeating: nil, count: pucks)
        heardLives = [Int](repeating: 0, count: pucks)
        welcomedLives = heardLives
    }

    mutating func watch(_ observation: Observation, _ moment: Moment, _ findings: Findings) {
        switch observation {
        case .hubStarted(let run): life = run
        case .connectionOpened(let connection, _): lives[connection] = life
        case .socketOpened(let puck, let connection): heardLives[puck] = lives[connection] ?? 0
        case .answerWanted(_, let playID, let answer), .playPrepared(_, let playID, _, let answer):
            numbers[Key(life: life, playID: playID)] = answer
            answers[answer] = Answer()
        case .produced(let answer, let count, let isComplete):
            answers[answer]?.produced = count
            answers[answer]?.isComplete = isComplete
        case .hubHeard(_, .played(let played)):
            guard let number = numbers[Key(life: life, playID: played.playID)] else { return }
            let packets = played.positionMilliseconds / WireLimits.packetMilliseconds
            answers[number]!.reported = max(answers[number]!.reported, packets)
            if let startedAs = answers[number]!.startedAs, !played.sequence.isBefore(startedAs) {
                answers[number]!.acknowledged = max(answers[number]!.acknowledged, packets)
            }
        case .hubHeard(_, .hello(let hello)):
            // What another life called by these numbers says nothing.
            for play in hello.plays where hello.resume.map({ epochs[$0.epoch] == life }) ?? false {
                guard let number = numbers[Key(life: life, playID: play.playID)] else { continue }
                let packets = play.positionMilliseconds / WireLimits.packetMilliseconds
                answers[number]!.reported = max(answers[number]!.reported, packets)
            }
        case .hubSent(_, .welcome(let welcome), _):
            epochs[welcome.epoch] = life
            restartsAt = welcome.resume == .replayed ? nil : moment.now
        case .hubSent(_, .downStart(let start), let sequence):
            startSent(start, sequence, isRestart: restartsAt == moment.now, findings)
        case .hubLogged(let record): logged(record, findings)
        case .puckLogged(let puck, let record):
            if record.event.isNamed("play.stalled") { stalledAt[puck] = moment.now }
        case .puckSent(let puck, _, .played(let played)):
            reported(puck, heardLives[puck], played.playID, played.positionMilliseconds, findings)
        case .puckSent(let puck, _, .hello(let hello)):
            for play in hello.plays {
                reported(puck, welcomedLives[puck], play.playID, play.positionMilliseconds, findings)
            }
        case .hubSentAudio(let connection, _, let packet): paced(connection, packet, findings)
        case .puckHeardAudio(let puck, _, _, let packet): queued(puck, packet, findings)
        case .playStarted(let puck, let start): started(puck, start, findings)
        case .played(let puck, let packet): played(puck, packet, moment.now, findings)
        case .puckHeard(let puck, _, let control, _): heard(puck, control, moment.now)
        case .playPaused(let puck):
            paused[puck] = active[puck]
            active[puck] = nil
        case .playResumed(let puck):
            if paused[puck] == nil { findings.report(.playback, puck, "goes on with a play that is not paused") }
            active[puck] = paused[puck]
            paused[puck] = nil
        case .pausedPlayDropped(let puck):
            if stalledAt[puck] == moment.now {
                findings.report(.playback, puck, "drops what is paused since nothing came for what sounds")
            }
            if goesOn[puck] { findings.report(.playback, puck, "drops what is paused when its stream goes on") }
            paused[puck] = nil
        case .personActed, .playbackWorks: for puck in goesOn.indices { goesOn[puck] = false }
        case .socketLost(let puck, _), .socketDropped(let puck): goesOn[puck] = false
        case .playDrained(let puck): drained(puck, findings)
        case .playStopped(let puck): active[puck] = nil
        case .puckEnded(let puck):
            active[puck] = nil
            paused[puck] = nil
        default: break
        }
    }

    private mutating func heard(_ puck: Int, _ control: HubControl, _ now: Instant) {
        goesOn[puck] = false
        switch control {
        case .downStop(let playID, .done): if active[puck]?.playID == playID { active[puck]?.isWhole = true }
        case .welcome(let welcome):
            welcomedLives[puck] = heardLives[puck]
            goesOn[puck] = welcome.resume == .replayed
            if welcome.resume != .replayed, welcome.floor != nil { active[puck]?.silencedAt = now }
        default: break
        }
    }

    /// Pacing: never more than 2 s of one play beyond what was reported as played.
    private func paced(_ connection: Int, _ packet: AnswerPacket, _ findings: Findings) {
        guard let answer = answers[Int(packet.answer)] else { return }
        let ahead = Int(packet.index) + 1 - answer.reported
        if ahead > Self.aheadPackets {
            findings.report(.bounds, nil, "answer \(packet.answer): \(ahead) packets are sent and not played")
        }
    }

    /// What waits for one loudspeaker is never more than 2.5 s.
    private func queued(_ puck: Int, _ packet: AnswerPacket, _ findings: Findings) {
        guard let play = active[puck], play.answer == Int(packet.answer) else { return }
        let waiting = Int(packet.index) + 1 - Int(play.next)
        if waiting > Self.lanePackets { findings.report(.bounds, puck, "\(waiting) packets wait for its loudspeaker") }
    }

    /// A `down_start` that waited, or is replayed, may be older than what the hub knows by now; it is never newer. One
    /// that follows a welcome without replay begins where the last report was.
    private mutating func startSent(
        _ start: DownStart, _ sequence: SerialNumber, isRestart: Bool, _ findings: Findings
    ) {
        let number = numbers[Key(life: life, playID: start.playID)]
        if let number { answers[number]?.startedAs = sequence }
        guard let number, let answer = answers[number] else {
            return findings.report(.playback, nil, "play \(start.playID) is started, which nobody wanted")
        }
        let first = start.resumedAtMilliseconds / WireLimits.packetMilliseconds
        if first > answer.reported {
            findings.report(
                .playback, nil,
                "play \(start.playID) starts at packet \(first), only \(answer.reported) were reported as played")
        }
        if isRestart, first < answer.acknowledged {
            findings.report(
                .playback, nil,
                "play \(start.playID) starts at packet \(first), though \(answer.acknowledged) were reported as played")
        }
    }

    private mutating func drained(_ puck: Int, _ findings: Findings) {
        guard let play = active[puck], let answer = answers[play.answer] else { return }
        active[puck] = nil
        if play.isWhole, answer.isComplete, Int(play.next) != answer.produced {
            findings.report(
                .playback, puck,
                "answer \(play.answer) was called done after \(play.next) of \(answer.produced) packets")
        }
    }

    private mutating func started(_ puck: Int, _ start: DownStart, _ findings: Findings) {
        guard let number = numbers[Key(life: heardLives[puck], playID: start.playID)], let answer = answers[number]
        else { return findings.report(.playback, puck, "plays \(start.playID), which nobody wanted") }
        let first = start.resumedAtMilliseconds / WireLimits.packetMilliseconds
        if first * WireLimits.packetMilliseconds != start.resumedAtMilliseconds {
            findings.report(.playback, puck, "resumed at \(start.resumedAtMilliseconds) ms, between two packets")
        }
        if first > Int(answer.heard) {
            findings.report(
                .playback, puck, "answer \(number) goes on at packet \(first), but only \(answer.heard) were heard")
        }
        active[puck] = Play(playID: start.playID, answer: number, next: Int32(first))
    }

    private mutating func played(_ puck: Int, _ packet: AnswerPacket, _ now: Instant, _ findings: Findings) {
        guard var play = active[puck] else {
            return findings.report(.playback, puck, "packet \(packet.index) of answer \(packet.answer) in no play")
        }
        if Int(packet.answer) != play.answer {
            findings.report(.playback, puck, "answer \(packet.answer) is heard in the play of answer \(play.answer)")
        }
        if packet.index != play.next {
            findings.report(
                .playback, puck, "packet \(packet.index) of answer \(packet.answer) is heard where \(play.next) is next"
            )
        }
        // What had sounded by then is counted when it stops.
        if let silencedAt = play.silencedAt, silencedAt < now {
            findings.report(
                .playback, puck, "packet \(packet.index) of answer \(packet.answer) is heard over somebody else")
        }
        guard let answer = answers[play.answer] else { return }
        if Int(packet.index) >= answer.produced {
            findings.report(.playback, puck, "packet \(packet.index) of answer \(packet.answer) was never produced")
        }
        play.next = packet.index + 1
        active[puck] = play
        answers[play.answer]!.heard = max(answer.heard, play.next)
    }

    /// A puck claims no more than it has heard; a play that it calls ended is not active any more.
    private func reported(_ puck: Int, _ life: Int, _ playID: UInt32, _ milliseconds: Int, _ findings: Findings) {
        guard let number = numbers[Key(life: life, playID: playID)], let answer = answers[number]
        else { return }
        if milliseconds / WireLimits.packetMilliseconds > Int(answer.heard) {
            findings.report(
                .playback, puck,
                "claims \(milliseconds) ms of answer \(number), \(answer.heard) packets were heard")
        }
    }

    private func logged(_ record: LogRecord, _ findings: Findings) {
        guard record.event.isNamed("play.end"), record.value("outcome") == "done",
            let playID = record.value("play_id").flatMap({ UInt32($0) }),
            let number = numbers[Key(life: life, playID: playID)], let answer = answers[number]
        else { return }
        if !answer.isComplete || Int(answer.heard) < answer.produced {
            findings.report(
                .playback, nil, "play \(playID) is done, \(answer.heard) of \(answer.produced) packets were heard")
        }
    }
}

extension LogRecord {
    func value(_ key: StaticString) -> String? { fields.first { $0.key.isNamed(key) }?.value }
}

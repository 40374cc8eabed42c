import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

/// The link breaks and comes back: what goes on, what is said, what is not (FAILURES.md L7, L8, L11, L12, L20–L22).
@Suite("Resume")
struct PuckResumeTests {
    static func welcome(
        _ resume: Welcome.ResumeOutcome, epoch: UInt32 = 7, from: UInt16 = 0, uplinkNext: UInt16? = nil,
        floor: String? = nil
    ) -> HubControl {
        .welcome(
            Welcome(
                session: 2, epoch: epoch, resume: resume, from: SerialNumber(from),
                uplinkNext: uplinkNext.map { SerialNumber($0) }, floor: floor, pingMilliseconds: 5000,
                replayMilliseconds: 30_000))
    }

    static func speak(_ bench: inout Bench, _ packets: Int) -> [PuckEffect] {
        var all: [PuckEffect] = []
        for _ in 0..<packets {
            bench.now = bench.now + .milliseconds(20)
            if let next = bench.puck.nextDeadline, next <= bench.now { all += bench.on(.timePassed) }
            all += bench.on(.packetEncoded(levelDecibels: -20))
        }
        return all
    }

    static func hello(_ effects: [PuckEffect]) -> Hello? {
        effects.sent.lazy.compactMap { if case .hello(let hello) = $0 { hello } else { nil } }.first
    }

    @Test("within the second the utterance goes on: tried every 150 ms, resent from where the hub says, nothing lost")
    func resume() {
        var bench = Bench()
        bench.listen()
        #expect(Self.speak(&bench, 30).packets == Array(0..<30))
        _ = bench.control(.uplinkAck(conversationID: "c1", next: SerialNumber(20)))
        bench.on(.socketClosed(reason: "reset"))
        var attempts = 0
        for _ in 0..<25 {
            let effects = Self.speak(&bench, 1)
            attempts += effects.opens
            if effects.opens > 0, attempts < 3 { bench.on(.socketClosed(reason: "refused")) }
        }
        #expect(attempts == 3, "500 ms, 150 ms each")
        let hello = Self.hello(bench.on(.socketOpened))
        #expect(
            hello?.uplink == Hello.Uplink(conversationID: "c1", first: SerialNumber(20), next: SerialNumber(55)))
        #expect(hello?.resume == Hello.Resume(epoch: 7, sequence: .zero))
        let effects = bench.control(Self.welcome(.replayed, uplinkNext: 25))
        #expect(effects.packets == Array(25..<55))
        #expect(bench.puck.phase == .listening)
        #expect(Self.speak(&bench, 2).packets == [55, 56])
    }

    @Test("hello says how far the plays are: the one that sounds, the paused one, and what ended meanwhile")
    func playsInHello() {
        var bench = Bench()
        bench.connect()
        _ = bench.control(.downStart(DownStart(playID: 4, conversationID: "p-4", category: .music)), 0)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.playbackAdvanced(samples: 160))
        _ = bench.control(.downPause(playID: 4), 2)
        _ = bench.control(
            .downStart(DownStart(playID: 5, conversationID: "c1", resumedAtMilliseconds: 1_000)), 3)
        for sequence in 4..<60 { _ = PlaybackTests.audio(&bench, UInt16(sequence)) }
        bench.on(.socketClosed(reason: "reset"))
        bench.on(.playbackAdvanced(samples: 16_000))
        _ = bench.wait(.seconds(2))
        let sounding = Hello.Play(playID: 5, positionMilliseconds: 2_000, hasEnded: false)
        let paused = Hello.Play(playID: 4, positionMilliseconds: 10, hasEnded: false)
        #expect(Self.hello(bench.on(.socketOpened))?.plays == [sounding, paused])
        bench.on(.socketClosed(reason: "reset"))
        bench.on(.stopRequested)
        _ = bench.wait(.seconds(4))
        let told = Self.hello(bench.on(.socketOpened))?.plays ?? []
        #expect(told.map(\.playID).sorted() == [4, 5] && told.allSatisfy(\.hasEnded))
        // A new stream: nothing of the old one is told again.
        _ = bench.control(Self.welcome(.fresh, epoch: 8))
        bench.on(.socketClosed(reason: "reset"))
        _ = bench.wait(.seconds(5))
        #expect(Self.hello(bench.on(.socketOpened))?.plays == [])
    }

    @Test("an end that came while the link was away is said with the rest")
    func endedMeanwhile() {
        var bench = Bench()
        bench.listen()
        _ = Self.speak(&bench, 20)
        bench.on(.socketClosed(reason: "reset"))
        var all: [PuckEffect] = []
        for _ in 0..<35 { all += bench.on(.packetEncoded(levelDecibels: -70)) }
        #expect(all.sent.isEmpty && all.packets.isEmpty && bench.puck.phase == .thinking)
        _ = bench.wait(.milliseconds(150))
        bench.on(.socketOpened)
        let effects = bench.control(Self.welcome(.replayed, uplinkNext: 20))
        #expect(effects.packets == Array(20..<55))
        #expect(
            effects.sent.contains(
                .uplinkEnd(UplinkEnd(conversationID: "c1", lastSequence: SerialNumber(54), reason: .endpoint))))
    }

    @Test(
        "after the second the speech is lost: said once, and who still speaks is asked for the rest in a new candidate")
    func interrupted() {
        var bench = Bench()
        bench.listen()
        _ = Self.speak(&bench, 30)
        bench.on(.socketClosed(reason: "reset"))
        let lost = Self.speak(&bench, 60)
        #expect(lost.filter { $0 == .playEarcon(.failed) }.count == 1)
        #expect(bench.puck.phase == .idle)
        #expect(bench.puck.window.count <= UplinkWindow.capacity)
        _ = bench.wait(.seconds(2))
        #expect(Self.hello(bench.on(.socketOpened))?.uplink == nil)
        let effects = bench.control(Self.welcome(.replayed))
        let wakes = effects.sent.compactMap { if case .wakeCandidate(let wake) = $0 { wake.wakeID } else { nil } }
        #expect(wakes == [2])
        #expect(bench.puck.phase == .candidate)
    }

    @Test("who has fallen silent in the meantime is not asked again")
    func interruptedAndSilent() {
        var bench = Bench()
        bench.listen()
        _ = Self.speak(&bench, 30)
        bench.on(.socketClosed(reason: "reset"))
        _ = Self.speak(&bench, 60)
        for _ in 0..<40 { bench.on(.packetEncoded(levelDecibels: -70)) }
        _ = bench.wait(.seconds(2))
        bench.on(.socketOpened)
        let effects = bench.control(Self.welcome(.replayed))
        #expect(!effects.sent.contains { if case .wakeCandidate = $0 { true } else { false } })
        #expect(bench.puck.phase == .idle)
    }

    @Test("who pressed the button and is asked again is heard to the end of the speech, not to the utterance's limit")
    func interruptedAfterButton() {
        var bench = Bench()
        bench.connect()
        bench.on(.talkRequested(position: 16_000))
        _ = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        for _ in 0..<10 { bench.on(.packetEncoded(levelDecibels: -55)) }
        _ = Self.speak(&bench, 20)
        bench.on(.socketClosed(reason: "reset"))
        _ = Self.speak(&bench, 60)
        _ = bench.wait(.seconds(2))
        bench.on(.socketOpened)
        _ = bench.control(Self.welcome(.replayed))
        _ = bench.control(.grant(wakeID: 2, conversationID: "c2"))
        for level: Float in [-55, -30, -55] {
            for _ in 0..<20 { bench.on(.packetEncoded(levelDecibels: level)) }
        }
        var all: [PuckEffect] = []
        for _ in 0..<20 { all += bench.on(.packetEncoded(levelDecibels: -55)) }
        #expect(all.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .endpoint } else { false } })
    }

    @Test("a hub that cannot go on ends the utterance, or the wait for its answer, audibly")
    func refused() {
        for isThinking in [false, true] {
            var bench = Bench()
            bench.listen()
            _ = Self.speak(&bench, 20)
            if isThinking { for _ in 0..<35 { bench.on(.packetEncoded(levelDecibels: -70)) } }
            bench.on(.socketClosed(reason: "reset"))
            if !isThinking { for _ in 0..<10 { bench.on(.packetEncoded(levelDecibels: -70)) } }
            _ = bench.wait(.seconds(1))
            bench.on(.socketOpened)
            let effects = bench.control(Self.welcome(.fresh, epoch: 8))
            #expect(effects.contains(.playEarcon(.failed)))
            #expect(!effects.sent.contains { if case .uplinkEnd = $0 { true } else { false } })
        }
    }

    @Test("a play goes on across a drop: nothing missing, nothing twice, and the hub is told what it may have missed")
    func replayed() {
        var bench = Bench()
        bench.connect()
        _ = PlaybackTests.start(&bench)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.playbackAdvanced(samples: 300))
        let lost = bench.on(.socketClosed(reason: "reset"))
        #expect(!lost.contains(.stopPlayback) && !lost.contains(.finishPlayback))
        #expect(bench.puck.phase == .speaking)
        bench.on(.playbackStarved)
        #expect(bench.puck.phase == .idle, "nothing is heard, and nobody knows when")
        _ = bench.wait(.milliseconds(1_100))
        let hello = Self.hello(bench.on(.socketOpened))
        #expect(hello?.resume == Hello.Resume(epoch: 7, sequence: SerialNumber(2)))
        let report = bench.control(Self.welcome(.replayed, from: 2)).sent
        #expect(
            report.contains { if case .played(let m) = $0 { m.playID == 5 && m.sequence.value == 1 } else { false } })
        #expect(PlaybackTests.audio(&bench, 2).contains(.playPacket(SerialNumber(2), byteCount: 60)))
        #expect(PlaybackTests.audio(&bench, 2).isEmpty)
    }

    @Test("a replay from another place than was asked for is refused")
    func wrongReplay() {
        for (epoch, from) in [(8, 2), (7, 1), (7, 3)] as [(UInt32, UInt16)] {
            var bench = Bench()
            bench.connect()
            _ = PlaybackTests.start(&bench)
            _ = PlaybackTests.audio(&bench, 1)
            bench.on(.socketClosed(reason: "reset"))
            _ = bench.wait(.milliseconds(1_100))
            bench.on(.socketOpened)
            #expect(bench.control(Self.welcome(.replayed, epoch: epoch, from: from)).contains(.closeSocket))
        }
    }

    @Test("without replay the play is played out, and a clean start takes its place")
    func fresh() {
        var bench = Bench()
        bench.connect()
        _ = PlaybackTests.start(&bench)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.socketClosed(reason: "reset"))
        _ = bench.wait(.milliseconds(1_100))
        bench.on(.socketOpened)
        #expect(bench.control(Self.welcome(.fresh, epoch: 8)).contains(.finishPlayback))
        let start = DownStart(playID: 5, conversationID: "c1", resumedAtMilliseconds: 400)
        #expect(bench.control(.downStart(start), 0).contains(.startPlayback(codec: .opus, delayMilliseconds: 60)))
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.playbackAdvanced(samples: 160))
        let report = bench.wait(.milliseconds(200)).sent
        #expect(report.contains { if case .played(let m) = $0 { m.positionMilliseconds == 410 } else { false } })
    }

    @Test("a position beyond what the wire has room for stays at that")
    func endOfRange() {
        var bench = Bench()
        bench.connect()
        let start = DownStart(playID: 5, conversationID: "c1", resumedAtMilliseconds: Int(Int32.max))
        _ = bench.control(.downStart(start), 0)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.playbackAdvanced(samples: 320))
        let report = bench.wait(.milliseconds(200)).sent
        #expect(
            report.contains { if case .played(let m) = $0 { m.positionMilliseconds == Int(Int32.max) } else { false } })
    }

    @Test("somebody else has the floor: what this puck still had to say is not said")
    func floor() {
        var bench = Bench()
        bench.connect()
        _ = PlaybackTests.start(&bench)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.socketClosed(reason: "reset"))
        _ = bench.wait(.milliseconds(1_100))
        bench.on(.socketOpened)
        let effects = bench.control(Self.welcome(.fresh, epoch: 8, floor: "c9"))
        #expect(effects.contains(.stopPlayback))
        #expect(!effects.contains { if case .playEarcon = $0 { true } else { false } })
    }

    @Test("a stop while the link is away holds: the hub is told, and its answer is not begun")
    func stoppedMeanwhile() {
        var bench = Bench()
        bench.listen()
        _ = Self.speak(&bench, 20)
        for _ in 0..<35 { bench.on(.packetEncoded(levelDecibels: -70)) }
        bench.on(.socketClosed(reason: "reset"))
        bench.on(.stopRequested)
        _ = bench.wait(.milliseconds(1_100))
        bench.on(.socketOpened)
        let effects = bench.control(Self.welcome(.replayed))
        #expect(effects.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .cancelled } else { false } })
        let start = PlaybackTests.start(&bench)
        #expect(!start.contains { if case .startPlayback = $0 { true } else { false } })
        #expect(start.sent.contains { if case .played(let m) = $0 { m.state == .ended } else { false } })
    }

    @Test("offline the puck still obeys stop, mute and volume")
    func offline() {
        var bench = Bench()
        bench.connect()
        _ = PlaybackTests.start(&bench)
        bench.on(.socketClosed(reason: "reset"))
        _ = bench.wait(.milliseconds(500))
        #expect(bench.on(.stopRequested).contains(.stopPlayback))
        #expect(bench.on(.muteRequested(true)).contains(.setMuted(true)))
        #expect(bench.on(.volumeRequested(30)).contains(.setVolume(30)))
    }

    @Test("two lanes: paused, resumed, stopped while paused, and reported")
    func lanes() {
        var bench = Bench()
        bench.connect()
        _ = PlaybackTests.start(&bench)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.playbackAdvanced(samples: 200))
        let paused = bench.control(.downPause(playID: 5), 2)
        #expect(paused.contains(.pausePlayback))
        #expect(
            paused.sent.contains { if case .played(let m) = $0 { m.state == .paused && m.playID == 5 } else { false } })
        _ = bench.control(.downStart(DownStart(playID: 6, conversationID: "p-6", category: .timer)), 3)
        _ = PlaybackTests.audio(&bench, 4)
        _ = bench.control(.downStop(playID: 6, reason: .done), 5)
        let done = bench.on(.playbackDrained).sent
        #expect(done.contains { if case .played(let m) = $0 { m.state == .ended && m.playID == 6 } else { false } })
        #expect(bench.control(.downResume(playID: 5), 6).contains(.resumePlayback))
        bench.on(.playbackAdvanced(samples: 320))
        let report = bench.wait(.milliseconds(200)).sent
        #expect(
            report.contains {
                if case .played(let m) = $0 { m.playID == 5 && m.positionMilliseconds == 20 } else { false }
            })
        _ = bench.control(.downPause(playID: 5), 7)
        #expect(bench.control(.downStop(playID: 5, reason: .cancelled), 8).contains(.dropPausedPlayback))
        #expect(bench.wait(.seconds(9)).contains(.stopPlayback) == false)
    }

    @Test("a play whose rest does not come within thirty seconds is given up")
    func givenUp() {
        var bench = Bench()
        bench.connect()
        _ = PlaybackTests.start(&bench)
        bench.on(.socketClosed(reason: "reset"))
        for _ in 0..<30 {
            _ = bench.wait(.seconds(1))
            bench.on(.socketClosed(reason: "refused"))
        }
        let effects = bench.wait(.seconds(1))
        #expect(bench.puck.phase == .idle)
        #expect(bench.puck.active == nil, "\(effects)")
        // Nobody wanted its end: a hub that has it still starts it again.
        bench.on(.networkChanged)
        for _ in 0..<10 where bench.puck.link != .connecting { _ = bench.wait(.milliseconds(500)) }
        let told = Self.hello(bench.on(.socketOpened))?.plays ?? []
        #expect(told.map(\.playID) == [5] && !told.contains { $0.hasEnded }, "\(told)")
    }

    @Test("an interface that comes up cuts a long pause short, once settled, and does not start the row again")
    func network() {
        var bench = Bench()
        bench.on(.started)
        for _ in 0..<5 {
            bench.on(.socketClosed(reason: "refused"))
            _ = bench.wait(.seconds(33))
        }
        bench.on(.socketClosed(reason: "refused"))
        let due = bench.puck.nextDeadline!
        bench.on(.networkChanged)
        let soon = bench.puck.nextDeadline!
        #expect(soon < due && soon - bench.now <= .seconds(1))
        #expect(bench.wait(.seconds(1)).opens == 1)
        bench.on(.socketClosed(reason: "refused"))
        #expect(bench.puck.deadlines[.reconnect]! - bench.now >= .seconds(27))
        // While an attempt is under way, and while the link is up, it changes nothing.
        _ = bench.wait(.seconds(33))
        #expect(bench.on(.networkChanged).isEmpty)
    }
}

@Suite("Playout delay")
struct PlayoutDelayTests {
    @Test("follows the measured jitter, within its bounds, and across the wrap of the sender's clock")
    func jitter() {
        var delay = PlayoutDelay(leastMilliseconds: 60)
        for i in 0..<200 { delay.observe(sent: UInt32.max &- 1_000 &+ UInt32(i) &* 20, arrived: Double(i) * 20 + 5) }
        #expect(delay.milliseconds == 60)
        for i in 200..<600 {
            delay.observe(sent: UInt32.max &- 1_000 &+ UInt32(i) &* 20, arrived: Double(i) * 20 + Double(i % 2) * 30)
        }
        #expect((150...200).contains(delay.milliseconds), "\(delay.milliseconds)")
        for i in 600..<900 {
            delay.observe(sent: UInt32.max &- 1_000 &+ UInt32(i) &* 20, arrived: Double(i) * 20 + Double(i % 2) * 900)
        }
        #expect(delay.milliseconds == PlayoutDelay.mostMilliseconds)
    }

    @Test("a play that ran dry makes the next deeper, and plays that do not make it shallower again")
    func penalty() {
        var delay = PlayoutDelay(leastMilliseconds: 60)
        delay.beginPlay()
        delay.starved()
        #expect(delay.milliseconds == 100)
        delay.starved()
        #expect(delay.milliseconds == 140)
        delay.beginPlay()
        #expect(delay.milliseconds == 140)
        delay.beginPlay()
        #expect(delay.milliseconds == 100)
        for _ in 0..<10 { delay.starved() }
        #expect(delay.milliseconds == 380)
        for _ in 0..<10 { delay.beginPlay() }
        #expect(delay.milliseconds == 60)
    }
}

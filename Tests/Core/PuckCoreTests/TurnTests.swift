import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("A turn")
struct TurnTests {
    @Test("encodes from the candidate on, sends nothing before the grant, then everything in order")
    func grant() {
        var bench = Bench()
        bench.connect()
        let wake = bench.wake()
        #expect(wake.contains(.startEncoding(onset: 16_000, preroll: true)))
        #expect(wake.lights == [.candidate])
        for _ in 0..<5 {
            let effects = bench.on(.packetEncoded(levelDecibels: -30))
            #expect(effects.packets.isEmpty)
        }
        let grant = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        #expect(grant.packets == [0, 1, 2, 3, 4])
        #expect(grant.contains(.playEarcon(.listening)))
        #expect(grant.lights == [.listening])
        #expect(bench.on(.packetEncoded(levelDecibels: -30)).packets == [5])
    }

    private func envelopes(_ sent: [PuckControl]) -> [[Int8]] {
        sent.compactMap { if case .wakeCandidate(let wake) = $0 { wake.envelope } else { nil } }
    }

    @Test("the envelope of a wake goes to the hub as it was measured; behind a button there is none")
    func envelope() {
        var bench = Bench()
        bench.connect()
        let levels: [Int8] = [-60, -60, -31]
        let finding = WakeFinding(onset: 16_000, levelDecibels: -30, noiseDecibels: -60, confidence: 0.9)
        let sent = bench.on(.wakeHeard(finding, onset: bench.now, envelope: levels)).sent
        #expect(envelopes(sent) == [levels])
        var pressed = Bench()
        pressed.connect()
        let button = pressed.on(.talkRequested(position: 0)).sent
        #expect(envelopes(button) == [[]])
        #expect(WakeCandidate.envelopeStepMilliseconds * 16 == OnsetEnvelope.stepSamples)
        #expect(WakeCandidate.envelopeLeadMilliseconds * 16 == OnsetEnvelope.leadSamples)
        #expect(WakeCandidate.mostEnvelopeSteps == OnsetEnvelope.mostSteps)
    }

    @Test("takes no wakes while a turn runs, so that nothing has to be made for them; and again after it")
    func takesWakes() {
        var bench = Bench()
        bench.connect()
        #expect(bench.puck.takesWakes)
        _ = bench.wake()
        #expect(!bench.puck.takesWakes)
        let finding = WakeFinding(onset: 32_000, levelDecibels: -30, noiseDecibels: -60, confidence: 0.9)
        #expect(bench.on(.wakeHeard(finding, onset: bench.now)).isEmpty)
        _ = bench.control(.cancel(wakeID: 1, reason: .busy))
        #expect(bench.puck.takesWakes)
    }

    @Test("a cancelled candidate stays silent: no earcon, nothing sent")
    func cancel() {
        var bench = Bench()
        bench.connect()
        _ = bench.wake()
        bench.on(.packetEncoded(levelDecibels: -30))
        let effects = bench.control(.cancel(wakeID: 1, reason: .busy))
        #expect(effects.contains(.stopEncoding))
        #expect(effects.packets.isEmpty)
        #expect(!effects.contains { if case .playEarcon = $0 { true } else { false } })
        #expect(effects.lights == [.idle])
    }

    @Test("without a verdict within 2 s the puck gives up, and hands a late grant back")
    func noVerdict() {
        var bench = Bench()
        bench.connect()
        _ = bench.wake()
        #expect(bench.wait(.seconds(2)).contains(.stopEncoding))
        let late = bench.control(.grant(wakeID: 1, conversationID: "c9")).sent
        #expect(
            late == [
                .uplinkEnd(UplinkEnd(conversationID: "c9", lastSequence: SerialNumber(65_535), reason: .cancelled))
            ])
    }

    @Test(
        "a hole in what is held back ends the turn with the grant: not one packet is sent",
        arguments: [
            // A verdict so late that the window overflowed, and samples that the microphone lost.
            [PuckEvent](repeating: .packetEncoded(levelDecibels: -30), count: UplinkWindow.capacity + 1),
            [.packetEncoded(levelDecibels: -30), .captureGap(samples: 800), .packetEncoded(levelDecibels: -30)],
        ])
    func holeBeforeGrant(events: [PuckEvent]) {
        var bench = Bench()
        bench.connect()
        _ = bench.wake()
        for event in events { bench.on(event) }
        let grant = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        #expect(grant.packets.isEmpty)
        #expect(
            grant.sent == [
                .uplinkEnd(UplinkEnd(conversationID: "c1", lastSequence: SerialNumber(65_535), reason: .gap))
            ])
        #expect(grant.contains(.stopEncoding))
        #expect(grant.contains(.playEarcon(.failed)))
        #expect(grant.lights == [.idle])
    }

    @Test("ends 700 ms after the speaker, says so, and thinks")
    func endpoint() {
        var bench = Bench()
        bench.listen()
        for _ in 0..<20 { bench.on(.packetEncoded(levelDecibels: -30)) }
        var last: [PuckEffect] = []
        for _ in 0..<35 { last = bench.on(.packetEncoded(levelDecibels: -60)) }
        #expect(last.packets == [54])
        #expect(
            last.sent == [
                .uplinkEnd(UplinkEnd(conversationID: "c1", lastSequence: SerialNumber(54), reason: .endpoint))
            ])
        #expect(last.contains(.stopEncoding) && last.lights == [.thinking])
        #expect(bench.wait(.seconds(30)).lights.contains(.idle), "no answer: it does not think for ever")
    }

    @Test("a window goes back only to a packet that it holds, or to the next, however numbers wrap")
    func rewinds() {
        var window = UplinkWindow()
        // Found by `make fuzz`: exactly half the circle away from an empty window, which has no order (RFC 1982, 3.2).
        let fromEmpty = window.rewind(to: SerialNumber(32_768))
        #expect(!fromEmpty && window == UplinkWindow())
        for _ in 0..<3 { window.append() }
        for wrong in [4, 32_767, 32_768, 32_771, 65_535] as [UInt16] {
            let isHeld = window.rewind(to: SerialNumber(wrong))
            #expect(!isHeld, "\(wrong)")
        }
        let toNext = window.rewind(to: SerialNumber(3))
        #expect(toNext && window.count == 0)
    }

    @Test("holds at most one second of unacknowledged packets")
    func bound() {
        var window = UplinkWindow()
        for _ in 0..<500 {
            window.append()
            _ = window.takeUnsent()
            #expect(window.count <= 50)
        }
        #expect(window.dropped == 450)
        #expect(window.first == SerialNumber(450))
        let good = window.acknowledge(next: SerialNumber(480))
        let ahead = window.acknowledge(next: SerialNumber(501))
        #expect(good && !ahead)
        #expect(window.count == 20)
    }

    @Test("a link that stays away for longer than a second ends the turn, and that is said aloud")
    func lostLink() {
        var bench = Bench()
        bench.listen()
        var effects = bench.on(.socketClosed(reason: "reset"))
        #expect(!effects.contains(.playEarcon(.failed)) && bench.puck.phase == .listening)
        for _ in 0..<50 { effects += bench.on(.packetEncoded(levelDecibels: -30)) }
        #expect(!effects.contains(.playEarcon(.failed)), "a whole second fits")
        #expect(bench.on(.packetEncoded(levelDecibels: -30)).contains(.playEarcon(.failed)))
        #expect(bench.puck.phase == .idle)
    }

    @Test("a microphone that brings nothing and does not say so ends the turn 5 s after the longest utterance")
    func noAudioAtAll() {
        var bench = Bench()
        bench.listen()
        bench.on(.packetEncoded(levelDecibels: -30))
        func keepAlive() {
            for _ in 0..<10 {
                _ = bench.wait(.milliseconds(1_999))
                _ = bench.control(.ping(Ping(t0: 0)))
            }
        }
        keepAlive()
        #expect(bench.puck.phase == .listening)
        let effects = bench.wait(.milliseconds(10))
        #expect(effects.logged("uplink.no_audio"))
        #expect(effects.contains(.stopEncoding))
        #expect(effects.contains(.playEarcon(.failed)))
        #expect(
            effects.sent.contains(
                .uplinkEnd(UplinkEnd(conversationID: "c1", lastSequence: SerialNumber(0), reason: .gap))))
        #expect(bench.puck.phase == .idle)
    }

    @Test("muted: nothing wakes, a running utterance ends, and the light says so")
    func mute() {
        var bench = Bench()
        bench.listen()
        bench.on(.packetEncoded(levelDecibels: -30))
        let effects = bench.on(.muteRequested(true))
        #expect(effects.contains(.setMuted(true)) && effects.contains(.stopEncoding))
        #expect(effects.lights == [.muted])
        #expect(effects.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .muted } else { false } })
        #expect(bench.wake().sent.isEmpty)
        #expect(bench.on(.muteRequested(false)).lights == [.idle])
    }

    @Test("the hub opens only a microphone that it closed itself")
    func hubMute() {
        var bench = Bench()
        bench.connect()
        #expect(bench.control(.set(volume: nil, muted: true)).contains(.setMuted(true)))
        #expect(bench.control(.set(volume: nil, muted: false)).contains(.setMuted(false)))
        bench.on(.muteRequested(true))
        #expect(!bench.control(.set(volume: nil, muted: false)).contains(.setMuted(false)))
        #expect(bench.puck.isMuted)
        #expect(bench.on(.muteRequested(false)).contains(.setMuted(false)))
        _ = bench.control(.set(volume: nil, muted: true))
        bench.on(.muteRequested(true))  // the person says so too
        #expect(!bench.control(.set(volume: nil, muted: false)).contains(.setMuted(false)))
    }

    @Test("each cause of a mute ends by itself: a switch that goes on and off undoes nobody's")
    func muteCauses() {
        var bench = Bench()
        bench.connect()
        bench.on(.muteRequested(true))
        #expect(!bench.on(.muteSwitched(true)).contains(.setMuted(true)), "it is muted already")
        #expect(!bench.on(.muteSwitched(false)).contains(.setMuted(false)) && bench.puck.isMuted)
        bench.on(.muteSwitched(true))
        #expect(!bench.on(.muteRequested(false)).contains(.setMuted(false)) && bench.puck.isMuted)
        #expect(bench.on(.muteSwitched(false)).contains(.setMuted(false)))
        _ = bench.control(.set(volume: nil, muted: true))
        bench.on(.muteSwitched(true))
        #expect(!bench.control(.set(volume: nil, muted: false)).contains(.setMuted(false)), "the switch is on")
        #expect(bench.on(.muteSwitched(false)).contains(.setMuted(false)))
        #expect(!bench.puck.isMutedByPerson)
    }

    @Test("the button wakes an idle puck without preroll, and stops a listening one")
    func button() {
        var bench = Bench()
        bench.connect()
        #expect(bench.on(.talkRequested(position: 500)).contains(.startEncoding(onset: 500, preroll: false)))
        _ = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        let second = bench.on(.talkRequested(position: 900))
        #expect(second.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .cancelled } else { false } })
        #expect(bench.puck.phase == .idle)
    }

    @Test("a broken microphone shows as a fault and is reported to the hub")
    func captureLost() {
        var bench = Bench()
        bench.connect()
        let lost = bench.on(.captureLost)
        #expect(lost.lights == [.error])
        #expect(lost.sent.contains { if case .status(let s) = $0 { !s.captureOK } else { false } })
        #expect(bench.on(.captureRestored).lights == [.idle])
    }

    @Test("so does a broken loudspeaker, once for each change")
    func playbackLost() {
        var bench = Bench()
        bench.connect()
        let lost = bench.on(.playbackLost)
        #expect(lost.lights == [.error])
        #expect(lost.sent.contains { if case .status(let s) = $0 { !s.playbackOK && s.captureOK } else { false } })
        #expect(bench.on(.playbackLost).sent.isEmpty)
        let back = bench.on(.playbackRestored)
        #expect(back.lights == [.idle])
        #expect(back.sent.contains { if case .status(let s) = $0 { s.playbackOK } else { false } })
    }
}

@Suite("Standing by")
struct StandbyTests {
    private static func lost(_ bench: inout Bench, packets: Int = 10) -> [PuckEffect] {
        bench.connect()
        _ = bench.wake()
        for _ in 0..<packets { bench.on(.packetEncoded(levelDecibels: -30)) }
        return bench.control(.cancel(wakeID: 1, reason: .lost))
    }

    @Test("a loser is dark and silent, keeps its audio for two seconds, and then stops listening")
    func loser() {
        var bench = Bench()
        let effects = Self.lost(&bench)
        #expect(effects.lights == [.idle] && !effects.contains(.stopEncoding) && effects.packets.isEmpty)
        #expect(!bench.wait(.milliseconds(1_999)).contains(.stopEncoding))
        #expect(bench.wait(.milliseconds(1)).contains(.stopEncoding))
    }

    @Test("asked in the winner's place it sends what its window still holds, and goes on")
    func granted() {
        var bench = Bench()
        _ = Self.lost(&bench, packets: 60)
        let grant = bench.control(.grant(wakeID: 1, conversationID: "c2"))
        #expect(grant.packets == Array(10..<60))
        #expect(grant.contains(.playEarcon(.listening)) && grant.lights == [.listening])
        #expect(bench.on(.packetEncoded(levelDecibels: -30)).packets == [60])
    }

    @Test("another wake, a lost link, mute or a hole ends it")
    func ends() {
        let events: [PuckEvent] = [
            .socketClosed(reason: "x"), .muteRequested(true), .captureGap(samples: 9), .captureLost, .stopRequested,
        ]
        for event in events {
            var bench = Bench()
            _ = Self.lost(&bench)
            #expect(bench.on(event).contains(.stopEncoding), "\(event)")
        }
        var bench = Bench()
        _ = Self.lost(&bench)
        let wakes = bench.wake().sent.filter { if case .wakeCandidate = $0 { true } else { false } }
        #expect(wakes.count == 1)
        _ = bench.control(.grant(wakeID: 1, conversationID: "c2"))
        #expect(bench.puck.phase == .candidate, "the old wake's grant is handed back")
    }
}

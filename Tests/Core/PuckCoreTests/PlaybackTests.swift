import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("Playback")
struct PlaybackTests {
    static func start(_ bench: inout Bench, at sequence: UInt16 = 0) -> [PuckEffect] {
        bench.control(.downStart(DownStart(playID: 5, conversationID: "c1")), sequence)
    }

    static func audio(_ bench: inout Bench, _ sequence: UInt16) -> [PuckEffect] {
        bench.on(.audioReceived(type: .downlinkOpus, sequence: SerialNumber(sequence), byteCount: 60, sentAt: 0))
    }

    @Test("plays packets in order across the wrap of the sequence number, then reports the stop as played")
    func order() {
        var bench = Bench()
        bench.connect(from: 65_534)
        #expect(Self.start(&bench, at: 65_534).contains(.startPlayback(codec: .opus, delayMilliseconds: 60)))
        #expect(Self.audio(&bench, 65_535).contains(.playPacket(SerialNumber(65_535), byteCount: 60)))
        #expect(Self.audio(&bench, 0).contains(.playPacket(.zero, byteCount: 60)))
        #expect(bench.control(.downStop(playID: 5, reason: .done), 1).contains(.finishPlayback))
        bench.on(.playbackAdvanced(samples: 320))
        let report = bench.wait(.milliseconds(200)).sent
        #expect(
            report.first
                == .played(
                    Played(
                        sequence: SerialNumber(1), playID: 5, positionMilliseconds: 20, bufferedMilliseconds: 20)))
        let drained = bench.on(.playbackDrained)
        #expect(
            drained.sent == [
                .played(
                    Played(
                        sequence: SerialNumber(1), playID: 5, positionMilliseconds: 40, bufferedMilliseconds: 0,
                        state: .ended))
            ])
        #expect(bench.puck.phase == .idle)
    }

    @Test("drops duplicates, and treats a hole in the stream as an error of the hub")
    func duplicatesAndHoles() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        _ = Self.audio(&bench, 1)
        #expect(Self.audio(&bench, 1).isEmpty)
        #expect(Self.audio(&bench, 3).contains(.closeSocket))
    }

    @Test("a hub that sends more than it may is cut off rather than obeyed")
    func flood() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        var closed = false
        for sequence in 1...300 as ClosedRange<UInt16> where !closed {
            closed = Self.audio(&bench, sequence).contains(.closeSocket)
        }
        #expect(closed)
    }

    @Test("a packet in another codec, a PCM packet that is not 20 ms, and audio after down_stop are errors of the hub")
    func misfits() {
        var wrongCodec = Bench()
        wrongCodec.connect()
        _ = Self.start(&wrongCodec)
        let pcm = PuckEvent.audioReceived(type: .downlinkPCM, sequence: SerialNumber(1), byteCount: 640, sentAt: 0)
        #expect(wrongCodec.on(pcm).contains(.closeSocket))

        for (bytes, closes) in [(640, false), (639, true), (0, true)] {
            var bench = Bench()
            bench.connect()
            _ = bench.control(.downStart(DownStart(playID: 5, conversationID: "c1", codec: .pcm16)), 0)
            let event = PuckEvent.audioReceived(
                type: .downlinkPCM, sequence: SerialNumber(1), byteCount: bytes, sentAt: 0)
            #expect(bench.on(event).contains(.closeSocket) == closes)
        }

        var late = Bench()
        late.connect()
        _ = Self.start(&late)
        _ = Self.audio(&late, 1)
        _ = late.control(.downStop(playID: 5, reason: .done), 2)
        #expect(Self.audio(&late, 3).contains(.closeSocket))
    }

    @Test("stop on the puck silences it at once, and audio still on its way is swallowed and reported")
    func stop() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        _ = Self.audio(&bench, 1)
        #expect(bench.on(.stopRequested).contains(.stopPlayback))
        #expect(!Self.audio(&bench, 2).contains { if case .playPacket = $0 { true } else { false } })
        let report = bench.wait(.milliseconds(200)).sent
        #expect(report.contains { if case .played(let m) = $0 { m.sequence == SerialNumber(2) } else { false } })
    }

    @Test("a play for which nothing comes any more ends by itself")
    func stalled() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        var effects: [PuckEffect] = []
        // The hub gives a responder 15 s between two pieces.
        for _ in 0..<3 {
            #expect(!effects.contains(.stopPlayback))
            _ = bench.on(.controlReceived(.ping(Ping(t0: 0)), sequence: .zero))
            effects += bench.wait(.seconds(7))
        }
        #expect(effects.contains(.stopPlayback))
        #expect(bench.puck.phase == .idle)
    }

    @Test("what is paused waits for as long as any conversation lasts, and not for ever")
    func pausedForLong() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        _ = Self.audio(&bench, 1)
        _ = bench.control(.downPause(playID: 5), 2)
        var effects: [PuckEffect] = []
        func wait(minutes: Int) {
            effects = []
            for _ in 0..<(minutes * 12) {
                _ = bench.on(.controlReceived(.ping(Ping(t0: 0)), sequence: .zero))
                effects += bench.wait(.seconds(5))
            }
        }
        wait(minutes: 14)
        #expect(!effects.contains(.dropPausedPlayback))
        #expect(bench.control(.downResume(playID: 5), 3).contains(.resumePlayback))
        _ = bench.control(.downPause(playID: 5), 4)
        wait(minutes: 16)
        #expect(effects.contains(.dropPausedPlayback))
    }

    @Test("without a loudspeaker a play is reported as over at once, so that nobody waits for it")
    func noLoudspeaker() {
        var bench = Bench()
        bench.listen()
        bench.on(.playbackLost)
        let effects = Self.start(&bench)
        #expect(
            effects.logged("play.impossible") && !effects.contains(.startPlayback(codec: .opus, delayMilliseconds: 60)))
        #expect(!Self.audio(&bench, 1).contains { if case .playPacket = $0 { true } else { false } })
        #expect(effects.sent.contains { if case .played(let m) = $0 { m.state == .ended } else { false } })
        _ = bench.control(.downStop(playID: 5, reason: .done), 2)
        let report = bench.wait(.milliseconds(200)).sent
        #expect(report.contains { if case .played(let m) = $0 { m.sequence == SerialNumber(2) } else { false } })
        bench.on(.playbackRestored)
        #expect(Self.start(&bench, at: 3).contains(.startPlayback(codec: .opus, delayMilliseconds: 60)))
    }

    @Test("a wake during playback is ignored until echo cancellation exists; the button stops the answer")
    func duringPlayback() {
        var bench = Bench()
        bench.connect()
        _ = Self.start(&bench)
        #expect(bench.wake().sent.isEmpty)
        #expect(bench.on(.talkRequested(position: 0)).contains(.stopPlayback))
    }
}

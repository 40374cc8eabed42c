import AudioRing
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Synchronization
import Testing

@testable import PuckRuntime

/// A loudspeaker without a thread: what would have been played is read from the ring by hand.
private final class Speaker {
    let ring = AudioRing()
    let controls = PlaybackControls()
    let feed: SpeakerFeed
    var reader: RingReader

    private let delay: Int

    init(playoutDelayMilliseconds: Int = 60) throws {
        feed = try SpeakerFeed(ring: ring, controls: controls)
        delay = playoutDelayMilliseconds
        reader = ring.reader()
    }

    func start(_ codec: DownStart.Codec) { feed.start(codec: codec, delayMilliseconds: delay) }

    /// What the playback thread does when it is told to skip, `unheard` samples being in the device.
    func skip(unheard: Int64 = 0) {
        let target = controls.wantedDiscard
        if target == .min { return }
        controls.servedDiscard(target)
        let heard = reader.position - unheard
        reader.seek(to: target)
        _ = reader.releaseConsumed()
        controls.words.pointee.heard.store(target, ordering: .releasing)
        feed.stopped(at: heard, skippedTo: target)
    }

    deinit { controls.destroy() }

    /// Queues a PCM packet of one value.
    func receive(_ value: Int16) {
        let bytes = [Int16](repeating: value, count: 320)
        let isQueued = bytes.withUnsafeBytes { feed.enqueue($0) }
        #expect(isQueued)
    }

    /// "Plays" up to `count` samples.
    func play(_ count: Int) -> [Int16] {
        var samples = [Int16](repeating: 0, count: count)
        let read = samples.withUnsafeMutableBufferPointer { reader.read(into: $0) }
        _ = reader.releaseConsumed()
        controls.words.pointee.heard.store(reader.position, ordering: .releasing)
        return Array(samples.prefix(read.count))
    }

    var endPosition: Int64 { controls.words.pointee.endPosition.load(ordering: .acquiring) }
}

@Suite("Speaker feed")
struct SpeakerFeedTests {
    @Test("a play begins once its playout delay has been collected, and then flows")
    func playoutDelay() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 60)
        speaker.start(.pcm16)
        speaker.receive(1)
        speaker.receive(2)
        #expect(!speaker.feed.pump())
        speaker.receive(3)
        #expect(speaker.feed.pump())
        #expect(speaker.endPosition == .max, "more is on its way")
        #expect(speaker.play(5000).count == 960)
        speaker.receive(4)
        #expect(speaker.feed.pump(), "no delay in the middle")
    }

    @Test("a play shorter than the delay begins when it is finished, and ends when it was heard")
    func short() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 500)
        speaker.start(.pcm16)
        speaker.receive(7)
        speaker.feed.finish()
        #expect(speaker.feed.pump())
        #expect(speaker.endPosition == 320)
        #expect(!speaker.feed.played(upTo: 100))
        #expect(speaker.play(1000) == [Int16](repeating: 7, count: 320))
        #expect(speaker.feed.heardSamples == 320)
        #expect(speaker.feed.played(upTo: 320))
        #expect(!speaker.feed.isBusy)
    }

    @Test("two seconds go through the one second of ring in pieces, nothing lost, nothing twice")
    func long() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.start(.pcm16)
        for i in 0..<100 as Range<UInt16> { speaker.receive(Int16(i)) }
        speaker.feed.finish()
        var heard: [Int16] = []
        while speaker.feed.pump() || speaker.reader.fill > 0 { heard += speaker.play(777) }
        #expect(heard == (0..<100).flatMap { [Int16](repeating: $0, count: 320) })
    }

    @Test("an earcon sounds at once when nothing plays, and is mixed in when something does")
    func earcon() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.feed.play(earcon: [Int16](repeating: 5, count: 500))
        #expect(speaker.feed.pump())
        #expect(speaker.play(1000) == [Int16](repeating: 5, count: 500))
        speaker.start(.pcm16)
        speaker.feed.play(earcon: [Int16](repeating: 32_767, count: 100))
        speaker.receive(10)
        _ = speaker.feed.pump()
        #expect(speaker.play(1000) == [Int16](repeating: 32_767, count: 100) + [Int16](repeating: 10, count: 220))
    }

    @Test("stop throws away what is queued and tells the thread to be silent")
    func stop() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.start(.pcm16)
        speaker.receive(1)
        _ = speaker.feed.pump()
        speaker.receive(2)
        speaker.feed.stop()
        #expect(!speaker.feed.pump())
        #expect(speaker.controls.wantedDiscard == 320)
        #expect(!speaker.feed.isBusy)
    }

    @Test("a paused play goes on with the very sample at which it fell silent, whatever the device still held")
    func pause() throws {
        for unheard in [0, 100, 640] as [Int64] {
            let speaker = try Speaker(playoutDelayMilliseconds: 0)
            speaker.start(.pcm16)
            for i in 0..<80 as Range<Int16> { speaker.receive(i) }
            _ = speaker.feed.pump()
            var heard = speaker.play(8_000)
            heard.removeLast(Int(unheard))
            speaker.feed.pause()
            speaker.start(.pcm16)
            speaker.receive(-1)
            speaker.feed.finish()
            speaker.skip(unheard: unheard)
            _ = speaker.feed.pump()
            #expect(speaker.play(1000) == [Int16](repeating: -1, count: 320))
            #expect(speaker.feed.played(upTo: speaker.reader.position))
            speaker.feed.resume()
            #expect(speaker.feed.heardSamples == 8_000 - unheard)
            speaker.feed.finish()
            while speaker.feed.pump() || speaker.reader.fill > 0 { heard += speaker.play(777) }
            #expect(heard == (0..<80).flatMap { [Int16](repeating: $0, count: 320) })
            #expect(speaker.feed.played(upTo: speaker.reader.position))
        }
    }

    @Test("a play that is resumed before the thread has said where it stopped waits for that")
    func resumedAtOnce() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.start(.pcm16)
        for i in 0..<10 as Range<Int16> { speaker.receive(i) }
        speaker.feed.finish()
        _ = speaker.feed.pump()
        var heard = speaker.play(1_000)
        speaker.feed.pause()
        speaker.feed.resume()
        #expect(!speaker.feed.pump())
        speaker.skip()
        while speaker.feed.pump() || speaker.reader.fill > 0 { heard += speaker.play(777) }
        #expect(heard == (0..<10).flatMap { [Int16](repeating: $0, count: 320) })
    }

    @Test("a play that runs dry is bridged for 60 ms, says so once, collects anew, and goes on exactly")
    func starved() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 40)
        let encoder = try OpusEncoder()
        let reference = try OpusDecoder()
        var expected: [Int16] = []
        func packet(_ n: Int) throws -> [UInt8] {
            let tone = (0..<320).map { Int16(truncatingIfNeeded: ((n * 320 + $0) % 73 - 36) * 200) }
            var bytes = [UInt8](repeating: 0, count: 1_275)
            let size = try tone.withUnsafeBufferPointer { source in
                try bytes.withUnsafeMutableBytes { try encoder.encode(source.baseAddress!, into: $0) }
            }
            var block = [Int16](repeating: 0, count: 320)
            _ = try block.withUnsafeMutableBufferPointer { room in
                try bytes.withUnsafeBytes {
                    try reference.decode(UnsafeRawBufferPointer(rebasing: $0[..<size]), into: room)
                }
            }
            expected += block
            return Array(bytes[..<size])
        }
        speaker.start(.opus)
        for n in 0..<5 { try packet(n).withUnsafeBytes { _ = speaker.feed.enqueue($0) } }
        _ = speaker.feed.pump()
        var heard = speaker.play(1_600)
        for _ in 0..<3 {
            #expect(!speaker.feed.pump() && speaker.feed.ranDry())
            #expect(speaker.play(1_000).count == 320)
        }
        #expect(!speaker.feed.ranDry(), "then there is silence")
        #expect(speaker.feed.takeStarved() && !speaker.feed.takeStarved())
        #expect(speaker.feed.heardSamples == 1_600)
        try packet(5).withUnsafeBytes { _ = speaker.feed.enqueue($0) }
        #expect(!speaker.feed.pump(), "40 ms are collected first")
        try packet(6).withUnsafeBytes { _ = speaker.feed.enqueue($0) }
        speaker.feed.finish()
        #expect(speaker.feed.pump())
        heard += speaker.play(1_000)
        #expect(heard == expected)
        #expect(speaker.feed.heardSamples == 2_240)
    }

    @Test(
        "a play that is paused while it is bridged goes on with the sample that is next, however much of that was heard"
    )
    func pausedInBridge() throws {
        for unheard in [0, 100, 640, 960, 1_100] as [Int64] {
            let speaker = try Speaker(playoutDelayMilliseconds: 0)
            speaker.start(.pcm16)
            for i in 0..<5 as Range<Int16> { speaker.receive(i) }
            _ = speaker.feed.pump()
            var heard = speaker.play(1_600)
            for _ in 0..<3 { _ = speaker.feed.ranDry() }
            _ = speaker.play(960)
            heard.removeLast(Int(max(0, unheard - 960)))
            speaker.feed.pause()
            speaker.skip(unheard: unheard)
            speaker.feed.resume()
            #expect(speaker.feed.heardSamples == heard.count, "\(unheard)")
            for i in 5..<8 as Range<Int16> { speaker.receive(i) }
            speaker.feed.finish()
            while speaker.feed.pump() || speaker.reader.fill > 0 { heard += speaker.play(777) }
            #expect(heard == (0..<8).flatMap { [Int16](repeating: $0, count: 320) }, "\(unheard)")
        }
    }

    @Test("a second stop that comes while the first is being served is served too")
    func secondStop() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        func stopOne() {
            speaker.start(.pcm16)
            speaker.receive(1)
            _ = speaker.feed.pump()
            speaker.feed.stop()
        }
        #expect(speaker.controls.wantedDiscard == .min, "nothing has been stopped yet")
        stopOne()
        let first = speaker.controls.wantedDiscard
        stopOne()
        speaker.controls.servedDiscard(first)
        #expect(first == 320 && speaker.controls.wantedDiscard == 640)
        speaker.controls.servedDiscard(640)
        #expect(speaker.controls.wantedDiscard == .min)
    }

    @Test("a packet that is not Opus is concealed, counted, and keeps its 20 ms")
    func broken() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.start(.opus)
        speaker.receive(-1)
        speaker.feed.finish()
        _ = speaker.feed.pump()
        #expect(speaker.play(1000).count == 320)
        #expect(speaker.feed.brokenPackets == 1)
    }
}

@Suite("Bridged silence")
struct BridgedSilenceTests {
    @Test("counts what lies in the last frames, in pieces, and forgets only what no device still holds")
    func count() {
        var silence = BridgedSilence()
        defer { silence.destroy() }
        #expect(silence.count(inLast: 1000) == 0)
        silence.wroteSound(500)
        silence.wroteSilence(100)
        silence.wroteSilence(60)
        silence.wroteSound(40)
        silence.wroteSilence(10)
        let counts = [0, 5, 10, 50, 60, 200, 210, 300, 5_000].map { silence.count(inLast: $0) }
        #expect(counts == [0, 5, 10, 10, 20, 160, 170, 170, 170])
        for _ in 0..<100 {
            silence.wroteSound(320)
            silence.wroteSilence(320)
        }
        #expect(silence.count(inLast: 16_000) == 8_000)
    }
}

@Suite("Microphone feed")
struct MicrophoneFeedTests {
    private func write(_ count: Int, to ring: AudioRing) {
        let samples = (0..<count).map { Int16(truncatingIfNeeded: $0 &* 37 % 2000) }
        _ = samples.withUnsafeBufferPointer { ring.producer.write($0) }
    }

    /// Pumps until caught up; gives back losses and how many turns it took.
    private func drain(_ feed: MicrophoneFeed, from first: SerialNumber = .zero) -> (
        packets: Int, lost: Int64, turns: Int
    ) {
        var next = first
        var lost: Int64 = 0
        var turns = 1
        func pump() -> MicrophoneFeed.Outcome {
            feed.pump(nextSequence: { next }) { gap, _ in
                lost += gap
                next = next.next
            }
        }
        while pump() == .more { turns += 1 }
        return (first.distance(to: next), lost, turns)
    }

    @Test("starts before the onset, encodes whole packets, a few a turn, and asks to be woken for the next")
    func preroll() throws {
        let ring = AudioRing()
        write(9600, to: ring)
        let feed = MicrophoneFeed(ring: ring, encoder: try OpusEncoder())
        feed.start(onset: 8000, prerollSamples: 4800, periodSamples: 320)
        let (packets, lost, turns) = drain(feed)
        #expect(packets == 20 && lost == 0)
        #expect(turns == 4, "6 packets a turn")
        let none = ring.producer.write(UnsafeBufferPointer(start: nil, count: 0))
        #expect(!none)
        let wakes = [319, 1].map { count in
            [Int16](repeating: 0, count: count).withUnsafeBufferPointer { ring.producer.write($0) }
        }
        #expect(wakes == [false, true])
        let slot = UplinkWindow.slot(of: SerialNumber(3))
        #expect(feed.slots.bytes(slot).count > 0)
    }

    @Test("samples overwritten before they could be encoded are reported as lost")
    func lapped() throws {
        let ring = AudioRing()
        write(16_000, to: ring)
        let feed = MicrophoneFeed(ring: ring, encoder: try OpusEncoder())
        feed.start(onset: 16_000, prerollSamples: 0, periodSamples: 320)
        write(16_000, to: ring)
        write(4000, to: ring)
        let (packets, lost, _) = drain(feed)
        #expect(lost == 4000 && packets == 50)
    }

    @Test("stopped, it encodes nothing and wants no wake-up")
    func stopped() throws {
        let ring = AudioRing()
        let feed = MicrophoneFeed(ring: ring, encoder: try OpusEncoder())
        feed.start(onset: 0, prerollSamples: 0, periodSamples: 320)
        _ = drain(feed)
        feed.stop()
        let wake = [Int16](repeating: 0, count: 640).withUnsafeBufferPointer { ring.producer.write($0) }
        #expect(!wake)
        #expect(drain(feed).packets == 0)
    }
}

@Suite("What a person sees")
struct AppearanceTests {
    @Test("each light has its own look")
    func lights() {
        let looks = Lights.allCases.map { TerminalLights.look(of: $0).word }
        #expect(Set(looks).count == Lights.allCases.count)
    }

    @Test("the meter marks the noise floor and the level that wakes")
    func meter() {
        let line = Meter.line(level: -30, noise: -60, threshold: 10)
        #expect(line.contains("|") && line.contains(">"))
        #expect(line.hasSuffix("level -30.0 dB  noise -60.0 dB  SNR 30.0 dB"))
        #expect(Meter.line(level: 5, noise: -100, threshold: 40).hasPrefix("[|"))
    }
}

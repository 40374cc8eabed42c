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

    init(playoutDelayMilliseconds: Int = 60) throws {
        feed = SpeakerFeed(
            ring: ring, controls: controls, decoder: try OpusDecoder(),
            playoutDelayMilliseconds: playoutDelayMilliseconds)
        reader = ring.reader()
    }

    deinit { controls.destroy() }

    /// Puts a PCM packet of one value into its slot and queues it.
    func receive(_ sequence: UInt16, _ value: Int16) {
        let bytes = [Int16](repeating: value, count: 320)
        _ = bytes.withUnsafeBytes { feed.slots.store($0, in: Downlink.slot(of: SerialNumber(sequence))) }
        _ = feed.enqueue(SerialNumber(sequence))
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
        speaker.feed.start(codec: .pcm16)
        speaker.receive(0, 1)
        speaker.receive(1, 2)
        #expect(!speaker.feed.pump())
        speaker.receive(2, 3)
        #expect(speaker.feed.pump())
        #expect(speaker.endPosition == .max, "more is on its way")
        #expect(speaker.play(5000).count == 960)
        speaker.receive(3, 4)
        #expect(speaker.feed.pump(), "no delay in the middle")
    }

    @Test("a play shorter than the delay begins when it is finished, and ends when it was heard")
    func short() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 500)
        speaker.feed.start(codec: .pcm16)
        speaker.receive(0, 7)
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
        speaker.feed.start(codec: .pcm16)
        for i in 0..<100 as Range<UInt16> { speaker.receive(i, Int16(i)) }
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
        speaker.feed.start(codec: .pcm16)
        speaker.feed.play(earcon: [Int16](repeating: 32_767, count: 100))
        speaker.receive(0, 10)
        _ = speaker.feed.pump()
        #expect(speaker.play(1000) == [Int16](repeating: 32_767, count: 100) + [Int16](repeating: 10, count: 220))
    }

    @Test("stop throws away what is queued and tells the thread to be silent")
    func stop() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.feed.start(codec: .pcm16)
        speaker.receive(0, 1)
        _ = speaker.feed.pump()
        speaker.receive(1, 2)
        speaker.feed.stop()
        #expect(!speaker.feed.pump())
        #expect(speaker.controls.wantedDiscard == 320)
        #expect(!speaker.feed.isBusy)
    }

    @Test("a second stop that comes while the first is being served is served too")
    func secondStop() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        func stopOne(_ sequence: UInt16) {
            speaker.feed.start(codec: .pcm16)
            speaker.receive(sequence, 1)
            _ = speaker.feed.pump()
            speaker.feed.stop()
        }
        #expect(speaker.controls.wantedDiscard == .min, "nothing has been stopped yet")
        stopOne(0)
        let first = speaker.controls.wantedDiscard
        stopOne(1)
        speaker.controls.servedDiscard(first)
        #expect(first == 320 && speaker.controls.wantedDiscard == 640)
        speaker.controls.servedDiscard(640)
        #expect(speaker.controls.wantedDiscard == .min)
    }

    @Test("a packet that is not Opus is concealed, counted, and keeps its 20 ms")
    func broken() throws {
        let speaker = try Speaker(playoutDelayMilliseconds: 0)
        speaker.feed.start(codec: .opus)
        speaker.receive(0, -1)
        speaker.feed.finish()
        _ = speaker.feed.pump()
        #expect(speaker.play(1000).count == 320)
        #expect(speaker.feed.brokenPackets == 1)
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

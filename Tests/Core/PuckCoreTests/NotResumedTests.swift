import PuckBase
import PuckWire
import Testing

@testable import PuckCore

/// What a puck does when the hub cannot go on where the link broke (docs/PROTOCOL.md §11).
@Suite("What cannot be resumed")
struct NotResumedTests {
    @Test("resume is sent to a hub that keeps nothing (replay_ms 0), too; the rest of a play is waited for in any case")
    func nothingKept() {
        var bench = Bench()
        bench.connect()  // its welcome says 0
        _ = PlaybackTests.start(&bench)
        _ = PlaybackTests.audio(&bench, 1)
        bench.on(.socketClosed(reason: "reset"))
        _ = bench.wait(.seconds(2))
        #expect(
            PuckResumeTests.hello(bench.on(.socketOpened))?.resume == Hello.Resume(epoch: 7, sequence: SerialNumber(2)))
        #expect(bench.control(PuckResumeTests.welcome(.fresh, epoch: 8)).logged("link.up"))
        // The stream is new, so is what comes of it.
        #expect(PlaybackTests.start(&bench, at: 0).contains { if case .startPlayback = $0 { true } else { false } })

        var waiting = Bench()
        waiting.connect()
        _ = PlaybackTests.start(&waiting)
        waiting.on(.socketClosed(reason: "reset"))
        waiting.on(.playbackStarved)
        #expect(!waiting.wait(.milliseconds(29_999)).contains(.stopPlayback))
        #expect(waiting.wait(.milliseconds(1)).contains(.stopPlayback))
    }

    @Test(
        "a welcome without uplink_next_seq is all that says that a conversation does not go on: who speaks asks again")
    func notResumed() {
        var bench = Bench()
        bench.listen()
        _ = PuckResumeTests.speak(&bench, 20)
        bench.on(.socketClosed(reason: "reset"))
        _ = PuckResumeTests.speak(&bench, 8)
        let hello = PuckResumeTests.hello(bench.on(.socketOpened))
        #expect(hello?.uplink?.conversationID == "c1")
        let effects = bench.control(PuckResumeTests.welcome(.replayed))
        let wakes = effects.sent.compactMap { if case .wakeCandidate(let wake) = $0 { wake.wakeID } else { nil } }
        #expect(wakes == [2] && effects.packets.isEmpty)
        #expect(!effects.sent.contains { if case .uplinkEnd = $0 { true } else { false } })
        #expect(bench.puck.phase == .candidate)
        // What a hub might say of the old one is about nothing any more.
        #expect(bench.control(.uplinkAck(conversationID: "c1", next: SerialNumber(20))).packets.isEmpty)
        _ = bench.control(.grant(wakeID: 2, conversationID: "c2"))
        #expect(bench.puck.phase == .listening)
    }
}

import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("Long presses and pairing")
struct PairingTests {
    private static func connected() -> Bench {
        var bench = Bench()
        bench.connect()
        return bench
    }

    @Test("a long press closes an open microphone at once, with sound and light, and its end changes nothing")
    func mutes() {
        var bench = Bench()
        bench.listen()
        let effects = bench.on(.longPressed)
        #expect(effects.contains(.setMuted(true)) && effects.contains(.playEarcon(.muted)))
        #expect(effects.lights == [.muted])
        #expect(effects.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .muted } else { false } })
        #expect(bench.on(.longPressEnded) == [])
        #expect(bench.puck.isMutedByPerson)
        #expect(bench.wake().sent.isEmpty)
    }

    @Test("the next one opens it, when it ends")
    func unmutes() {
        var bench = Self.connected()
        bench.on(.longPressed)
        bench.on(.longPressEnded)
        #expect(bench.on(.longPressed) == [])
        let effects = bench.on(.longPressEnded)
        #expect(effects.contains(.setMuted(false)) && effects.contains(.playEarcon(.unmuted)))
        #expect(effects.lights == [.idle])
    }

    @Test("it opens a microphone that the hub has closed: a person's word counts more")
    func overTheHub() {
        var bench = Self.connected()
        _ = bench.control(.set(volume: nil, muted: true))
        bench.on(.longPressed)
        #expect(bench.on(.longPressEnded).contains(.setMuted(false)))
    }

    @Test("against a mute switch it is in vain, and audibly so")
    func againstTheSwitch() {
        var bench = Self.connected()
        bench.on(.muteSwitched(true))
        bench.on(.longPressed)
        let effects = bench.on(.longPressEnded)
        #expect(effects.contains(.playEarcon(.failed)) && effects.logged("mute.kept"))
        #expect(!effects.contains(.setMuted(false)) && bench.puck.isMuted)
    }

    @Test("a very long press takes back what it did as a long one, and begins pairing")
    func veryLong() {
        var bench = Self.connected()
        bench.on(.longPressed)
        let effects = bench.on(.veryLongPressed)
        #expect(effects.contains(.setMuted(false)) && effects.contains(.beginPairing))
        #expect(effects.lights == [.pairing] && bench.puck.isPairing && !bench.puck.isMuted)
    }

    @Test("a puck that was muted stays so, however long its button is pressed")
    func mutedAndVeryLong() {
        var bench = Self.connected()
        bench.on(.muteRequested(true))
        #expect(bench.on(.longPressed) == [])
        let effects = bench.on(.veryLongPressed)
        #expect(!effects.contains(.setMuted(false)) && bench.puck.isMuted)
        #expect(effects.lights == [.pairing])
        #expect(bench.on(.pairingEnded(.cancelled)).lights == [.muted])
    }

    @Test("a mute that comes during the press from elsewhere is not taken back", arguments: [true, false])
    func mutedMeanwhile(bySwitch: Bool) {
        var bench = Self.connected()
        bench.on(.longPressed)
        bench.on(bySwitch ? .muteSwitched(true) : .muteRequested(true))
        #expect(!bench.on(.veryLongPressed).contains(.setMuted(false)))
        #expect(bench.puck.isMuted)
    }

    @Test("a command that begins pairing opens no microphone, and a press whose end was lost spoils no later one")
    func lostPress() {
        var bench = Self.connected()
        bench.on(.longPressed)  // and then the line goes
        #expect(!bench.on(.pairingRequested).contains(.setMuted(false)) && bench.puck.isMuted)
        bench.on(.longPressed)
        #expect(bench.on(.longPressEnded).contains(.setMuted(false)))
    }

    @Test("pairing ends by itself after ten minutes")
    func timesOut() {
        var bench = Self.connected()
        bench.on(.pairingRequested)
        let before = bench.wait(.seconds(599))
        #expect(!before.contains(.endPairing(.timedOut)) && bench.puck.isPairing)
        let after = bench.wait(.seconds(1))
        #expect(after.contains(.endPairing(.timedOut)) && after.logged("pairing.ended"))
        // A hub that has said nothing for so long is none.
        #expect(after.lights == [.offline] && !bench.puck.isPairing)
    }

    @Test("asked for again it begins anew, and looks for a hub once")
    func again() {
        var bench = Self.connected()
        bench.on(.pairingRequested)
        _ = bench.wait(.seconds(500))
        #expect(!bench.on(.pairingRequested).contains(.beginPairing))
        #expect(!bench.wait(.seconds(599)).contains(.endPairing(.timedOut)))
        #expect(bench.wait(.seconds(1)).contains(.endPairing(.timedOut)))
    }

    @Test("a short press ends it, and wakes nobody")
    func shortPress() {
        var bench = Self.connected()
        bench.on(.pairingRequested)
        let effects = bench.on(.talkRequested(position: 0))
        #expect(effects.contains(.endPairing(.cancelled)) && effects.sent.isEmpty && effects.lights == [.idle])
        #expect(bench.on(.talkRequested(position: 0)).lights == [.candidate], "the next one wakes")
    }

    @Test("so does stop, and a hub that takes the puck in; what ended does not end again")
    func otherEnds() {
        var bench = Self.connected()
        bench.on(.pairingRequested)
        #expect(bench.on(.stopRequested).contains(.endPairing(.cancelled)))
        bench.on(.pairingRequested)
        #expect(bench.on(.pairingEnded(.joined)).contains(.endPairing(.joined)))
        #expect(bench.on(.pairingEnded(.joined)) == [])
        #expect(!bench.wait(.seconds(700)).contains(.endPairing(.timedOut)))
    }

    @Test("a puck without a hub pairs all the same")
    func withoutHub() {
        var bench = Bench()
        bench.on(.started)
        #expect(bench.on(.pairingRequested).lights == [.pairing])
        #expect(bench.wait(.seconds(600)).contains(.endPairing(.timedOut)))
    }
}

import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("Earcons and the microphone")
struct EarconTests {
    private func press(_ bench: inout Bench) { bench.on(.talkRequested(position: 16_000)) }

    @Test("the puck's own sound wakes nobody, a voice after it does, and a button does at any time")
    func ownSound() {
        var bench = Bench()
        bench.connect()
        bench.on(.earconStarted(until: bench.now + .milliseconds(500)))
        bench.now = bench.now + .milliseconds(499)
        #expect(bench.wake().logged("wake.ignored") && bench.puck.phase == .idle)
        bench.now = bench.now + .milliseconds(1)
        _ = bench.wake()
        #expect(bench.puck.phase == .candidate)
        var other = Bench()
        other.connect()
        other.on(.earconStarted(until: other.now + .milliseconds(500)))
        press(&other)
        #expect(other.puck.phase == .candidate)
    }

    @Test("what is left of an earcon after the button is not taken for speech")
    func residue() {
        var bench = Bench()
        bench.connect()
        press(&bench)
        _ = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        bench.on(.earconStarted(until: bench.now + .milliseconds(400)))
        for _ in 0..<20 {
            bench.on(.packetEncoded(levelDecibels: -20))
            bench.now = bench.now + .milliseconds(20)
        }
        // The person thinks for two seconds: longer than the hangover.
        for _ in 0..<100 {
            bench.on(.packetEncoded(levelDecibels: -70))
            bench.now = bench.now + .milliseconds(20)
        }
        #expect(bench.puck.phase == .listening)
        for _ in 0..<20 { bench.on(.packetEncoded(levelDecibels: -20)) }
        for _ in 0..<35 { bench.on(.packetEncoded(levelDecibels: -70)) }
        #expect(bench.puck.phase == .thinking)
    }

    @Test("a recorded sound for listening is played after the button, and never into a voice")
    func recorded() {
        for isButton in [true, false] {
            var bench = Bench()
            bench.puck.parameters.listeningIsRecorded = true
            bench.connect()
            if isButton { press(&bench) } else { _ = bench.wake() }
            let grant = bench.control(.grant(wakeID: 1, conversationID: "c1"))
            #expect(grant.contains(.playEarcon(.listening)) == isButton)
            #expect(grant.lights == [.listening])
        }
    }

    @Test("done is heard when the hub has done it and says nothing, and only then")
    func done() {
        var bench = Bench()
        bench.listen()
        for _ in 0..<20 { bench.on(.packetEncoded(levelDecibels: -20)) }
        for _ in 0..<35 { bench.on(.packetEncoded(levelDecibels: -70)) }
        #expect(bench.puck.phase == .thinking)
        let idle = bench.control(.phase(conversationID: "c1", phase: .idle))
        #expect(idle.contains(.playEarcon(.done)) && bench.puck.phase == .idle)
        #expect(!bench.control(.phase(conversationID: "c1", phase: .idle), 1).contains(.playEarcon(.done)))
    }
}

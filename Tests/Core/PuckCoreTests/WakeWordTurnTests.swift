import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("The puck's turn: wake words")
struct WakeWordTurnTests {
    /// As a model's: the recording begins behind the word.
    private static func word(tail: Int = 0) -> WakeFinding {
        WakeFinding(
            onset: 16_000, levelDecibels: -30, noiseDecibels: -60, confidence: 0.9, recordFrom: 28_000,
            wordMilliseconds: tail)
    }

    private static func bench() -> Bench {
        var bench = Bench()
        bench.puck.identity.wakePhrases = ["Okay Nabu", "puck", "Alexa"]
        return bench
    }

    @Test("the hello has all phrases, each once, the button's first")
    func hello() {
        var bench = Self.bench()
        bench.on(.started)
        let hello = bench.on(.socketOpened).sent.compactMap { if case .hello(let hello) = $0 { hello } else { nil } }
        #expect(hello.first?.phrases == ["puck", "Okay Nabu", "Alexa"])
    }

    @Test("a candidate has its word's phrase, and the recording begins where the word ended, without a preroll")
    func phrase() {
        var bench = Self.bench()
        bench.connect()
        let effects = bench.on(.wakeHeard(Self.word(), onset: bench.now, phrase: "Okay Nabu"))
        let candidates = effects.sent.compactMap { if case .wakeCandidate(let wake) = $0 { wake } else { nil } }
        #expect(candidates.map { $0.phrase } == ["Okay Nabu"])
        #expect(effects.contains(.startEncoding(onset: 28_000, preroll: false)))
    }

    @Test("a word that began while the puck sounded, or in its echo, wakes nobody, though it ended later")
    func ownSound() {
        var bench = Self.bench()
        bench.connect()
        _ = bench.control(.downStart(DownStart(playID: 5, conversationID: "c1")), 0)
        _ = bench.on(.playbackAdvanced(samples: 0))
        let began = bench.now
        bench.now = bench.now + .milliseconds(300)
        bench.on(.stopRequested)
        bench.now = bench.now + .milliseconds(400)
        #expect(bench.on(.wakeHeard(Self.word(), onset: began)).logged("wake.ignored"))
        let echo = began + .milliseconds(500)
        #expect(bench.on(.wakeHeard(Self.word(), onset: echo)).logged("wake.ignored"))
        bench.now = bench.now + .milliseconds(900)
        #expect(bench.on(.wakeHeard(Self.word(), onset: began + .milliseconds(600))).logged("wake.candidate"))
    }

    @Test("an earcon is no word: what a model hears meanwhile counts, and what is merely loud does not")
    func earcon() {
        var bench = Self.bench()
        bench.connect()
        bench.on(.earconStarted(until: bench.now + .milliseconds(500)))
        #expect(bench.wake().logged("wake.ignored"))
        #expect(bench.on(.wakeHeard(Self.word(), onset: bench.now)).logged("wake.candidate"))
    }

    private func packets(_ bench: inout Bench, _ count: Int, level: Float) -> [PuckEffect] {
        (0..<count).flatMap { _ in
            bench.now = bench.now + .milliseconds(20)
            return bench.on(.packetEncoded(levelDecibels: level))
        }
    }

    @Test("the end of the word is no speech: who pauses after it has time; a short command right behind it counts")
    func tail() {
        var bench = Self.bench()
        bench.connect()
        _ = bench.on(.wakeHeard(Self.word(tail: 400), onset: bench.now))
        _ = bench.control(.grant(wakeID: 1, conversationID: "c1"))
        // 300 ms of the word, and a pause of 1.5 s: more than the hangover of 700 ms.
        #expect(!packets(&bench, 15, level: -30).logged("uplink.end"))
        #expect(!packets(&bench, 75, level: -60).logged("uplink.end"))
        #expect(!packets(&bench, 20, level: -30).logged("uplink.end"))
        #expect(packets(&bench, 40, level: -60).logged("uplink.end"), "700 ms after the command")

        var other = Self.bench()
        other.connect()
        _ = other.on(.wakeHeard(Self.word(tail: 400), onset: other.now))
        _ = other.control(.grant(wakeID: 1, conversationID: "c1"))
        // All that was said is within what may be the word: after two seconds it is taken for a command.
        #expect(!packets(&other, 18, level: -30).logged("uplink.end"))
        let end = packets(&other, 105, level: -60)
        #expect(
            end.sent.contains { if case .uplinkEnd(let end) = $0 { end.reason == .endpoint } else { false } })
    }
}

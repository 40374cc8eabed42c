import PuckAudio
import PuckBase
import PuckWire
import Testing

@testable import PuckCore

@Suite("A television")
struct DoubtTests {
    private static func finding(_ confidence: Float) -> WakeFinding {
        WakeFinding(onset: 16_000, levelDecibels: -30, noiseDecibels: -60, confidence: confidence)
    }

    /// A turn with an utterance that ends as given. False: the wake word was not believed.
    private func turn(_ bench: inout Bench, ranOut: Bool, confidence: Float = 1, button: Bool = false) -> Bool {
        bench.on(button ? .talkRequested(position: 0) : .wakeHeard(Self.finding(confidence), onset: bench.now))
        guard bench.puck.phase == .candidate else { return false }
        let id = bench.puck.lastWakeID
        _ = bench.control(.grant(wakeID: id, conversationID: "c\(id)"))
        var packets = 0
        while bench.puck.phase == .listening {
            let isSpeech = ranOut ? packets % 25 < 20 : packets < 50
            bench.on(.packetEncoded(levelDecibels: isSpeech ? -30 : -60))
            bench.now = bench.now + .milliseconds(20)
            packets += 1
            acknowledge(&bench, id)
        }
        bench.on(.stopRequested)
        // The hub pings; whatever else is due happens.
        live(&bench, 3)
        return true
    }

    private func acknowledge(_ bench: inout Bench, _ id: UInt32) {
        guard bench.puck.phase == .listening else { return }
        _ = bench.control(.uplinkAck(conversationID: "c\(id)", next: bench.puck.nextPacket))
    }

    private func live(_ bench: inout Bench, _ seconds: Int) {
        for _ in 0..<seconds {
            bench.on(.controlReceived(.ping(Ping(t0: 1)), sequence: .zero))
            _ = bench.wait(.seconds(1))
            if !bench.puck.isConnected { bench.connect() }
        }
    }

    @Test(
        "one turn that runs to its limit is a talker; each further one makes wake words harder to believe, to a bound")
    func steps() {
        var bench = Bench()
        bench.connect()
        var steps: [Int] = []
        for _ in 0..<7 {
            #expect(turn(&bench, ranOut: true))
            steps.append(bench.puck.wakeDoubt)
        }
        #expect(steps == [0, 1, 2, 3, 4, 4, 4])
        #expect(!turn(&bench, ranOut: true, confidence: 0.85))
        #expect(turn(&bench, ranOut: false, confidence: 0.9), "what is clear is always believed")
    }

    @Test("it says so in the log, once a step, and again when it is over")
    func said() {
        var bench = Bench()
        bench.connect()
        _ = turn(&bench, ranOut: true)
        bench.on(.wakeHeard(Self.finding(1), onset: bench.now))
        _ = bench.control(.grant(wakeID: 2, conversationID: "c2"))
        var all: [PuckEffect] = []
        for packet in 0..<760 {
            all += bench.on(.packetEncoded(levelDecibels: packet % 25 < 20 ? -30 : -60))
            bench.now = bench.now + .milliseconds(20)
            acknowledge(&bench, 2)
        }
        #expect(all.logged("wake.doubt") && bench.puck.wakeDoubt == 1)
        bench.on(.stopRequested)
        let later = bench.wait(WakeDoubt.decay)
        #expect(later.logged("wake.doubt") && bench.puck.wakeDoubt == 0)
    }

    @Test("the doubt passes by itself, a step each five minutes")
    func decay() {
        var bench = Bench()
        bench.connect()
        for _ in 0..<3 { _ = turn(&bench, ranOut: true) }
        #expect(bench.puck.wakeDoubt == 2)
        _ = bench.wait(WakeDoubt.decay)
        #expect(bench.puck.wakeDoubt == 1)
        _ = bench.wait(WakeDoubt.decay)
        #expect(bench.puck.wakeDoubt == 0)
        bench.connect()
        #expect(turn(&bench, ranOut: false, confidence: 0.51))
    }

    @Test("turns that people end, and turns far apart, make no doubt")
    func people() {
        var bench = Bench()
        bench.connect()
        for i in 0..<10 {
            _ = turn(&bench, ranOut: i % 2 == 0)
            #expect(bench.puck.wakeDoubt == 0)
        }
        for _ in 0..<4 {
            _ = turn(&bench, ranOut: true)
            #expect(bench.puck.wakeDoubt == 0)
            live(&bench, 130)
        }
    }

    @Test("the button is neither counted nor doubted")
    func button() {
        var bench = Bench()
        bench.connect()
        for _ in 0..<6 { #expect(turn(&bench, ranOut: true, button: true)) }
        #expect(bench.puck.wakeDoubt == 0)
        for _ in 0..<6 { _ = turn(&bench, ranOut: true) }
        #expect(bench.puck.wakeDoubt == 4)
        #expect(turn(&bench, ranOut: false, button: true))
    }
}

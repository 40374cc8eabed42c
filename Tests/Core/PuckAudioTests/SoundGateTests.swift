import Testing

@testable import PuckAudio

@Suite("The gate in front of wake word models")
struct SoundGateTests {
    @Test("It opens at the second frame above the threshold, and closes two seconds after the last")
    func opens() {
        var gate = SoundGate(thresholdDecibels: 4)
        gate.observe(levelDecibels: -50, noiseDecibels: -60)
        #expect(!gate.isOpen, "one is a click")
        gate.observe(levelDecibels: -60, noiseDecibels: -60)
        gate.observe(levelDecibels: -50, noiseDecibels: -60)
        #expect(!gate.isOpen)
        gate.observe(levelDecibels: -50, noiseDecibels: -60)
        #expect(gate.isOpen)
        for _ in 0..<199 { gate.observe(levelDecibels: -57, noiseDecibels: -60) }
        #expect(gate.isOpen)
        gate.observe(levelDecibels: -57, noiseDecibels: -60)
        #expect(!gate.isOpen)
    }

    @Test("A threshold of 0 keeps it open")
    func always() { #expect(SoundGate(thresholdDecibels: 0).isOpen) }
}

import AudioRing
import PuckAudio
import Testing

@Suite("Envelope of an onset")
struct OnsetEnvelopeTests {
    private func levels(_ samples: [Int16]) -> [Int8] { samples.withUnsafeBufferPointer { OnsetEnvelope.decibels($0) } }

    @Test("one level for each whole step of 5 ms, at most 160 ms")
    func steps() {
        let loud = [Int16](repeating: 16_384, count: 80)
        let quiet = [Int16](repeating: 0, count: 80)
        #expect(levels(quiet + loud + quiet + loud.dropLast()) == [-90, -6, -90])
        #expect(levels([]).isEmpty)
        #expect(levels([Int16](repeating: .min, count: 4_000)) == [Int8](repeating: 0, count: 32))
    }

    @Test("from the ring it begins 60 ms before the onset, and ends with what has been heard")
    func fromRing() {
        let ring = AudioRing()
        let samples = [Int16](repeating: 0, count: 1_600) + [Int16](repeating: 16_384, count: 800)
        samples.withUnsafeBufferPointer { _ = ring.producer.write($0) }
        let expected = [Int8](repeating: -90, count: 12) + [Int8](repeating: -6, count: 10)
        #expect(OnsetEnvelope.decibels(around: 1_600, in: ring) == expected)
        // What lies before the first sample, or is no longer held, is not made up.
        #expect(OnsetEnvelope.decibels(around: 959, in: ring).isEmpty)
        for _ in 0..<8 { samples.withUnsafeBufferPointer { _ = ring.producer.write($0) } }
        #expect(OnsetEnvelope.decibels(around: 1_600, in: ring).isEmpty)
    }
}

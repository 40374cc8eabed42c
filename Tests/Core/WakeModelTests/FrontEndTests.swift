import Testing

@testable import WakeModel

@Suite struct FrontEndTests {
    /// The rows of features of a sound.
    private func rows(_ sound: some Sequence<Int16>, _ frontEnd: inout FrontEnd, _ body: ([UInt16]) -> Void) {
        var step: [Int16] = []
        step.reserveCapacity(FrontEnd.stepSamples)
        for sample in sound {
            step.append(sample)
            guard step.count == FrontEnd.stepSamples else { continue }
            if let row = frontEnd.step(step) { body(Array(UnsafeBufferPointer(start: row, count: FrontEnd.channels))) }
            step.removeAll(keepingCapacity: true)
        }
    }

    /// One hash a second, as Benchmarks/wake/reference.py makes them: 98 rows the first, 100 each other.
    private func hashes(_ sound: some Sequence<Int16>) -> [UInt32] {
        var frontEnd = FrontEnd()
        var hashes: [UInt32] = []
        var hash = Hash()
        var left = 98
        rows(sound, &frontEnd) { row in
            for feature in row { hash.add(feature) }
            left -= 1
            if left == 0 {
                hashes.append(hash.value)
                hash = Hash()
                left = 100
            }
        }
        return hashes
    }

    @Test func everyFeatureIsTheReferencesOverMinutesOfSpeechLikeSound() {
        let expected = ReferenceFeatures.speechLike
        let found = hashes(SpeechLikeSound(seed: 1).prefix(expected.count * 16_000))
        let wrong = expected.indices.filter { $0 >= found.count || found[$0] != expected[$0] }
        #expect(expected.count == 330)
        #expect(wrong.isEmpty, "seconds that differ: \(wrong)")
    }

    @Test func everyFeatureIsTheReferencesWhereSoundSaturatesOrIsNothing() {
        #expect(hashes(extremeSound(seed: 2)) == ReferenceFeatures.extremes)
    }

    @Test func theFirstRowComesWithTheThirdStep() {
        var frontEnd = FrontEnd()
        let step = [Int16](repeating: 1_000, count: FrontEnd.stepSamples)
        #expect(frontEnd.step(step) == nil)
        #expect(frontEnd.step(step) == nil)
        #expect(frontEnd.step(step) != nil)
        #expect(frontEnd.step(step) != nil)
    }

    @Test func afterAResetItIsAsNew() {
        let sound = Array(SpeechLikeSound(seed: 3).prefix(40_000))
        var frontEnd = FrontEnd()
        var first: [[UInt16]] = []
        rows(sound, &frontEnd) { first.append($0) }
        frontEnd.reset()
        var second: [[UInt16]] = []
        rows(sound, &frontEnd) { second.append($0) }
        #expect(first.count == 248)
        #expect(first == second)
    }

    @Test func theRootIsExactAroundSquaresUpToTheLargest() {
        for root: UInt64 in [1, 2, 3, 255, 256, 65_534, 65_535, 65_536, 65_537, 16_777_217, 67_108_863, 4_294_967_294] {
            // root² + root is nearer to root, one more is nearer to the next.
            #expect(wideRoot(root * root) == root)
            #expect(wideRoot(root * root + root) == root)
            #expect(wideRoot(root * root + root + 1) == root + 1)
        }
        #expect(wideRoot(0) == 0)
        #expect(wideRoot(.max) == 0xffff_ffff)
        var random = Random(state: 5)
        for _ in 0..<100_000 {
            let bits = random.below(52)
            let value = (UInt64(random.below(1 << 30)) << 30 | UInt64(random.below(1 << 30))) & (UInt64(1) << bits - 1)
            let expected = value >> 32 == 0 && wideRoot(value) == 65_536 ? 65_535 : wideRoot(value)
            #expect(root(value) == expected, "\(value)")
        }
    }

    @Test func itsMemoryIsKnownAndSmall() { #expect(FrontEnd.memoryBytes < 16 * 1_024) }
}

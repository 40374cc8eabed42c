import Testing

@testable import Resampler

private func convert(_ samples: [Int16], from: Int, to: Int, block: Int) throws -> [Int16] {
    let resampler = try Resampler(from: from, to: to)
    defer { resampler.destroy() }
    var out: [Int16] = []
    for start in stride(from: 0, to: samples.count, by: block) {
        let piece = Array(samples[start..<min(start + block, samples.count)])
        var room = [Int16](repeating: 0, count: resampler.outputBound(for: piece.count))
        let count = piece.withUnsafeBufferPointer { from in
            room.withUnsafeMutableBufferPointer { resampler.process(from, into: $0) }
        }
        out += room.prefix(count)
    }
    return out
}

/// A triangle wave: known zero crossings without libm.
private func triangle(_ hertz: Int, rate: Int, seconds: Int) -> [Int16] {
    (0..<rate * seconds).map { i in
        let phase = Double((i * hertz) % rate) / Double(rate)
        return Int16((phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase) * 8000)
    }
}

private func upwardCrossings(_ samples: ArraySlice<Int16>) -> Int {
    zip(samples, samples.dropFirst()).filter { $0 < 0 && $1 >= 0 }.count
}

@Suite("Resampler")
struct ResamplerTests {
    @Test("equal rates are a plain copy")
    func bypass() throws {
        let samples = (0..<1000).map { Int16($0) }
        #expect(try convert(samples, from: 16_000, to: 16_000, block: 320) == samples)
    }

    @Test(
        "keeps pitch and length",
        arguments: [
            (8000, 16_000), (44_100, 16_000), (48_000, 16_000), (192_000, 16_000), (16_000, 48_000), (16_000, 44_100),
        ])
    func rates(_ from: Int, _ to: Int) throws {
        let out = try convert(triangle(200, rate: from, seconds: 2), from: from, to: to, block: from / 50)
        #expect(abs(out.count - 2 * to) < to / 100)
        let crossings = upwardCrossings(out[to / 2..<to / 2 + to])
        #expect(abs(crossings - 200) <= 1)
    }

    @Test("the block length does not change the result")
    func blocks() throws {
        let samples = triangle(440, rate: 48_000, seconds: 1)
        let a = try convert(samples, from: 48_000, to: 16_000, block: 960)
        let b = try convert(samples, from: 48_000, to: 16_000, block: 7)
        let count = min(a.count, b.count)
        #expect(count > 15_900 && a.prefix(count) == b.prefix(count))
    }

    @Test("a reset forgets the last sound, and its latency in zeros pushes a sound's end out")
    func resetAndFlush() throws {
        let resampler = try Resampler(from: 16_000, to: 48_000)
        defer { resampler.destroy() }
        func run(_ input: [Int16]) -> [Int16] {
            var room = [Int16](repeating: 0, count: resampler.outputBound(for: input.count))
            let count = input.withUnsafeBufferPointer { from in
                room.withUnsafeMutableBufferPointer { resampler.process(from, into: $0) }
            }
            return Array(room.prefix(count))
        }
        let sound = triangle(300, rate: 16_000, seconds: 1)
        let first = run(sound)
        let end = run([Int16](repeating: 0, count: resampler.inputLatency()))
        #expect(abs(first.count + end.count - 48_000) <= 3)
        #expect(end.contains { abs(Int($0)) > 100 })
        resampler.reset()
        #expect(run(sound) == first)
    }

    @Test("48 kHz periods of 20 ms become packets of 20 ms, so that none waits for the next period")
    func exact() throws {
        let resampler = try Resampler(from: 48_000, to: 16_000)
        defer { resampler.destroy() }
        let input = [Int16](repeating: 100, count: 960)
        var room = [Int16](repeating: 0, count: resampler.outputBound(for: 960))
        var counts: [Int] = []
        for _ in 0..<50 {
            counts.append(
                input.withUnsafeBufferPointer { from in
                    room.withUnsafeMutableBufferPointer { resampler.process(from, into: $0) }
                })
        }
        #expect(counts.dropFirst(2).allSatisfy { $0 == 320 })
    }
}

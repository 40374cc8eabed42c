import PuckBase
import Testing

@testable import ALSADevice

#if canImport(Glibc)
    import Glibc
#endif

@Suite("A constant offset")
struct OffsetFilterTests {
    /// Frames of a device with the same sound on the channel that is heard, and noise on the others.
    private static func frames(
        _ sound: [Double], _ format: SampleFormat, channels: Int = 1, heard: Int = 0, seed: UInt64 = 1
    ) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        var bytes: [UInt8] = []
        for value in sound {
            for channel in 0..<channels {
                let level = channel == heard ? value : random.nextSigned() * 0.5
                let sample = Int64((max(-1, min(1, level)) * 2_147_483_647).rounded())
                switch format {
                case .s16: put(sample >> 16, 2)
                case .s24: put(sample >> 8, 4)
                case .s24Packed: put(sample >> 8, 3)
                case .s32: put(sample, 4)
                }
            }
        }
        func put(_ value: Int64, _ count: Int) {
            for i in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> Int64(8 * i))) }
        }
        return bytes
    }

    private static func filtered(
        _ sound: [Double], rate: Int, format: SampleFormat = .s16, channels: Int = 1, heard: Int = 0,
        gain: Int32 = unityGain, period: Int? = nil, seed: UInt64 = 1
    ) -> [Int16] {
        var filter = OffsetFilter(rate: rate)
        let bytes = frames(sound, format, channels: channels, heard: heard, seed: seed)
        var output = [Int16](repeating: 99, count: sound.count)
        let period = period ?? rate / 50
        bytes.withUnsafeBytes { raw in
            output.withUnsafeMutableBufferPointer { to in
                var at = 0
                while at < sound.count {
                    let count = min(period, sound.count - at)
                    filter.monoSamples(
                        from: raw.baseAddress! + at * format.sampleBytes * channels, format: format,
                        channels: channels, frames: count, choice: .channel(heard), gain: gain,
                        into: to.baseAddress! + at)
                    at += count
                }
            }
        }
        return output
    }

    private static func tone(_ hertz: Double, rate: Int, seconds: Double, amplitude: Double) -> [Double] {
        (0..<Int(Double(rate) * seconds)).map { amplitude * sin(2 * .pi * hertz * Double($0) / Double(rate)) }
    }

    private static func decibels(_ samples: ArraySlice<Int16>) -> Double {
        let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(samples.count)
        return 10 * log10(max(power, 1e-9) / (32_768 * 32_768))
    }

    private static let rates = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]

    @Test("the filter is 3 dB down between 15 and 30 Hz, loses less than 0.7 dB of the lowest voice", arguments: rates)
    func response(_ rate: Int) {
        func loss(_ hertz: Double) -> Double {
            let sound = Self.tone(hertz, rate: rate, seconds: 1, amplitude: 0.25)
            let before = 20 * log10(0.25 / 2.0.squareRoot())
            return before - Self.decibels(Self.filtered(sound, rate: rate).suffix(rate / 2))
        }
        #expect(loss(14) > 3)
        #expect(loss(31) < 3.1)
        #expect(loss(2) > 15)
        #expect(loss(80) < 0.7)
        #expect(loss(300) < 0.1)
        #expect(abs(loss(3000)) < 0.1)
    }

    @Test("a constant input is exactly 0 from the first sample on, and for ever", arguments: rates)
    func limitCycle(_ rate: Int) {
        for offset in [-0.891, -0.1, -0.01, -3e-5, 3e-5, 0.01, 0.1, 0.891, 1] {
            for format in SampleFormat.allCases {
                let output = Self.filtered(
                    [Double](repeating: offset, count: rate / 5), rate: rate, format: format)
                #expect(output.allSatisfy { $0 == 0 }, "\(offset) \(format)")
            }
        }
    }

    @Test("a step of nearly full scale is over within 80 ms, and ends in exactly 0", arguments: rates)
    func step(_ rate: Int) {
        let sound = [Double](repeating: 0.01, count: rate / 10) + [Double](repeating: 0.9, count: rate / 2)
        let output = Self.filtered(sound, rate: rate)
        let after = output.suffix(rate / 2)
        #expect(Self.decibels(after.dropFirst(rate * 8 / 100)) < -60)
        #expect(after.suffix(rate / 10).allSatisfy { $0 == 0 })
    }

    @Test("exact zeros stay zeros, leave the state alone, and no step is heard behind them")
    func zeros() {
        let rate = 16_000
        var random = SeededGenerator(seed: 3)
        func room(_ count: Int) -> [Double] { (0..<count).map { _ in 0.3 + random.nextSigned() * 0.002 } }
        for length in [100, 333, 1600, 16_001] {
            for start in [1600, 1777] {
                let sound = room(start) + [Double](repeating: 0, count: length) + room(3200)
                let output = Self.filtered(sound, rate: rate)
                let peak =
                    output.enumerated().filter { !(start..<start + length).contains($0.offset) }
                    .map { abs(Int($0.element)) }.max() ?? 0
                // The last samples before a period's end may lie behind zeros in the middle of that period only.
                let isWithinPeriod = start / 320 == (start + length) / 320
                if !isWithinPeriod { #expect(peak < 400, "\(length) from \(start): \(peak)") }
                #expect(output[(start + 16)..<(start + length)].allSatisfy { $0 == 0 } || isWithinPeriod)
            }
        }
    }

    @Test("any offset is taken out of any sound, at any rate, in any format, of any channel", arguments: 1...60)
    func property(_ seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        func pick<T>(_ list: [T]) -> T { list[Int(random.next() % UInt64(list.count))] }
        let rate = pick([16_000, 44_100, 48_000])
        let format = pick(SampleFormat.allCases)
        let channels = 1 + Int(random.next() % 8)
        let heard = Int(random.next() % UInt64(channels))
        let offset = pow(10, -(1 + abs(random.nextSigned()) * 39) / 20) * (random.nextSigned() < 0 ? -1 : 1)
        let level = min(pow(10, -38.0 / 20), 0.99 - abs(offset)) * 2.0.squareRoot()
        let sound = Self.tone(200 + abs(random.nextSigned()) * 800, rate: rate, seconds: 1, amplitude: level)
        let output = Self.filtered(
            sound.map { $0 + offset }, rate: rate, format: format, channels: channels, heard: heard,
            period: pick([rate / 100, rate / 50, rate / 10 + 7]), seed: UInt64(seed))
        let clean = Self.filtered(sound, rate: rate, format: format, channels: channels, heard: heard)
        let error = zip(output, clean).map { abs(Int($0) - Int($1)) }.dropFirst(rate / 10).max() ?? 0
        #expect(error <= 2, "\(rate) \(format) \(channels) \(offset)")
        let first = output.prefix(rate / 10).map { abs(Int($0)) }.max() ?? 0
        #expect(Double(first) < 32_768 * level * 2.2, "no transient at the start: \(first)")
        #expect(abs(output.suffix(rate / 2).reduce(0) { $0 + Int($1) }) / (rate / 2) <= 2)
    }

    @Test("the gain comes after the offset: what would saturate with it does not")
    func gain() {
        let sound = Self.tone(400, rate: 48_000, seconds: 0.5, amplitude: 0.0003).map { $0 + 0.4 }
        let output = Self.filtered(sound, rate: 48_000, format: .s32, gain: 64 * unityGain)
        let peak = output.map { abs(Int($0)) }.max() ?? 0
        #expect((550...800).contains(peak), "\(peak)")
    }
}

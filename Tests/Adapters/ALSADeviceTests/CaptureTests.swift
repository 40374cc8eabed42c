import CLinux
import Testing

@testable import ALSADevice

extension DeviceTests {
    @Suite("Capture")
    struct Capture {
        @Test("a recording is captured bit by bit")
        func exact() throws {
            let said = noise(16_000)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(16_000)
            #expect(heard.frames == said.map { Int16($0) })
            #expect(device.stream.overruns == 0)
            #expect(
                device.format.line
                    == "capture mic: 16000 Hz, 1 channel, S16_LE, period 160 frames (10.0 ms), buffer 1600 frames "
                    + "(100.0 ms), ordinary scheduling")
            withExtendedLifetime(bench) {}
        }

        @Test("in real time each frame is where the clock says, whatever the scheduler does")
        func realTime() throws {
            let said = noise(8_000)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(4_000)
            #expect(matches(heard, said.map { Int16($0) }))
            let times = heard.outcomes.filter { $0.status == .running }.map { $0.capturedAt }
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
            withExtendedLifetime(bench) {}
        }

        @Test("one channel of a 48 kHz stereo device with 32 bits is rounded to 16")
        func channelOfStereo() throws {
            let said = noise(2 * 4_800, bits: 32)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free }",
                files: ["a.wav": wav(rate: 48_000, channels: 2, bits: 32, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            #expect(device.format.rate == 48_000 && device.format.channels == 2 && device.format.sampleFormat == .s32)
            let heard = device.stream.listen(4_800, channel: .channel(1))
            let expected = (0..<4_800).map { i -> Int16 in
                Int16(min(32_767, (Double(said[2 * i + 1]) / 65_536 + 0.5).rounded(.down)))
            }
            #expect(heard.frames == expected)
            withExtendedLifetime(bench) {}
        }

        @Test("eight channels are averaged")
        func mix() throws {
            let said = noise(8 * 1_600)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free }",
                files: ["a.wav": wav(rate: 16_000, channels: 8, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(1_600, channel: .mix)
            let close = (0..<1_600).allSatisfy { i in
                let mean = Double(said[8 * i..<8 * i + 8].reduce(0) { $0 + Int($1) }) / 8
                return abs(Double(heard.frames[i]!) - mean) <= 0.5
            }
            #expect(close)
            withExtendedLifetime(bench) {}
        }

        @Test("a device of 44.1 kHz keeps its rate")
        func oddRate() throws {
            let said = noise(4_410)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free }",
                files: ["a.wav": wav(rate: 44_100, channels: 1, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            #expect(device.format.rate == 44_100 && device.format.periodFrames == 441)
            #expect(device.stream.listen(4_410).frames == said.map { Int16($0) })
            withExtendedLifetime(bench) {}
        }

        @Test("24 bits come in three bytes or in four", arguments: ["S24_3LE", "S24_LE", "S32_LE"])
        func sampleFormats(_ name: String) throws {
            let said = noise(1_600)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free formats [ \(name) ] channels 2 }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            #expect(device.format.sampleFormat.name == name)
            #expect(device.stream.listen(1_600, channel: .channel(1)).frames == said.map { Int16($0) })
            withExtendedLifetime(bench) {}
        }

        @Test("the gain doubles and saturates")
        func gain() throws {
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, [1, -1, 100, 20_000, -20_000])])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(5, gain: 2 * unityGain)
            #expect(heard.frames.prefix(5) == [2, -2, 200, 32_767, -32_768])
            withExtendedLifetime(bench) {}
        }

        @Test("a read that is cut short or interrupted loses nothing")
        func shortReads() throws {
            let said = noise(1_600)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" speed free control \"DIR/control\" }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, said)])
            try bench.command("at 100 short\nat 320 short\nat 799 short\nat 801 short")
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(1_600)
            #expect(heard.frames == said.map { Int16($0) })
            #expect(heard.missing.isEmpty)
            withExtendedLifetime(bench) {}
        }
    }
}

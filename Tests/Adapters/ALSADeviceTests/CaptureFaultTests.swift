import CLinux
import Testing

@testable import ALSADevice

extension DeviceTests {
    @Suite("Capture under faults")
    struct CaptureFaults {
        /// A microphone in real time that hears noise, with faults.
        private func bench(rate: Int = 16_000, _ commands: String) throws -> (bench: SoundBench, said: [Int16]) {
            let said = noise(2 * rate)
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" control \"DIR/control\" }",
                files: ["a.wav": wav(rate: rate, channels: 1, bits: 16, said)])
            if !commands.isEmpty { try bench.command(commands) }
            return (bench, said.map { Int16($0) })
        }

        @Test("after an overrun the count of missing frames is exact", arguments: [16_000, 44_100])
        func overrun(rate: Int) throws {
            let (bench, said) = try bench(rate: rate, "at 1000 overrun 100\nat 6000 overrun 33\nat 9001 overrun 7")
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(rate * 6 / 10)
            #expect(matches(heard, said))
            #expect(device.stream.overruns >= 3)
            #expect(heard.missing.contains { $0 >= Int64(rate) / 10 })
            #expect(heard.frames[999] != nil && heard.frames[1_000] == nil)
            withExtendedLifetime(bench) {}
        }

        @Test("after a suspend the frames that were slept through are counted", arguments: [0, 2])
        func suspend(earlyResumes: Int) throws {
            let (bench, said) = try bench("at 1000 suspend \(earlyResumes)")
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(4_000)
            #expect(matches(heard, said))
            #expect(device.stream.suspensions == 1)
            #expect(heard.outcomes.contains { $0.status == .suspended })
            // Each attempt that comes too early is followed by 10 ms of patience.
            #expect(heard.missing.contains { $0 >= Int64(earlyResumes * 160) })
            withExtendedLifetime(bench) {}
        }

        @Test("a vanished device is reported lost, cannot be opened, and can when it is back")
        func vanished() throws {
            let (bench, said) = try bench("at 1600 enodev")
            do {
                let device = try CaptureDevice.open(PCMRequest(device: "mic"))
                let heard = device.stream.listen(16_000)
                #expect(heard.end == ReadOutcome(.lost, errno: ENODEV))
                #expect(heard.frames.count >= 1_600 && matches(heard, said))
                #expect(device.stream.recover(from: .xrun).status == .lost)
            }
            #expect(failure(opening: "mic").map { [$0.code == .noSuchDevice, $0.errno == ENOENT] } == [true, true])
            try bench.command("return")
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            #expect(matches(device.stream.listen(1_600), said))
        }

        @Test("a stalled device times out, and goes on when it can")
        func stall() throws {
            let (bench, said) = try bench("at 800 stall")
            let device = try CaptureDevice.open(PCMRequest(device: "mic", waitMilliseconds: 50))
            let heard = device.stream.listen(16_000)
            #expect(heard.end?.status == .timedOut)
            #expect(matches(heard, said))
            try bench.command("resume")
            // The device's clock stood still: it offers what is said now without knowing of the stall.
            let after = device.stream.listen(160)
            #expect(after.end == nil)
        }

        @Test("exact zeros pass through, for the watchdog to see")
        func zeros() throws {
            let (bench, said) = try bench("at 320 zeros\nat 640 sound")
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(960)
            var expected = said
            for i in 320..<640 { expected[i] = 0 }
            #expect(matches(heard, expected))
            withExtendedLifetime(bench) {}
        }

        @Test("a recording that began a while ago is heard from its middle")
        func startedBefore() throws {
            let said = noise(16_000)
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            let begin = nanoseconds(now) - 50_000_000
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" start_at \(begin) loop yes }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            let heard = device.stream.listen(320)
            let wanted = heard.frames.prefix(16)
            let offset = try #require(
                (800..<15_000).first { i in (0..<16).allSatisfy { wanted[$0] == Int16(said[i + $0]) } })
            let expected = (0..<heard.frames.count).map { Int16(said[(offset + $0) % 16_000]) }
            #expect(matches(heard, expected))
            withExtendedLifetime(bench) {}
        }

        @Test("a recording waits in silence for its start file")
        func startFile() throws {
            let said = noise(1_600).map { $0 | 1 }
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" start_file \"DIR/go\" }",
                files: ["a.wav": wav(rate: 16_000, channels: 1, bits: 16, said)])
            let device = try CaptureDevice.open(PCMRequest(device: "mic"))
            #expect(device.stream.listen(320).frames.allSatisfy { $0 == nil || $0 == 0 })
            try bench.write("go", [])
            let heard = device.stream.listen(1_600)
            #expect(heard.frames.contains { $0 != nil && $0 != 0 })
        }
    }
}

/// The error of an open that must fail; nil when it did not.
func failure(
    opening device: String, channels: Int = 0, period: Int = 10, format: SampleFormat? = nil, rate: Int = 16_000
) -> DeviceError? {
    do throws(DeviceError) {
        let opened = try CaptureDevice.open(
            PCMRequest(
                device: device, rate: rate, channels: channels, format: format, periodMilliseconds: period))
        _ = opened.format
        return nil
    } catch {
        return error
    }
}

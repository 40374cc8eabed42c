import CLinux
import Testing
import WAVFile

@testable import ALSADevice

extension DeviceTests {
    @Suite("Playback")
    struct Playback {
        private let sound = noise(1_600).map { Int16($0) }

        private func bench(_ settings: String = "") throws -> SoundBench {
            try SoundBench(
                "pcm.speaker { type puckfake outfile \"DIR/out.wav\" control \"DIR/control\" rates 16000 \(settings) }")
        }

        private func open(channels: Int = 0) throws(DeviceError) -> PlaybackDevice {
            try PlaybackDevice.open(PCMRequest(device: "speaker", channels: channels))
        }

        @Test("at unity what is played is what was given, bit by bit")
        func exact() throws {
            let bench = try bench("speed free")
            let device = try open()
            #expect(device.stream.play(sound, period: device.format.periodFrames) == nil)
            let played = try WAVFile(parsing: try bench.read("out.wav"))
            #expect(played == WAVFile(rate: 16_000, channels: 1, samples: sound))
        }

        @Test("half the volume is half the samples, rounded")
        func half() throws {
            let bench = try bench("speed free")
            let device = try open()
            #expect(device.stream.play(sound, volume: unityGain / 2, period: 160) == nil)
            let played = try WAVFile(parsing: try bench.read("out.wav"))
            #expect(played.samples == sound.map { Int16((Double($0) / 2 + 0.5).rounded(.down)) })
        }

        @Test("a stereo device of 32 bits gets every sample twice, exactly")
        func stereo() throws {
            let bench = try bench("speed free formats [ S32_LE ]")
            let device = try open(channels: 2)
            #expect(device.stream.play(sound, period: 160) == nil)
            let expected = wav(
                rate: 16_000, channels: 2, bits: 32, sound.flatMap { [Int32($0) << 16, Int32($0) << 16] })
            #expect(try bench.read("out.wav") == expected)
        }

        @Test("24 bits are written in three bytes and in four", arguments: ["S24_3LE", "S24_LE"])
        func bits24(_ name: String) throws {
            let bench = try bench("speed free formats [ \(name) ]")
            let device = try open()
            #expect(device.stream.play(sound, period: 160) == nil)
            let expected = wav(rate: 16_000, channels: 1, bits: 24, sound.map { Int32($0) << 8 })
            #expect(try bench.read("out.wav") == expected)
        }

        @Test("an underrun is recovered from and counted, and no sample is lost")
        func underrun() throws {
            let bench = try bench("speed free")
            let device = try open()
            try bench.command("at 500 underrun 0")
            #expect(device.stream.play(sound, period: 160) == nil)
            #expect(device.stream.underruns == 1)
            #expect(try WAVFile(parsing: try bench.read("out.wav")).samples == sound)
        }

        @Test("in real time a sound plays through, and a starved device starts again")
        func realTime() throws {
            let bench = try bench()
            let device = try open()
            #expect(device.stream.play(sound, period: 160) == nil)
            // Two periods start it; whether it starved while this thread was not scheduled does not matter here.
            let again = device.stream.play(sound, period: 160)
            #expect(again == nil)
            #expect(try WAVFile(parsing: try bench.read("out.wav")).samples == sound + sound)
        }

        @Test("suspended, it is prepared again; vanished, it is lost; replugged, the recording goes on")
        func faults() throws {
            let bench = try SoundBench(
                "pcm.speaker { type puckfake outfile \"DIR/out.wav\" control \"DIR/control\" speed free }")
            try bench.command("at 400 suspend 1\nat 1000 enodev")
            let request = PCMRequest(device: "speaker")
            do {
                let device = try PlaybackDevice.open(request)
                #expect(device.stream.play(sound, period: 160) == WriteOutcome(.lost, errno: ENODEV))
                #expect(device.stream.suspensions == 1)
            }
            try bench.command("return")
            let device = try PlaybackDevice.open(request)
            #expect(device.stream.play(sound, period: 160) == nil)
            let played = try WAVFile(parsing: try bench.read("out.wav")).samples
            #expect(played.count == 2_600)
            let isExact = played == sound.prefix(1_000) + sound
            #expect(isExact)
        }

        @Test("a delay that cannot be asked for is counted against the clock, and is no reason to stop early")
        func delayError() throws {
            let bench = try bench()
            try bench.command("delay_error 5")
            let device = try open()
            #expect(device.stream.play(sound, period: 160) == nil)
            #expect(device.stream.queuedFrames() > 0, "100 ms were written, and none can be over yet")
            #expect(device.stream.delayErrno == EIO)
            var end = device.stream.playoutEnd()
            while device.stream.look(at: &end) == .playing { usleep(1_000) }
            #expect(device.stream.queuedFrames() == 0)
            #expect(device.stream.discard().status == .running)
            #expect(try WAVFile(parsing: try bench.read("out.wav")).samples == sound, "nothing of it is dropped")
        }

        @Test("a delay that never reaches 0 is no stall, and all is played")
        func delayFloor() throws {
            let bench = try bench()
            try bench.command("delay_floor 400")
            let device = try open()
            #expect(device.stream.play(sound, period: 160) == nil)
            var end = device.stream.playoutEnd()
            var verdict = PlayoutEnd.Verdict.playing
            while verdict == .playing {
                verdict = device.stream.look(at: &end)
                usleep(1_000)
            }
            #expect(verdict == .ended && device.stream.delayErrno == 0)
            _ = device.stream.discard()
            #expect(try WAVFile(parsing: try bench.read("out.wav")).samples == sound)
        }

        @Test("a sound shorter than two periods waits for startNow, and discard forgets it")
        func shortSound() throws {
            let bench = try bench()
            let device = try open()
            #expect(device.stream.play(Array(sound.prefix(100)), period: 160) == nil)
            #expect(device.stream.queuedFrames() == 100)
            #expect(device.stream.discard().status == .running)
            #expect(device.stream.queuedFrames() == 0)
            #expect(device.stream.play(Array(sound.prefix(100)), period: 160) == nil)
            device.stream.startNow()
            device.stream.startNow()  // again does nothing
            #expect(device.stream.queuedFrames() <= 100)
            withExtendedLifetime(bench) {}
        }
    }
}

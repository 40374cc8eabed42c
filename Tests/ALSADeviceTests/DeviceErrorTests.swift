import CLinux
import Testing

@testable import ALSADevice

extension DeviceTests {
    @Suite("What is said when a device cannot be used")
    struct Errors {
        private let recording = wav(rate: 16_000, channels: 1, bits: 16, noise(160))

        @Test("a device that is in use is named busy, and how to find its holder is said")
        func busy() throws {
            let bench = try SoundBench(
                "pcm.mic { type puckfake infile \"DIR/a.wav\" control \"DIR/control\" }", files: ["a.wav": recording])
            try bench.command("busy")
            let error = try #require(failure(opening: "mic"))
            #expect(error.code == .busy && error.errno == EBUSY)
            try bench.command("free")
            #expect(failure(opening: "mic") == nil)
        }

        @Test("the process that holds a card is named when the kernel tells it")
        func holder() throws {
            let bench = try SoundBench("")
            #expect(busyAdvice(root: bench.folder).contains("fuser -v /dev/snd/*"))
            for folder in ["/asound/card1", "/asound/card1/pcm0c", "/asound/card1/pcm0c/sub0", "/4711"] {
                if folder == "/asound/card1" { mkdir(bench.folder + "/asound", 0o755) }
                mkdir(bench.folder + folder, 0o755)
            }
            try bench.write("asound/card1/pcm0c/sub0/status", Array("state: RUNNING\nowner_pid   : 4711\n".utf8))
            try bench.write("4711/comm", Array("arecord\n".utf8))
            #expect(busyAdvice(root: bench.folder).hasPrefix("In use by 'arecord' (process 4711): stop it"))
        }

        @Test("a device that does not exist is answered with those that do")
        func unknown() throws {
            let bench = try SoundBench(
                """
                pcm.kitchen { type puckfake infile "DIR/a.wav" hint { show on description "A kitchen" } }
                """, files: ["a.wav": recording])
            let error = try #require(failure(opening: "hw:CARD=absent"))
            #expect(error.code == .noSuchDevice)
            #expect(error.message.contains("'hw:CARD=absent'") && error.advice.contains("kitchen"))
            let listed = try #require(listDevices().first { $0.name == "kitchen" })
            #expect(listed.details == "A kitchen" && listed.canCapture)
            #expect(deviceListLines().contains { $0.hasPrefix("kitchen ") })
            withExtendedLifetime(bench) {}
        }

        @Test("with no device at all, the list says so and what to check")
        func nothing() throws {
            let bench = try SoundBench("")
            #expect(listDevices().isEmpty)
            #expect(deviceListLines().first?.hasPrefix("No sound device") == true)
            #expect(failure(opening: "default")?.advice.contains("There is no capture device") == true)
            withExtendedLifetime(bench) {}
        }

        @Test("a device without a usable format is told apart, with what it offers")
        func noFormat() throws {
            let bench = try SoundBench(
                """
                pcm.float { type puckfake infile "DIR/a.wav" formats [ FLOAT_LE ] }
                pcm.mic { type puckfake infile "DIR/a.wav" }
                """, files: ["a.wav": recording])
            let error = try #require(failure(opening: "float"))
            #expect(error.code == .noUsableFormat)
            #expect(error.context.contains("it offers 1…1 channels, 16000…16000 Hz, FLOAT_LE"))
            #expect(error.context.contains("asked for 1…8 channels, 16000 Hz or the nearest"))
            #expect(error.context.contains("any of S16_LE S32_LE S24_LE S24_3LE"))
            let asked = try #require(failure(opening: "mic", channels: 2, format: .s24, rate: 48_000))
            #expect(asked.code == .noUsableFormat)
            #expect(
                asked.context.contains("asked for 2 channels, 48000 Hz or the nearest within 8000…192000 Hz, S24_LE,"))
            #expect(asked.advice.contains("channels, format, rate"))
            withExtendedLifetime(bench) {}
        }

        @Test("libasound's own reason is passed on, not printed")
        func reason() throws {
            let bench = try SoundBench("pcm.mic { type puckfake infile \"DIR/asound.conf\" }")
            let error = try #require(failure(opening: "mic"))
            #expect(error.code == .invalidArgument && error.errno == EINVAL)
            #expect(error.context.contains("it does not begin with RIFF"))
            withExtendedLifetime(bench) {}
        }

        @Test("a request out of range never reaches the device")
        func request() {
            let error = failure(opening: "mic", period: 0)
            #expect(error?.code == .invalidArgument)
            #expect(error?.advice == "Ask for a period of 1 to 100 ms, not 0.")
            #expect(failure(opening: "")?.advice.contains("--list-devices") == true)
        }
    }
}

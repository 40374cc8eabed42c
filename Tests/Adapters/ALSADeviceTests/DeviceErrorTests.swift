import CLinux
import Foundation
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

        @Test(
            "an errno of the driver or of a sound server is answered with its cause and with what to name instead",
            arguments: [
                (524, "HDMI output without a monitor"), (112, "sound server"), (111, "sound server"),
                (28, "bandwidth"), (5, "no proper answer"), (71, "no proper answer"), (38, "lacks a function"),
            ])
        func refused(_ number: Int32, _ cause: String) throws {
            let bench = try SoundBench(
                """
                pcm.!default { type puckfake infile "DIR/a.wav" control "DIR/control" hint { show on description "x" } }
                pcm.kitchen { type puckfake infile "DIR/a.wav" hint { show on description "A kitchen" } }
                """, files: ["a.wav": recording])
            try bench.command("refuse \(number)")
            let error = try #require(failure(opening: "default"))
            #expect(error.errno == number && error.advice.contains(cause), "\(error.message)")
            #expect(!error.message.contains("Unknown error"), "\(error.message)")
            if [524, 111, 112, 38].contains(number) {
                #expect(
                    error.advice.contains("name a card itself in [capture] device: kitchen. 'puckd --list-devices'"),
                    "\(error.message)")
            }
            try bench.command("refuse 0")
            #expect(failure(opening: "default") == nil)
        }

        @Test("a name that only somebody's ~/.asoundrc defines is answered with where its definition belongs")
        func personal() throws {
            let bench = try SoundBench("")
            let error = try #require(failure(opening: "my_speakers"))
            #expect(error.code == .noSuchDevice && error.advice.contains("it belongs into /etc/asound.conf"))
            #expect(failure(opening: "hw:CARD=absent")?.advice.contains("asoundrc") == false)
            withExtendedLifetime(bench) {}
        }

        @Test("another user's dmix is told from a card that may not be used")
        func semaphores() throws {
            let words = "unable to create IPC semaphore"
            for number in [EACCES, EPERM, EINVAL, EEXIST] {
                let found = Diagnosis(number, said: words, device: "shared", .opening(.playback))
                #expect(found.code == .permissionDenied && found.advice.contains("'ipc_gid audio'"))
                #expect(found.advice.contains("ipcs -s") && found.reason.hasSuffix("(\(words))"))
            }
            let card = Diagnosis(EACCES, said: "", device: "hw:0", .opening(.playback))
            #expect(card.advice.contains("group 'audio'") && !card.advice.contains("ipc_gid"))
        }

        @Test("libasound's own dsnoop gives the words by which a foreign one is recognised")
        func foreignMixing() throws {
            // A segment of this key that is too small and in use: what it finds where another program owns the key.
            let key = Int32(0x5075_0000) | getpid() & 0xffff
            // dsnoop adds 2 to the key of its definition (libasound 1.2.8).
            let segment = SharedSegment(key: key + 2)
            try #require(segment.isThere)
            let bench = try SoundBench(
                """
                pcm.shared { type dsnoop ipc_key \(key) slave { pcm { type hw card 0 } } }
                """)
            let failed = try #require(failure(opening: "shared"))
            #expect(failed.code == .permissionDenied && failed.advice.contains("'ipc_gid audio'"), "\(failed.message)")
            withExtendedLifetime((bench, segment)) {}
        }

        @Test("every errno has a cause or a remedy, and words that are not 'Unknown error'")
        func table() {
            let seen: [Int32] = [
                ENOENT, EIO, ENXIO, EAGAIN, ENOMEM, EACCES, EBUSY, EEXIST, ENODEV, EINVAL, ENFILE, EMFILE, ENOTTY,
                ENOSPC, EPIPE, EINTR, EPERM, ENOSYS, EIDRM, ENOLINK, ECOMM, EPROTO, EOVERFLOW, EBADFD, EILSEQ,
                ESTRPIPE, EOPNOTSUPP, ECONNABORTED, ECONNRESET, ENOTCONN, ESHUTDOWN, ETIMEDOUT, ECONNREFUSED,
                EHOSTDOWN, EHOSTUNREACH, EREMOTEIO, Diagnosis.notSupported, 500_000,
            ]
            for number in seen {
                for step in [Diagnosis.Step.opening(.capture), .opening(.playback), .using(.playback), .mixing] {
                    let found = Diagnosis(number, said: "", device: "default", step, processRoot: "/nonexistent")
                    #expect(!found.reason.contains("nknown error"), "\(number): \(found.reason)")
                    #expect(found.advice.hasSuffix("."), "\(number): \(found.advice)")
                    #expect(!found.advice.hasPrefix("Try the same"), "\(number) has no row of its own")
                }
            }
        }

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

/// One byte of System V shared memory, which the modules of Swift do not have: looked up by name.
private final class SharedSegment {
    private typealias Get = @convention(c) (Int32, Int, Int32) -> Int32
    private typealias Attach = @convention(c) (Int32, UnsafeRawPointer?, Int32) -> UnsafeMutableRawPointer?
    private typealias Control = @convention(c) (Int32, Int32, UnsafeMutableRawPointer?) -> Int32

    private let id: Int32

    init(key: Int32) {
        // IPC_CREAT, for everybody.
        id = Self.function("shmget", Get.self)(key, 1, 0o1666)
        if id >= 0 { _ = Self.function("shmat", Attach.self)(id, nil, 0) }
    }

    /// IPC_RMID: it goes with the process.
    deinit { _ = Self.function("shmctl", Control.self)(id, 0, nil) }

    var isThere: Bool { id >= 0 }

    private static func function<Function>(_ name: String, _: Function.Type) -> Function {
        unsafeBitCast(dlsym(dlopen(nil, RTLD_NOW), name), to: Function.self)
    }
}

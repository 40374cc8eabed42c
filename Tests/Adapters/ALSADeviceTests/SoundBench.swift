import CALSA
import CLinux
import Foundation
import RepositoryFiles
import Testing

@testable import ALSADevice

/// Everything that opens a device runs one after the other: libasound's configuration belongs to the process.
@Suite("Devices", .serialized)
struct DeviceTests {}

/// A folder with recordings and an asound.conf for the fake sound device (Tests/Fixtures/FakeALSA), gone with its owner.
final class SoundBench {
    let folder: String

    /// - Parameter devices: asound.conf definitions; `DIR` stands for the folder.
    init(_ devices: String, files: [String: [UInt8]] = [:]) throws {
        folder = NSTemporaryDirectory() + "/puck-alsa-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, bytes) in files { try write(name, bytes) }
        let plugin = try #require(
            Self.plugin, "Tests/Fixtures/FakeALSA does not build: run 'make -C Tests/Fixtures/FakeALSA' to see why")
        let configuration =
            "pcm_type.puckfake { lib \"\(plugin)\" }\nctl_type.puckfake { lib \"\(Self.mixer(beside: plugin))\" }\n"
            + devices.replacingOccurrences(of: "DIR", with: folder) + "\n"
        try write("asound.conf", Array(configuration.utf8))
        // Read by libasound whenever its configuration is loaded.
        setenv("ALSA_CONFIG_PATH", path("asound.conf"), 1)
        snd_config_update_free_global()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func path(_ name: String) -> String { folder + "/" + name }

    func write(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path(name))) }

    func read(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name)))) }

    /// Adds a line to a control file.
    func command(_ line: String, to name: String = "control") throws {
        let old = (try? read(name)) ?? []
        try write(name, old + Array((line + "\n").utf8))
    }

    /// What makes a card's controls, from the same folder.
    private static func mixer(beside plugin: String) -> String {
        plugin.replacingOccurrences(of: "_pcm_", with: "_ctl_")
    }

    /// The plugin: in the folder that PUCK_FAKE_ALSA names, else built once for this process.
    private static let plugin: String? = {
        let name = "libasound_module_pcm_puckfake.so"
        if let given = ProcessInfo.processInfo.environment["PUCK_FAKE_ALSA"] { return given + "/" + name }
        let folder = NSTemporaryDirectory() + "/puck-fake-alsa-\(getpid())"
        let make = Process()
        make.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        make.arguments = ["make", "-s", "-C", RepositoryFiles.url("Tests/Fixtures/FakeALSA").path, "OUT=\(folder)"]
        guard (try? make.run()) != nil else { return nil }
        make.waitUntilExit()
        return make.terminationStatus == 0 ? folder + "/" + name : nil
    }()
}

/// A WAV file of any sample size.
func wav(rate: Int, channels: Int, bits: Int, _ samples: [Int32]) -> [UInt8] {
    func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let size = bits / 8
    let data = samples.flatMap { little(Int($0), size) }
    let header =
        Array("RIFF".utf8) + little(36 + data.count, 4) + Array("WAVEfmt ".utf8) + little(16, 4) + little(1, 2)
        + little(channels, 2) + little(rate, 4) + little(rate * channels * size, 4) + little(channels * size, 2)
        + little(bits, 2) + Array("data".utf8) + little(data.count, 4)
    return header + data
}

/// Samples of which no two neighbourhoods are alike, so that a shift by one shows. The range is the sample size's.
func noise(_ count: Int, bits: Int = 16, salt: UInt64 = 1) -> [Int32] {
    var state = salt &* 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int32(truncatingIfNeeded: Int64(bitPattern: state) >> Int64(64 - bits))
    }
}

/// What a microphone brought, placed where it says it belongs.
struct Heard {
    /// One entry a frame since the start; nil where frames were lost.
    var frames: [Int16?] = []
    var outcomes: [ReadOutcome] = []
    var missing: [Int64] = []
    /// The outcome that ended it before there was enough: lost or timed out.
    var end: ReadOutcome?
}

extension CaptureStream {
    /// Reads until `count` frames of time have passed, recovering from what can be recovered from.
    func listen(
        _ count: Int, channel: ChannelChoice = .channel(0), gain: Int32 = unityGain, missingLimit: Int = 1_000_000
    ) -> Heard {
        var heard = Heard()
        var mono = [Int16](repeating: 0, count: 20_000)
        while heard.frames.count < count {
            let outcome = readPeriod()
            heard.outcomes.append(outcome)
            switch outcome.status {
            case .running:
                copyMono(frames: outcome.frames, channel: channel, gain: gain, into: &mono)
                heard.frames += mono.prefix(outcome.frames).map { $0 }
            case .xrun, .suspended:
                let recovery = recover(from: outcome.status)
                heard.missing.append(recovery.missingFrames)
                heard.frames += [Int16?](repeating: nil, count: min(missingLimit, Int(recovery.missingFrames)))
            case .timedOut, .lost:
                heard.end = outcome
                return heard
            }
        }
        return heard
    }
}

/// Whether each frame that was heard is the one that was said at that moment; silence after the end.
func matches(_ heard: Heard, _ said: [Int16]) -> Bool {
    for (i, sample) in heard.frames.enumerated() {
        if let sample, sample != (i < said.count ? said[i] : 0) { return false }
    }
    return heard.frames.contains { $0 != nil }
}

extension PlaybackStream {
    /// Writes everything, recovering from what can be recovered from.
    /// - Returns: the outcome that ended it early, nil when all was taken.
    func play(_ samples: [Int16], volume: Int32 = unityGain, period: Int) -> WriteOutcome? {
        samples.withUnsafeBufferPointer { buffer in
            var done = 0
            while done < buffer.count {
                let count = min(period, buffer.count - done)
                let outcome = writePeriod(buffer.baseAddress! + done, count: count, volume: volume)
                done += outcome.frames
                switch outcome.status {
                case .running: break
                case .xrun, .suspended: _ = recover(from: outcome.status)
                case .timedOut, .lost: return outcome
                }
            }
            return nil
        }
    }
}

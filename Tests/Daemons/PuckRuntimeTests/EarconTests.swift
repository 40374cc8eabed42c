import AudioRing
import Foundation
import OpusCodec
import PuckAudio
import PuckBase
import PuckCore
import PuckWire
import Settings
import Testing
import WAVFile

@testable import PuckRuntime

@Suite("Earcons while the microphone is open")
struct EarconUplinkTests {
    private let ring = AudioRing()

    private func write(_ samples: [Int16]) { _ = samples.withUnsafeBufferPointer { ring.producer.write($0) } }

    /// The levels of the packets that are sent, dB.
    private func levels(_ feed: MicrophoneFeed) -> [Float] {
        var next = SerialNumber.zero
        var levels: [Float] = []
        while feed.pump(
            nextSequence: { next },
            deliver: {
                levels.append($1); next = next.next
            }) == .more
        {}
        return levels
    }

    private func feed() throws -> MicrophoneFeed { MicrophoneFeed(ring: ring, encoder: try OpusEncoder()) }

    @Test("the puck's own sound is taken out of what is sent, for as long as it can be heard")
    func cancelled() throws {
        let feed = try feed()
        let tone = (0..<3200).map { Int16(8000 * sin(2 * .pi * 660 * Double($0) / 16_000)) }
        write([Int16](repeating: 0, count: 320))
        feed.start(onset: 0, prerollSamples: 0, periodSamples: 320)
        feed.cancelEarcon([660, 880], samples: 3200)
        write(tone + tone)
        let levels = levels(feed)
        #expect(levels.count == 21)
        #expect(levels[2..<11].allSatisfy { $0 < -40 }, "\(levels)")
        #expect(levels[11...].allSatisfy { $0 > -20 }, "afterwards nothing is touched")
    }

    @Test("preroll that reaches back into an earcon is cleaned too, and what was before is not touched")
    func preroll() throws {
        let feed = try feed()
        let tone = (0..<3200).map { Int16(8000 * sin(2 * .pi * 660 * Double($0) / 16_000)) }
        write(tone)
        feed.cancelEarcon([660], samples: 3200)
        write(tone + [Int16](repeating: 0, count: 320))
        feed.start(onset: 6720, prerollSamples: 6720, periodSamples: 320)
        let levels = levels(feed)
        #expect(levels[..<10].allSatisfy { $0 > -20 } && levels[12..<20].allSatisfy { $0 < -40 }, "\(levels)")
    }

    @Test("in place of a recorded sound silence is sent")
    func silenced() throws {
        let feed = try feed()
        feed.start(onset: 0, prerollSamples: 0, periodSamples: 320)
        feed.cancelEarcon(nil, samples: 960)
        write([Int16](repeating: 3000, count: 1600))
        let levels = levels(feed)
        #expect(levels[..<3].allSatisfy { $0 == Level.floorDecibels } && levels[3...].allSatisfy { $0 > -25 })
        // The next one is of another kind.
        feed.cancelEarcon([660], samples: 640)
        write([Int16](repeating: 3000, count: 640))
        #expect(self.levels(feed).allSatisfy { $0 > -30 })
    }
}

@Suite("Earcons from files")
struct EarconFileTests {
    private func settings(_ file: WAVFile?) throws -> (EarconSettings, [String]) {
        let path = FileManager.default.temporaryDirectory.appending(path: "puck-\(UUID().uuidString).wav")
        defer { try? FileManager.default.removeItem(at: path) }
        if let file { try Data(file.serialized()).write(to: path) }
        var reader = SettingsReader(
            layers: [SettingsDocument(text: "[earcons]\nlistening = \(path.path)\n", name: "f")], mainName: "f")
        let settings = EarconSettings(&reader)
        do { try reader.finish() } catch let errors { return (settings, errors.problems.map(\.description)) }
        return (settings, [])
    }

    @Test("take the place of the synthesised ones, channels mixed")
    func read() throws {
        let (settings, problems) = try settings(WAVFile(rate: 16_000, channels: 2, samples: [100, 200, -30, -50]))
        #expect(problems == [])
        #expect(settings.recording(of: .listening) == [150, -40] && settings.recording(of: .failed) == nil)
    }

    @Test("that cannot be played are refused with their line and what to do")
    func refused() throws {
        let missing = try settings(nil).1
        #expect(missing.count == 1 && missing[0].hasPrefix("f:2: [earcons] listening: cannot open "), "\(missing)")
        let rate = try settings(WAVFile(rate: 44_100, channels: 1, samples: [1])).1
        #expect(rate.first?.contains("44100 Hz, 16000 are needed: convert it with 'sox") == true, "\(rate)")
        let long = try settings(WAVFile(rate: 16_000, channels: 1, samples: .init(repeating: 1, count: 48_001))).1
        #expect(long.first?.contains("allowed: up to 3 s") == true, "\(long)")
        let empty = try settings(WAVFile(rate: 16_000, channels: 1, samples: [])).1
        #expect(empty.first?.contains("has 0 ms") == true, "\(empty)")
    }
}

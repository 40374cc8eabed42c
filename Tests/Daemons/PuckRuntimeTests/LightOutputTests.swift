import Foundation
import LinuxIO
import PuckBase
import PuckCore
import Settings
import Testing

@testable import BoardIO
@testable import PuckRuntime

@Suite("What the drivers of lights write")
struct LightOutputTests {
    private static let white = Pixel(red: .max, green: .max, blue: .max)

    private func frame(_ pixels: [Pixel], _ order: ColourOrder = .bgr) -> [UInt8] {
        var bytes: [UInt8] = [1, 2, 3]
        ChainFrame.write(pixels, order: order, into: &bytes)
        return bytes
    }

    @Test("a frame of a chain begins with 32 zeros, has four bytes a light, and an end that an SK9822 needs too")
    func chain() {
        let red = Pixel(red: .max, green: 0, blue: 0)
        #expect(
            frame([Self.white, red, .dark]) == [0, 0, 0, 0]
                + [0xFF, 255, 255, 255] + [0xFF, 0, 0, 255] + [0xE0, 0, 0, 0] + [0, 0, 0, 0] + [0])
    }

    @Test("a refusal says what gives the right: group and udev rule, or the unit")
    func refusals() {
        let path = "/sys/class/leds/act/brightness"
        let denied = LineError.light(path, "opening it", EACCES, group: "leds", absent: "")
        #expect(denied.advice.contains("group 'leds'") && denied.advice.contains("60-puck.rules"))
        let readOnly = LineError.light(path, "opening it", EROFS, group: "leds", absent: "")
        #expect(readOnly.context.hasSuffix("Read-only file system") && readOnly.advice.contains("ReadWritePaths"))
    }

    @Test("colours go in the configured order")
    func order() {
        let pixel = Pixel(red: 65_535, green: 32_768, blue: 16_384)
        let values: [Character: UInt8] = ["r": 255, "g": 128, "b": 64]
        for order in ColourOrder.allCases {
            #expect(Array(frame([pixel], order)[5..<8]) == order.rawValue.map { values[$0]! })
        }
    }

    @Test("the end has a clock for every second light, after the 32 bits", arguments: [1, 2, 16, 17, 64, 65, 512])
    func end(count: Int) {
        let bytes = frame([Pixel](repeating: Self.white, count: count))
        let end = bytes.count - 4 - 4 * count
        #expect((end - 4) * 8 * 2 >= count && (end - 5) * 8 * 2 < count)
        #expect(bytes.suffix(end).allSatisfy { $0 == 0 })
        #expect(bytes.count <= 4096, "as spidev takes them")
    }

    @Test("dim light keeps its shades: light is shared between five bits and eight, and never lost")
    func dim() {
        var last = 0
        for value in UInt16(1)...3000 {
            let bytes = frame([Pixel(red: value, green: 0, blue: 0)])
            #expect(bytes[4] & 0xE0 == 0xE0 && bytes[4] & 31 > 0 && bytes[7] > 0)
            let light = Int(bytes[4] & 31) * Int(bytes[7])
            let ideal = Double(value) / 65_535 * 31 * 255
            #expect(abs(Double(light) - ideal) <= max(1, ideal / 40), "\(value) gives \(light)")
            last = max(last, light)
        }
        #expect(last > 300)
    }

    /// A folder as the kernel makes one for an LED.
    private func led(_ files: [String: String]) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "puck-led-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        for (name, text) in files { try Data((text + "\n").utf8).write(to: folder.appending(path: name)) }
        return folder.path
    }

    private func text(_ folder: String, _ file: String) throws -> String {
        String(decoding: try readSmallFile(folder + "/" + file), as: UTF8.self)
    }

    @Test("a kernel's LED is dimmed by its brightness, and its trigger is taken away")
    func oneColour() throws {
        let folder = try led(["max_brightness": "100", "brightness": "0", "trigger": "[mmc0] none"])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let output = try LightOutput.open(.ledClass([folder]))
        #expect(output.pixelCount == 1 && !output.hasColours && output.isDimmable)
        #expect(try text(folder, "trigger") == "[mmc0] none\n", "looking changes nothing")
        for (value, expected) in [(UInt16.max, "100"), (1, "1"), (0, "0"), (32_768, "50")] {
            try output.write([Pixel(red: 0, green: value, blue: 0)])
            #expect(try text(folder, "brightness") == expected + "\n")
            #expect(try text(folder, "trigger") == "none\n")
        }
        try FileManager.default.removeItem(atPath: folder)
        #expect { try output.write([Self.white]) } throws: { ($0 as? LineError)?.code == .lost }
    }

    @Test("a multi-colour LED gets its colours in the order that it names")
    func manyColours() throws {
        let folder = try led([
            "max_brightness": "255", "brightness": "0", "multi_index": "green red blue white",
            "multi_intensity": "0 0 0 0",
        ])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let output = try LightOutput.open(.ledClass([folder]))
        #expect(output.hasColours)
        #expect(try text(folder, "brightness") == "0\n", "looking changes nothing")
        try output.write([Pixel(red: .max, green: 32_768, blue: 0)])
        #expect(try text(folder, "brightness") == "255\n")
        #expect(try text(folder, "multi_intensity") == "128 255 0 0\n")
    }

    @Test("a device that is missing, or is something else, is said with what to do")
    func missing() {
        func message(_ wiring: LightWiring) -> String {
            do throws(LineError) {
                _ = try LightOutput.open(wiring)
                return ""
            } catch { return error.message }
        }
        let none = message(.spi(device: "/nonexistent/spidev0.0", hertz: 1_000_000, count: 3, order: .bgr))
        #expect(none.contains("/nonexistent/spidev0.0: opening it: No such file") && none.contains("dtparam=spi=on"))
        let wrong = message(.spi(device: "/dev/null", hertz: 1_000_000, count: 3, order: .bgr))
        #expect(wrong.contains("/dev/null: setting it up for 1000000 Hz") && wrong.contains("no SPI device"))
        #expect(message(.ledClass(["no-such-led"])).contains("ls /sys/class/leds"))
    }
}

@Suite("The lights' own faults")
struct LightShowTests {
    private final class Bench {
        var now = Instant.zero + .seconds(100)
        var second = 12 * 3600
        var opens = 0
        var openFails = false
        var writeFails = false
        var frames: [[Pixel]] = []
        var show: LightShow!

        init(_ overrides: String...) throws {
            var reader = SettingsReader(layers: [SettingsDocument(overrides: overrides)], mainName: "test")
            let settings = LightSettings(&reader)
            try reader.finish()
            let gone = LineError(.lost, context: "gone", advice: "wait")
            show = LightShow(
                .ledClass([]), settings, log: Log(level: .error, descriptor: -1), clock: { [unowned self] in now },
                secondOfDay: { [unowned self] in second }
            ) { [unowned self] _ throws(LineError) in
                opens += 1
                if openFails { throw gone }
                return LightOutput(place: "test", pixelCount: 3, hasColours: true, isDimmable: true) {
                    [unowned self] (pixels) throws(LineError) in
                    if writeFails { throw gone }
                    frames.append(pixels)
                }
            }
        }

        func wait(_ interval: Interval) {
            let end = now + interval
            while let due = show.nextDeadline, due <= end {
                now = max(now, due)
                show.timePassed()
            }
            now = end
        }
    }

    @Test("an output that cannot be opened, or fails later, is tried again with growing pauses")
    func retried() throws {
        let bench = try Bench()
        bench.openFails = true
        bench.show.start()
        bench.show.show(.muted)
        bench.wait(.seconds(20))
        #expect((4...6).contains(bench.opens) && bench.frames.isEmpty && !bench.show.isOpen)
        bench.openFails = false
        bench.wait(.seconds(30))
        #expect(bench.frames.count == 1 && bench.show.isOpen)
        bench.writeFails = true
        bench.show.show(.error)
        #expect(!bench.show.isOpen)
        bench.writeFails = false
        bench.wait(.seconds(2))
        #expect(bench.frames.count > 1 && bench.show.isOpen)
    }

    @Test("a picture that is shown already is not written again, and the end is dark")
    func quiet() throws {
        let bench = try Bench()
        bench.show.start()
        bench.show.show(.muted)
        bench.wait(.seconds(60))
        #expect(bench.frames.count == 1)
        bench.show.show(.muted)
        bench.wait(.seconds(60))
        #expect(bench.frames.count == 1)
        bench.show.stop()
        #expect(bench.frames.last == [Pixel](repeating: .dark, count: 3))
    }

    @Test("lights are dimmed in the configured hours, or when somebody says so")
    func night() throws {
        let bench = try Bench("lights.night=22:00-07:00", "lights.night_brightness=20")
        bench.second = 21 * 3600 + 30 * 60
        bench.show.start()
        bench.show.show(.muted)
        bench.wait(.seconds(1))
        let day = try #require(bench.frames.last)
        bench.second = 22 * 3600
        bench.wait(.seconds(1800))
        let night = try #require(bench.frames.last)
        #expect(night[0].red > 0 && night[0].red < day[0].red / 5)
        bench.show.setNight(.off)
        bench.wait(.seconds(1))
        #expect(bench.frames.last == day)
        bench.show.setNight(.auto)
        bench.wait(.seconds(1))
        #expect(bench.frames.last == night)
    }
}

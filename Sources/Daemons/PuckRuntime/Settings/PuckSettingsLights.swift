import BoardIO
import PuckBase
import PuckCore
import Settings

/// `[lights]`: how the puck shows its state.
public struct LightSettings: Equatable, Sendable {
    public enum Output: String, CaseIterable, Sendable {
        case none
        /// A line on the terminal, for development.
        case terminal
        /// Plain LEDs, one a GPIO line.
        case gpio
        /// APA102 or SK9822 at SPI.
        case apa102
        /// The same at two GPIO lines.
        case dotstar
        /// The kernel's LEDs, /sys/class/leds.
        case sysfs
    }

    public var output: Output
    /// For `apa102` the SPI device; for `sysfs` the LEDs' names, or folders, with commas between them.
    public var devices: [String]
    /// For `gpio` one a light, for `dotstar` the clock's and the data's; on the chip of `[gpio]`.
    public var lines: [Int]
    /// The voltage that lights a plain LED.
    public var active: GPIOSettings.Line.Active
    /// Of a chain: 1…512.
    public var count: Int
    public var order: ColourOrder
    /// Of an SPI chain's clock.
    public var clockKilohertz: Int
    /// 0…100, as the eye sees it.
    public var brightnessPercent: Int
    /// The same at night.
    public var nightBrightnessPercent: Int
    /// Nil: night comes by command only.
    public var night: NightHours?

    private static let mostLights = 64
    /// Each light takes 80 calls of the kernel; these are some 5 ms on a Pi Zero.
    private static let mostDotStars = 12

    init(_ reader: inout SettingsReader) {
        output = reader.choice("lights", "output", default: .none)
        devices = reader.list("lights", "device", most: Self.mostLights, of: "names") { !$0.isEmpty }
        var seen: [Int] = []
        lines = reader.list("lights", "lines", most: Self.mostLights, of: "different line numbers, 0…1023,") {
            guard let number = GPIOSettings.offset($0), !seen.contains(number) else { return false }
            seen.append(number)
            return true
        }.compactMap { GPIOSettings.offset($0) }
        active = reader.choice("lights", "active", default: .high)
        count = reader.integer("lights", "count", default: 3, range: 1...512)
        order = reader.choice("lights", "order", default: .bgr)
        clockKilohertz = reader.integer("lights", "clock_khz", default: 4000, range: 100...20_000, unit: "kHz")
        brightnessPercent = reader.integer("lights", "brightness", default: 100, range: 0...100, unit: "%")
        nightBrightnessPercent = reader.integer("lights", "night_brightness", default: 30, range: 0...100, unit: "%")
        night = reader.value(
            "lights", "night", default: nil, written: "", allowed: "two times such as 22:00-07:00, or empty"
        ) { text -> NightHours?? in
            if text.isEmpty { return .some(nil) }
            return NightHours(text).map { .some($0) }
        }
    }

    /// Refuses what is missing for the output, and lines that serve two things.
    func check(against gpio: GPIOSettings, _ reader: inout SettingsReader) {
        switch output {
        case .none, .terminal: return
        case .apa102:
            // The loop waits for the wire: no longer than a tenth of a frame's 20 ms.
            if count * 33 > clockKilohertz * 2 {
                reader.refuse(
                    "lights", "clock_khz",
                    "too slow for \(count) lights: a picture would take "
                        + "\(count * 33 / clockKilohertz) ms; give at least \((count * 33 + 1) / 2)")
            }
            if devices.count != 1 {
                reader.refuse("lights", "device", "apa102 needs one, such as /dev/spidev0.0 ('ls /dev/spidev*')")
            }
        case .sysfs:
            if devices.isEmpty {
                reader.refuse("lights", "device", "sysfs needs the LEDs' names: 'ls /sys/class/leds' shows them")
            }
        case .gpio, .dotstar:
            if output == .dotstar ? lines.count != 2 : lines.isEmpty {
                reader.refuse(
                    "lights", "lines",
                    output == .dotstar
                        ? "dotstar needs two: the clock's and the data's" : "gpio needs one for each light")
            }
            if gpio.chipLabels.isEmpty {
                reader.refuse(
                    "lights", "lines", "given without [gpio] chip; name the chip by its label, as gpiodetect shows it")
            }
            if output == .dotstar, count > Self.mostDotStars {
                reader.refuse(
                    "lights", "count", "two GPIO lines are too slow for more than \(Self.mostDotStars) lights; use SPI")
            }
            for use in gpio.uses where lines.contains(use.offset) {
                reader.refuse("lights", "lines", "\(use.offset) is the \(use.key)'s line")
            }
        }
    }

    /// Nil when there are no lights but the terminal's.
    func wiring(chipLabels: [String]) -> LightWiring? {
        func line(_ offset: Int) -> LineRequest {
            LineRequest(
                chipLabels: chipLabels, offset: offset, isActiveLow: output == .gpio && active == .low, bias: .asIs,
                consumer: GPIOSettings.consumer)
        }
        switch output {
        case .none, .terminal: return nil
        case .gpio: return .lines(lines.map { line($0) })
        case .apa102:
            return .spi(device: devices[0], hertz: UInt32(clockKilohertz) * 1000, count: count, order: order)
        case .dotstar: return .lineChain(clock: line(lines[0]), data: line(lines[1]), count: count, order: order)
        case .sysfs: return .ledClass(devices)
        }
    }
}

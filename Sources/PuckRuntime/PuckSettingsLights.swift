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

    private static let mostLines = 64

    init(_ reader: inout SettingsReader) {
        output = reader.choice("lights", "output", default: .none)
        devices = reader.value(
            "lights", "device", default: [], written: "", allowed: "names with commas between them, or nothing"
        ) { wordList($0, most: 64) }
        lines = reader.value(
            "lights", "lines", default: [], written: "",
            allowed: "at most \(Self.mostLines) different line numbers, 0…1023, with commas between them"
        ) { text in
            guard let words = wordList(text, most: Self.mostLines) else { return nil }
            var numbers: [Int] = []
            for word in words {
                guard let number = Int(word), (0...1023).contains(number), !numbers.contains(number) else { return nil }
                numbers.append(number)
            }
            return numbers
        }
        active = reader.choice("lights", "active", default: .high)
        count = reader.integer("lights", "count", default: 3, range: 1...512)
        order = reader.choice("lights", "order", default: .bgr)
        clockKilohertz = reader.integer("lights", "clock_khz", default: 4000, range: 100...20_000, unit: "kHz")
        brightnessPercent = reader.integer("lights", "brightness", default: 100, range: 0...100, unit: "%")
        nightBrightnessPercent = reader.integer("lights", "night_brightness", default: 30, range: 0...100, unit: "%")
        night = reader.value(
            "lights", "night", default: nil, written: "", allowed: "two times such as 22:00-07:00, or nothing"
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
                consumer: "puckd")
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

/// The words between commas, blanks around them left out; nil when one is empty or there are too many.
private func wordList(_ text: String, most: Int) -> [String]? {
    if text.isEmpty { return [] }
    var words: [String] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        var word = part
        while word.first == " " { word.removeFirst() }
        while word.last == " " { word.removeLast() }
        if word.isEmpty { return nil }
        words.append(String(word))
    }
    return words.count <= most ? words : nil
}

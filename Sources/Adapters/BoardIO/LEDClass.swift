import CLinux
import PuckBase

extension LightOutput {
    /// Where the kernel shows its LEDs (Documentation/leds/leds-class.rst and leds-class-multicolor.rst).
    static let ledClassFolder = "/sys/class/leds"

    static func ledClass(_ names: [String]) throws(LineError) -> LightOutput {
        var found: [KernelLED] = []
        for name in names { found.append(try KernelLED(name)) }
        let leds = found
        var place = ""
        for led in leds { place += (place.isEmpty ? "" : ", ") + led.folder }
        return LightOutput(
            place: place, pixelCount: leds.count, hasColours: leds.allSatisfy { !$0.colours.isEmpty },
            isDimmable: leds.allSatisfy { $0.most > 1 }
        ) { (pixels) throws(LineError) in
            for (led, pixel) in zip(leds, pixels) { try led.show(pixel) }
        }
    }
}

/// One LED of the kernel's, with one colour or several. Nothing about it is changed before it is first shown something.
private final class KernelLED {
    enum Colour { case red, green, blue, other }

    let folder: String
    /// What `brightness`, or each colour of `multi_intensity`, goes up to.
    let most: UInt32
    /// Empty: it has only one.
    let colours: [Colour]
    private var isTaken = false

    /// - Parameter name: as under /sys/class/leds; with a "/" at its start, the folder itself.
    init(_ name: String) throws(LineError) {
        folder = name.utf8.first == UInt8(ascii: "/") ? name : LightOutput.ledClassFolder + "/" + name
        let text = try Self.read(folder + "/max_brightness")
        most = UInt32(text.prefix { $0 != "\n" }) ?? 255
        var colours: [Colour] = []
        if access(folder + "/multi_index", R_OK) == 0 {
            for word in try Self.read(folder + "/multi_index").split(whereSeparator: { $0 == " " || $0 == "\n" }) {
                switch word {
                case "red": colours.append(.red)
                case "green": colours.append(.green)
                case "blue": colours.append(.blue)
                default: colours.append(.other)
                }
            }
        }
        self.colours = colours
        let brightness = folder + "/brightness"
        if access(brightness, W_OK) != 0 { throw Self.error(brightness, "opening it", puck_errno()) }
    }

    func show(_ pixel: Pixel) throws(LineError) {
        // What else the kernel would show there (the SD card, say) would blink in between.
        if !isTaken, access(folder + "/trigger", F_OK) == 0 { try write("none", to: "trigger") }
        defer { isTaken = true }
        if colours.isEmpty { return try write("\(scaled(pixel.brightest))", to: "brightness") }
        var text = ""
        for colour in colours {
            let value =
                switch colour {
                case .red: pixel.red
                case .green: pixel.green
                case .blue: pixel.blue
                case .other: UInt16(0)
                }
            text += (text.isEmpty ? "" : " ") + "\(scaled(value))"
        }
        try write(text, to: "multi_intensity")
        // The colours are shares of it.
        if !isTaken { try write("\(most)", to: "brightness") }
    }

    /// What is lit stays lit.
    private func scaled(_ value: UInt16) -> UInt32 {
        value == 0 ? 0 : max(1, UInt32((UInt64(value) * UInt64(most) + 32_767) / 65_535))
    }

    /// Opened each time: an LED that has been taken away is noticed, and one that came back is found.
    private func write(_ text: String, to file: String) throws(LineError) {
        let path = folder + "/" + file
        let descriptor = puck_open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0)
        if descriptor < 0 { throw Self.error(path, "opening it", puck_errno()) }
        defer { close(descriptor) }
        var line = text + "\n"
        let count = line.utf8.count
        let written = line.withUTF8 { CLinux.write(descriptor, $0.baseAddress, $0.count) }
        if written != count { throw Self.error(path, "writing to it", written < 0 ? puck_errno() : EIO) }
    }

    private static func read(_ path: String) throws(LineError) -> String {
        let descriptor = puck_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        if descriptor < 0 { throw error(path, "opening it", puck_errno()) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let size = bytes.withUnsafeMutableBytes { CLinux.read(descriptor, $0.baseAddress, $0.count) }
        if size < 0 { throw error(path, "reading it", puck_errno()) }
        return String(decoding: bytes.prefix(size), as: UTF8.self)
    }

    private static func error(_ path: String, _ step: String, _ number: Int32) -> LineError {
        .light(
            path, step, number, group: "leds",
            absent: "'ls \(LightOutput.ledClassFolder)' shows the LEDs that there are; name one in [lights] device.")
    }
}

import CLinux
import PuckBase

/// Lights that are there and can be written to, whatever they hang on: the one seam between what is to be seen and the
/// drivers. Given back with the last copy.
///
/// Thread: one at a time. A write takes as long as the wire needs: 0.1 ms for 12 lights at SPI, 1 to 2 ms where every
/// bit is a system call.
public struct LightOutput {
    /// For the log: what was opened.
    public let place: String
    public let pixelCount: Int
    public let hasColours: Bool
    /// False: on and off only.
    public let isDimmable: Bool
    /// Frames that come faster cost more than they are worth.
    public let leastFramePause: Interval
    /// Shows exactly `pixelCount` pixels.
    public let write: ([Pixel]) throws(LineError) -> Void

    public init(
        place: String, pixelCount: Int, hasColours: Bool, isDimmable: Bool,
        leastFramePause: Interval = .milliseconds(20), write: @escaping ([Pixel]) throws(LineError) -> Void
    ) {
        self.place = place
        self.pixelCount = pixelCount
        self.hasColours = hasColours
        self.isDimmable = isDimmable
        self.leastFramePause = leastFramePause
        self.write = write
    }

    /// Opens what is wired. Errors say what to do; nothing is held after one.
    public static func open(_ wiring: LightWiring) throws(LineError) -> LightOutput {
        switch wiring {
        case .lines(let requests): return try plain(requests)
        case .spi(let device, let hertz, let count, let order):
            let spi = try SPIDevice(device, hertz: hertz)
            return chain(device, count, order) { (bytes) throws(LineError) in try spi.send(bytes) }
        case .lineChain(let clock, let data, let count, let order):
            let wires = [try HeldLine(clock), try HeldLine(data)]
            // 160 bits for three lights, two and a half calls each: 20 frames a second keep that near 1 % of a Pi Zero.
            return chain("\(wires[0].line.place) and \(wires[1].line.place)", count, order, pause: .milliseconds(50)) {
                (bytes) throws(LineError) in
                try shift(bytes, clock: wires[0], data: wires[1])
            }
        case .ledClass(let names): return try ledClass(names)
        }
    }

    // MARK: Plain LEDs

    private static func plain(_ requests: [LineRequest]) throws(LineError) -> LightOutput {
        var held: [HeldLine] = []
        for request in requests { held.append(try HeldLine(request)) }
        let lines = held
        var place = ""
        for line in lines { place += (place.isEmpty ? "" : ", ") + line.line.place }
        return LightOutput(place: place, pixelCount: lines.count, hasColours: false, isDimmable: false) {
            (pixels) throws(LineError) in
            for (line, pixel) in zip(lines, pixels) { try line.set(pixel != .dark) }
        }
    }

    /// A line is not copyable, closures over it are.
    final class HeldLine {
        let line: OutputLine
        private var isActive = false

        init(_ request: LineRequest) throws(LineError) { line = try OutputLine.open(request) }

        func set(_ isActive: Bool) throws(LineError) {
            if isActive == self.isActive { return }
            try line.set(isActive)
            self.isActive = isActive
        }
    }

    // MARK: Chains

    /// - Parameter send: brings a frame's bytes to the first chip.
    static func chain(
        _ place: String, _ count: Int, _ order: ColourOrder, pause: Interval = .milliseconds(20),
        send: @escaping ([UInt8]) throws(LineError) -> Void
    ) -> LightOutput {
        var bytes: [UInt8] = []
        return LightOutput(
            place: place, pixelCount: count, hasColours: true, isDimmable: true, leastFramePause: pause
        ) { (pixels) throws(LineError) in
            ChainFrame.write(pixels, order: order, into: &bytes)
            try send(bytes)
        }
    }

    /// The highest bit first; the chips take the data when the clock rises.
    private static func shift(_ bytes: [UInt8], clock: HeldLine, data: HeldLine) throws(LineError) {
        for byte in bytes {
            for bit in 0..<8 {
                try data.set(byte << bit & 0x80 != 0)
                try clock.set(true)
                try clock.set(false)
            }
        }
    }
}

/// An open spidev.
private final class SPIDevice {
    private let path: String
    private let hertz: UInt32
    private let descriptor: Int32

    init(_ path: String, hertz: UInt32) throws(LineError) {
        self.path = path
        self.hertz = hertz
        descriptor = puck_open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
        if descriptor < 0 {
            throw .light(
                path, "opening it", puck_errno(), group: "spi",
                absent: "Switch SPI on ('dtparam=spi=on' in config.txt on a Raspberry Pi) and restart; "
                    + "'ls /dev/spidev*' shows what there is, and [lights] device names it.")
        }
        if puck_spi_set_up(descriptor, hertz) < 0 {
            let code = puck_errno()
            close(descriptor)
            throw .light(path, "setting it up for \(hertz) Hz", code, group: "spi", absent: "")
        }
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws(LineError) {
        if puck_spi_send(descriptor, bytes, UInt32(bytes.count), hertz) < 0 {
            throw .light(path, "writing to it", puck_errno(), group: "spi", absent: "")
        }
    }
}

extension LineError {
    /// Why something with lights failed.
    /// - Parameters:
    ///   - group: whose members may use it.
    ///   - absent: what to do when it does not exist.
    static func light(_ place: String, _ step: String, _ number: Int32, group: String, absent: String) -> LineError {
        let context = "\(place): \(step): \(reason(number))"
        switch number {
        case ENOENT, ENXIO, ENODEV:
            return LineError(
                .lost, errno: number, context: context,
                advice: absent.isEmpty ? "It is opened again by itself." : absent)
        case EACCES, EPERM:
            return LineError(
                .permissionDenied, errno: number, context: context,
                advice: "Put the user that runs this program into the group '\(group)' ('adduser USER \(group)'), and "
                    + "give that group the file: the udev rules in systemd/60-puck.rules do.")
        case EROFS:
            return LineError(
                .permissionDenied, errno: number, context: context,
                advice: "A service that is kept from the kernel's settings sees /sys read-only: its unit needs "
                    + "'ReadWritePaths=-/sys/devices', as systemd/puckd.service has it.")
        case EBUSY:
            return LineError(.busy, errno: number, context: context, advice: "Stop the program that uses it.")
        case ENOTTY:
            return LineError(
                .unsupported, errno: number, context: context, advice: "That is no SPI device: correct [lights] device."
            )
        default:
            return LineError(
                .other, errno: number, context: context, advice: "Look at the kernel's messages with 'dmesg'.")
        }
    }
}

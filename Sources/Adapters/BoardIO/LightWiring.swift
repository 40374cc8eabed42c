/// How a board's lights are connected.
public enum LightWiring: Equatable, Sendable {
    /// One plain LED a line, on or off.
    case lines([LineRequest])
    /// A chain of APA102 or SK9822 at an SPI device such as "/dev/spidev0.0".
    /// - hertz: of the clock. The chips take 20 MHz; long wires less.
    case spi(device: String, hertz: UInt32, count: Int, order: ColourOrder)
    /// The same chain (DotStar) at two lines that are switched by this program.
    case lineChain(clock: LineRequest, data: LineRequest, count: Int, order: ColourOrder)
    /// The kernel's LEDs, by their names in /sys/class/leds or by their folders; each is a light.
    case ledClass([String])
}

/// In which order a chain's chips take the colours.
public enum ColourOrder: String, CaseIterable, Equatable, Sendable {
    case rgb, rbg, grb, gbr, brg, bgr
}

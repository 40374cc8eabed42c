/// What one light is to emit: linear in light, not as the eye sees it; 0…65,535 a colour, which is all that it has.
public struct Pixel: Equatable, Sendable {
    public var red: UInt16
    public var green: UInt16
    public var blue: UInt16

    public init(red: UInt16, green: UInt16, blue: UInt16) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    public static let dark = Pixel(red: 0, green: 0, blue: 0)

    /// For a light without colours: as bright as the brightest of them.
    public var brightest: UInt16 { max(red, green, blue) }
}

import PuckBase

/// What a chain of APA102 or SK9822 is sent for one picture.
///
///     32 bits 0 │ for each light 111bbbbb, colour, colour, colour │ 32 bits 0 │ half a bit a light, 0
///
/// From the datasheets (Shiji Lighting APA102-2020, Normand SK9822): the start frame is 32 zeros, a light's first byte
/// three ones and five bits of brightness common to its colours, then 8 bits a colour, blue first where nothing else is
/// ordered. The end: each light hands the data on half a clock late, so that the last of n needs n/2 clocks more; an
/// SK9822 shows what it has got with the next start frame, so that one follows at once. The 32 ones of the APA102
/// datasheet do for 64 lights and for no SK9822; zeros are the same to both, and light nothing in a chain that is longer
/// than configured.
enum ChainFrame {
    static func write(_ pixels: [Pixel], order: ColourOrder, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        for _ in 0..<4 { bytes.append(0) }
        for pixel in pixels { append(pixel, order, &bytes) }
        for _ in 0..<(4 + (pixels.count + 15) / 16) { bytes.append(0) }
    }

    /// The five bits are as low as the brightest colour allows, so that dim colours keep their eight.
    private static func append(_ pixel: Pixel, _ order: ColourOrder, _ bytes: inout [UInt8]) {
        let common = max(1, (UInt32(pixel.brightest) * 31 + 65_534) / 65_535)
        func eight(_ value: UInt16) -> UInt8 {
            if value == 0 { return 0 }
            let scaled = (UInt32(value) * 31 * 255 / common + 32_767) / 65_535
            return UInt8(min(255, max(1, scaled)))
        }
        let (r, g, b) = (eight(pixel.red), eight(pixel.green), eight(pixel.blue))
        bytes.append(pixel == .dark ? 0xE0 : 0xE0 | UInt8(common))
        switch order {
        case .rgb: bytes += [r, g, b]
        case .rbg: bytes += [r, b, g]
        case .grb: bytes += [g, r, b]
        case .gbr: bytes += [g, b, r]
        case .brg: bytes += [b, r, g]
        case .bgr: bytes += [b, g, r]
        }
    }
}

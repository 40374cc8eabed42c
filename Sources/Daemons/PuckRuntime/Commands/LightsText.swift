import PuckBase
import PuckCore

/// What the lights look like, in characters: for docs/LIGHTS.md, and for whoever has none at hand.
enum LightsText {
    /// As many as a ReSpeaker ring has, and the volume that is shown.
    static let capabilities = LightCapabilities(pixelCount: 12, hasColours: true, isDimmable: true)
    static let volumePercent = 60
    private static let lamp = LightCapabilities(pixelCount: 1, hasColours: false, isDimmable: false)
    private static let columnMilliseconds = 50
    private static let columns = 60

    /// A few frames of a state on twelve lights, and three seconds of it on a single lamp.
    static func page(_ lights: Lights) -> String {
        let pattern = lights.pattern
        var text = leftAligned(lights.rawValue, 11) + meaning(of: lights) + "\n"
        text += "  12 lights  " + hexadecimal(pattern.colour) + ", " + words(for: pattern) + "\n"
        let full = frame(lights, 0, on: capabilities)[0].brightest
        for milliseconds in moments(of: pattern) {
            text += "  " + padded(Int64(milliseconds), 6) + " ms  "
            let pixels = frame(lights, milliseconds, on: capabilities)
            for i in pixels.indices { text += (i == 0 ? "" : " ") + glyph(pixels[i], of: full) }
            text += "\n"
        }
        text += "  one lamp   "
        for column in 0..<columns {
            text += frame(lights, column * columnMilliseconds, on: lamp)[0] == .dark ? "·" : "█"
        }
        return text + "\n"
    }

    private static func frame(_ lights: Lights, _ milliseconds: Int, on capabilities: LightCapabilities) -> [Pixel] {
        var pixels: [Pixel] = []
        _ = LightRenderer.render(
            lights, age: .milliseconds(milliseconds), volumePercent: volumePercent, brightnessPercent: 100,
            on: capabilities, into: &pixels)
        return pixels
    }

    /// Ages that show what moves.
    private static func moments(of pattern: LightPattern) -> [Int] {
        let period = pattern.periodMilliseconds
        switch pattern.motion {
        case .solid, .bar: return [0]
        case .pulse: return [0, pattern.code.onMilliseconds]
        case .fade: return [0, period / 2, period]
        case .breathe: return [0, period / 4, period / 2]
        case .spin: return [0, period / 4, period / 2, 3 * period / 4]
        }
    }

    private static func words(for pattern: LightPattern) -> String {
        let seconds = fixed(Double(pattern.periodMilliseconds) / 1000, 1) + " s"
        switch pattern.motion {
        case .solid: return "stands still"
        case .bar: return "as far as the volume, here \(volumePercent) %"
        case .pulse: return "flashes as the lamp does"
        case .fade: return "goes out in \(seconds)"
        case .breathe: return "breathes in \(seconds)"
        case .spin: return "runs round in \(seconds)"
        }
    }

    private static func meaning(of lights: Lights) -> String {
        switch lights {
        case .starting: "looks for its hub for the first time"
        case .idle: "waits for the wake word"
        case .candidate: "has heard something, and asks the hub whether it is meant"
        case .listening: "the hub hears what is said"
        case .thinking: "waits for the answer"
        case .speaking: "the answer sounds"
        case .muted: "the microphone is closed"
        case .offline: "no hub for 30 s or longer"
        case .degraded: "works, though something is broken: see the log"
        case .error: "microphone or loudspeaker do not work: see the log"
        case .volume: "somebody has changed the volume"
        case .pairing: "is being introduced to a hub"
        }
    }

    /// Five steps of what the eye sees, against the state's full light: a fifth apart, which in light are these.
    private static func glyph(_ pixel: Pixel, of full: UInt16) -> String {
        switch Int(pixel.brightest) * 100 / Int(full) {
        case 57...: "█"
        case 28...: "▓"
        case 11...: "▒"
        case 0 where pixel == .dark: "·"
        default: "░"
        }
    }

    private static func hexadecimal(_ colour: UInt32) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = [UInt8(ascii: "#")]
        for shift in [20, 16, 12, 8, 4, 0] as [UInt32] { text.append(digits[Int(colour >> shift & 15)]) }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What a state of the lights looks like, as data. docs/LIGHTS.md shows the result.
public struct LightPattern: Equatable, Sendable {
    public enum Motion: Equatable, Sendable {
        /// Stands still.
        case solid
        /// From full down to `floor` within `period`, then stands still.
        case fade
        /// Down to `floor` and up again in `period`.
        case breathe
        /// A bright spot with a tail runs round in `period`.
        case spin
        /// On and off as `code` says.
        case pulse
        /// As many lights as the volume is loud; stands still.
        case bar
    }

    /// Flashes for lights that have neither colours nor company.
    public struct Code: Equatable, Sendable {
        /// Flashes before the pause: 0 is darkness.
        public var count: Int
        /// Of each flash, ms. With no `offMilliseconds` and no pause the light stays on.
        public var onMilliseconds: Int
        /// Between two flashes, ms.
        public var offMilliseconds: Int
        /// After the last flash, in place of `offMilliseconds`, ms.
        public var pauseMilliseconds: Int

        init(_ count: Int, on: Int = 0, off: Int = 0, pause: Int) {
            self.count = count
            onMilliseconds = on
            offMilliseconds = off
            pauseMilliseconds = pause
        }

        static let dark = Code(0, pause: 0)
        static let steady = Code(1, on: 1000, pause: 0)

        /// After which it begins again, ms.
        public var periodMilliseconds: Int {
            count * onMilliseconds + max(0, count - 1) * offMilliseconds + pauseMilliseconds
        }
    }

    /// 0xRRGGBB as the eye sees it: half of 0xFF looks half as bright.
    public var colour: UInt32
    public var motion: Motion
    public var periodMilliseconds: Int
    /// The least brightness of `fade`, `breathe` and `pulse`, 0…1 as the eye sees it.
    public var floor: Float
    public var code: Code

    init(_ colour: UInt32, _ motion: Motion, period: Int = 0, floor: Float = 0, code: Code) {
        self.colour = colour
        self.motion = motion
        periodMilliseconds = period
        self.floor = floor
        self.code = code
    }
}

extension Lights {
    /// The table. What can last for hours (idle, muted, offline, degraded, error) stands still or flashes: it costs no
    /// frames. Muted is red without moving, as people know it from other devices; red that flashes is a fault.
    public var pattern: LightPattern {
        switch self {
        case .starting: .init(0x808080, .breathe, period: 2000, floor: 0.1, code: .init(1, on: 1000, pause: 1000))
        case .idle: .init(0x404040, .fade, period: 500, code: .dark)
        case .candidate: .init(0x20C0FF, .solid, code: .init(1, on: 100, pause: 100))
        case .listening: .init(0x2060FF, .breathe, period: 3000, floor: 0.6, code: .steady)
        case .thinking: .init(0xA040FF, .spin, period: 1200, code: .init(1, on: 300, pause: 300))
        case .speaking: .init(0x20E060, .breathe, period: 1600, floor: 0.4, code: .init(1, on: 900, pause: 100))
        case .muted: .init(0xC00000, .solid, code: .init(1, on: 100, pause: 2900))
        case .offline: .init(0xFF9000, .pulse, floor: 0.15, code: .init(2, on: 150, off: 250, pause: 2450))
        case .degraded: .init(0x805000, .solid, code: .init(3, on: 150, off: 250, pause: 2050))
        case .error: .init(0xFF0000, .pulse, floor: 0.1, code: .init(4, on: 150, off: 250, pause: 1650))
        case .volume: .init(0xC0C0C0, .bar, code: .steady)
        case .pairing: .init(0x20C0FF, .spin, period: 600, floor: 0.2, code: .init(2, on: 600, off: 150, pause: 150))
        }
    }
}

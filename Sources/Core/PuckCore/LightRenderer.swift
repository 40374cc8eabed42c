import PuckBase

/// What an output can show.
public struct LightCapabilities: Equatable, Sendable {
    /// 1 or more.
    public var pixelCount: Int
    public var hasColours: Bool
    /// False: on and off only.
    public var isDimmable: Bool
    /// The least time between two frames; slow outputs ask for more than `LightRenderer.leastFramePause`.
    public var framePause: Interval

    public init(
        pixelCount: Int, hasColours: Bool, isDimmable: Bool, framePause: Interval = LightRenderer.leastFramePause
    ) {
        self.pixelCount = max(1, pixelCount)
        self.hasColours = hasColours
        self.isDimmable = isDimmable
        self.framePause = max(framePause, LightRenderer.leastFramePause)
    }

    /// One light cannot run in circles, and without colours most states would look alike: these flash their codes.
    public var needsCodes: Bool { pixelCount == 1 || !hasColours || !isDimmable }
}

/// Turns a state and the time since its start into light. Pure: the same arguments, the same pixels.
public enum LightRenderer {
    /// 50 frames a second: beyond that nobody sees a difference.
    public static let leastFramePause = Interval.milliseconds(20)
    /// Breathing is slow: 25 frames a second are as smooth.
    static let breathPause = Interval.milliseconds(40)

    /// - Parameters:
    ///   - lights: the state to show.
    ///   - age: since the state began; not negative.
    ///   - volumePercent: 0…100, for the state that shows it.
    ///   - brightnessPercent: 0…100, as the eye sees it.
    ///   - capabilities: of the output.
    ///   - pixels: gets `capabilities.pixelCount` pixels, linear in light.
    /// - Returns: the age at which the picture changes next; nil when nothing moves any more.
    public static func render(
        _ lights: Lights, age: Interval, volumePercent: Int, brightnessPercent: Int, on capabilities: LightCapabilities,
        into pixels: inout [Pixel]
    ) -> Interval? {
        let pattern = lights.pattern
        let count = capabilities.pixelCount
        let brightness = Float(min(max(brightnessPercent, 0), 100)) / 100
        pixels.removeAll(keepingCapacity: true)
        func add(_ level: Float) { pixels.append(pixel(pattern.colour, level, brightness, capabilities)) }
        func fill(_ level: Float) { for _ in 0..<count { add(level) } }
        if pattern.motion == .bar, count > 1 {
            // Silence shows a little of the first light, so that the state is seen.
            let lit = max(0.25, Float(count * min(max(volumePercent, 0), 100)) / 100)
            for i in 0..<count { add(min(max(lit - Float(i), 0), 1)) }
            return nil
        }
        if capabilities.needsCodes || pattern.motion == .pulse {
            let (isOn, next) = flash(pattern.code, age)
            fill(isOn ? 1 : capabilities.needsCodes ? 0 : pattern.floor)
            return next
        }
        let period = max(1, Interval.milliseconds(pattern.periodMilliseconds).nanoseconds)
        // Cut to one turn before it becomes a Float, which after some hours would no longer know the millisecond.
        let phase = Float(age.nanoseconds % period) / Float(period)
        switch pattern.motion {
        case .solid, .bar, .pulse:
            fill(1)
            return nil
        case .fade:
            let isDone = age.nanoseconds >= period
            fill(1 - (1 - pattern.floor) * smooth(isDone ? 1 : phase))
            return isDone ? nil : nextFrame(age, capabilities.framePause)
        case .breathe:
            fill(1 - (1 - pattern.floor) * smooth(phase < 0.5 ? 2 * phase : 2 - 2 * phase))
            return nextFrame(age, max(breathPause, capabilities.framePause))
        case .spin:
            let head = phase * Float(count)
            let tail = max(1.5, Float(count) / 2)
            for i in 0..<count {
                var behind = head - Float(i)
                if behind < 0 { behind += Float(count) }
                // The light before the head comes up as the head comes near.
                let level = max(1 - behind / tail, behind - Float(count - 1), pattern.floor)
                add(min(level, 1))
            }
            return nextFrame(age, capabilities.framePause)
        }
    }

    /// The next point of a grid of `pause`, so that frames keep their distance however often anybody asks.
    private static func nextFrame(_ age: Interval, _ pause: Interval) -> Interval {
        Interval(nanoseconds: (age.nanoseconds / pause.nanoseconds + 1) * pause.nanoseconds)
    }

    /// Whether a code is lit at that age, and when that changes.
    static func flash(_ code: LightPattern.Code, _ age: Interval) -> (isOn: Bool, next: Interval?) {
        let period = Interval.milliseconds(code.periodMilliseconds).nanoseconds
        if code.count == 0 || code.count == 1 && code.pauseMilliseconds == 0 { return (code.count > 0, nil) }
        let into = age.nanoseconds % period
        var edge: Int64 = 0
        for i in 0..<code.count {
            edge += Interval.milliseconds(code.onMilliseconds).nanoseconds
            if into < edge { return (true, age + Interval(nanoseconds: edge - into)) }
            let isLast = i == code.count - 1
            edge += Interval.milliseconds(isLast ? code.pauseMilliseconds : code.offMilliseconds).nanoseconds
            if into < edge { return (false, age + Interval(nanoseconds: edge - into)) }
        }
        return (false, age + Interval(nanoseconds: period - into))
    }

    /// 0…1 to 0…1, flat at both ends, so that breathing turns gently.
    private static func smooth(_ x: Float) -> Float { x * x * (3 - 2 * x) }

    /// Both 0…1, as the eye sees them. A light that cannot be dimmed is lit from a quarter of its level on, whatever the
    /// brightness, unless that is 0.
    private static func pixel(
        _ colour: UInt32, _ level: Float, _ brightness: Float, _ capabilities: LightCapabilities
    ) -> Pixel {
        if !capabilities.isDimmable { return level >= 0.25 && brightness > 0 ? lit : .dark }
        func channel(_ shift: UInt32) -> UInt16 { linear(Float(colour >> shift & 0xFF) / 255 * level * brightness) }
        return Pixel(red: channel(16), green: channel(8), blue: channel(0))
    }

    private static let lit = Pixel(red: .max, green: .max, blue: .max)

    /// The light that looks so bright: CIE 1931 lightness, L* = 100 for 1. Not darker than the faintest light unless it
    /// is to be dark.
    /// - Parameter lightness: 0…1; what lies outside is cut.
    static func linear(_ lightness: Float) -> UInt16 {
        let value = min(max(lightness, 0), 1) * 100
        if value == 0 { return 0 }
        let root = (value + 16) / 116
        let luminance = value <= 8 ? value / 903.3 : root * root * root
        return UInt16(max(1, (luminance * 65_535).rounded()))
    }
}

import PuckBase

/// What the lights show at the moment, and when they need another frame. Time is an argument; what is drawn goes to an
/// output that somebody else has.
public struct LightPlayer: Sendable {
    public private(set) var lights = Lights.starting
    public private(set) var capabilities: LightCapabilities
    /// 0…100; drawn when it is set.
    public private(set) var volumePercent = 0
    /// 0…100; drawn when it is set.
    public private(set) var brightnessPercent: Int
    private var startedAt = Instant.zero
    private var lastFrameAt: Instant?
    /// When `draw` has something to do; nil: nothing moves.
    public private(set) var nextDeadline: Instant?

    public init(capabilities: LightCapabilities, brightnessPercent: Int) {
        self.capabilities = capabilities
        self.brightnessPercent = brightnessPercent
    }

    /// Another state; its pattern begins now.
    public mutating func show(_ lights: Lights, now: Instant) {
        self.lights = lights
        startedAt = now
        request(now)
    }

    public mutating func setVolume(percent: Int, now: Instant) {
        volumePercent = percent
        if lights == .volume { request(now) }
    }

    public mutating func setBrightness(percent: Int, now: Instant) {
        if percent == brightnessPercent { return }
        brightnessPercent = percent
        request(now)
    }

    /// Another output, which shows nothing yet.
    public mutating func use(_ capabilities: LightCapabilities, now: Instant) {
        self.capabilities = capabilities
        request(now)
    }

    /// As soon as the output can take a frame.
    private mutating func request(_ now: Instant) {
        nextDeadline = lastFrameAt.map { max(now, $0 + capabilities.framePause) } ?? now
    }

    /// Draws what is to be seen now.
    public mutating func draw(now: Instant, into pixels: inout [Pixel]) {
        lastFrameAt = now
        let age = max(.zero, now - startedAt)
        let next = LightRenderer.render(
            lights, age: age, volumePercent: volumePercent, brightnessPercent: brightnessPercent, on: capabilities,
            into: &pixels)
        nextDeadline = next.map { max(startedAt + $0, now + capabilities.framePause) }
    }
}

/// When lights are dimmed: from one time of the day to another, midnight may lie between.
public struct NightHours: Equatable, Sendable {
    public static let minutesOfDay = 24 * 60

    /// Minutes since midnight, local time, 0…1439; the night begins with `from` and ends before `to`.
    public var from: Int
    public var to: Int

    public init(from: Int, to: Int) {
        self.from = from
        self.to = to
    }

    /// "22:00-07:00"; nil when it is something else, or no time at all.
    public init?(_ text: String) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let from = Self.minute(ends[0]), let to = Self.minute(ends[1]), from != to else {
            return nil
        }
        self.init(from: from, to: to)
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 2, (1...2).contains(parts[0].utf8.count),
            let hour = Int(parts[0]), let minute = Int(parts[1]), (0...23).contains(hour), (0...59).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }

    public func contains(minute: Int) -> Bool {
        from < to ? from <= minute && minute < to : from <= minute || minute < to
    }

    /// Minutes until the night begins or ends, 1…1440.
    public func minutesUntilChange(minute: Int) -> Int {
        let target = contains(minute: minute) ? to : from
        let left = (target - minute + Self.minutesOfDay) % Self.minutesOfDay
        return left == 0 ? Self.minutesOfDay : left
    }
}

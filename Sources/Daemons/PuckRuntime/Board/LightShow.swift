import BoardIO
import LinuxIO
import PuckBase
import PuckCore

/// The lights of the board: draws when a frame is due, dims at night, and opens an output that fails again, with growing
/// pauses, for as long as it takes. Loop thread only.
final class LightShow {
    typealias Opener = (LightWiring) throws(LineError) -> LightOutput

    /// Whether it is night: by the clock unless somebody has said so.
    enum Night: String, CaseIterable { case on, off, auto }

    private let wiring: LightWiring
    private let settings: LightSettings
    private let log: Log
    private let open: Opener
    private let clock: () -> Instant
    private let secondOfDay: () -> Int
    private var output: LightOutput?
    private var player: LightPlayer
    private var pixels: [Pixel] = []
    /// What the output shows.
    private var shown: [Pixel] = []
    private var night = Night.auto
    private var nightDueAt: Instant?
    private var openedAt = Instant.zero
    private var retryAt: Instant?
    private var hasFailed = false
    private var complaint = Complaint.attempts
    private var backoff = Backoff()
    private var random = SeededGenerator(name: "lights")

    /// - Parameter secondOfDay: of the wall clock where the puck stands.
    init(
        _ wiring: LightWiring, _ settings: LightSettings, log: Log, clock: @escaping () -> Instant = MonotonicClock.now,
        secondOfDay: @escaping () -> Int = WallClock.secondOfDay, open: @escaping Opener = LightOutput.open
    ) {
        self.wiring = wiring
        self.settings = settings
        self.log = log
        self.clock = clock
        self.secondOfDay = secondOfDay
        self.open = open
        player = LightPlayer(
            capabilities: LightCapabilities(pixelCount: 1, hasColours: true, isDimmable: true),
            brightnessPercent: settings.brightnessPercent)
    }

    /// When `timePassed` has something to do.
    var nextDeadline: Instant? {
        earliest(output == nil ? retryAt : player.nextDeadline, nightDueAt)
    }

    /// For `puckctl status`.
    var isOpen: Bool { output != nil }

    /// Opens the output and begins.
    func start() {
        lookAtTheClock()
        tryToOpen()
    }

    func show(_ lights: Lights) {
        player.show(lights, now: clock())
        draw()
    }

    func setVolume(percent: Int) {
        player.setVolume(percent: percent, now: clock())
        draw()
    }

    func setNight(_ night: Night) {
        self.night = night
        lookAtTheClock()
        draw()
    }

    func timePassed() {
        let now = clock()
        if let nightDueAt, nightDueAt <= now { lookAtTheClock() }
        if output == nil, let retryAt, retryAt <= now { tryToOpen() }
        draw()
    }

    /// Dark: the lights would go on showing what nobody keeps true.
    func stop() {
        guard let output else { return }
        pixels = [Pixel](repeating: .dark, count: output.pixelCount)
        write(output)
        self.output = nil
        retryAt = nil
        nightDueAt = nil
    }

    /// The clock may be set, or the summer begin: looked at once an hour at least.
    private func lookAtTheClock() {
        var isNight = night == .on
        nightDueAt = nil
        if night == .auto, let hours = settings.night {
            let second = secondOfDay()
            isNight = hours.contains(minute: second / 60)
            let left = hours.minutesUntilChange(minute: second / 60) * 60 - second % 60
            nightDueAt = clock() + .seconds(min(left, 3600))
        }
        player.setBrightness(
            percent: isNight ? settings.nightBrightnessPercent : settings.brightnessPercent, now: clock())
    }

    private func tryToOpen() {
        do throws(LineError) {
            let output = try open(wiring)
            self.output = output
            openedAt = clock()
            retryAt = nil
            shown = []
            let fields = [Field("place", output.place), Field("count", output.pixelCount)]
            complaint.end()
            if hasFailed { log.notice("lights.recovered", fields) } else { log.notice("lights.open", fields) }
            player.use(
                LightCapabilities(
                    pixelCount: output.pixelCount, hasColours: output.hasColours, isDimmable: output.isDimmable,
                    framePause: output.leastFramePause), now: openedAt)
        } catch {
            fail(error)
        }
    }

    private func draw() {
        let now = clock()
        guard let output, let due = player.nextDeadline, due <= now else { return }
        player.draw(now: now, into: &pixels)
        write(output)
    }

    /// A picture that is there already costs nothing.
    private func write(_ output: LightOutput) {
        if pixels == shown { return }
        do throws(LineError) {
            try output.write(pixels)
            shown = pixels
        } catch {
            fail(error)
        }
    }

    private func fail(_ error: LineError) {
        let now = clock()
        if output != nil, now - openedAt >= Backoff.stableAfter { backoff.reset() }
        output = nil
        hasFailed = true
        let pause = backoff.nextPause(using: &random)
        retryAt = now + pause
        guard complaint.take(error.context, now: now) != nil else { return }
        log.error(
            "lights.failed",
            [
                Field("detail", error.context), Field("advice", error.advice),
                Field("meanwhile", "the puck works without lights"), Field("retry_ms", pause.wholeMilliseconds),
            ])
    }
}

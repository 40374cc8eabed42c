import PuckBase
import Testing

@testable import PuckCore

@Suite("What lights look like")
struct LightRendererTests {
    static let ring = LightCapabilities(pixelCount: 12, hasColours: true, isDimmable: true)
    static let lamp = LightCapabilities(pixelCount: 1, hasColours: false, isDimmable: false)
    static let outputs = [
        ring, lamp, LightCapabilities(pixelCount: 3, hasColours: true, isDimmable: true),
        LightCapabilities(pixelCount: 1, hasColours: true, isDimmable: true),
        LightCapabilities(pixelCount: 3, hasColours: false, isDimmable: false),
        LightCapabilities(pixelCount: 3, hasColours: true, isDimmable: true, framePause: .milliseconds(50)),
    ]

    private func render(
        _ lights: Lights, _ age: Interval, _ capabilities: LightCapabilities, volume: Int = 50, brightness: Int = 100
    ) -> (pixels: [Pixel], next: Interval?) {
        var pixels = [Pixel.dark]
        let next = LightRenderer.render(
            lights, age: age, volumePercent: volume, brightnessPercent: brightness, on: capabilities, into: &pixels)
        return (pixels, next)
    }

    @Test("frames keep their distance, and where none follows the picture stands still", arguments: Lights.allCases)
    func frames(_ lights: Lights) {
        for output in Self.outputs {
            var age = Interval.zero
            var frames = 0
            while age < .seconds(60) {
                let (pixels, next) = render(lights, age, output)
                frames += 1
                #expect(pixels.count == output.pixelCount)
                guard let next else {
                    for later in [1, 20, 777, 3_600_000] {
                        #expect(render(lights, age + .milliseconds(later), output).pixels == pixels)
                    }
                    break
                }
                #expect(next - age >= output.framePause, "\(output) at \(age)")
                age = next
            }
            #expect(frames <= 60 * 50)
        }
    }

    @Test(
        "what can last for hours costs at most three frames a second",
        arguments: [Lights.idle, .muted, .offline, .degraded, .error])
    func longStates(_ lights: Lights) {
        for output in Self.outputs {
            var age: Interval? = .seconds(3600)
            var frames = 0
            while let now = age, now < .seconds(3660) {
                age = render(lights, now, output).next
                frames += 1
            }
            #expect(frames <= 180)
        }
    }

    @Test("a single lamp changes exactly when it was said, and no code is like another")
    func codes() {
        var seen: [[Bool]: Lights] = [:]
        for lights in Lights.allCases {
            var row: [Bool] = []
            var due: Interval? = .zero
            for step in 0..<1200 {
                let age = Interval.milliseconds(step * 10)
                let (pixels, next) = render(lights, age, Self.lamp)
                let isLit = pixels[0] != .dark
                if let last = row.last, last != isLit { #expect(due == age, "\(lights) at \(age)") }
                due = next
                row.append(isLit)
            }
            // Listening and volume are the two that simply shine: one when spoken to, one when turned.
            if lights != .volume { #expect(seen.updateValue(lights, forKey: row) == nil, "\(lights)") }
        }
    }

    @Test("on lights with colours no two states look alike")
    func colours() {
        let looks = Lights.allCases.map { "\($0.pattern.colour) \($0.pattern.motion)" }
        #expect(Set(looks).count == looks.count)
    }

    @Test("light grows with lightness, from nothing to all, and half looks like half")
    func gamma() {
        let row = (0...1000).map { LightRenderer.linear(Float($0) / 1000) }
        #expect(row.first == 0 && row.last == 65_535 && row[1] > 0)
        for (a, b) in zip(row, row.dropFirst()) { #expect(a < b) }
        // CIE 1931: a lightness of 50 is 18.42 % of the light.
        #expect(abs(Double(row[500]) / 65_535 - 0.1842) < 0.0002)
        #expect(LightRenderer.linear(-1) == 0 && LightRenderer.linear(2) == 65_535)
    }

    @Test("brightness dims everything and 0 is darkness; what cannot be dimmed shines unless it is 0")
    func brightness() {
        for lights in Lights.allCases {
            for output in Self.outputs {
                let full = render(lights, .zero, output).pixels
                let dim = render(lights, .zero, output, brightness: 10).pixels
                for (a, b) in zip(full, dim) {
                    if output.isDimmable { #expect(b.brightest <= a.brightest / 4) } else { #expect(a == b) }
                    #expect((a == .dark) == (b == .dark))
                }
                #expect(render(lights, .zero, output, brightness: 0).pixels.allSatisfy { $0 == .dark })
            }
        }
    }

    @Test("the volume is a bar, and never invisible")
    func bar() {
        func lit(_ volume: Int) -> Int {
            render(.volume, .zero, Self.ring, volume: volume).pixels.filter { $0 != .dark }.count
        }
        #expect([0, 50, 100, 200, -5].map(lit) == [1, 6, 12, 12, 1])
    }

    @Test("a spot runs over every light in turn")
    func spin() {
        let heads = (0..<12).map { step in
            let pixels = render(.thinking, .milliseconds(step * 100), Self.ring).pixels
            return pixels.indices.max { pixels[$0].brightest < pixels[$1].brightest }!
        }
        #expect(heads == Array(0..<12))
    }
}

@Suite("When lights are drawn")
struct LightPlayerTests {
    @Test("however often the state changes, frames keep their distance")
    func hammered() {
        var player = LightPlayer(capabilities: LightRendererTests.ring, brightnessPercent: 100)
        var pixels: [Pixel] = []
        var now = Instant.zero + .seconds(1)
        var last: Instant?
        var frames = 0
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            now = now + Interval(nanoseconds: Int64(random.next() % 3_000_000))
            if random.next() % 2 == 0 {
                player.show(Lights.allCases[Int(random.next() % 12)], now: now)
                player.setVolume(percent: Int(random.next() % 101), now: now)
                player.setBrightness(percent: Int(random.next() % 101), now: now)
            }
            guard let due = player.nextDeadline, due <= now else { continue }
            if let last { #expect(now - last >= .milliseconds(20)) }
            last = now
            player.draw(now: now, into: &pixels)
            frames += 1
        }
        #expect(frames > 500)
    }

    @Test("nothing is drawn while nothing moves")
    func still() {
        var player = LightPlayer(capabilities: LightRendererTests.ring, brightnessPercent: 100)
        var pixels: [Pixel] = []
        var now = Instant.zero
        player.show(.muted, now: now)
        #expect(player.nextDeadline == now)
        player.draw(now: now, into: &pixels)
        #expect(player.nextDeadline == nil)
        now = now + .seconds(1)
        player.setVolume(percent: 3, now: now)
        #expect(player.nextDeadline == nil, "the volume is not what is shown")
        player.setBrightness(percent: 30, now: now)
        #expect(player.nextDeadline == now)
        player.draw(now: now, into: &pixels)
        player.setBrightness(percent: 30, now: now)
        #expect(player.nextDeadline == nil)
    }
}

@Suite("The night")
struct NightHoursTests {
    @Test(
        "is from one time to another, over midnight or not",
        arguments: [
            ("22:00-07:00", 22 * 60, true, 540), ("22:00-07:00", 22 * 60 - 1, false, 1), ("22:00-07:00", 0, true, 420),
            ("22:00-07:00", 7 * 60, false, 900), ("1:30-2:00", 90, true, 30), ("1:30-2:00", 120, false, 1410),
        ])
    func hours(_ text: String, _ minute: Int, _ isNight: Bool, _ left: Int) throws {
        let hours = try #require(NightHours(text))
        #expect(hours.contains(minute: minute) == isNight && hours.minutesUntilChange(minute: minute) == left)
    }

    @Test(
        "what is no time is refused", arguments: ["", "22:00", "24:00-07:00", "22:0-7:00", "22-7", "7:00-7:00", "a-b"])
    func refused(_ text: String) { #expect(NightHours(text) == nil) }
}

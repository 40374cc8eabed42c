import BoardIO
import CLinux
import LinuxIO
import PuckBase
import PuckCore
import Settings

/// `puckd --show`: the lights' states, on the board's lights or on the terminal.
struct ShowLights {
    /// Of `all`, each so long; one alone until somebody has seen enough.
    private static let shownFor = Interval.seconds(4)

    private let states: [Lights]

    /// - Parameter name: of a state, or "all"; nil when it is neither.
    init?(_ name: String) {
        if name == "all" {
            states = Lights.allCases
        } else if let lights = Lights(rawValue: name) {
            states = [lights]
        } else {
            return nil
        }
    }

    static var names: String {
        var text = ""
        for lights in Lights.allCases { text += lights.rawValue + ", " }
        return text + "all"
    }

    /// On a terminal they move; into a file or a pipe goes a page for each, always the same.
    func onTerminal() -> Int32 {
        if isatty(1) != 1 {
            for i in states.indices { _ = PuckCommand.say((i == 0 ? "" : "\n") + LightsText.page(states[i]), end: "") }
            return 0
        }
        var name = ""
        let output = LightOutput(
            place: "terminal", pixelCount: LightsText.capabilities.pixelCount, hasColours: true, isDimmable: true
        ) { (pixels) throws(LineError) in
            var line = "\r\u{1B}[K"
            for pixel in pixels {
                line += "\u{1B}[38;2;\(Self.shade(pixel.red));\(Self.shade(pixel.green));\(Self.shade(pixel.blue))m● "
            }
            _ = PuckCommand.say(line + "\u{1B}[0m " + name, end: "")
        }
        return run(with: { _ throws(LineError) in output }, wiring: .ledClass([]), settings: nil) { name = $0.rawValue }
    }

    /// A terminal's colours are for the eye, whose lightness is near the square root of the light.
    private static func shade(_ value: UInt16) -> Int { Int((Float(value) / 65_535).squareRoot() * 255) }

    func onBoard(_ settings: PuckSettings) -> Int32 {
        guard let wiring = settings.lights.wiring(chipLabels: settings.gpio.chipLabels) else {
            return PuckCommand.fail(
                "puckd: [lights] output is \(settings.lights.output.rawValue): say what lights there are, or show them "
                    + "here with --lights=terminal", ExitStatus.configuration)
        }
        let power = BoardOutputs.powered(settings.gpio)
        defer { power?.powerDown() }
        // Once for the message; a failure later is a line of the log, and tried again.
        do throws(LineError) { _ = try LightOutput.open(wiring) } catch {
            return PuckCommand.fail("puckd: " + error.message, 1)
        }
        return run(with: LightOutput.open, wiring: wiring, settings: settings.lights) {
            _ = PuckCommand.say($0.rawValue)
        }
    }

    private func run(
        with open: @escaping LightShow.Opener, wiring: LightWiring, settings: LightSettings?, before: (Lights) -> Void
    ) -> Int32 {
        let signals: SignalDescriptor
        do throws(SystemError) { signals = try SignalDescriptor([.terminate, .interrupt]) } catch {
            return PuckCommand.fail("puckd: \(error.description)", 1)
        }
        var defaults = SettingsReader(layers: [], mainName: "")
        let show = LightShow(
            wiring, settings ?? LightSettings(&defaults), log: Log.standardError(level: .error), open: open)
        show.setVolume(percent: LightsText.volumePercent)
        show.start()
        for lights in states {
            before(lights)
            show.show(lights)
            let end = states.count > 1 ? MonotonicClock.now() + Self.shownFor : nil
            while end.map({ MonotonicClock.now() < $0 }) ?? true {
                var entry = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
                let pause = earliest(show.nextDeadline, end).map { ($0 - MonotonicClock.now()).wholeMilliseconds + 1 }
                _ = poll(&entry, 1, Int32(clamping: pause.map { max(0, $0) } ?? -1))
                if signals.next() != nil {
                    show.stop()
                    return PuckCommand.say("")
                }
                show.timePassed()
            }
        }
        show.stop()
        return PuckCommand.say("")
    }
}

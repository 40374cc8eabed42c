import ALSADevice
import AudioRing
import CLinux
import LinuxIO
import PuckAudio
import PuckBase
import Settings
import Synchronization

/// `puckd --meter`: the microphone as the wake detector hears it, ten times a second, until SIGINT.
struct Meter {
    /// Columns of the bar: one for 2 dB between −80 and 0.
    static let width = 40
    static let interval = 100

    private let settings: PuckSettings

    init(_ settings: PuckSettings) { self.settings = settings }

    func run() -> Int32 {
        let power = BoardOutputs.powered(settings.gpio)
        defer { power?.powerDown() }
        do throws(SystemError) {
            let signals = try SignalDescriptor([.terminate, .interrupt])
            let event = try EventDescriptor()
            let capture = try CaptureThread(settings: settings, wake: event.signaller)
            let isTerminal = isatty(1) == 1
            var status: Int32 = 0
            while signals.next() == nil {
                while let said = capture.mailbox.take() {
                    if said.kind == .deviceLost, let error = capture.errors.take() {
                        status = PuckCommand.fail(error.message, 1)
                    }
                    if said.kind == .deviceOpened, let format = capture.format.take() { _ = PuckCommand.say(format) }
                    if said.kind == .microphoneJudged {
                        let advice = MicrophoneReport(capture.controls).advice
                        if !advice.isEmpty { _ = PuckCommand.say((isTerminal ? "\r\u{1B}[K" : "") + advice) }
                    }
                    if said.kind == .wake { _ = PuckCommand.say(isTerminal ? "\r\u{1B}[Kwake" : "wake") }
                }
                if status != 0 { break }
                show(capture.controls, isTerminal)
                event.drain()
                waitReadable(signals.descriptor, milliseconds: Self.interval)
            }
            if isTerminal { _ = PuckCommand.say("") }
            capture.stop()
            return status
        } catch {
            return PuckCommand.fail("puckd: \(error.description)", 1)
        }
    }

    private func show(_ controls: CaptureControls, _ isTerminal: Bool) {
        let level = Double(controls.words.pointee.level.load(ordering: .relaxed)) / 100
        let noise = Double(controls.words.pointee.noise.load(ordering: .relaxed)) / 100
        var line = Self.line(level: level, noise: noise, threshold: settings.wake.thresholdDecibels)
        let report = MicrophoneReport(controls)
        if report.flaws.contains(.offset) { line += "  offset \(fixed(report.offsetDecibels, 1)) dBFS" }
        if report.flaws != .none { line += "  " + report.names }
        line = isTerminal ? "\r\u{1B}[K" + line : line + "\n"
        line.withUTF8 { bytes in _ = write(1, bytes.baseAddress, bytes.count) }
    }

    /// The bar shows the level, `|` the noise floor, `>` the level that wakes.
    static func line(level: Double, noise: Double, threshold: Double) -> String {
        func column(_ decibels: Double) -> Int { min(width - 1, max(0, Int((decibels + 80) / 2))) }
        var bar = ""
        for i in 0..<width {
            if i == column(noise + threshold) {
                bar += ">"
            } else if i == column(noise) {
                bar += "|"
            } else {
                bar += i <= column(level) ? "=" : " "
            }
        }
        return "[\(bar)] level \(fixed(level, 1)) dB  noise \(fixed(noise, 1)) dB  SNR \(fixed(level - noise, 1)) dB"
    }
}

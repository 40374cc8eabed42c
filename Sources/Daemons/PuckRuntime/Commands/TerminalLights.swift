import CLinux
import LinuxIO
import PuckBase
import PuckCore

/// Shows the lights on standard output, for boards without any and for developers: on a terminal one coloured line that
/// changes in place, elsewhere one line for each change.
final class TerminalLights {
    private let isTerminal = isatty(1) == 1

    func show(_ lights: Lights) {
        let (colour, glyph, word) = Self.look(of: lights)
        write(isTerminal ? "\r\u{1B}[K\u{1B}[\(colour)m\(glyph)\u{1B}[0m \(word)" : "lights: \(lights.rawValue)\n")
    }

    /// Leaves the terminal's line clean.
    func clear() {
        if isTerminal { write("\r\u{1B}[K") }
        Self.writer.flush(within: .milliseconds(20))
    }

    /// ANSI colour (ECMA-48 SGR), glyph and words.
    static func look(of lights: Lights) -> (colour: String, glyph: String, word: String) {
        switch lights {
        case .starting: ("37", "◌", "starting")
        case .idle: ("90", "○", "idle")
        case .candidate: ("36", "◔", "heard something")
        case .listening: ("1;34", "●", "listening")
        case .thinking: ("1;35", "◍", "thinking")
        case .speaking: ("1;32", "◉", "speaking")
        case .muted: ("31", "⊘", "muted")
        case .offline: ("33", "◌", "offline: no hub")
        case .degraded: ("33", "◑", "something is broken: see the log")
        case .error: ("1;31", "✖", "error: see the log")
        case .volume: ("1;37", "◧", "volume")
        case .pairing: ("1;36", "⟳", "pairing")
        }
    }

    /// The loop does not wait for a terminal that is held (Ctrl-S). What it misses there, the next change replaces.
    private static let writer = BackgroundWriter(descriptor: 1) { _ in "" }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { Self.writer.append($0) }
    }
}

import LinuxIO
import Settings

// `puckd --detect` and `puckd --check-board`: what a board is, before there is a configuration.

enum BoardCommands {
    /// Exit statuses of `--detect`, beside 0 for one board.
    static let unknown: Int32 = 1
    static let ambiguous: Int32 = 2

    /// Says which board this machine is, on the first line alone, and why below it.
    /// - Parameters:
    ///   - configuration: its `[puck] board_dir` counts when it can be read; the rest of it may be broken.
    ///   - root: "" for this machine.
    static func detect(configuration: String, overrides: [String], root: String) -> Int32 {
        var layers: [SettingsDocument] = []
        do throws(SettingsErrors) { layers.append(try SettingsDocument.read(configuration)) } catch {}
        layers.append(SettingsDocument(overrides: overrides))
        var reader = SettingsReader(layers: layers, mainName: configuration)
        let folders = IdentitySettings.boardFolders(&reader)
        let detection = Detection(boards(in: folders), on: Hardware(root: root))
        switch detection.verdict {
        case .found(let name):
            say(name)
            explain(detection.candidates[0])
            say("Choose it: 'board = \(name)' in [puck] of puckd.conf, or 'puckd --board \(name)'.")
            return 0
        case .ambiguous(let names):
            say("ambiguous")
            for candidate in detection.candidates where names.contains(candidate.board.name) { explain(candidate) }
            say("They look alike from here. Choose the one that is written on the board: 'board = NAME' in [puck].")
            return ambiguous
        case .unknown:
            say("unknown")
            for candidate in detection.candidates { explain(candidate) }
            say(
                detection.candidates.isEmpty
                    ? "Nothing of any known board is here. 'board = generic' works with any card that ALSA finds; "
                        + "docs/BOARDS.md shows how to describe a new board."
                    : "Something is missing: check that the overlay is loaded (config.txt) and the driver installed.")
            return unknown
        }
    }

    /// Every board that is described, those of earlier folders hiding others of the same name.
    private static func boards(in folders: [String]) -> [BoardDescription] {
        var boards: [BoardDescription] = []
        for folder in folders {
            for file in folderEntries(folder) where file.hasSuffix(".conf") {
                let name = String(file.dropLast(5))
                if boards.contains(where: { $0.name == name }) { continue }
                do throws(SettingsErrors) {
                    boards.append(try BoardDescription.read(folder + "/" + file, name: name).board)
                } catch { _ = PuckCommand.fail(error.description, 0) }
            }
        }
        if boards.isEmpty {
            var list = ""
            for folder in folders { list += (list.isEmpty ? "" : " and ") + folder }
            _ = PuckCommand.fail("No boards are described in \(list): set board_dir with --set puck.board_dir=DIR.", 0)
        }
        return boards
    }

    private static func explain(_ candidate: Detection.Candidate) {
        say("  " + candidate.board.name + (candidate.board.title.isEmpty ? "" : ": " + candidate.board.title))
        for thing in candidate.found { say("    here: " + thing) }
        for thing in candidate.missing { say("    not here: " + thing) }
    }

    /// Validates a board's file. 0 when it is right, 78 when it is not; what could be better is said either way.
    static func check(_ path: String) -> Int32 {
        let file = path.split(separator: "/").last.map { String($0) } ?? path
        let name = file.hasSuffix(".conf") ? String(file.dropLast(5)) : file
        do throws(SettingsErrors) {
            let (board, settings) = try BoardDescription.read(path, name: name)
            var reader = SettingsReader(layers: [], mainName: path)
            reader.insertLowest(settings, sections: PuckSettings.boardSections)
            let hardware = HardwareSettings(&reader)
            hardware.check(board: board, &reader)
            try reader.finish()
            say("\(path): ok, \(board.title.isEmpty ? name : board.title)")
            if !file.hasSuffix(".conf") { say("note: the file's name must end in .conf") }
            for note in notes(board, hardware) { say("note: " + note) }
            return 0
        } catch {
            return PuckCommand.fail(error.description, ExitStatus.configuration)
        }
    }

    private static func notes(_ board: BoardDescription, _ hardware: HardwareSettings) -> [String] {
        var notes: [String] = []
        if board.title.isEmpty { notes.append("[board] title would tell people what it is") }
        if !board.isRecognisable {
            notes.append("'puckd --detect' cannot find it: nothing in [board] says how it is recognised")
        }
        if hardware.capture.device == "default" || hardware.playback.device == "default" {
            notes.append("sound goes where ALSA's 'default' does; with [board] card, 'device = hw:CARD=$CARD' is exact")
        }
        if !hardware.playback.volumeControl.isEmpty, hardware.mixer.value(of: hardware.playback.volumeControl) == nil {
            notes.append(
                "[mixer] does not set '\(hardware.playback.volumeControl)': 100 % is then the control's loudest")
        }
        return notes
    }

    private static func say(_ text: String) { _ = PuckCommand.say(text) }
}

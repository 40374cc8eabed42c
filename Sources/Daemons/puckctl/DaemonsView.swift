import CLinux
import LinuxIO

// The check sees what the daemon sees: its user, and what its environment makes libasound read. A person's ~/.asoundrc,
// or a sound server of a person's session, says nothing about a service.

extension Doctor {
    /// What decides which files and servers libasound and its plugins take.
    static let soundVariables = [
        "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "ALSA_CONFIG_PATH", "ALSA_CONFIG_DIR",
        "ALSA_CONFIG_UCM", "ALSA_CONFIG_UCM2", "ALSA_PLUGIN_DIR", "ALSA_CARD", "ALSA_PCM_CARD", "ALSA_PCM_DEVICE",
        "ALSA_CTL_CARD", "PULSE_SERVER", "PULSE_RUNTIME_PATH", "PULSE_COOKIE", "PULSE_CLIENTCONFIG", "PIPEWIRE_REMOTE",
        "PIPEWIRE_RUNTIME_DIR",
    ]

    /// What root may do says nothing about what the daemon may: it is tried as the user that owns the socket, or as the
    /// package's. Nothing is changed for anybody who is not root.
    /// - Returns: the words in front of the command, and that user's home where it is another user.
    static func daemonsUser(_ socket: String) -> (words: [String], home: String?) {
        if geteuid() != 0 { return ([], nil) }
        var status = stat()
        var entry: UnsafeMutablePointer<passwd>?
        if stat(socket, &status) == 0 {
            if status.st_uid != 0 { entry = getpwuid(status.st_uid) }
        } else {
            entry = getpwnam("puckd")
        }
        guard let entry else { return ([], nil) }
        return (
            ["runuser", "-u", String(cString: entry.pointee.pw_name), "--"], String(cString: entry.pointee.pw_dir)
        )
    }

    /// The command that gives the check the running daemon's variables, or, without one, what a service of that user
    /// has: its home, and nothing of the caller's session. Empty when there is nothing to change.
    /// - Parameters:
    ///   - process: the daemon's; nil when none runs.
    ///   - home: of the user that the check runs as; nil for the caller's own.
    static func environment(of process: Int?, home: String?, root: String = "/proc") -> [String] {
        let wanted: [String]
        if let process, let bytes = environmentBytes("\(root)/\(process)/environ") {
            wanted = variables(in: bytes)
        } else if let home {
            wanted = ["HOME=" + home]
        } else {
            return []
        }
        var words = ["env"]
        for name in soundVariables where !wanted.contains(where: { $0.hasPrefix(name + "=") }) {
            words += ["-u", name]
        }
        return words + wanted
    }

    /// Nil when it may not be read: the daemon is another user's.
    private static func environmentBytes(_ path: String) -> [UInt8]? {
        do throws(SystemError) {
            let bytes = try readSmallFile(path)
            return bytes.isEmpty ? nil : bytes
        } catch { return nil }
    }

    /// Those of `soundVariables` that are set, in what /proc shows: `NAME=VALUE`, each ended by a zero.
    static func variables(in bytes: [UInt8]) -> [String] {
        var found: [String] = []
        for entry in bytes.split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            if soundVariables.contains(where: { text.hasPrefix($0 + "=") }) { found.append(text) }
        }
        return found
    }
}

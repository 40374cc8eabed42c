import LinuxIO
import PuckBase
import Settings

/// What people have set and expect to find again after a restart: the volume, and the mute when it was theirs. A small
/// file in INI form, replaced whole. Loop thread only.
///
/// Changes are written when they have rested for 2 s, so that turning a knob is one write, and at the end. A write waits
/// for the SD card, usually some tens of milliseconds; the rings hold a second.
final class KeptState {
    static let rest = Interval.seconds(2)

    /// Nil: nothing is kept.
    private let path: String?
    private let log: Log
    private let clock: () -> Instant
    private(set) var volumePercent: Int?
    private(set) var isMuted = false
    /// Changes count from `begin` on: until then they are what the file and the configuration say.
    private var hasBegun = false
    private(set) var nextDeadline: Instant?
    private var hasFailed = false

    /// - Parameter folder: must exist; "" for none.
    init(folder: String, log: Log, clock: @escaping () -> Instant = MonotonicClock.now) {
        path = folder.isEmpty ? nil : folder + "/state.conf"
        self.log = log
        self.clock = clock
    }

    /// Reads the file. One that is missing is no fault; one that cannot be understood is said, and as good as missing.
    func load() {
        guard let path, SettingsDocument.exists(path) else { return }
        do throws(SettingsErrors) {
            let document = try SettingsDocument.read(path)
            var reader = SettingsReader(layers: [document], mainName: path)
            let hasVolume = reader.isSet("state", "volume")
            let volume = reader.integer("state", "volume", default: 0, range: 0...100, unit: "%")
            let muted = reader.boolean("state", "muted", default: false)
            try reader.finish()
            volumePercent = hasVolume ? volume : nil
            isMuted = muted
        } catch {
            log.warning(
                "state.unreadable",
                [
                    Field("detail", error.description),
                    Field("advice", "It is rewritten at the next change; or remove it."),
                ])
        }
    }

    /// - Parameter volumePercent: as it is now.
    func begin(volumePercent: Int) {
        self.volumePercent = volumePercent
        hasBegun = true
    }

    func noteVolume(_ percent: Int) {
        if !hasBegun || percent == volumePercent { return }
        volumePercent = percent
        nextDeadline = clock() + Self.rest
    }

    func noteMute(_ isMuted: Bool) {
        if !hasBegun || isMuted == self.isMuted { return }
        self.isMuted = isMuted
        nextDeadline = clock() + Self.rest
    }

    func timePassed() {
        if let due = nextDeadline, due <= clock() { save() }
    }

    /// Writes what has not been written yet.
    func save() {
        guard nextDeadline != nil else { return }
        nextDeadline = nil
        guard let path else { return }
        let text =
            "# Written by puckd: the volume and the mute that were set last.\n[state]\nvolume = \(volumePercent ?? 0)\n"
            + "muted = \(isMuted ? "yes" : "no")\n"
        do throws(SystemError) {
            try writeFileAtomically(path, Array(text.utf8))
            hasFailed = false
        } catch {
            if !hasFailed {
                log.warning(
                    "state.not_kept",
                    [
                        Field("detail", error.description),
                        Field(
                            "advice",
                            "Make the folder for puckd's user (systemd does, by StateDirectory=), or set [puck] state_dir."
                        ),
                    ])
            }
            hasFailed = true
        }
    }
}

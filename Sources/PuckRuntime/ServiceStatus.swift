import LinuxIO
import PuckBase
import PuckCore

// What the service manager is told (sd_notify(3)).

extension PuckDaemon {
    /// Tells the service manager how things stand, when that has changed.
    func reportToManager() {
        guard let manager else { return }
        let view = (puck.isConnected ? 1 : 0) | (puck.isMuted ? 2 : 0) | (puck.hears ? 0 : 4) | (puck.sounds ? 0 : 8)
        if view == shownToManager { return }
        shownToManager = view
        manager.status(
            (puck.isConnected ? "connected to the hub" : "without a hub") + (puck.isMuted ? ", muted" : "")
                + (puck.hears ? "" : ", microphone broken") + (puck.sounds ? "" : ", loudspeaker broken"))
    }
}

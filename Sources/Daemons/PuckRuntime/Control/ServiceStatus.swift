import LinuxIO
import PuckBase
import PuckCore

// What the service manager is told (sd_notify(3)), and what it tells: to read the configuration again.

extension PuckDaemon {
    /// Tells the service manager how things stand, when that has changed.
    /// - Parameter again: the manager has heard something else in the meantime.
    func reportToManager(again: Bool = false) {
        guard let manager else { return }
        let view = (puck.isConnected ? 1 : 0) | (puck.isMuted ? 2 : 0) | (puck.hears ? 0 : 4) | (puck.sounds ? 0 : 8)
        if view == shownToManager, !again { return }
        shownToManager = view
        manager.status(
            (puck.isConnected ? "connected to the hub" : settings.hub.isComplete ? "without a hub" : "not paired")
                + (puck.isMuted ? ", muted" : "")
                + (puck.hears ? "" : ", microphone broken") + (puck.sounds ? "" : ", loudspeaker broken"))
    }

    /// SIGHUP.
    func rereadConfiguration() {
        manager?.reloading(now: MonotonicClock.now())
        defer { manager?.ready() }
        guard let fresh = reread() else { return }
        if let detail = settings.needsRestart(for: fresh) {
            log.warning("config.restart_needed", [Field("detail", detail)])
        }
        takeOver(fresh)
        takeOver(fresh.wake)
        effects.removeAll(keepingCapacity: true)
        puck.reconfigure(fresh.coreParameters, into: &effects)
        for i in effects.indices { carryOut(effects[i]) }
        log.notice("config.reread")
    }
}
